import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportPrompts } from "../../../src/library/exchange/export.ts";
import { importPrompts } from "../../../src/library/exchange/import.ts";
import { openLibrary } from "../../../src/library/library.ts";
import { renderPrompt } from "../../../src/library/render.ts";
import { count, folder, read, samples, treeOf } from "./folders.ts";

test("every file of a mixed collection is imported by a rule that is named, or skipped with a reason", async () => {
  const { imported, skipped } = await importPrompts(samples, folder(), { count });
  expect(imported.map(({ file, to, rule }) => [file, to, rule])).toEqual([
    [".claude/agents/Careful-Reader.md", "careful_reader.md", "it lies in a folder called agents"],
    [".claude/agents/handy.md", "handy.md", "it lies in a folder called agents"],
    [".claude/commands/git/weigh-change.md", "weigh_change.md", "it lies in a folder called commands"],
    [".claude/commands/hello.md", "hello.md", "it lies in a folder called commands"],
    [".claude/skills/tide-tables/SKILL.md", "tide_tables.md", "it is called SKILL.md"],
    ["notes/Brief schreiben (für später).md", "brief_schreiben_fur_spater.md", "no other format fits"],
    ["ours/count_doors.md", "ours/count_doors.md", "its front matter is one of ours"],
    ["ours/paint_door.md", "ours/paint_door.md", "its front matter is one of ours"],
    ["patterns/shorten_letter/system.md", "shorten_letter.md", "it is called system.md"],
  ]);
  expect(imported.flatMap(({ siblings }) => siblings)).toEqual([
    ".claude/skills/tide-tables/chart.png",
    ".claude/skills/tide-tables/references/sills.md",
    ".claude/skills/tide-tables/scripts/next.sh",
    "patterns/shorten_letter/README.md",
    "patterns/shorten_letter/user.md",
  ]);
  expect(skipped).toEqual([
    { file: "notes/README.md", why: "a README tells of a folder and is no prompt" },
    { file: "notes/table.csv", why: "it is no prompt and belongs to none" },
  ]);
});

test("what was imported is given back to the byte and the mode, each file at its old path", async () => {
  const from = folder();
  cpSync(samples, from, { recursive: true });
  chmodSync(join(from, ".claude/skills/tide-tables/scripts/next.sh"), 0o755);
  chmodSync(join(from, ".claude/commands/hello.md"), 0o640);
  const [ours, back] = [folder(), folder()];
  const { skipped } = await importPrompts(from, ours, { count });
  const again = await exportPrompts([ours], back, "original");
  expect(again.skipped).toEqual([{ file: join(ours, "ours/count_doors.md"), why: "it was never imported" }]);
  const copied = await exportPrompts([ours], back, "ours", { dryRun: true });
  expect(copied.exported.find(({ file }) => file.endsWith("count_doors.md"))).toMatchObject({
    how: "copied",
    files: ["ours/count_doors.md"],
  });
  const expected = treeOf(from);
  for (const file of ["ours/count_doors.md", ...skipped.map(({ file }) => file)]) delete expected[file];
  expect(treeOf(back)).toEqual(expected);
  expect(treeOf(ours)["ours/count_doors.md"]).toBe(treeOf(from)["ours/count_doors.md"]);
});

test("a command becomes a prompt that says what it needs, and keeps the rest", async () => {
  const to = folder();
  const { imported } = await importPrompts(join(samples, ".claude"), to, { count });
  expect(imported.find(({ name }) => name === "weigh_change")).toEqual({
    file: "commands/git/weigh-change.md",
    siblings: [],
    name: "weigh_change",
    to: "weigh_change.md",
    format: "claude-commands",
    rule: "it lies in a folder called commands",
    asked_for: ["Bash(git show:*)", "Bash(git log --oneline:*)"],
    unchanged: false,
  });
  const prompt = await read(join(to, "weigh_change.md"));
  expect(prompt).toMatchObject({
    purpose: "Weigh one change.",
    cost_estimate: "low",
    tools: "read",
    model: "fast",
    inputs: {
      arguments: { type: "text", description: "[commit] [branch]", required: false, default: "" },
      language: {
        type: "text",
        description: "Stands in the text as it is",
        required: false,
        default: "{{ language }}",
      },
    },
  });
  expect(prompt.body).toContain(
    "The change is: {{ arguments }}\n\nLook at !`git show --stat $1` and at @docs/rules.md",
  );
  expect(renderPrompt(prompt, { arguments: "$ARGUMENTS" })).toBe(
    readFileSync(join(samples, ".claude/commands/git/weigh-change.md"), "utf8").split("\n---\n")[1],
  );
});

