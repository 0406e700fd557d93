import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { layOut, readTrial } from "../../../bench/ceremony.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const hasTmux = spawnSync("tmux", ["-V"]).status === 0;
if (!hasTmux) console.warn("tmux is not installed: the lines that a person reads to approve are not counted.");

/** What is typed once a text is on the screen. */
type Step = readonly [shown: string, typed: string];
const approval = "◆  Approve this approach?";
const program = join(import.meta.dirname, "..", "..", "..", "bin", "claude-exec.js");

/** Everything a person has on their screen of 100 columns, from the start to the last step, without empty lines. */
async function linesOnScreen(folder: string, command: readonly string[], steps: readonly Step[], last: string) {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const settings = join(folder, "config", "claude-exec", "config.json");
  mkdirSync(dirname(settings), { recursive: true });
  writeFileSync(settings, JSON.stringify({ permissions: { unsandboxed: true } }));
  const env = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_STATE_HOME: join(folder, "state"),
    TMPDIR: folder,
    TERM: "screen",
  };
  const assigned = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`);
  const words = [process.execPath, program, ...command].map(quote).join(" ");
  writeFileSync(
    join(folder, "go.sh"),
    `cd ${quote(join(folder, "project"))}\nunset CI NO_COLOR\n${assigned.join(" ")} ${words}\n`,
  );
  const tmux = (...args: string[]) => execFileSync("tmux", ["-S", join(folder, "tmux"), ...args], { encoding: "utf8" });
  tmux("new-session", "-d", "-x", "100", "-y", "300", `sh ${quote(join(folder, "go.sh"))}; sleep 1000`);
  const until = async (shown: string) => {
    for (let tries = 0; ; tries++) {
      const screen = tmux("capture-pane", "-p");
      if (screen.includes(shown)) return screen;
      if (tries > 600) throw new Error(`"${shown}" never came:\n${screen}`);
      await setTimeout(100);
    }
  };
  try {
    for (const [shown, typed] of steps) {
      await until(shown);
      tmux("send-keys", "-l", typed);
      tmux("send-keys", "Enter");
    }
    await until(last);
    // What is offered to be typed is not counted.
    const lines = (await until("◆")).split("\n").filter((line) => /[\p{L}\p{N}]/u.test(line) && line !== "│  Y");
    tmux("send-keys", "C-c");
    await until("Paused.");
    return { lines, text: lines.join("\n") };
  } finally {
    tmux("kill-server");
  }
}

async function trial(name: string, steps: readonly Step[], last: string) {
  const folder = temporaryFolder();
  const { date, replies, commands, ...rest } = readTrial(name);
  await layOut({ date, replies, commands, ...rest }, join(folder, "project"));
  const recording = join(folder, "recording.json");
  const head = { format: 1, model: "claude-opus-5-5", recorded_at: `${date}T12:00:00.000Z`, note: "" };
  writeFileSync(recording, JSON.stringify({ ...head, replies }));
  const flags = ["--trust", `--replay=${recording}`, ...(rest.tests ? ["--test-command", "node run-tests.mjs"] : [])];
  return linesOnScreen(folder, [...commands[0]!, ...flags], steps, last);
}

/** The aim of trials; it counts the questions with their answers, and the question of the approval too. */
const most = 60;

test.skipIf(!hasTmux)(
  "a person reads 60 lines at most to approve the rehearsal, its four questions included",
  async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "project"));
    const questions: Step[] = ["Shall", "What becomes", "How long", "Where does"].map((words) => [`◆  ${words}`, ""]);
    const { lines, text } = await linesOnScreen(folder, ["demo"], questions, approval);
    expect(lines.length, text).toBeLessThanOrEqual(most);
  },
);

test.skipIf(!hasTmux)("… and to approve a method of express, with a question at the approval", async () => {
  const question = "Can a GET with If-None-Match turn a problem response into an empty 304, and what does it return?";
  const { lines, text } = await trial("express-problem", [[approval, question]], "Changed since");
  expect(lines.length, text).toBeLessThanOrEqual(most);
});

test.skipIf(!hasTmux)("… and to approve a feature of cachetools, which is not told twice by v", async () => {
  const { lines, text } = await trial("cachetools-resize", [], approval);
  expect(lines.length, text).toBeLessThanOrEqual(most);
});
