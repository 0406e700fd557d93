import { expect, test } from "vitest";
import * as fc from "fast-check";
import { markWords } from "../../src/util/word_diff.ts";

test.each([
  ["sign, check, refresh", "sign, check, rotate them", "sign, check, [refresh → rotate them]"],
  ["stays", "stays for a day", "stays [+ for a day]"],
  ["peek(key, default=None)", "peek(key[, default])", "[peek(key, default=None) → peek(key[, default])]"],
  ["x y z all gone", "x y z", "x y z [− all gone]"],
  ["the token alone decides", "the cookie is never read", "the [token alone decides → cookie is never read]"],
  [
    "one two three four five six seven eight nine ten eleven twelve thirteen old",
    "one two three four five six seven eight nine ten eleven twelve thirteen new",
    "one two three four five … nine ten eleven twelve thirteen [old → new]",
  ],
])("what %j became in %j is shown once", (before, after, text) => {
  expect(markWords(before, after).text).toBe(text);
});

test("the same words are unmarked and share everything, and every new word is shown", () => {
  const words = fc.array(fc.constantFrom("a", "b,", "c.", "token", "→"), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(words, words, (one, other) => {
      const [before, after] = [one.join(" "), other.join(" ")];
      expect(markWords(after, after)).toMatchObject({ text: after, marks: 0 });
      const added = other.filter((word) => !one.includes(word));
      expect(added.filter((word) => !markWords(before, after).text.includes(word.replace(/[.,]/, "")))).toEqual([]);
    }),
  );
});
