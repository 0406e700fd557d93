import * as fc from "fast-check";
import matter from "gray-matter";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { parseFrontMatter } from "../../src/library/front_matter.ts";
import { UserError } from "../../src/util/errors.ts";

function parse(text: string) {
  const { data, body, bodyLine } = parseFrontMatter(text, "p.md");
  return { data, body, bodyLine };
}

function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof UserError && error.code === "prompt_unreadable" && error.next.length > 0) return error.message;
    throw error;
  }
  return "not refused";
}

test("data, body and the body's line are read apart, and each key knows its line", () => {
  const read = parseFrontMatter("---\nname: x\nlist:\n  - a\nlast: 1\n---\n# Title\n---\ntext\n", "p.md");
  const { lineOf, ...rest } = read;
  expect(rest).toEqual({
    data: { name: "x", list: ["a"], last: 1 },
    head: "---\nname: x\nlist:\n  - a\nlast: 1\n---\n",
    body: "# Title\n---\ntext\n",
    bodyLine: 7,
  });
  expect(["name", "list", "last", "none"].map(lineOf)).toEqual([2, 3, 5, 1]);
});

test("a byte order mark, Windows line ends, trailing blanks and the language yaml change nothing", () => {
  const expected = { data: { a: "x\ny\n", b: 1 }, bodyLine: 7 };
  expect(parse("\uFEFF---\r\na: |\r\n  x\r\n  y\r\nb: 1\r\n---\r\nbody\r\n")).toEqual({
    ...expected,
    body: "body\r\n",
  });
  expect(parse("--- yaml \na: |\n  x\n  y\nb: 1\n---  \nbody")).toEqual({ ...expected, body: "body" });
  expect(parse("---yml\na: |\n  x\n  y\nb: 1\n---\n\nbody")).toEqual({ ...expected, body: "\nbody" });
});

test("a text without front matter, an empty one and one of comments have no data", () => {
  expect(parse("# Title\n---\n")).toEqual({ data: {}, body: "# Title\n---\n", bodyLine: 1 });
  expect(parse("----\na: 1\n----\n")).toEqual({ data: {}, body: "----\na: 1\n----\n", bodyLine: 1 });
  expect(parse("")).toEqual({ data: {}, body: "", bodyLine: 1 });
  expect(parse("---\n---\nbody")).toEqual({ data: {}, body: "body", bodyLine: 3 });
  expect(parse("---\n# only this\n---\nbody")).toEqual({ data: {}, body: "body", bodyLine: 4 });
});

test.each([
  "js",
  " js",
  "JS",
  "javascript",
  "JavaScript ",
  "\u00A0js",
  "json",
  "coffee",
  "toml",
  "constructor",
  "toString",
  "__proto__",
  "YAML",
  "yaml js",
])("front matter in the language %j is refused and never run", (language) => {
  const spy = globalThis as { ran?: boolean };
  delete spy.ran;
  const text = `---${language}\n(globalThis.ran = true, { name: "x" })\n---\nbody`;
  expect(refusal(text)).toBe(`p.md:1: ${JSON.stringify(language.trim())} is not read, only YAML`);
  expect(spy.ran).toBeUndefined();
});

test("the same text does run in gray-matter left alone, so the test above can fail", () => {
  const spy = globalThis as { ran?: boolean };
  matter("---js\n(globalThis.ran = true, { name: 'x' })\n---\n", {});
  expect(spy.ran).toBe(true);
  delete spy.ran;
});

test("front matter that does not end, or ends by accident, is refused", () => {
  expect(refusal("---\nname: x\n# Title\n")).toBe("p.md:1: the front matter has no end");
  expect(refusal("---")).toBe("p.md:1: the front matter has no end");
  expect(refusal("---\rname: x\r---\r")).toBe('p.md:1: "name: x\\r---" is not read, only YAML');
  expect(refusal("---\na: 1\n---extra\nb: 2\n---\n")).toBe("p.md:3: this line would end the front matter");
  expect(refusal("---\na: 1\n----\nb: 2\n---\n")).toBe("p.md:3: this line would end the front matter");
});

test("front matter that is not a map is refused", () => {
  expect(refusal("---\njust words\n---\n")).toBe("p.md:2: the front matter is not made of `key: value`");
  expect(refusal("---\n\n- a\n- b\n---\n")).toBe("p.md:3: the front matter is not made of `key: value`");
  expect(refusal("---\n42\n---\n")).toBe("p.md:2: the front matter is not made of `key: value`");
});

test("broken YAML is refused at its line", () => {
  expect(refusal("---\nname: x\npurpose: a: b\n---\n")).toMatch(/^p\.md:3: Nested mappings are not allowed/);
  expect(refusal("---\na: [1\n---\n")).toMatch(/^p\.md:\d: Flow sequence in block collection must be/);
  expect(refusal("---\nname: x\nrun: !!js/function 'x'\n---\n")).toBe(
    "p.md:3: Unresolved tag: tag:yaml.org,2002:js/function",
  );
  expect(refusal("---\nname: x\n\nname: y\n---\n")).toBe("p.md:4: the key name is there twice");
  expect(refusal("---\nname: x\nin:\n  1: a\n  '1': b\n---\n")).toBe("p.md:5: the key 1 is there twice");
  expect(refusal("---\na: 1\n? [x, y]\n: 2\n---\n")).toBe("p.md:2: a key is not a plain word");
  expect(refusal("---\na: *gone\n---\n")).toMatch(/^p\.md:1: Unresolved alias/);
});

