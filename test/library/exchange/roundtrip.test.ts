import { chmodSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { exportPrompts } from "../../../src/library/exchange/export.ts";
import { importPrompts } from "../../../src/library/exchange/import.ts";
import { formats } from "../../../src/library/exchange/format.ts";
import { openLibrary } from "../../../src/library/library.ts";
import { renderPrompt } from "../../../src/library/render.ts";
import { count, folder, read, treeOf } from "./folders.ts";

const word = fc.constantFrom(
  "a",
  "Go",
  "go-on",
  "Zürich",
  "日本",
  "x y",
  "n".repeat(55),
  "templates",
  ".dot",
  "constructor",
  "abc",
);
const ending = fc.constantFrom(".md", ".md", ".md", ".md", ".MD", ".sh", ".kept", "");
const path = fc
  .tuple(fc.array(fc.oneof(word, fc.constantFrom("commands", "agents", "s.files")), { maxLength: 3 }), word, ending)
  .map(([folders, name, ending]) => [...folders, name + ending].join("/"));
const known = fc.constantFrom("s/SKILL.md", "s/a.bin", "Q/system.md", "Q/user.md", "Q/README.md", "s.md", "README.md");

const piece = fc.constantFrom(
  ..."$ARGUMENTS|$ARGUMENTS[0]|\\$ARGUMENTS|{{ a }}|{{a}}|{{ A }}|{{ arguments }}|{{|}}|{|}|$|$1|!`x`|@f|```|\n```\n|~~~".split(
    "|",
  ),
  ..."\n|\r\n|\r|\t| |---\n|# INPUT\n|INPUT:|INPUT:\n|\uFEFF|\u2028|\0|\u0085|\uFFFF|é|日本|𝕏|word|# H|---".split("|"),
);
const body = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((it) => it.join("")),
  fc.string({ unit: "binary" }),
);
const line = fc.constantFrom(
  "description: Do it. Then stop",
  "description: 'it''s'",
  'description: "\\u00e9\\n"',
  "description: >\n  folded\n  words",
  "name: go",
  "name: go",
  "tools: [Read, Bash]",
  "allowed-tools: Read, Bash(git:*), Write",
  "argument-hint: [a] [b]",
  "model: opus",
  "# a comment",
  "x:   1   # odd",
  "? y\n: 2",
  "{a: 1}",
  "a: b: c",
  "- list",
  "purpose: Go",
  "cost_estimate: low",
  "tools: run",
  "imported: 1",
  "imported: {format: ours, path: x.md}",
  "claude-exec: {name: abc, front_matter: ''}",
  "inputs: {a: {description: b}}",
  "日本: é",
  "tail: 😀\u2028\u0085",
  "",
);
const head = fc
  .tuple(
    fc.constantFrom("", "\uFEFF"),
    fc.constantFrom("---", "---", "---", "---", "--- ", "---yaml", "---js", "----"),
    fc.array(line, { maxLength: 6 }),
    fc.constantFrom("---", "---", "---", "--- ", "----", ""),
    fc.constantFrom("\n", "\r\n"),
    fc.constantFrom("\n", ""),
  )
  .map(
    ([mark, open, lines, close, newline, last]) =>
      mark + [open, ...lines, close].join("\n").replaceAll("\n", newline) + last,
  );
const oursLine = fc.constantFrom(
  "tools: run",
  "tools: read",
  "# why",
  "x-team: {a: [1, .5, ~]}",
  "title: 'T'",
  "model: smart",
  "imported: {format: ours, path: x.md}",
  "imported: {format: markdown, path: x.md, front_matter: ''}",
  "inputs: {a: {description: one, required: true}}",
  "inputs: {a: {description: one}, b: {description: two, type: line}}",
);
/** Front matter of ours, each key at most once. */
const oursHead = fc
  .tuple(
    fc.constantFrom("", "\uFEFF"),
    fc.uniqueArray(oursLine, { maxLength: 4, selector: (it) => it.split(":")[0] }),
    fc.constantFrom("\n", "\r\n"),
  )
  .map(([mark, lines, newline]) =>
    [`${mark}---`, "purpose: 'Do  it. Twice'", "cost_estimate: low", ...lines, "---", ""].join(newline),
  );
