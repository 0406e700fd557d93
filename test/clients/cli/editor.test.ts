import { spawn, spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { followed, placeWith, program, type Place } from "../../support/cli.ts";

const python = spawnSync("python3", ["-c", "import pty"]).status === 0;
beforeEach(({ skip }) => skip(!python, "Without python3 there is no terminal to type into."));
const driver = join(import.meta.dirname, "..", "..", "support", "terminal.py");

/** What a person at a terminal sees who has this editor. */
async function seen(
  place: Place,
  argv: readonly string[],
  env: Record<string, string>,
  steps: [string, string][] = [],
) {
  const order = {
    argv: [process.execPath, program, ...argv],
    cwd: place.workspace,
    env: { ...place.env, TERM: "xterm-256color", ...env },
    steps,
    seconds: 30,
  };
  const { stdout } = await followed(
    spawn("python3", [driver, JSON.stringify(order)], { stdio: ["ignore", "pipe", "pipe"] }),
  ).ended;
  const { code, output } = JSON.parse(stdout) as { code: number; output: string };
  const [first = "", ...lines] = output.trimEnd().split("\n");
  return { code, lines: first.startsWith("claude-exec: the build is older") ? lines : [first, ...lines] };
}

/** An editor that says what it was given, waits for a line from the terminal, and writes that into the file. */
function editorOf({ beside }: Place, exit = 0): string {
  const path = join(beside, "my editor");
  writeFileSync(path, `#!/bin/sh\necho "editing $1 $2"\nread line\nprintf '%s\\n' "$line" > "$2"\nexit ${exit}\n`);
  chmodSync(path, 0o755);
  return path;
}

const after = (file: string) => [
  `Check it: claude-exec prompts lint ${file}`,
  "Try it:   claude-exec prompts run tide_table",
];

test("at a terminal a new prompt is opened in the person's editor, flags and all, and told of when it is closed", async () => {
  const place = placeWith({});
  const file = join(place.beside, "config", "claude-exec", "prompts", "tide_table.md");
  const env = { EDITOR: `'${editorOf(place)}' --wait`, VISUAL: "" };
  const steps: [string, string][] = [["editing --wait", "Mine.\r"]];
  expect(await seen(place, ["prompts", "new", "tide_table"], env, steps)).toEqual({
    code: 0,
    lines: [
      `editing --wait ${file}`,
      "Mine.",
      `A new prompt; write yours over the example in it: ${file}`,
      ...after(file),
    ],
  });
  expect(readFileSync(file, "utf8")).toBe("Mine.\n");
});

test("an editor that is not there or does not end well is told, and the prompt is there all the same", async () => {
  const place = placeWith({});
  const file = join(place.beside, "config", "claude-exec", "prompts", "tide_table.md");
  const lost = await seen(place, ["prompts", "new", "tide_table"], { VISUAL: "no-such-editor --wait", EDITOR: "true" });
  expect(lost.code).toBe(0);
  expect(lost.lines.slice(-4)).toEqual([
    "no-such-editor --wait could not be started: name your editor in $EDITOR.",
    `A new prompt; write yours over the example in it: ${file}`,
    ...after(file),
  ]);
  const failed = await seen(place, ["prompts", "edit", "tide_table"], { EDITOR: "false" });
  expect(failed).toEqual({
    code: 0,
    lines: [`false did not end well; ${file} is as it left it.`, file, ...after(file)],
  });
});

test("without a terminal no editor is opened", async () => {
  const place = placeWith({});
  const ran = await place.run(["prompts", "new", "tide_table"], { env: { EDITOR: editorOf(place) } });
  expect([ran.code, ran.stderr]).toEqual([0, ""]);
  expect(ran.stdout).not.toContain("editing");
});
