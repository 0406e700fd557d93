import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { trust } from "../../src/session/trust.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { firstKey, opening, productSolution, recordingAt, report, uses, wholeWay } from "../support/script.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { productCode, productTest, quickApp, task, tiny, tinyWay } from "../support/ways.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

function git(folder: string, ...argv: string[]): string {
  const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
  return execFileSync("git", [...who, ...argv], { cwd: folder, encoding: "utf8" });
}

const staged = (folder: string) => {
  git(folder, "add", "--all");
  return git(folder, "ls-files").split("\n").filter(Boolean);
};

const ours = {
  ".claude-exec/config.json": "{}",
  ".claude-exec/project_rules.md": "# Rules\n",
  ".claude-exec/patterns/a.md": "",
  ".claude-exec/prompts/custom/mine.md": "---\npurpose: Mine.\ncost_estimate: low\n---\nLook.\n",
};
const machinesOwn = {
  ".claude-exec/.env": "ANTHROPIC_API_KEY=secret\n",
  ".claude-exec/.env.local": "KEY=secret\n",
  ".claude-exec/prompts/trial/a.md": "",
  ".claude-exec/cache/a": "",
};

test("of a home whose chain has run git takes what a team shares, and no chain, key or cache", async () => {
  const place = placeWith(quickApp);
  git(place.workspace, "init", "--quiet");
  git(place.workspace, "add", "--all");
  git(place.workspace, "commit", "--quiet", "--message", "All");
  expect((await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"])).code).toBe(0);
  expect(git(place.workspace, "status", "--porcelain", "--untracked-files=all").trim().split("\n")).toEqual([
    `?? ${productCode.path}`,
    `?? ${productTest.path}`,
  ]);
  const beside = { ...ours, ...machinesOwn };
  for (const [path, text] of Object.entries(beside)) {
    execFileSync("mkdir", ["-p", join(place.workspace, path, "..")]);
    writeFileSync(join(place.workspace, path), text);
  }
  for (const found of ["journal/001.jsonl", "blobs"])
    expect(existsSync(join(place.home, "contexts", found))).toBe(true);
  const taken = staged(place.workspace).filter((path) => path.startsWith(".claude-exec"));
  expect(taken).toEqual(Object.keys(ours).toSorted());
});

test("a home that came with a project's commit keeps the keys, caches and chains of whoever works there out of git", async () => {
  const place = placeWith({ ...quickApp, ...ours });
  git(place.workspace, "init", "--quiet");
  expect((await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"])).code).toBe(0);
  for (const [path, text] of Object.entries(machinesOwn)) {
    mkdirSync(join(place.workspace, path, ".."), { recursive: true });
    writeFileSync(join(place.workspace, path), text);
  }
  const taken = staged(place.workspace).filter((path) => path.startsWith(".claude-exec"));
  expect(taken).toEqual(Object.keys(ours).toSorted());
});

test.each([
  ["laid out as in the first design", '{ "$schema": "claude-exec.schema.json" }', "config.json", "contexts"],
  ["whose files git was told to take", "!*\n", ".claude-exec/.gitignore", ".claude-exec/contexts"],
  ["whose chains git was told to take", "!*\n", ".claude-exec/contexts/.gitignore", ".claude-exec/contexts"],
])("of a home %s git takes no chain either", async (_, text, path, contexts) => {
  const place = placeWith({ ...quickApp, [path]: text });
  git(place.workspace, "init", "--quiet");
  expect((await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"])).code).toBe(0);
  expect(existsSync(join(place.workspace, contexts, "journal", "001.jsonl"))).toBe(true);
  expect(staged(place.workspace).filter((name) => name.startsWith(contexts))).toEqual([]);
});

/** What the first request says of the rules, and what was said about them. */
async function rulesGiven(files: Record<string, string>, prepare: (workspace: string) => void = () => undefined) {
  const place = placeWith({ ...quickApp, ...files });
  prepare(place.workspace);
  trust(place.workspace, place.env);
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, wholeWay)));
  closing.push(server.close);
  const env = { ...place.env, ANTHROPIC_API_KEY: "own-key", ANTHROPIC_BASE_URL: server.url };
  const said: string[] = [];
  const progress = (sign: { type: string; line?: string }) => sign.type === "notice" && said.push(sign.line ?? "");
  await operate("new", { task }, callerAt(place.workspace, env, { progress }));
  return { place, sent: JSON.stringify(server.requests[0]?.body), said };
}

test("rules at the root of a trusted project count, after those of its home", async () => {
  const root = await rulesGiven({ "project_rules.md": "ROOT RULES\n" });
  expect(root.sent).toContain("ROOT RULES");
  const both = await rulesGiven({
    "project_rules.md": "ROOT RULES\n",
    ".claude-exec/project_rules.md": "HOME RULES\n",
  });
  expect(both.sent).toContain("HOME RULES\\n\\nROOT RULES");
  const shipped =
    readFileSync("project_rules.md", "utf8")
      .split("\n")
      .find((line) => line.startsWith("- ")) ?? "";
  expect(both.sent).not.toContain(JSON.stringify(shipped).slice(1, -1));
  expect((await rulesGiven({})).sent).toContain(JSON.stringify(shipped).slice(1, -1));
});

test("rules at the root of a folder that is only looked at do not count", async () => {
  const place = placeWith({ ...quickApp, "project_rules.md": "ROOT RULES\n" });
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, wholeWay)));
  closing.push(server.close);
  const env = { ...place.env, ANTHROPIC_API_KEY: "own-key", ANTHROPIC_BASE_URL: server.url };
  await operate("new", { task, permission: "read" }, callerAt(place.workspace, env));
  expect(JSON.stringify(server.requests[0]?.body)).not.toContain("ROOT RULES");
});