test("rights end at reading, whatever was asked for, and what was not given is named", async () => {
  const to = folder();
  const { imported } = await importPrompts(samples, to, { count });
  const rights = await Promise.all(
    imported.map(async ({ name, to: file, asked_for }) => [name, (await read(join(to, file))).tools, asked_for]),
  );
  expect(rights).toEqual([
    ["careful_reader", "read", []],
    ["handy", "read", ["all tools"]],
    ["weigh_change", "read", ["Bash(git show:*)", "Bash(git log --oneline:*)"]],
    ["hello", "none", []],
    ["tide_tables", "read", ["Write"]],
    ["brief_schreiben_fur_spater", "none", []],
    ["count_doors", "read", []],
    ["paint_door", "read", ["run"]],
    ["shorten_letter", "none", []],
  ]);
});

test("of a prompt of ours that asks for more than reading all but that stays, and the original is given back", async () => {
  const [to, back] = [folder(), folder()];
  await importPrompts(join(samples, "ours"), to, { count });
  const prompt = await read(join(to, "paint_door.md"));
  expect(prompt).toMatchObject({ purpose: "Paint one door", tools: "read", body: "Paint it.\n" });
  expect(prompt.extra.difficulty).toBe(3);
  await exportPrompts([to], back, "ours");
  expect(treeOf(back)).toEqual(treeOf(join(samples, "ours")));
});

test("the original and its siblings are kept where the library does not list them", async () => {
  const to = folder();
  await importPrompts(join(samples, ".claude/skills"), to, { count });
  expect(Object.keys(treeOf(to))).toEqual([
    "tide_tables.files/SKILL.md.kept",
    "tide_tables.files/chart.png.kept",
    "tide_tables.files/references/sills.md.kept",
    "tide_tables.files/scripts/next.sh.kept",
    "tide_tables.md",
  ]);
  const { prompts, problems } = await openLibrary([{ scope: "workspace", path: to }]).all();
  expect([prompts.map(({ name }) => name), problems]).toEqual([["tide_tables"], []]);
});

test("one SKILL.md stands for its folder, one other file for itself", async () => {
  const skill = await importPrompts(join(samples, ".claude/skills/tide-tables/SKILL.md"), folder(), { count });
  expect(skill.imported.map(({ name, file, siblings }) => [name, file, siblings.length])).toEqual([
    ["tide_tables", "SKILL.md", 3],
  ]);
  const note = await importPrompts(join(samples, "notes/README.md"), folder(), { count });
  expect(note.imported.map(({ name, file }) => [name, file])).toEqual([["readme", "README.md"]]);
});

test("a pattern that ends in INPUT gets an input there, and the text stays the same without one", async () => {
  const to = folder();
  await importPrompts(join(samples, "patterns"), to, { count });
  const prompt = await read(join(to, "shorten_letter.md"));
  const original = readFileSync(join(samples, "patterns/shorten_letter/system.md"), "utf8");
  expect(prompt.purpose).toBe("You shorten letters.");
  expect(renderPrompt(prompt, {})).toBe(original);
  expect(renderPrompt(prompt, { input: "Dear all" })).toBe(`${original}Dear all`);
});

test("words in double braces render as they stood, however they are spelled", async () => {
  const text =
    "$ARGUMENTS {{ arguments }} {{arguments}} {{ Name }} {{name}} {{ a-b }} {{1}} {{{ x }}} {{ two words }} \\$ARGUMENTS";
  const to = folder();
  await importPrompts(folder({ "odd.md": text }), to, { count, format: "claude-commands" });
  const prompt = await read(join(to, "odd.md"));
  expect(Object.keys(prompt.inputs)).toEqual([
    "arguments",
    "arguments_2",
    "arguments_3",
    "name",
    "name_2",
    "a_b",
    "x_1",
    "x",
  ]);
  expect(renderPrompt(prompt, { arguments: "$ARGUMENTS" })).toBe(text);
});

test("a word that can name an input keeps its place and its spelling", async () => {
  const to = folder();
  await importPrompts(folder({ "odd.md": "{{a}} and {{  b }}" }), to, { count });
  expect((await read(join(to, "odd.md"))).body).toBe("{{a}} and {{  b }}");
});

