import * as fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance } from "../../src/util/distance.ts";

test("letters put in, taken out and changed are counted", () => {
  expect(editDistance("", "")).toBe(0);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("abc", "")).toBe(3);
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("ab", "ba")).toBe(2);
});

test("beyond a limit, the answer is one more than the limit", () => {
  expect(editDistance("kitten", "sitting", 3)).toBe(3);
  expect(editDistance("kitten", "sitting", 2)).toBe(3);
  expect(editDistance("a", "abcdef", 1)).toBe(2);
  expect(editDistance("a", "b", 0)).toBe(1);
});

test("with a limit it is the same distance, up to there; and it is one distance both ways", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "_"), maxLength: 12 });
  fc.assert(
    fc.property(word, word, fc.nat({ max: 6 }), (one, other, limit) => {
      const distance = editDistance(one, other);
      expect(editDistance(other, one)).toBe(distance);
      expect(editDistance(one, other, limit)).toBe(Math.min(distance, limit + 1));
    }),
  );
});