test.each([
  ["leads out of the project", (workspace: string) => relative(workspace, join(temporaryFolder(), "secret.txt"))],
  ["leads to a key", () => ".env"],
])("a file of rules that %s is not read, and one line says so", async (_, targetFrom) => {
  const { place, sent, said } = await rulesGiven({ ".env": "KEY=TOP SECRET RULES\n" }, (workspace) => {
    const target = targetFrom(workspace);
    writeFileSync(join(workspace, target), "KEY=TOP SECRET RULES\n");
    symlinkSync(target, join(workspace, "project_rules.md"));
  });
  expect(sent).not.toContain("TOP SECRET RULES");
  expect(said).toEqual([expect.stringContaining(`No rules were read in ${place.workspace}: "project_rules.md"`)]);
});

const step = "implementation/1/1-tdd_flow_controller";

/** The replies of a model whose solution edits these files. */
const editing = (path: string) => ({
  ...tinyWay,
  [`${firstKey}/turn-1`]: opening("This is the solution.", {
    type: "present_solution",
    artifact: { ...productSolution, files: [{ path, role: "doc", change: "edit", lines: 0 }] },
  }),
});
const refusals = (place: Place) => place.events("gate_refused").flatMap(({ reasons }) => reasons);
const protectedText = "cannot be written: it is protected or lies outside the workspace.";

test("no tool writes the rules at the root of a project", async () => {
  const place = placeWith({ ...quickApp, "project_rules.md": "# Rules\n" });
  await place.run([...tiny, place.replay(editing("project_rules.md")), "--approve-policy=auto"]);
  expect(refusals(place)).toContain(`project_rules.md ${protectedText}`);
});

test("rules that a command newly makes at the root of a project are moved away", async () => {
  const replies = {
    ...tinyWay,
    [`${step}/turn-1`]: uses(["run_command", { command: "sh work.sh" }]),
    [`${step}/turn-2`]: report("It ran."),
  };
  const place = placeWith({ ...quickApp, "work.sh": "echo OBEY > project_rules.md\n" });
  place.configure({ permissions: { mode: "edits", allow: ["run sh work.sh"], unsandboxed: true } });
  await place.run([...tiny, place.replay(replies), "--approve-policy=auto"]);
  expect(place.events("files_touched").flatMap(({ set_aside = [] }) => set_aside.map(({ path }) => path))).toEqual([
    "project_rules.md",
  ]);
  expect(existsSync(join(place.workspace, "project_rules.md"))).toBe(false);
});

test.each([".claude-exec/config.json", "project_rules.md"])(
  "in a worktree a committed %s is closed too",
  async (path) => {
    const files = { ...quickApp, ".claude-exec/config.json": "{}", ".claude-exec/.gitignore": "/contexts/\n.env*\n" };
    const place = placeWith({ ...files, "project_rules.md": "# Rules\n" });
    git(place.workspace, "init", "--quiet");
    git(place.workspace, "add", "--all");
    git(place.workspace, "commit", "--quiet", "--message", "All");
    const replay = place.replay(editing(path));
    await place.run([...tiny, "--worktree", replay, "--approve-policy=auto"]);
    const [started] = place.events("chain_started");
    expect(existsSync(join(started?.worktree?.folder ?? "", path))).toBe(true);
    expect(refusals(place)).toContain(`${path} ${protectedText}`);
  },
);

test("a home is no work of its user's that a worktree would lack", async () => {
  const place = placeWith(quickApp);
  git(place.workspace, "init", "--quiet");
  git(place.workspace, "add", "--all");
  git(place.workspace, "commit", "--quiet", "--message", "All");
  await place.run([...tiny, "--worktree", place.replay(tinyWay), "--approve-policy=auto"]);
  expect(git(place.workspace, "status", "--porcelain")).toBe("");
  expect(place.events("chain_started")[0]?.worktree?.dirty).toBe(false);
  writeFileSync(join(place.workspace, "new.js"), "");
  await place.run([...tiny, "--worktree", place.replay(tinyWay), "--approve-policy=auto"]);
  expect(place.events("chain_started", "002")[0]?.worktree?.dirty).toBe(true);
});
