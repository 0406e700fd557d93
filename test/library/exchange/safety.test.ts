import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportPrompts } from "../../../src/library/exchange/export.ts";
import { importPrompts } from "../../../src/library/exchange/import.ts";
import { readFile } from "../../../src/library/exchange/folder.ts";
import { json } from "../../../src/library/exchange/foreign.ts";
import type { Format } from "../../../src/library/exchange/format.ts";
import { readYaml } from "../../../src/library/guarded_yaml.ts";
import { count, folder, treeOf } from "./folders.ts";

/** A prompt that claims to come from this path, with an original next to it where there can be one. */
function claiming(name: string, path: string, format: Format = "claude-commands"): Record<string, string> {
  const imported = JSON.stringify({ format, path });
  const base = path.split("/").at(-1)!.replaceAll("\0", "");
  return {
    [`${name}.md`]: `---\npurpose: Go\ncost_estimate: low\ntools: none\nimported: ${imported}\n---\nGo.\n`,
    ...(base !== "" && { [`${name}.files/${base}.kept`]: "Go.\n" }),
  };
}

test.each([
  ["../x.md", 'the path "../x.md" leads out of the folder'],
  ["a/../../x.md", 'the path "a/../../x.md" leads out of the folder'],
  ["a\\..\\x.md", 'the path "a\\\\..\\\\x.md" leads out of the folder'],
  ["/etc/x.md", 'the path "/etc/x.md" is absolute'],
  ["C:\\x.md", 'the path "C:\\\\x.md" is absolute'],
  [".git/hooks/x.md", 'the path ".git/hooks/x.md" leads into git\'s own folder'],
  ["a/.GIT /x.md", 'the path "a/.GIT /x.md" leads into git\'s own folder'],
  ["a/.g\u200cit/x.md", 'the path "a/.g\u200cit/x.md" leads into git\'s own folder'],
  ["GIT~1/x.md", 'the path "GIT~1/x.md" leads into git\'s own folder'],
  ["./x.md", 'the path "./x.md" is not in its plain form'],
  ["a//x.md", 'the path "a//x.md" is not in its plain form'],
  ["/", 'the path "/" is absolute'],
  ["x.md/", 'the path "x.md/" is not in its plain form'],
  ["x\0.md", 'the path "x\\u0000.md" cannot be one'],
  ["settings.json", 'the path "settings.json" is none for claude-commands'],
])("a prompt that claims the path %j is not exported", async (path, why) => {
  const [ours, to] = [folder(claiming("go_on", path)), folder()];
  const file = join(ours, "go_on.md");
  expect(await exportPrompts([file], to, "claude-commands", { replace: true })).toEqual({
    exported: [],
    skipped: [{ file, why }],
  });
  expect(treeOf(to)).toEqual({});
});

test("a skill is called SKILL.md and a pattern system.md, whatever a prompt claims", async () => {
  const ours = folder({ ...claiming("one", "a/b.md", "claude-skills"), ...claiming("two", "a/b.md", "fabric") });
  const { exported, skipped } = await exportPrompts([ours], folder(), "original");
  expect([exported, skipped.map(({ why }) => why)]).toEqual([
    [],
    ['the path "a/b.md" is none for claude-skills', 'the path "a/b.md" is none for fabric'],
  ]);
});

test("two prompts that claim the same path are both refused", async () => {
  const ours = folder({ ...claiming("one", "a.md"), ...claiming("two", "a.md"), ...claiming("six", "b.md") });
  const { exported, skipped } = await exportPrompts([ours], folder(), "claude-commands");
  const why = `a.md is claimed twice: ${join(ours, "one.md")}, ${join(ours, "two.md")}`;
  expect(exported.map(({ files }) => files)).toEqual([["b.md"]]);
  expect(skipped).toEqual([
    { file: join(ours, "one.md"), why },
    { file: join(ours, "two.md"), why },
  ]);
});

test("nothing is exported through a link below the target, be it a folder or the file", async () => {
  const [outside, to] = [folder({ "x.md": "kept" }), folder()];
  symlinkSync(outside, join(to, "linked"));
  symlinkSync(join(outside, "x.md"), join(to, "file.md"));
  const ours = folder({ ...claiming("one", "linked/x.md"), ...claiming("two", "file.md") });
  const { exported, skipped } = await exportPrompts([ours], to, "claude-commands", { replace: true });
  expect([exported, skipped.map(({ why }) => why)]).toEqual([
    [],
    [
      "linked is a link there, and nothing is written through links",
      "file.md is a link there, and nothing is written through links",
    ],
  ]);
  expect(treeOf(outside)).toEqual({ "x.md": "644 kept" });
});

