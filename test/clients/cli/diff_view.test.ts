import * as fc from "fast-check";
import { expect, test } from "vitest";
import { changeText, commandText, diffView, visible, wholeDiff } from "../../../src/clients/cli/diff_view.ts";
import type { Screen } from "../../../src/clients/cli/terminal.ts";
import { unifiedDiff } from "../../../src/util/diff.ts";

const screen = (columns: number, style: Screen["style"] = (_, text) => text) => ({ columns, style });
const named: Screen["style"] = (style, text) => `${style}(${text})`;

function numbered(count: number, word = "line"): string {
  return Array.from({ length: count }, (_, index) => `${word} ${index + 1}\n`).join("");
}

test("a diff is shown from its first hunk on, what comes green, what goes red", () => {
  const diff = unifiedDiff("one\ntwo\nthree\n", "one\nTWO\nthree\n", "a.txt");
  expect(diffView(diff, screen(80, named))).toEqual({
    lines: ["  dim(@@ -1,3 +1,3 @@)", "   one", "  red(-two)", "  green(+TWO)", "   three"],
    hidden: 0,
    shortened: 0,
    rest: [],
  });
});

test("lines that look like the name of a file are part of what changed", () => {
  const diff = unifiedDiff("-- old\n", "++ new\n", "a.txt");
  expect(wholeDiff(diff)).toEqual(["  @@ -1,1 +1,1 @@", "  --- old", "  +++ new"]);
});

test("a changed line shows its tabs, the spaces at its end, its carriage return and a missing end of line", () => {
  const diff = unifiedDiff(
    "\tkept \r\n\ta\tb\nspaces\nreturn\nend\n",
    "\tkept \r\n    a   b\nspaces  \nreturn \r\nend",
    "a",
  );
  expect(wholeDiff(diff).slice(1)).toEqual([
    "       kept ␍",
    "  -→   a→  b",
    "  -spaces",
    "  -return",
    "  -end",
    "  +    a   b",
    "  +spaces··",
    "  +return·␍",
    "  +end",
    "  \\ No newline at end of file",
  ]);
});

test.each([
  ["text turned round", "a\u202etxt.exe\u2066", "a<U+202E>txt.exe<U+2066>"],
  ["control sequences", "\x1b[2Ja\x07\u009b\x7f", "<U+001B>[2Ja<U+0007><U+009B><U+007F>"],
  ["letters of no width", "a\u200bb\u2060c\ufeff", "a<U+200B>b<U+2060>c<U+FEFF>"],
  ["letters that no screen shows", "a\u3164b\u{e0041}c", "a<U+3164>b<U+E0041>c"],
  ["other ends of lines", "a\rb\u2028c\u0085", "a<U+000D>b<U+2028>c<U+0085>"],
  ["half a letter", "a\ud800b", "a<U+D800>b"],
  ["lines and tabs, where one line is meant", "a\n\tb", "a<U+000A><U+0009>b"],
  ["letters of the world", "é 日本 عربي ⚠️ 🙂", "é 日本 عربي ⚠️ 🙂"],
])("%s: what would not be seen is written as its number", (_, text, shown) => {
  expect(visible(text)).toBe(shown);
});

const letter = fc.oneof(
  fc.constantFrom("\x1b[31m", "\u009b", "\u202e", "\u2066", "\r", "\t", " ", "\n", "+", "-", "@@", "日", "é"),
  fc.string({ unit: "binary", maxLength: 2 }),
);
const text = fc.string({ unit: letter, maxLength: 60 });
// oxlint-disable-next-line no-control-regex
const dangerous = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

test("whatever two texts hold, their diff shows a terminal nothing to act on, in lines that fit it", () => {
  fc.assert(
    fc.property(text, text, fc.integer({ min: 20, max: 60 }), (before, after, columns) => {
      const diff = unifiedDiff(before, after, "a.txt");
      for (const line of wholeDiff(diff)) expect(line).not.toMatch(dangerous);
      for (const line of diffView(diff, screen(columns)).lines) expect(widest(line)).toBeLessThan(columns);
    }),
  );
});

/** No fewer columns than it takes. */
function widest(line: string): number {
  return Array.from(line).filter((part) => !/\p{M}/u.test(part) && part.codePointAt(0)! < 0x1100).length;
}

test("of a long diff its beginning is shown, and how much is left out", () => {
  const diff = unifiedDiff(null, numbered(459), "a.txt");
  const view = diffView(diff, screen(80));
  expect([view.lines.length, view.lines[1], view.lines.at(-1)]).toEqual([120, "  +line 1", "  +line 119"]);
  expect([view.hidden, view.shortened]).toEqual([340, 0]);
  expect([view.rest.length, view.rest[0]]).toEqual([340, "  +line 120"]);
  expect([150, 151].map((lines) => diffView(unifiedDiff(null, numbered(lines - 1), "a"), screen(80)).hidden)).toEqual([
    0, 31,
  ]);
  expect(wholeDiff(diff)).toHaveLength(460);
  expect(diffView(unifiedDiff(null, numbered(119), "a.txt"), screen(80)).hidden).toBe(0);
});

