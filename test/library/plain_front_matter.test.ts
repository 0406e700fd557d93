import { readdirSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseFrontMatter } from "../../src/library/front_matter.ts";
import { plainFrontMatter } from "../../src/library/plain_front_matter.ts";

/** What the real parser says, or that it refuses. */
function real(text: string) {
  try {
    const { lineOf, ...read } = parseFrontMatter(text, "p.md");
    return { ...read, lines: Object.keys(read.data).map(lineOf) };
  } catch {
    return "refused";
  }
}

function plain(text: string) {
  const read = plainFrontMatter(text);
  if (!read) return undefined;
  const { lineOf, ...rest } = read;
  return { ...rest, lines: Object.keys(rest.data).map(lineOf) };
}

const prompts = readdirSync("prompts", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".md"));

test("nearly all shipped prompts are plain, and are read as the real parser reads them", () => {
  const texts = prompts.map((file) => readFileSync(`prompts/${file}`, "utf8"));
  const read = texts.filter((text) => plain(text) !== undefined);
  expect(read.length).toBeGreaterThan(texts.length * 0.9);
  for (const text of read) expect(plain(text)).toEqual(real(text));
});

test.each([
  ["a: b", { a: "b" }],
  ["a: [x, y-z,  w v ]", { a: ["x", "y-z", "w v"] }],
  ["a: []", { a: [] }],
  ["a:\n  - one: two", undefined],
  ['a:\n  - One, two (three)\n  - "a: b #c"', { a: ["One, two (three)", "a: b #c"] }],
  [
    'i:\n  f: { type: line, description: "A, {b}: c", required: true }\n  g: { default: "" }',
    {
      i: { f: { type: "line", description: "A, {b}: c", required: true }, g: { default: "" } },
    },
  ],
  ["a: 1", undefined],
  ["a: yes", undefined],
  ["a: b # c", undefined],
  ["a: b: c", undefined],
  ["a: |\n  x", undefined],
  ["a: b\n  c", undefined],
  ["a: b\na: c", undefined],
  ["a: &x b", undefined],
  ["__proto__: b", undefined],
  ["a:", undefined],
  ["a:\tb", undefined],
])("%j is %j", (yaml, data) => {
  const text = `---\n${yaml}\n---\nbody\n`;
  expect(plain(text)?.data).toEqual(data);
  expect(plain(text) ?? real(text)).toEqual(real(text));
});

test("what it reads, it reads as the real parser does, whatever the text", () => {
  const piece = fc.constantFrom(
    ..."a,b_1,key,: ,:,- ,  ,\n,\n  ,\n  - ,[,],{,}, ,#, #,\",',true,null,1,.5,é,(,),?,!,&,*,|,>,%,@,`,~,—,\\,---,\r,\t,yes,x y".split(
      ",",
    ),
    ",",
  );
  const block = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(""));
  const wellFormed = fc
    .array(fc.tuple(fc.constantFrom("a", "b", "c", "null", "true", "y"), fc.array(piece, { maxLength: 6 })), {
      maxLength: 4,
    })
    .map((lines) => lines.map(([key, value]) => `${key}: ${value.join("")}`).join("\n"));
  fc.assert(
    fc.property(fc.oneof(block, wellFormed), fc.constantFrom("", "body\n", "---\n", "\n\n# x"), (yaml, body) => {
      const text = `---\n${yaml}\n---\n${body}`;
      const read = plain(text);
      expect(read ?? real(text)).toEqual(real(text));
    }),
    { numRuns: 3000 },
  );
});

test("what is too long, has another end or no front matter is not for it", () => {
  for (const text of ["a: b", "---\na: b\n", "---\na: b\n---x\n", "---js\na: b\n---\n", "---\r\na: b\r\n---\r\n"]) {
    expect(plainFrontMatter(text)).toBeUndefined();
  }
  expect(plainFrontMatter(`---\na: ${"b".repeat(5_001)}\n---\n`)).toBeUndefined();
  expect(plainFrontMatter(`---\na: b\n---\n${"b".repeat(80_001)}`)).toBeUndefined();
  expect(plainFrontMatter("---\na: b\n---")?.body).toBe("");
});