test("a file with other content stays without replace, and one with the same is no trouble", async () => {
  const [ours, to] = [folder(claiming("one", "a.md")), folder({ "a.md": "Go.\n" })];
  const same = await exportPrompts([ours], to, "claude-commands");
  expect(same.exported.map(({ unchanged }) => unchanged)).toEqual([true]);
  writeFileSync(join(to, "a.md"), "mine");
  const other = await exportPrompts([ours], to, "claude-commands");
  expect(other.skipped.map(({ why }) => why)).toEqual(["a.md is there already and differs"]);
  expect(readFileSync(join(to, "a.md"), "utf8")).toBe("mine");
  await exportPrompts([ours], to, "claude-commands", { replace: true });
  expect(readFileSync(join(to, "a.md"), "utf8")).toBe("Go.\n");
});

test("of a prompt with one file that may not be written, none is", async () => {
  const ours = folder({ ...claiming("one", "s/SKILL.md", "claude-skills"), "one.files/a.txt.kept": "new" });
  const to = folder({ "s/a.txt": "mine" });
  await exportPrompts([ours], to, "claude-skills");
  expect(treeOf(to)).toEqual({ "s/a.txt": "644 mine" });
});

test("where a folder stands in a file's way, or a file in a folder's, the prompt is refused", async () => {
  const ours = folder({ ...claiming("one", "a.md"), ...claiming("two", "b/c.md") });
  const { skipped } = await exportPrompts([ours], folder({ "a.md/x": "", b: "" }), "claude-commands");
  expect(skipped.map(({ why }) => why)).toEqual(["a.md is something else there", "b is something else there"]);
});

test("links, git's folder, installed packages and what is no file are not imported", async () => {
  const outside = folder({ "secret.md": "secret" });
  const from = folder({ ".git/x.md": "x", "node_modules/x.md": "x", "s/SKILL.md": "Go" });
  symlinkSync(join(outside, "secret.md"), join(from, "link.md"));
  symlinkSync(outside, join(from, "folder"));
  symlinkSync(join(outside, "secret.md"), join(from, "s/secret.md"));
  execFileSync("mkfifo", [join(from, "pipe.md")]);
  const to = folder();
  const { imported, skipped } = await importPrompts(from, to, { count });
  expect(imported.map(({ file }) => file)).toEqual(["s/SKILL.md"]);
  expect(skipped).toEqual([
    { file: ".git", why: "it belongs to git" },
    { file: "folder", why: "it is a link, and links are not followed" },
    { file: "link.md", why: "it is a link, and links are not followed" },
    { file: "node_modules", why: "it holds installed packages" },
    { file: "pipe.md", why: "it is not a plain file" },
    { file: "s/secret.md", why: "it is a link, and links are not followed" },
  ]);
  expect(Object.keys(treeOf(to))).toEqual(["prompt_s.files/SKILL.md.kept", "prompt_s.md"]);
});

test("a file that became a link after it was listed is not read", () => {
  const from = folder({ "a.md": "secret" });
  symlinkSync(join(from, "a.md"), join(from, "b.md"));
  expect(() => readFile(join(from, "b.md"), 100)).toThrow("this is not a plain file");
});

test("a prompt that claims to be a command brings no file beside it", async () => {
  const ours = folder({ ...claiming("one", "x.md"), "one.files/settings.json.kept": "{}" });
  const { skipped } = await exportPrompts([join(ours, "one.md")], folder(), "original");
  expect(skipped.map(({ why }) => why)).toEqual(["it has files beside it, and claude-commands has no place for them"]);
});

test("characters that cannot be seen are written as escapes, and read back as they were", () => {
  const purpose = "a\u007f\u0085\u2028\ufeff\uffffb";
  expect(json(purpose)).toBe('"a\\u007f\\u0085\\u2028\\ufeff\\uffffb"');
  expect(readYaml(`purpose: ${json(purpose)}\n`)).toMatchObject({ data: { purpose } });
});

test("nothing is imported through a link below the target", async () => {
  const [outside, to] = [folder({ "old.txt.kept": "kept" }), folder()];
  symlinkSync(outside, join(to, "skill.files"));
  symlinkSync(join(outside, "gone"), join(to, "other.md"));
  const from = folder({ "skill/SKILL.md": "Go", "skill/new.txt": "new", "other.md": "Go" });
  const { skipped } = await importPrompts(from, to, { count, replace: true });
  expect(skipped.map(({ file, why }) => [file, why])).toEqual([
    ["other.md", "other.md is a link there, and nothing is written through links"],
    ["skill/SKILL.md", "skill.files is a link there, and nothing is written through links"],
    ["skill/new.txt", "it belongs to skill/SKILL.md, which is skipped"],
  ]);
  await importPrompts(folder({ "skill/SKILL.md": "Go" }), to, { count, replace: true });
  expect(treeOf(outside)).toEqual({ "old.txt.kept": "644 kept" });
});

