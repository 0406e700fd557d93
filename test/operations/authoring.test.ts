import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageFolder } from "../../src/session/places.ts";
import { trust } from "../../src/session/trust.ts";
import { contextFile, placeWith } from "../support/cli.ts";
import { callerAt, operate, refusal } from "../support/inside.ts";
import { recordingAt, report, type Replies } from "../support/script.ts";

const samples = join(import.meta.dirname, "..", "library", "exchange", "samples");
const shipped = join(packageFolder, "prompts");
const own = "---\npurpose: Do it my way\ncost_estimate: low\n---\nMy way.\n";

/** A folder of somebody's, trusted or not, with a home or without one. */
function desk(files: Record<string, string> = {}, { isTrusted = true } = {}) {
  const place = placeWith({ "a.js": "", ...files });
  if (isTrusted) trust(place.workspace, place.env);
  const ask = (name: string, input: object = {}) => operate(name, input, callerAt(place.workspace, place.env));
  const user = join(place.beside, "config", "claude-exec", "prompts");
  return { place, ask, user, prompts: join(place.home, "prompts") };
}

const read = (path: string) => readFileSync(path, "utf8");
const below = (folder: string) =>
  existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String).sort() : [];

test("a new prompt is the template under its name, and counts once it has a purpose", async () => {
  const { ask, prompts } = desk({ ".claude-exec/config.json": "{}" });
  const file = join(prompts, "sailing", "tide_table.md");
  expect(await ask("prompts new", { name: "tide-table", folder: "sailing" })).toEqual({
    exit: 0,
    data: { name: "tide_table", scope: "workspace", file },
  });
  const text = read(file);
  expect(text.match(/^name: .*?(?= +#|$)/m)?.[0]).toBe("name: tide_table");
  expect(text.match(/^title: .*?(?= +#|$)/m)?.[0]).toBe("title: Tide table");
  expect(text.match(/^# .*$/gm)).toEqual(["# Tide table"]);
  expect((await ask("prompts lint", { paths: [file] })).data).toMatchObject({
    findings: [{ rule: "schema", what: "purpose: is empty" }],
  });
  expect((await ask("prompts list", { folder: "sailing" })).data).toMatchObject({ prompts: [], problems: [{ file }] });
  writeFileSync(file, text.replace('purpose: ""', "purpose: Read a tide table"));
  expect((await ask("prompts show", { name: "tide_table" })).data).toMatchObject({
    scope: "workspace",
    folder: "sailing",
    file,
  });
  expect((await ask("prompts lint", { paths: [file] })).data).toMatchObject({ errors: 0 });
});

test("without a home a new prompt is the user's own; --scope workspace makes the home", async () => {
  const { place, ask, user, prompts } = desk();
  expect((await ask("prompts new", { name: "first_one" })).data).toMatchObject({
    scope: "user",
    file: join(user, "first_one.md"),
  });
  expect(existsSync(place.home)).toBe(false);
  const made = await ask("prompts new", { name: "second_one", scope: "workspace" });
  expect(made.data).toMatchObject({ scope: "workspace", file: join(prompts, "second_one.md") });
  expect(read(join(place.home, "contexts", ".gitignore"))).toBe("*\n");
  expect((await ask("prompts new", { name: "third_one" })).data["scope"]).toBe("workspace");
  expect((await ask("prompts new", { name: "fourth_one", scope: "user" })).data["file"]).toBe(
    join(user, "fourth_one.md"),
  );
});

test("where the folder is not trusted, its scope takes nothing until it is", async () => {
  const { place, ask, user, prompts } = desk({ ".claude-exec/config.json": "{}" }, { isTrusted: false });
  expect((await ask("prompts new", { name: "first_one" })).data["file"]).toBe(join(user, "first_one.md"));
  const untrusted = {
    code: "untrusted",
    message: `The folder ${place.workspace} is not trusted yet. Nothing in it was read.`,
    hint: `If you know what is in it: claude-exec trust ${place.workspace}\nOr trust it along with the same command: --trust`,
    exit: 10,
  };
  expect(await refusal(ask("prompts new", { name: "second_one", scope: "workspace" }))).toEqual(untrusted);
  expect(await refusal(ask("prompts edit", { name: "code_reviewer", scope: "workspace" }))).toEqual(untrusted);
  expect(await refusal(ask("prompts import", { from: samples, scope: "workspace" }))).toEqual(untrusted);
  expect(existsSync(prompts)).toBe(false);
  const trusted = await ask("prompts new", { name: "second_one", scope: "workspace", trust: true });
  expect(trusted.data["file"]).toBe(join(prompts, "second_one.md"));
});

test("a name that is taken is refused with where, and with what to do", async () => {
  const { ask, prompts } = desk({
    ".claude-exec/prompts/x/my_way.md": own,
    ".claude-exec/prompts/torn_one.md": "torn",
  });
  const refused = async (name: string) => refusal(ask("prompts new", { name }));
  expect(await refused("my-way")).toEqual({
    code: "name_taken",
    message: `There is a prompt my_way already: ${join(prompts, "x", "my_way.md")}.`,
    hint: "Open it: claude-exec prompts edit my_way",
    exit: 14,
  });
  expect((await refused("torn_one")).hint).toBe("Open it: claude-exec prompts edit torn_one");
  expect(await refused("code_reviewer")).toMatchObject({
    message: `There is a prompt code_reviewer already: ${join(shipped, "quality", "code_reviewer.md")}.`,
    hint: "Take another name, or change a copy: claude-exec prompts edit code_reviewer",
  });
  expect((await refused("phase_controller")).hint).toBe("Take another name.");
});

test.each(["ab", "Tide", "tide table", "../tide", "tide.md", "x".repeat(51), ""])(
  "%j is no name for a prompt",
  async (name) => {
    const { ask, user } = desk();
    expect(await refusal(ask("prompts new", { name }))).toEqual({
      code: "wrong_name",
      message: `"${name}" is no name for a prompt.`,
      hint: "Use 3 to 50 of a–z, 0–9 and _, such as trace_payment_flow.",
      exit: 64,
    });
    expect(below(user)).toEqual([]);
  },
);

test("a folder whose prompts the library would not list is refused", async () => {
  const { place } = desk();
  for (const folder of ["templates", "custom", "../up", "a/b"]) {
    const { code, stderr } = await place.run(["prompts", "new", "tide_table", `--folder=${folder}`]);
    expect([code, stderr.split("\n")[0]]).toEqual([64, "--folder is no name for a folder of prompts."]);
  }
});

test("of a shipped prompt a copy with its tests is opened, to the byte, and then counts", async () => {
  const { ask, prompts } = desk({ ".claude-exec/config.json": "{}" });
  const [file, source] = [join(prompts, "quality", "code_reviewer.md"), join(shipped, "quality", "code_reviewer.md")];
  expect(await ask("prompts edit", { name: "code-reviewer" })).toEqual({
    exit: 0,
    data: { name: "code_reviewer", scope: "workspace", file, copied_from: source },
  });
  expect(read(file)).toBe(read(source));
  expect(read(file.replace(".md", ".tests.yaml"))).toBe(read(source.replace(".md", ".tests.yaml")));
  expect(statSync(file).mode & 0o777).toBe(0o644);
  expect((await ask("prompts show", { name: "code_reviewer" })).data).toMatchObject({
    scope: "workspace",
    hides: [{ scope: "builtin", file: source }],
  });
});

test("a copy is never written over: it opens in its place, or another scope is refused", async () => {
  const { ask, prompts, user } = desk({ ".claude-exec/config.json": "{}" });
  await ask("prompts edit", { name: "code_reviewer" });
  const file = join(prompts, "quality", "code_reviewer.md");
  writeFileSync(file, own);
  expect(await refusal(ask("prompts edit", { name: "code_reviewer", scope: "user" }))).toMatchObject({
    code: "other_scope",
    message: `code_reviewer is a prompt of the scope workspace already: ${file}`,
  });
  for (const scope of [undefined, "workspace"]) {
    const { data } = await ask("prompts edit", { name: "code_reviewer", ...(scope ? { scope } : {}) });
    expect(data).toMatchObject({ scope: "workspace", file, copied_from: null });
  }
  expect(read(file)).toBe(own);
  expect(below(user)).toEqual([]);
});

test("an own prompt that is broken can be opened to mend it", async () => {
  const { ask, prompts } = desk({ ".claude-exec/prompts/torn_one.md": "---\npurpose: [\n---\n" });
  const file = join(prompts, "torn_one.md");
  expect((await ask("prompts edit", { name: "torn_one" })).data).toMatchObject({ file, copied_from: null });
  expect(await refusal(ask("prompts edit", { name: "torn_on" }))).toMatchObject({
    code: "unknown_prompt",
    hint: expect.stringContaining("torn_one") as string,
  });
});

test("a system prompt is copied only where the user's own settings allow it by name", async () => {
  const { place, ask, user } = desk({
    ".claude-exec/config.json": "{}",
  });
  const refused = {
    code: "system_prompt",
    message: "phase_controller is a system prompt; nothing may stand in for it unless you allow it by name.",
    hint: `In ${join(user, "..", "config.json")}: {"prompts": {"may_replace": ["phase_controller"]}}`,
    exit: 14,
  };
  expect(await refusal(ask("prompts edit", { name: "phase_controller", scope: "user" }))).toEqual(refused);
  place.configure({ prompts: { may_replace: ["new_case"] } });
  expect(await refusal(ask("prompts edit", { name: "phase_controller", scope: "user" }))).toEqual(refused);
  expect(below(user)).toEqual([]);
  // As anywhere, a hyphen in a name counts as an underscore.
  place.configure({ prompts: { may_replace: ["phase-controller"] } });
  const { data } = await ask("prompts edit", { name: "phase_controller", scope: "user" });
  expect(data["file"]).toBe(join(user, "system", "phase_controller.md"));
  expect((await ask("prompts show", { name: "phase_controller" })).data["scope"]).toBe("user");
});

const key = "run/1/1-prompt_generator/turn-1";
const head = (lines: string) => `---\n${lines}purpose: Find passkeys\ncost_estimate: low\n---\n`;
const artifact = (content: string) => ({ kind: "prompt", name: "whatever.md", content });
const writes = (content: string, more: object[] = []): Replies => ({
  [key]: report("A prompt for passkeys.", { artifacts: [artifact(content), ...more] }),
});

/** What a model that writes this prompt makes of `prompts new passkey_finder --from …`. */
async function generate(replies: Replies, input: object = {}) {
  const at = desk();
  const replay = recordingAt(at.place.beside, replies);
  const wish = { name: "passkey_finder", from: "Which browsers can do passkeys", replay, ...input };
  const file = join(at.prompts, "custom", "passkey_finder.md");
  return {
    ...at,
    file,
    answer: at.ask("prompts new", wish),
    record: () => contextFile(join(at.place.home, "contexts", "runs"), "001"),
  };
}

test("--from has a model write the prompt: it lies among the generated ones, with its tests, for a person to judge", async () => {
  const text = `${head("name: passkey_finder\ntools: read\n")}Find them.`;
  const tests = { kind: "tests", name: "whatever.tests.yaml", content: "- description: one\n" };
  const { ask, prompts, file, answer, record } = await generate(writes(text, [tests]));
  expect(await answer).toEqual({
    exit: 0,
    data: {
      name: "passkey_finder",
      scope: "custom",
      file,
      generated: {
        summary: "A prompt for passkeys.",
        cost: { usd: expect.any(Number) as number, tokens: 5_600 },
        record: record(),
      },
    },
  });
  expect(read(file)).toBe(text);
  expect(read(join(prompts, "custom", "passkey_finder.tests.yaml"))).toBe(tests.content);
  expect((await ask("prompts show", { name: "passkey_finder" })).data["scope"]).toBe("custom");
  expect(JSON.stringify(JSON.parse(read(record())))).toContain("Which browsers can do passkeys");
});

test.each([
  ["another name", `${head("name: other_one\n")}Find.`, "calls itself"],
  ["the right to run", `${head("tools: run\n")}Find.`, 'asks for the right "run"'],
  [
    "the right to edit, quoted and with a comment",
    `${head('tools: "edit" # quick\n')}Find.`,
    'asks for the right "edit"',
  ],
  ["the right to run through an alias", `${head("tags: [&it run]\ntools: *it\n")}Find.`, 'asks for the right "run"'],
  ["no front matter", "Just some advice.", "purpose: is missing"],
  ["front matter in another language", `---js\n${head("").slice(4)}`, "is not read, only YAML"],
])("a generated prompt with %s is not taken, and what the model said is kept", async (_, content, why) => {
  const { prompts, answer, record } = await generate(writes(content));
  const { code, message, hint } = await refusal(answer);
  expect([code, hint.includes(record()), below(prompts)]).toEqual(["nothing_generated", true, []]);
  expect(message).toContain("The model wrote a prompt that cannot be used.");
  expect(message).toContain(why);
});

test("a model that writes no prompt leaves none, and what it said is told", async () => {
  const reason = "Three traps could not be named.";
  const { prompts, answer, record } = await generate({
    [key]: report(reason, { artifacts: [{ kind: "tests", name: "a", content: "[]" }] }),
  });
  expect(await refusal(answer)).toEqual({
    code: "nothing_generated",
    message: `The model wrote no prompt. It says: ${reason}`,
    hint: `All it said: ${record()}. Say more: --from "…"\nOr write it yourself: claude-exec prompts new passkey_finder`,
    exit: 1,
  });
  expect(below(prompts)).toEqual([]);
});

test("a generation that stops before its end says why, and is no missing prompt", async () => {
  const { answer, prompts } = await generate(writes(head("")), { budget_usd: "0.001" });
  expect(await refusal(answer)).toMatchObject({
    code: "budget",
    hint: expect.stringMatching(/To try again: --budget-usd \d+\.\d\d$/) as string,
    exit: 12,
  });
  expect(below(prompts)).toEqual([]);
});

test("--from takes no scope and no folder, and a folder must be trusted first", async () => {
  for (const [flag, value] of [
    ["scope", "user"],
    ["folder", "sailing"],
  ] as const) {
    expect(await refusal((await generate(writes(head("")), { [flag]: value })).answer)).toEqual({
      code: "wrong_usage",
      message: `A prompt that a model writes takes no ${flag}: it lies in prompts/custom until a person moves it.`,
      hint: `To let a model write it: leave --${flag} out`,
      exit: 64,
    });
  }
  const { place, ask, prompts } = desk({}, { isTrusted: false });
  const wish = { name: "passkey_finder", from: "passkeys", replay: recordingAt(place.beside, writes(head(""))) };
  expect((await refusal(ask("prompts new", wish))).code).toBe("untrusted");
  const before = below(join(shipped, "custom"));
  expect((await ask("prompts new", { ...wish, trust: true })).data["file"]).toBe(
    join(prompts, "custom", "passkey_finder.md"),
  );
  expect(below(join(shipped, "custom"))).toEqual(before);
});

test("prompts of other tools come in by their scope, ask for less, and go back to the byte", async () => {
  const { place, ask, user, prompts } = desk();
  const dry = await ask("prompts import", { from: samples, scope: "workspace", dry_run: true });
  expect(dry).toMatchObject({ exit: 0, data: { scope: "workspace", to: join(prompts, "imported"), dry_run: true } });
  expect([existsSync(place.home), below(user)]).toEqual([false, []]);
  const { data } = await ask("prompts import", { from: samples, scope: "workspace" });
  expect(data).toEqual({ ...dry.data, dry_run: false });
  expect(read(join(place.home, "contexts", ".gitignore"))).toBe("*\n");
  const imported = data["imported"] as { name: string; asked_for: string[]; unchanged: boolean }[];
  const asked = imported.flatMap(({ name, asked_for }) => (asked_for.length > 0 ? [[name, ...asked_for]] : []));
  expect(asked).toEqual([
    ["handy", "all tools"],
    ["weigh_change", "Bash(git show:*)", "Bash(git log --oneline:*)"],
    ["tide_tables", "Write"],
    ["paint_door", "run"],
  ]);
  for (const { name } of imported) {
    expect(["none", "read"]).toContain((await ask("prompts show", { name })).data["tools"]);
  }
  const again = (await ask("prompts import", { from: samples, scope: "workspace" })).data[
    "imported"
  ] as typeof imported;
  expect(again.every(({ unchanged }) => unchanged)).toBe(true);
  const mine = await ask("prompts import", { from: join(samples, "notes"), scope: "user", into: "letters" });
  expect(mine.data).toMatchObject({ scope: "user", to: join(user, "letters") });

  const out = await ask("prompts export", { to: "out", names: ["hello", "tide-tables"] });
  expect(out).toMatchObject({ exit: 0, data: { to: join(place.workspace, "out"), dry_run: false, skipped: [] } });
  const skill = ".claude/skills/tide-tables/SKILL.md";
  for (const path of [".claude/commands/hello.md", skill]) {
    expect(read(join(place.workspace, "out", path))).toBe(read(join(samples, path)));
  }
  expect((await ask("prompts export", { to: "dry", dry_run: true })).data["dry_run"]).toBe(true);
  expect(existsSync(join(place.workspace, "dry"))).toBe(false);
});

test("an imported prompt takes no name that another has, broken ones included", async () => {
  const { ask, place } = desk({ ".claude-exec/prompts/hello.md": "torn" });
  const from = join(place.beside, "from");
  mkdirSync(from);
  cpSync(join(samples, ".claude", "commands", "hello.md"), join(from, "hello.md"));
  cpSync(join(samples, ".claude", "commands", "hello.md"), join(from, "code-reviewer.md"));
  const { data } = await ask("prompts import", { from, format: "claude-commands" });
  expect((data["imported"] as { name: string }[]).map(({ name }) => name)).toEqual(["code_reviewer_2", "hello_2"]);
});

test("an export without names takes all own prompts, and names those it cannot read or give back", async () => {
  const { ask, prompts } = desk({ ".claude-exec/prompts/my_way.md": own, ".claude-exec/prompts/torn_one.md": "torn" });
  const skipped = [
    { file: join(prompts, "my_way.md"), why: "it was never imported" },
    { file: join(prompts, "torn_one.md"), why: `${join(prompts, "torn_one.md")}:1: purpose: is missing` },
  ];
  expect(await ask("prompts export", { to: "out" })).toMatchObject({ exit: 1, data: { exported: [], skipped } });
  const ours = await ask("prompts export", { to: "out", format: "ours" });
  expect(ours).toMatchObject({
    exit: 0,
    data: { exported: [{ files: ["my_way.md"], how: "copied" }], skipped: [skipped[1]] },
  });
  expect(await refusal(ask("prompts export", { to: "out", names: ["my_wax"] }))).toMatchObject({
    code: "unknown_prompt",
  });
});
