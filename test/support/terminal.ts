import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";
import { followed, type Place } from "./cli.ts";

export const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;
const driver = join(import.meta.dirname, "terminal.py");

/** Once `expected` is shown, `typed` is typed; terminal.py says what else `typed` can be. */
export type Typed = readonly [expected: string, typed: string | null];

export interface Session {
  readonly code: number | string;
  readonly output: string;
  /** The end of the output, with the codes that move the cursor and clear lines. */
  readonly end: string;
  /** Whether the terminal shows what is typed, as it did in the beginning; null once it was closed. */
  readonly echo: boolean | null;
}

/** Runs a program in a terminal, and types what the steps say. */
export async function typeInto(place: Place, argv: readonly string[], steps: readonly Typed[]): Promise<Session> {
  const env = { ...place.env, TERM: "xterm-256color", PS1: "$ " };
  const order = { argv, cwd: place.workspace, env, steps, seconds: 20 };
  const { stdout, stderr } = await followed(
    spawn("python3", [driver, JSON.stringify(order)], { stdio: ["ignore", "pipe", "pipe"] }),
  ).ended;
  expect(stderr).toBe("");
  const { missed, ...session } = JSON.parse(stdout) as Session & { missed: string[] };
  expect({ missed, output: missed.length > 0 ? session.output : "" }).toEqual({ missed: [], output: "" });
  return session;
}

/** A question is marked so while it waits; once answered it is shown again with another mark. */
export const asked = (question: string) => `◆  ${question}`;
export const ctrlC = "\x03";
export const ctrlZ = "\x1a";
export const enter = "\r";
