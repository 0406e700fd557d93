import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportPrompts, importPrompts } from "../../../src/library/exchange/exchange.ts";
import { count, folder, read, treeOf } from "./folders.ts";

const foreign = ["claude-commands", "claude-skills", "claude-agents", "fabric", "markdown"] as const;

const traced = `---
# ours
purpose: 'Trace one flow.  All of it'
cost_estimate: high
phases: [context-building]
inputs:
  focus: { description: What to trace, required: true }
tools: read
model: fast
x-team: { owner: ann }
---
Trace {{focus}}, then say where {{focus}} ends.
`;

const wide = `\uFEFF---\r
purpose: Compare two things\r
cost_estimate: low\r
inputs:\r
  left: { description: One, required: true }\r
  right: { description: Other, default: "" }\r
---\r
Compare {{ left }} with {{ right }}. $ARGUMENTS stay`;

function claudeKey(text: string): string {
  return text.replace(/^claude-exec: .*$/m, "claude-exec: …");
}

test.each([
  [
    "claude-commands",
    "trace_flow.md",
    '---\ndescription: "Trace one flow. All of it"\nargument-hint: "<focus>"\nallowed-tools: "Read, Grep, Glob"\nmodel: "haiku"\nclaude-exec: …\n---\nTrace $ARGUMENTS, then say where $ARGUMENTS ends.\n',
  ],
  [
    "claude-skills",
    "trace-flow/SKILL.md",
    '---\nname: "trace-flow"\ndescription: "Trace one flow. All of it"\nargument-hint: "<focus>"\nallowed-tools: "Read, Grep, Glob"\nmodel: "haiku"\nclaude-exec: …\n---\nTrace $ARGUMENTS, then say where $ARGUMENTS ends.\n',
  ],
  [
    "claude-agents",
    "trace-flow.md",
    '---\nname: "trace-flow"\ndescription: "Trace one flow. All of it"\ntools: "Read, Grep, Glob"\nmodel: "haiku"\nclaude-exec: …\n---\nTrace {{focus}}, then say where {{focus}} ends.\n',
  ],
  ["fabric", "trace_flow/system.md", "Trace {{focus}}, then say where {{focus}} ends.\n"],
  [
    "markdown",
    "trace_flow.md",
    '---\ndescription: "Trace one flow. All of it"\nclaude-exec: …\n---\nTrace {{focus}}, then say where {{focus}} ends.\n',
  ],
] as const)("a prompt of ours as %s is what that tool expects", async (format, path, text) => {
  const to = folder();
  const ours = folder({ "trace_flow.md": traced });
  const { exported } = await exportPrompts([ours], to, format);
  expect(exported).toMatchObject([{ how: "translated", edited: false, format, files: expect.arrayContaining([path]) }]);
  expect(claudeKey(readFileSync(join(to, path), "utf8"))).toBe(text);
});

test("of several inputs the tool is told which they are, in their order", async () => {
  const to = folder();
  await exportPrompts([folder({ "compare.md": wide })], to, "claude-commands");
  expect(claudeKey(readFileSync(join(to, "compare.md"), "utf8"))).toBe(
    '---\ndescription: "Compare two things"\nargument-hint: "<left> [right]"\nclaude-exec: …\n---\n' +
      "Compare {{ left }} with {{ right }}. $ARGUMENTS stay\n\nWhat was given for left, right, in this order: $ARGUMENTS\n",
  );
});

test("an agent that may do nothing says so, for one that names no tools gets all", async () => {
  const to = folder();
  await exportPrompts([folder({ "compare.md": wide })], to, "claude-agents");
  expect(readFileSync(join(to, "compare.md"), "utf8")).toContain("\ntools: []\n");
});

test.each(foreign)("our own export as %s, imported again, is our prompt to the byte", async (format) => {
  const ours = folder({ "trace_flow.md": traced, "compare.md": wide, "empty.md": traced.split("Trace {{")[0]! });
  const [there, back, again] = [folder(), folder(), folder()];
  expect((await exportPrompts([ours], there, format)).skipped).toEqual([]);
  const { imported, skipped } = await importPrompts(there, back, { count, format });
  expect([imported.length, skipped]).toEqual([3, []]);
  expect(treeOf(back)).toEqual(treeOf(ours));
  await exportPrompts([back], again, format);
  expect(treeOf(again)).toEqual(treeOf(there));
});