test("a prompt that is there is not written over: a stranger gets a number, a prompt of ours is skipped", async () => {
  const ours = "---\npurpose: Go\ncost_estimate: low\n---\n";
  const to = folder({ "go_on.md": `${ours}Mine.`, "deep/stay.md": `${ours}Mine.` });
  const before = treeOf(to);
  const from = folder({ "go-on.md": "Theirs.", "o/go_on.md": `${ours}Theirs.`, "stay.md": `${ours}Theirs.` });
  const { imported, skipped } = await importPrompts(from, to, { count });
  expect(imported.map(({ file, to }) => [file, to])).toEqual([["go-on.md", "go_on_2.md"]]);
  expect(skipped).toEqual([
    { file: "o/go_on.md", why: "the name go_on is taken by go_on.md" },
    { file: "stay.md", why: "the name stay is taken by deep/stay.md" },
  ]);
  expect(treeOf(to)).toMatchObject(before);
});

test("neither a command nor a file that a text names is run or read", async () => {
  const from = folder();
  const mark = join(from, "ran");
  writeFileSync(join(from, "x.md"), `---\nallowed-tools: Bash(touch:*)\n---\n!\`touch ${mark}\` @/etc/passwd\n`);
  writeFileSync(join(from, "y.md"), `---js\nrequire("fs").writeFileSync(${JSON.stringify(mark)}, "")\n---\n`);
  const to = folder();
  const { skipped } = await importPrompts(from, to, { count });
  expect(skipped).toEqual([{ file: "y.md", why: "its front matter is js, not YAML" }]);
  expect(existsSync(mark)).toBe(false);
  expect(readFileSync(join(to, "prompt_x.md"), "utf8")).toContain(`!\`touch ${mark}\` @/etc/passwd\n`);
});

test.each([
  [Buffer.from([0x47, 0xff]), "it is not UTF-8"],
  ["x".repeat(256 * 1024 + 1), "the file is longer than 256 KB"],
  [`---\na: ${"x".repeat(16 * 1024)}\n---\n`, "its front matter is longer than 16 KB"],
  ["---\na: b: c\n  - d\n---\n", expect.stringMatching(/^its front matter is not YAML: Nested mappings/)],
])("a file that could lose something is skipped with the reason: %.20j", async (content, why) => {
  const to = folder();
  const { skipped } = await importPrompts(folder({ "take-it.md": content }), to, { count });
  expect(skipped).toEqual([{ file: "take-it.md", why }]);
  expect(treeOf(to)).toEqual({});
});

test("what would grow without end as YAML is read as words, line by line", async () => {
  const bomb = `---\ndescription: Go\na: &a [1,1,1,1,1,1,1,1]\nb: &b [${"*a,".repeat(60)}]\nc: [${"*b,".repeat(60)}]\n---\n`;
  const to = folder();
  await importPrompts(folder({ "take-it.md": bomb }), to, { count });
  expect(readFileSync(join(to, "take_it.md"), "utf8").length).toBeLessThan(200);
});

test("a prompt of ours is not imported to where the library would not list it", async () => {
  const ours = "---\npurpose: Go\ncost_estimate: low\n---\n";
  const from = folder({ "templates/a_b.md": ours, ".x/c_d.md": ours, "y/templates.md": ours });
  const { imported, skipped } = await importPrompts(from, folder(), { count });
  expect(imported.map(({ file }) => file)).toEqual(["y/templates.md"]);
  expect(skipped).toEqual([
    { file: ".x/c_d.md", why: "the library would not list it there" },
    { file: "templates/a_b.md", why: "the library would not list it there" },
  ]);
});

test("a skill with a file that cannot be kept is skipped as a whole", async () => {
  const from = folder({ "skill/SKILL.md": "Go", [`skill/${"n".repeat(252)}`]: "x" });
  const to = folder();
  const { imported, skipped } = await importPrompts(from, to, { count });
  expect([imported, skipped[0]]).toEqual([
    [],
    { file: "skill/SKILL.md", why: "the system refuses it (ENAMETOOLONG): name too long" },
  ]);
  expect(treeOf(to)).toEqual({});
});

test("what is imported from a folder into a folder in it does not come again", async () => {
  const from = folder({ "a-b.md": "Go" });
  mkdirSync(join(from, "ours"));
  await importPrompts(from, join(from, "ours"), { count });
  const { imported, skipped } = await importPrompts(from, join(from, "ours"), { count });
  expect(imported.map(({ to, unchanged }) => [to, unchanged])).toEqual([["a_b.md", true]]);
  expect(skipped).toEqual([{ file: "ours", why: "this is where the prompts are written to" }]);
});
