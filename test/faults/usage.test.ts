import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { quickApp, task, tinyWay } from "../support/ways.ts";

const namesIn = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted();

const noModel = (home?: string) =>
  [
    "There is no model to think with. Nothing was begun.",
    "See it work first: claude-exec demo",
    `Take a key of your own: export ANTHROPIC_API_KEY=…${home ? ` or in ${join(home, ".env")}` : ""}`,
    "Or let your own Claude Code think: --backend claude-cli",
    'Or name a command that prints it: "api_key_command": ["…"] in your own config.json',
    "Take another server: export ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=any",
    'Play a recorded run: claude-exec new "…" --replay recording.json',
    "",
  ].join("\n");

test.for([
  ["a task", [task]],
  ["a task with everything allowed", [task, "--trust", "--approve-policy=auto"]],
  ["resume", ["resume", "1"]],
  ["approve", ["approve", "1", "abc"]],
] as const)("without a model %s ends with 78 before anything is read, made or trusted", async ([, argv]) => {
  const place = placeWith(quickApp);
  const before = namesIn(place.beside);
  expect(await place.run(argv)).toEqual({ code: 78, stdout: "", stderr: noModel() });
  expect(existsSync(place.home)).toBe(false);
  expect(namesIn(place.beside)).toEqual(before);
});

test("without trust a task ends with 10, and nothing is read, made or trusted", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  expect(await place.run([task, replay])).toEqual({
    code: 10,
    stdout: "",
    stderr: `The folder ${place.workspace} is not trusted yet. Nothing in it was read.\nIf you know what is in it: claude-exec trust ${place.workspace}\nOr trust it along with the same command: --trust\nOnly to look: --permission read\n`,
  });
  expect(existsSync(place.home)).toBe(false);
  expect(readdirSync(join(place.beside, "config", "claude-exec"))).toEqual(["config.json"]);
});

test.for([
  [
    ["frobnicate"],
    'There is no command "frobnicate".\nA task is one argument: claude-exec "Add JWT authentication". Commands: claude-exec --help\n',
  ],
  [["new"], "<task> is missing.\nUsage: claude-exec new <task> [flags]\n"],
  [["resume", "one"], "<chain> is a chain's number, such as 001.\nUsage: claude-exec resume [chain] [flags]\n"],
  [["approve", "1"], "<hash> is missing.\nUsage: claude-exec approve [chain] <hash> [flags]\n"],
  [
    ["status", "1", "2"],
    '"2" is more than status takes.\nUsage: claude-exec status [chain] [flags]   A sentence goes in quotes.\n',
  ],
  [
    ["new", "Add a function", "--size=huge"],
    "--size is neither normal nor tiny.\nUsage: claude-exec new <task> [flags]\n",
  ],
  [
    ["new", "Add a function", "--approve-policy=yes"],
    "--approve-policy is neither ask nor auto.\nUsage: claude-exec new <task> [flags]\n",
  ],
  [["new", "Add a function", "--turns=0"], "--turns is not above 0.\nUsage: claude-exec new <task> [flags]\n"],
] as const)("wrong usage ends with 64 and says how it is meant: %j", async ([argv, stderr]) => {
  const place = placeWith(quickApp);
  expect(await place.run(argv)).toEqual({ code: 64, stdout: "", stderr });
  expect(existsSync(place.home)).toBe(false);
});

test("without a chain that could be meant, a command without a number says so", async () => {
  const ran = await placeWith(quickApp).run(["resume"]);
  expect(ran).toMatchObject({ code: 1, stdout: "" });
  expect(ran.stderr).toBe("No chain here is unfinished.\nList chains with: claude-exec status all\n");
});

test("an unknown flag is wrong usage", async () => {
  const place = placeWith(quickApp);
  const ran = await place.run(["resume", "1", "--frobnicate"]);
  expect(ran.code).toBe(64);
  expect(ran.stderr).toContain("'--frobnicate'");
  expect(ran.stderr).toContain("Usage: claude-exec resume [chain] [flags]");
});

test("with --json an error is one document on stdout", async () => {
  const place = placeWith(quickApp);
  const ran = await place.start(["resume", "1", "--json"]).ended;
  expect({ ...ran, stdout: JSON.parse(ran.stdout) as unknown }).toEqual({
    code: 78,
    stdout: {
      schema_version: 2,
      error: {
        code: "no_model",
        message: "There is no model to think with. Nothing was begun.",
        next: [
          { operation: "demo", why: "See it work first" },
          { why: "Take a key of your own: export ANTHROPIC_API_KEY=…" },
          { input: { backend: "claude-cli" }, why: "Or let your own Claude Code think" },
          { why: 'Or name a command that prints it: "api_key_command": ["…"] in your own config.json' },
          { why: "Take another server: export ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=any" },
          { operation: "new", input: { task: "…", replay: "recording.json" }, why: "Play a recorded run" },
        ],
      },
    },
    stderr: "",
  });
});