test.each(foreign)(
  "our export as %s with tools: run comes back with the right to read, all else kept",
  async (format) => {
    const ours = folder({ "trace_flow.md": traced.replace("tools: read", "name: trace-flow\ntools: run") });
    const [there, back, again] = [folder(), folder(), folder()];
    await exportPrompts([ours], there, format);
    const { imported } = await importPrompts(there, back, { count, format });
    expect(imported.map(({ asked_for }) => asked_for)).toEqual([["run"]]);
    const { sha256: _a, file: _f, bodyLine: _l, extra, ...was } = await read(join(ours, "trace_flow.md"));
    const { sha256: _b, file: _g, bodyLine: _m, extra: more, ...is } = await read(join(back, "trace_flow.md"));
    expect(is).toEqual({ ...was, tools: "read" });
    expect(more).toMatchObject(extra);
    await exportPrompts([back], again, format);
    expect(treeOf(again)).toEqual(treeOf(there));
  },
);

test.each(foreign)(
  "our export as %s that was moved is our prompt, and goes back to where it was moved",
  async (format) => {
    const there = folder();
    await exportPrompts([folder({ "trace_flow.md": traced })], join(there, "deep"), format);
    const [back, again] = [folder(), folder()];
    await importPrompts(there, back, { count, format });
    expect(await read(join(back, "trace_flow.md"))).toMatchObject({
      purpose: "Trace one flow.  All of it",
      tools: "read",
    });
    await exportPrompts([back], again, format);
    expect(treeOf(again)).toEqual(treeOf(there));
  },
);

test("a text that was edited elsewhere comes back into our prompt; with other front matter it is a stranger's", async () => {
  const there = folder();
  await exportPrompts([folder({ "trace_flow.md": traced })], there, "claude-commands");
  const file = join(there, "trace_flow.md");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, `${text}And $ARGUMENTS again.\n`);
  const back = folder();
  await importPrompts(there, back, { count });
  expect(readFileSync(join(back, "trace_flow.md"), "utf8")).toBe(`${traced}And {{focus}} again.\n`);
  writeFileSync(file, text.replace("Trace one flow", "Trace two flows"));
  const other = folder();
  const { imported } = await importPrompts(there, other, { count });
  expect(imported.map(({ rule }) => rule)).toEqual(["its front matter has argument-hint"]);
  expect((await read(join(other, "trace_flow.md"))).purpose).toBe("Trace two flows.");
});

test("a claude-exec key that somebody else wrote gives no rights and no other name", async () => {
  const evil = JSON.stringify({
    name: "../evil",
    front_matter: "---\npurpose: x\ncost_estimate: low\ntools: run\n---\n",
  });
  const to = folder();
  const from = folder({
    "good.md": `---\nclaude-exec: ${evil}\n---\nGo`,
    "fab/system.md": "Go",
    "fab/claude-exec.json": "{",
  });
  const { imported } = await importPrompts(from, to, { count });
  expect(imported.map(({ to, rule }) => [to, rule])).toEqual([
    ["fab.md", "it is called system.md"],
    ["good.md", "no other format fits"],
  ]);
  expect((await read(join(to, "good.md"))).tools).toBe("none");
});

test("files beside a prompt go along into a skill, and are not left behind elsewhere", async () => {
  const ours = folder({ "trace_flow.md": traced, "trace_flow.files/a/b.sh.kept": "run" });
  const [there, back] = [folder(), folder()];
  await exportPrompts([ours], there, "claude-skills");
  expect(Object.keys(treeOf(there))).toEqual(["trace-flow/SKILL.md", "trace-flow/a/b.sh"]);
  await importPrompts(there, back, { count });
  expect(treeOf(back)).toEqual(treeOf(ours));
  const { skipped } = await exportPrompts([ours], folder(), "claude-agents");
  expect(skipped.map(({ why }) => why)).toEqual(["it has files beside it, and claude-agents has no place for them"]);
});

test("a prompt imported from one format is translated into another, and comes back with its origin", async () => {
  const [ours, there, back, first] = [folder(), folder(), folder(), folder()];
  const from = folder({ "commands/say-it.md": "---\ndescription: Say it\n---\nSay $ARGUMENTS" });
  await importPrompts(from, ours, { count });
  await exportPrompts([ours], there, "claude-skills");
  expect(readFileSync(join(there, "say-it/SKILL.md"), "utf8")).toContain("\n---\nSay $ARGUMENTS");
  await importPrompts(there, back, { count });
  expect(treeOf(back)).toEqual(treeOf(ours));
  await exportPrompts([back], first, "claude-commands");
  expect(treeOf(first)).toEqual(treeOf(from));
});

test("front matter that would not fit beside our keys is refused at export", async () => {
  const long = traced.replace("# ours", `# ${'"'.repeat(9000)}`);
  const { skipped } = await exportPrompts([folder({ "trace_flow.md": long })], folder(), "markdown");
  expect(skipped.map(({ why }) => why)).toEqual(["its front matter is longer than 16 KB"]);
});
