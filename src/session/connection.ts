import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { printedBy } from "../programs/program.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { configSchema, readLayer } from "./config.ts";
import { userFolders } from "./places.ts";

/** How the user's own config.json reaches a model; a project's has no say. */
export function ownConnection(env: World["env"]) {
  const { backend, api_key_command } = configSchema.parse(readLayer(userFolders(env).config).layer);
  return { backend, keyCommand: api_key_command };
}

/** What the command printed, which is never shown. */
export async function keyPrintedBy([program = "", ...argv]: readonly string[], env: World["env"]): Promise<string> {
  const { PATH = "", HOME = "" } = env;
  const bounds = { cwd: userFolders(env).config, env: { PATH, HOME }, bytes: 10_000, ms: 60_000 };
  const { end, code, stdout } = await printedBy(program, argv, bounds);
  const key = stdout.trim();
  if (end === "exited" && code === 0 && key !== "") return key;
  const ends = {
    exited: code === 0 ? "it printed nothing" : `exit ${code ?? "none"}`,
    missing: "there is no such program",
    cut: "it printed more than any key has",
    late: "it took over a minute",
  };
  throw new UserError(
    "no_key_printed",
    `The api_key_command of your own settings printed no key: ${ends[end]}. Nothing was begun.`,
    [{ why: `Run it by hand to see why: ${[program, ...argv].join(" ")}` }, { why: "Or export ANTHROPIC_API_KEY=…" }],
    exitCodes.notConfigured,
  );
}

/** The user's own Claude Code. */
export function claudeProgram(env: World["env"]): string {
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  const found = folders.map((folder) => join(folder, "claude")).find(isProgram);
  if (found !== undefined) return found;
  throw new UserError(
    "no_claude",
    "Claude Code is to be the model, and there is no program claude on your PATH. Nothing was begun.",
    [
      { why: "Install it: npm install -g @anthropic-ai/claude-code" },
      { input: { backend: "api" }, why: "Or use a key" },
    ],
    exitCodes.notConfigured,
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