test("long lines go on in rows that begin with an arrow, and only a very long one is cut and counted", () => {
  const long = `${"x".repeat(36)} rm -rf /`;
  const diff = unifiedDiff(null, `short\n${long}\n${"y".repeat(1_000_000)}\n`, "a.txt");
  expect(diffView(diff, screen(30))).toEqual({
    lines: [
      "  @@ -0,0 +1,3 @@",
      "  +short",
      `  +${"x".repeat(26)}`,
      `    ↳ ${"x".repeat(10)} rm -rf /`,
      `  +${"y".repeat(26)}`,
      ...Array.from({ length: 10 }, () => `    ↳ ${"y".repeat(23)}`),
      `    ↳ ${"y".repeat(22)}…`,
    ],
    hidden: 0,
    shortened: 1,
    rest: [`  +${"y".repeat(1_000_000)}`],
  });
  expect(wholeDiff(diff)[2]).toBe(`  +${long}`);
});

test("what is said of a file beside its text is shown too", () => {
  const mode = `mode 644 → 755\n${unifiedDiff("a\n", "b\n", "run.sh")}`;
  expect(wholeDiff(mode)).toEqual(["  mode 644 → 755", "  @@ -1,1 +1,1 @@", "  -a", "  +b"]);
  expect(wholeDiff("Binary file logo.png differs\n")).toEqual(["  Binary file logo.png differs"]);
});

const file = { path: "src/product.js", role: "code", before: "g", after: "h" } as const;

test.each([
  ["a few lines", 3, "  ~ src/product.js (code)  +3, under a minute to read"],
  ["half a minute and more", 13, "  ~ src/product.js (code)  +13, about 1 min to read"],
  ["many", 250, "  ~ src/product.js (code)  +250, about 10 min to read"],
])("a change says how long it takes to read: %s", (_, lines, told) => {
  expect(changeText(file, unifiedDiff("", numbered(lines), file.path))).toBe(told);
});

test("a change says what it does to which file", () => {
  const both = unifiedDiff("a\nb\nc\n", "a\nB\n", file.path);
  expect(changeText(file, both)).toBe("  ~ src/product.js (code)  +1 −2, under a minute to read");
  const gone = changeText({ ...file, after: null }, unifiedDiff("a\nb\n", null, file.path));
  expect(gone).toBe("  - src/product.js (code)  −2, under a minute to read");
  const fresh = { ...file, role: "test", before: null } as const;
  expect(changeText(fresh, unifiedDiff(null, "a\n", file.path), named)).toBe(
    "  green(+) bold(src/product.js) (test)  +1, under a minute to read",
  );
  expect(changeText(fresh, unifiedDiff(null, "", file.path))).toBe("  + src/product.js (test)  no lines");
  expect(changeText({ ...file, path: "a\u202eb\nc" }, both)).toMatch(/^ {2}~ a<U\+202E>b<U\+000A>c \(code\)/);
});

test("a command is shown as it is, all its lines, however long", () => {
  const long = `echo ${" ".repeat(500)}; rm -rf ~`;
  expect(commandText({ line: `${long}\r\nsecond\u202e` })).toBe(`  $ ${long}<U+000D>\n    second<U+202E>`);
});

test("a command is shown with the files to whose content its permission is bound", () => {
  const files = Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`scripts/${at}.sh`, "hash"]));
  expect(commandText({ line: "sh a.sh", files: { "a.sh": "hash" } })).toBe(
    "  $ sh a.sh\n    Your yes holds while this file stays as it is: a.sh",
  );
  expect(commandText({ line: "sh scripts/*", files })).toMatch(
    /Your yes holds while these files stay as they are: .*scripts\/9\.sh, and 1 more$/,
  );
});

test.each([
  [
    "test/a.test.js",
    "test(\"adds two\", () => {});\ntest.each([1])(`of ${x}`, () => {});\nit.only('fails', f);\n",
    ["adds two", "of ${x}", "fails"],
  ],
  ["tests/test_a.py", "class A:\n    def test_adds(self):\n        pass\n", ["test_adds"]],
  ["a_test.go", "func TestAdds(t *testing.T) {}\n", ["TestAdds"]],
])("the tests of %s stand above its diff by name", (path, text, names) => {
  const diff = unifiedDiff(null, text, path);
  const change = { path, role: "test" as const, before: null, after: "h" };
  expect(changeText(change, diff).split("\n").slice(1)).toEqual([
    "    It tests:",
    ...names.map((name) => `    - ${name}`),
  ]);
  expect(changeText({ ...change, role: "code" }, diff)).not.toContain("It tests");
});
