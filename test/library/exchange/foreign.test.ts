import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportPrompts } from "../../../src/library/exchange/export.ts";
import { importPrompts } from "../../../src/library/exchange/import.ts";
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

test.each([
  [
    "claude-commands",
    "trace_flow.md",
    '---\ndescription: "Trace one flow. All of it"\nargument-hint: "<focus>"\nallowed-tools: "Read, Grep, Glob"\nmodel: "haiku"\n---\nTrace $ARGUMENTS, then say where $ARGUMENTS ends.\n',
  ],
  [
    "claude-skills",
    "trace-flow/SKILL.md",
    '---\nname: "trace-flow"\ndescription: "Trace one flow. All of it"\nargument-hint: "<focus>"\nallowed-tools: "Read, Grep, Glob"\nmodel: "haiku"\n---\nTrace $ARGUMENTS, then say where $ARGUMENTS ends.\n',
  ],
  [
    "claude-agents",
    "trace-flow.md",
    '---\nname: "trace-flow"\ndescription: "Trace one flow. All of it"\ntools: "Read, Grep, Glob"\nmodel: "haiku"\n---\nTrace {{focus}}, then say where {{focus}} ends.\n',
  ],
  ["fabric", "trace_flow/system.md", "Trace {{focus}}, then say where {{focus}} ends.\n"],
  [
    "markdown",
    "trace_flow.md",
    '---\ndescription: "Trace one flow. All of it"\n---\nTrace {{focus}}, then say where {{focus}} ends.\n',
  ],
] as const)("a prompt of ours as %s is what that tool expects", async (format, path, text) => {
  const to = folder();
  const ours = folder({ "trace_flow.md": traced });
  const { exported } = await exportPrompts([ours], to, format);
  const lost = {
    "claude-commands": ["cost_estimate", "phases", "x-team"],
    "claude-skills": ["cost_estimate", "phases", "x-team"],
    "claude-agents": ["cost_estimate", "phases", "inputs", "x-team"],
    fabric: ["purpose", "cost_estimate", "phases", "inputs", "tools", "model", "x-team"],
    markdown: ["cost_estimate", "phases", "inputs", "tools", "model", "x-team"],
  }[format];
  expect(exported).toMatchObject([{ how: "translated", lost, format, files: [path] }]);
  expect(readFileSync(join(to, path), "utf8")).toBe(text);
});

test("of several inputs the tool is told which they are, in their order", async () => {
  const to = folder();
  await exportPrompts([folder({ "compare.md": wide })], to, "claude-commands");
  expect(readFileSync(join(to, "compare.md"), "utf8")).toBe(
    '---\ndescription: "Compare two things"\nargument-hint: "<left> [right]"\n---\n' +
      "Compare {{ left }} with {{ right }}. $ARGUMENTS stay\n\nWhat was given for left, right, in this order: $ARGUMENTS\n",
  );
});

test("an agent that may do nothing says so, for one that names no tools gets all", async () => {
  const to = folder();
  await exportPrompts([folder({ "compare.md": wide })], to, "claude-agents");
  expect(readFileSync(join(to, "compare.md"), "utf8")).toContain("\ntools: []\n");
});

test.each(foreign)("our own export as %s, imported again, is a stranger's that may read at most", async (format) => {
  const ours = folder({ "trace_flow.md": traced.replace("tools: read", "tools: run"), "compare.md": wide });
  const [there, back, again] = [folder(), folder(), folder()];
  expect((await exportPrompts([ours], there, format)).skipped).toEqual([]);
  const { imported, skipped } = await importPrompts(there, back, { count, format });
  expect([imported.map(({ name }) => name), skipped]).toEqual([["compare", "trace_flow"], []]);
  expect(["none", "read"]).toContain((await read(join(back, "trace_flow.md"))).tools);
  await exportPrompts([back], again, "original");
  expect(treeOf(again)).toEqual(treeOf(there));
});

test("files beside a prompt go along into a skill, and are not left behind elsewhere", async () => {
  const ours = folder({ "trace_flow.md": traced, "trace_flow.files/a/b.sh.kept": "run" });
  const [there, back] = [folder(), folder()];
  await exportPrompts([ours], there, "claude-skills");
  expect(Object.keys(treeOf(there))).toEqual(["trace-flow/SKILL.md", "trace-flow/a/b.sh"]);
  await importPrompts(there, back, { count });
  expect(treeOf(back)["trace_flow.files/a/b.sh.kept"]).toBe("644 run");
  const { skipped } = await exportPrompts([ours], folder(), "claude-agents");
  expect(skipped.map(({ why }) => why)).toEqual(["it has files beside it, and claude-agents has no place for them"]);
});

test("a prompt imported from one format is translated into another, without its original", async () => {
  const [ours, there, first] = [folder(), folder(), folder()];
  const from = folder({ "commands/say-it.md": "---\ndescription: Say it\n---\nSay $ARGUMENTS" });
  await importPrompts(from, ours, { count });
  await exportPrompts([ours], there, "claude-skills");
  expect(Object.keys(treeOf(there))).toEqual(["say-it/SKILL.md"]);
  expect(readFileSync(join(there, "say-it/SKILL.md"), "utf8")).toContain("\n---\nSay $ARGUMENTS");
  await exportPrompts([ours], first, "claude-commands");
  expect(treeOf(first)).toEqual(treeOf(from));
});