test.each([
  ["tools: '*'", "read", ["*"]],
  ["tools:", "read", ["all tools"]],
  ["tools: []", "none", []],
  ["allowed-tools:\ntools: Bash(a, b), Glob", "read", ["Bash(a, b)"]],
  ["tools: [WebFetch, WebFetch, {x: 1}]", "none", ["WebFetch", '{"x":1}']],
])("an agent with %j may %s", async (yaml, tools, asked_for) => {
  const to = folder();
  const from = folder({ "agents/one.md": `---\n${yaml}\n---\nGo` });
  expect((await importPrompts(from, to, { count })).imported.map((it) => it.asked_for)).toEqual([asked_for]);
  expect((await read(join(to, "one.md"))).tools).toBe(tools);
});

test("one argument out of several is no $ARGUMENTS, and an agent has none at all", async () => {
  const to = folder();
  await importPrompts(
    folder({ "commands/one.md": "$ARGUMENTS[0] $ARGUMENTSX a$ARGUMENTS", "agents/two.md": "$ARGUMENTS" }),
    to,
    { count },
  );
  expect((await read(join(to, "one.md"))).inputs).toEqual({});
  expect((await read(join(to, "two.md"))).inputs).toEqual({});
});

test("names are folded, and those that fold to the same get a number", async () => {
  const long = "A".repeat(60);
  const from = folder({
    "Go On.md": "1",
    "go-on.md": "2",
    "sub/go_on.md": "3",
    "日本.md": "4",
    "x.md": "5",
    [`${long}.md`]: "6",
    [`${long}b.md`]: "7",
  });
  const { imported } = await importPrompts(from, folder(), { count, taken: ["prompt_x"] });
  expect(imported.map(({ file, name }) => [file, name])).toEqual([
    [`${long}.md`, "a".repeat(50)],
    [`${long}b.md`, `${"a".repeat(48)}_2`],
    ["Go On.md", "go_on"],
    ["go-on.md", "go_on_2"],
    ["sub/go_on.md", "go_on_3"],
    ["x.md", "prompt_x_2"],
    ["日本.md", "prompt"],
  ]);
});

test.each([
  ["description: First. Second.", "# Head\n", "First."],
  ["description: 2", "\n## A head ##\ntext", "A head"],
  ["x: 1", "- Say it at v1.2 now! Then go.", "Say it at v1.2 now!"],
  ["x: 1", "文を書く。次に読む。", "文を書く。"],
  ["x: 1", "***\n", "take it"],
  [`description: ${"long ".repeat(40)}`, "", `${"long ".repeat(23)}long…`],
])("front matter %j over %j gives its purpose", async (yaml, body, purpose) => {
  const to = folder();
  await importPrompts(folder({ "take-it.md": `---\n${yaml}\n---\n${body}` }), to, { count });
  expect((await read(join(to, "take_it.md"))).purpose).toBe(purpose);
});

test.each([
  [0, "low"],
  [299, "low"],
  [300, "medium"],
  [4299, "medium"],
  [4300, "high"],
])("%i tokens and a reply of 700 cost %s", async (tokens, cost) => {
  const to = folder();
  await importPrompts(folder({ "take-it.md": "Go" }), to, { count: async () => tokens });
  expect((await read(join(to, "take_it.md"))).cost_estimate).toBe(cost);
});

test.each([
  [{ "a/deploy.md": "---\nallowed-tools: Bash\n---\n" }, "claude-commands", "its front matter has allowed-tools"],
  [
    { "a/b.md": "---\nname: b\ndescription: c\ncolor: red\n---\n" },
    "claude-agents",
    "its front matter has name, description and color",
  ],
  [{ "a/b.md": "Do $ARGUMENTS" }, "claude-commands", "its text speaks of $ARGUMENTS"],
  [{ "a/b.md": "Do \\$ARGUMENTS" }, "markdown", "no other format fits"],
])("%j is %s", async (files, format, rule) => {
  const { imported } = await importPrompts(folder(files), folder(), { count });
  expect(imported.map((it) => [it.format, it.rule])).toEqual([[format, rule]]);
});