const content = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(oursHead, body).map((it) => Buffer.from(it.join(""))) },
  { weight: 8, arbitrary: fc.tuple(fc.oneof(head, fc.constant("")), body).map((it) => Buffer.from(it.join(""))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((it) => Buffer.from(it)) },
);
const mode = fc.constantFrom(0o644, 0o755, 0o600, 0o444);

/** No path may be a folder on the way to another. */
const collection = fc
  .uniqueArray(fc.tuple(fc.oneof(path, known), content, mode), { maxLength: 8, selector: ([path]) => path })
  .map((files) => files.filter(([path]) => !files.some(([other]) => other.startsWith(`${path}/`))));

function lay(files: readonly (readonly [string, Buffer, number])[]): string {
  const from = folder(Object.fromEntries(files.map(([path, bytes]) => [path, bytes])));
  for (const [path, , mode] of files) chmodSync(join(from, path), mode);
  return from;
}

test("any folder of files comes back to the byte, or is skipped with a reason", { timeout: 60_000 }, async () => {
  const property = fc.asyncProperty(collection, fc.option(fc.constantFrom(...formats)), async (files, given) => {
    const from = lay(files);
    const ours = folder();
    const { imported, skipped } = await importPrompts(from, ours, { count, ...(given && { format: given }) });
    const taken = imported.flatMap(({ file, siblings }) => [file, ...siblings]);
    expect([...taken, ...skipped.map(({ file }) => file)].sort()).toEqual(files.map(([path]) => path).sort());
    for (const { why } of skipped) expect(why).toMatch(/^\S.{5,}/);
    for (const format of new Set(imported.map((it) => it.format))) {
      const same = imported.filter((it) => it.format === format);
      // A prompt of ours that is named as a file would go back by its bare name.
      const named = format === "ours" ? [ours] : same.map(({ to }) => join(ours, to));
      const copies = folder();
      expect((await exportPrompts(named, copies, format)).skipped).toEqual([]);
      const was = treeOf(from);
      const expected = same.flatMap(({ file, siblings }) => [file, ...siblings]).map((path) => [path, was[path]]);
      const back = Object.entries(treeOf(copies)).filter(([path]) => path in Object.fromEntries(expected));
      expect(Object.fromEntries(back)).toEqual(Object.fromEntries(expected));
    }
  });
  await fc.assert(property, { numRuns: 150 });
});

test("what is imported is listed without a problem, and reads at most", { timeout: 60_000 }, async () => {
  const property = fc.asyncProperty(collection, async (files) => {
    const ours = folder();
    const { imported } = await importPrompts(lay(files), ours, { count });
    const { prompts, problems } = await openLibrary([{ scope: "workspace", path: ours }]).all();
    expect(problems).toEqual([]);
    expect(prompts.map(({ name }) => name)).toEqual(imported.map(({ name }) => name).sort());
    for (const { tools } of prompts) expect(["none", "read"]).toContain(tools);
  });
  await fc.assert(property, { numRuns: 50 });
});

test("any text without fences renders as it stood", { timeout: 60_000 }, async () => {
  const plain = body.filter((it) => !/`{3}|~{3}/.test(it) && !it.startsWith("---") && it.isWellFormed());
  const property = fc.asyncProperty(
    plain,
    fc.constantFrom("claude-commands", "fabric", "markdown"),
    async (text, format) => {
      const entry = format === "fabric" ? "take/system.md" : "take.md";
      const to = folder();
      await importPrompts(folder({ [entry]: text }), to, { count, format });
      const prompt = await read(join(to, "take.md"));
      const given = Object.entries(prompt.inputs).find(([, it]) => it.default === "" && format === "claude-commands");
      const rendered = renderPrompt(prompt, given ? { [given[0]]: "$ARGUMENTS" } : {});
      expect(rendered).toBe(text.replace(/^\uFEFF/, ""));
    },
  );
  await fc.assert(property, { numRuns: 80 });
});