test("keys of objects themselves cannot pollute", () => {
  expect(refusal("---\nname: x\n__proto__: { polluted: true }\n---\n")).toBe(
    "p.md:3: the key __proto__ is not allowed",
  );
  expect(refusal('---\na:\n  - { "__proto__": { polluted: true } }\n---\n')).toBe(
    "p.md:3: the key __proto__ is not allowed",
  );
  const { data } = parse("---\nconstructor: { prototype: { polluted: true } }\ntoString: 1\n---\n");
  expect(Object.entries(data)).toEqual([
    ["constructor", { prototype: { polluted: true } }],
    ["toString", 1],
  ]);
  expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  expect("polluted" in {}).toBe(false);
});

test("a key that gray-matter itself would act upon is data like any other", () => {
  const text = "---\nexcerpt_separator: { toString: 1 }\n---\nbody";
  expect(parse(text)).toEqual({ data: { excerpt_separator: { toString: 1 } }, body: "body", bodyLine: 4 });
});

test("dates, times and yes stay the text they are", () => {
  expect(parse("---\na: 2024-01-16\nb: 12:30:45\nc: yes\nd: 0o17\ne: ~\n---\n").data).toEqual({
    a: "2024-01-16",
    b: "12:30:45",
    c: "yes",
    d: 15,
    e: null,
  });
});

test("alias bombs, rings and deep nesting are refused", () => {
  const bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b]";
  expect(refusal(`---\n${bomb}\n---\n`)).toMatch(/^p\.md:1: Excessive alias count/);
  expect(refusal("---\na: 1\nb: &b [1, { c: *b }]\n---\n")).toBe("p.md:3: *b stands inside what it repeats");
  expect(refusal(`---\na: ${"[".repeat(200)}${"]".repeat(200)}\n---\n`)).toBe("p.md:2: the nesting is too deep");
  expect(refusal(`---\na: ${"[".repeat(8000)}${"]".repeat(8000)}\n---\n`)).toBe("p.md:2: the nesting is too deep");
  expect(parse("---\na: &a [1]\nb: *a\n---\n").data).toEqual({ a: [1], b: [1] });
});

test("front matter over 16 KB and a body over 256 KB are refused, and just below they are read", () => {
  const comment = (bytes: number) => `---\n#${"é".repeat((bytes - 6) / 2)}\n---\n`;
  expect(parse(comment(16 * 1024)).data).toEqual({});
  expect(refusal(comment(16 * 1024 + 2))).toBe("p.md:1: the front matter is longer than 16 KB");
  expect(refusal(`---\n${"{[".repeat(10_000)}\n---\n`)).toBe("p.md:1: the front matter is longer than 16 KB");
  expect(parse(`---\na: 1\n---\n${"é".repeat(128 * 1024)}`).body.length).toBe(128 * 1024);
  expect(refusal(`---\na: 1\n---\n${"é".repeat(128 * 1024)}.`)).toBe("p.md:4: the text is longer than 256 KB");
  expect(refusal("x".repeat(256 * 1024 + 1))).toBe("p.md:1: the text is longer than 256 KB");
});

test("front matter full of keys is read", () => {
  const keys = Array.from({ length: 3000 }, (_, index) => `k${index.toString(36)}`);
  expect(Object.keys(parse(`---\n{${keys.join(",")}}\n---\n`).data).toSorted()).toEqual(keys.toSorted());
});

test("nothing is remembered: what one caller does to the data no other sees, and an error comes again", () => {
  const text = "---\nlist: [1]\n---\n";
  (parse(text).data["list"] as number[]).push(2);
  expect(parse(text).data).toEqual({ list: [1] });
  const broken = "---\na: [\n---\n";
  expect(refusal(broken)).toBe(refusal(broken));
  expect(refusal(broken)).toMatch(/^p\.md:/);
  expect((matter as unknown as { cache: object }).cache).toEqual({});
});

test("what YAML says is what is read", () => {
  const key = fc.string().filter((key) => key !== "__proto__");
  const { tree } = fc.letrec((tie) => ({
    tree: fc.dictionary(key, tie("value"), { maxKeys: 5, noNullPrototype: true }),
    value: fc.oneof(
      { maxDepth: 3 },
      fc.oneof(
        fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
        fc.integer(),
        fc.double({ noNaN: true }),
        fc.boolean(),
        fc.constant(null),
      ),
      fc.array(tie("value"), { maxLength: 4 }),
      tie("tree"),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.string(), (data, body) => {
      const yaml = stringify(data, { schema: "core", aliasDuplicateObjects: false });
      fc.pre(Buffer.byteLength(yaml) < 16_000);
      expect(parse(`---\n${yaml}---\n${body}`)).toEqual({
        data,
        body,
        bodyLine: yaml.split("\n").length + 2,
      });
    }),
    { numRuns: 60 },
  );
});

test("whatever the text is, it is read or refused with a place and a hint", () => {
  const piece = fc.constantFrom(
    "---",
    "\n",
    "\r\n",
    "a: ",
    "- ",
    "&a ",
    "*a",
    "{",
    "}",
    "[",
    "]",
    "|\n",
    '"',
    "!x ",
    "? ",
    "#",
    "js",
    " ",
    "__proto__",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      expect(refusal(`---\n${pieces.join("")}\n---\nbody`)).toMatch(/^(not refused$|p\.md:\d+: )/);
    }),
    { numRuns: 300 },
  );
});