test("importing twice changes nothing; a changed source needs replace, which also clears what is gone", async () => {
  const to = folder();
  const from = folder({ "s/SKILL.md": "One", "s/old.txt": "old", "s/keep.txt": "keep", "b/S.md": "Other" });
  await importPrompts(from, to, { count });
  const before = treeOf(to);
  const second = await importPrompts(from, to, { count });
  expect(second.imported.map(({ to, unchanged }) => [to, unchanged])).toEqual([
    ["prompt_s.md", true],
    ["prompt_s_2.md", true],
  ]);
  expect(treeOf(to)).toEqual(before);
  writeFileSync(join(from, "s/SKILL.md"), "Two");
  rmSync(join(from, "s/old.txt"));
  const third = await importPrompts(from, to, { count });
  expect(third.skipped).toEqual([
    { file: "s/SKILL.md", why: "prompt_s_2.files/old.txt.kept is not in what is imported any more" },
    { file: "s/keep.txt", why: "it belongs to s/SKILL.md, which is skipped" },
  ]);
  expect(treeOf(to)).toEqual(before);
  const fourth = await importPrompts(from, to, { count, replace: true });
  expect(fourth.skipped).toEqual([]);
  const back = folder();
  await exportPrompts([to], back, "claude-skills");
  expect(treeOf(join(back, "s"))).toEqual(treeOf(join(from, "s")));
});

test("a dry run says the same and writes nothing", async () => {
  const [dry, wet] = [folder(), folder()];
  const said = await importPrompts(samples, dry, { count, dryRun: true });
  expect(said).toEqual(await importPrompts(samples, wet, { count }));
  expect(treeOf(dry)).toEqual({});
  const back = folder();
  const told = await exportPrompts([wet], back, "original", { dryRun: true });
  expect(treeOf(back)).toEqual({});
  expect(told).toEqual(await exportPrompts([wet], back, "original"));
});

test("of an edited prompt the body goes back, and the keys that could not be kept are named", async () => {
  const [to, back] = [folder(), folder()];
  await importPrompts(join(samples, ".claude"), to, { count, format: "claude-commands" });
  const file = join(to, "hello.md");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, `${text.replace(/^purpose: .*$/m, "purpose: Say hello\ntags: [a]")}Twice: {{ arguments }}\n`);
  const { exported } = await exportPrompts([file], back, "claude-commands");
  expect(exported).toMatchObject([{ how: "given back", lost: ["purpose", "tags"], files: ["commands/hello.md"] }]);
  expect(readFileSync(join(back, "commands/hello.md"), "utf8")).toBe(
    "Greet whoever is named here: $ARGUMENTS\nTwice: $ARGUMENTS\n",
  );
});

test("a prompt whose original was deleted is not given back, and can be written in another format", async () => {
  const [to, back] = [folder(), folder()];
  await importPrompts(join(samples, ".claude/commands"), to, { count });
  const file = join(to, "hello.md");
  rmSync(join(to, "hello.files"), { recursive: true });
  const { skipped } = await exportPrompts([file], back, "original");
  expect(skipped).toEqual([{ file, why: "its original is no longer next to it" }]);
  expect((await exportPrompts([file], back, "claude-skills")).exported).toMatchObject([{ how: "translated" }]);
});

test("a folder that is not there, or is both ends, is an error of whoever asked", async () => {
  const there = folder();
  await expect(importPrompts(join(there, "gone"), there, { count })).rejects.toMatchObject({
    code: "exchange_missing",
  });
  await expect(importPrompts(there, there, { count })).rejects.toMatchObject({ code: "exchange_same" });
  await expect(exportPrompts([join(there, "gone")], there, "ours")).rejects.toMatchObject({ code: "exchange_missing" });
});

test("an agent whose description is no YAML is taken over as its tool reads it, and given back to the byte", async () => {
  const text = `---
name: night-watch
description: Use this agent when: the tide turns. Examples: <example>user: "look out"</example>
tools: Read, Bash
---
Keep watch.
`;
  const [to, back] = [folder(), folder()];
  const { imported, skipped } = await importPrompts(folder({ "agents/night-watch.md": text }), to, { count });
  expect(skipped).toEqual([]);
  expect(imported).toMatchObject([{ name: "night_watch", format: "claude-agents", asked_for: ["Bash"] }]);
  expect((await read(join(to, imported[0]!.to))).purpose).toMatch(/^Use this agent when: the tide turns/);
  await exportPrompts([to], back, "original");
  expect(readFileSync(join(back, "agents/night-watch.md"), "utf8")).toBe(text);
});
