import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nearDuplicates } from "../../../src/library/lint/alike.ts";

const text = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `word${from + index}`).join(" ");
const at = (file: string, body: string) => ({ file, body, bodyLine: 7 });
const found = (texts: Parameters<typeof nearDuplicates>[0]) =>
  nearDuplicates(texts).map(({ file, what }) => `${file}: ${what}`);

test("a text that is almost another's is said once, at the later file, with their share", () => {
  const texts = [at("b.md", `${text(0, 100)} ${text(500, 510)}`), at("a.md", text(0, 100)), at("c.md", text(900, 999))];
  expect(nearDuplicates(texts)).toStrictEqual([
    {
      file: "b.md",
      line: 7,
      rule: "near-duplicate",
      severity: "warning",
      what: "90% of this text and a.md are the same",
      why: "Of two prompts that say the same, the choice is a matter of luck, and a repair reaches only one.",
      mend: "Keep one of them, or cut each down to what only it knows.",
    },
  ]);
});

test("half of all runs of five words is the limit", () => {
  // 10 runs in common of 20, and of 21.
  expect(found([at("a", text(0, 14)), at("b", `${text(0, 14)} ${text(50, 60)}`)])).toEqual([
    "b: 50% of this text and a are the same",
  ]);
  expect(found([at("a", text(0, 14)), at("b", `${text(0, 14)} ${text(50, 61)}`)])).toEqual([]);
});

test("capitals, marks and variables make no difference", () => {
  expect(
    found([at("a", "One, two: THREE four {{ x }} five. Six"), at("b", "one two three\nfour five {{ yy }} **six**")]),
  ).toEqual(["b: 100% of this text and a are the same"]);
});

test("texts of fewer than five words are not compared", () => {
  expect(found([at("a", "one two three four"), at("b", "one two three four"), at("c", ""), at("d", "")])).toEqual([]);
});

test("each names the nearest of those before it", () => {
  const texts = [at("a", text(0, 60)), at("b", text(0, 100)), at("c", text(0, 95))];
  expect(found(texts)).toEqual(["b: 58% of this text and a are the same", "c: 94% of this text and b are the same"]);
});

test("among hundreds of others, and of one mould, they are found too", () => {
  const others = Array.from({ length: 700 }, (_, index) =>
    at(`m${1000 + index}`, text(index * 1000, index * 1000 + 200)),
  );
  const mould = Array.from({ length: 80 }, (_, index) =>
    at(`z${100 + index}`, `${text(90_000_000, 90_000_200)} its own number ${index}`),
  );
  expect(found(others)).toEqual([]);
  expect(found([...others, at("n", text(5000, 5150)), ...mould])).toEqual([
    "n: 74% of this text and m1005 are the same",
    ...mould.slice(1).map(({ file }) => `${file}: 99% of this text and z100 are the same`),
  ]);
});

test("for few texts, what is found is what comparing every pair finds", () => {
  const body = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 14 }).map((words) => words.join(" "));
  const runs = (body: string) => {
    const words = body.split(" ");
    return new Set(words.slice(4).map((_, start) => words.slice(start, start + 5).join(" ")));
  };
  fc.assert(
    fc.property(fc.array(body, { maxLength: 12 }), (bodies) => {
      const files = bodies.map((body, index) => at(String.fromCharCode(97 + index), body));
      const expected = files.filter(({ body }, index) =>
        files.slice(0, index).some((other) => {
          const [one, two] = [runs(body), runs(other.body)];
          return one.union(two).size > 0 && one.intersection(two).size / one.union(two).size >= 0.5;
        }),
      );
      expect(nearDuplicates(files).map(({ file }) => file)).toEqual(expected.map(({ file }) => file));
    }),
  );
});
