import { expect, test } from "vitest";
import { hiddenUnicode } from "../../../src/library/lint/hidden.ts";

const found = (text: string) => hiddenUnicode(text).map(({ line, severity, what }) => `${line} ${severity} ${what}`);

test.each([
  ["\u200B", "U+200B, a character of no width"],
  ["\u200D", "U+200D, a character of no width"],
  ["\u2060", "U+2060, a character of no width"],
  ["\uFEFF", "U+FEFF, a character of no width"],
  ["\u202E", "U+202E, a control of writing direction"],
  ["\u2066", "U+2066, a control of writing direction"],
  ["\u200F", "U+200F, a control of writing direction"],
  ["\u{E0041}", "U+E0041, a tag character"],
  ["\u{E0001}", "U+E0001, a tag character"],
  ["\u00AD", "U+00AD, a soft hyphen"],
  ["\uE000", "U+E000, a character for private use"],
  ["\u{F0000}", "U+F0000, a character for private use"],
  ["\uFE0F", "U+FE0F, a variation selector"],
  ["\u{E0100}", "U+E0100, a variation selector"],
  ["\u3164", "U+3164, an invisible character"],
  ["\u2028", "U+2028, an invisible character"],
  ["\u206A", "U+206A, an invisible character"],
  ["\u001B", "U+001B, a control character"],
  ["\u0000", "U+0000, a control character"],
])("%j is named by its code point and column", (character, what) => {
  expect(found(`first\nab${character}c`)).toEqual([`2 error ${what}, at column 3`]);
});

test("one that stands often on a line is said once", () => {
  expect(found("\u200Ba\u200B\u200B\n\u200B")).toEqual([
    "1 error U+200B, a character of no width, at column 1, and 2 more on this line",
    "2 error U+200B, a character of no width, at column 1",
  ]);
});

test.each([
  ["tabs and line ends", "a\tb\r\nc"],
  ["an emoji with its colour", "\u2764\uFE0F \u2714\uFE0E \u{1F44D}\u{1F3FD} 1\uFE0F\u20E3"],
  ["emoji joined into one", "\u{1F469}\u200D\u{1F4BB} \u{1F468}\u{1F3FD}\u200D\u2764\uFE0F\u200D\u{1F468}"],
  ["a Persian word with its joiner", "\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645"],
  ["a Hindi word with its joiner", "\u0915\u094D\u200D\u0937"],
  [
    "words of other scripts",
    "\u0441\u043E\u0440 \u03B1\u03B2\u03B3 \u65E5\u672C\u8A9E \u0627\u0644\u0639\u0631\u0628\u064A\u0629",
  ],
  ["Latin letters with marks", "\u00FCber na\u00EFve \u0142\u00F3d\u017A"],
  ["a symbol in Greek", "\u0394t and \u03C0r and 5 \u03BCs"],
  ["a word of two scripts that nobody would take for English", "API\u0448\u043A\u0430"],
])("%s is fine", (_, text) => {
  expect(found(text)).toEqual([]);
});

test.each([
  ["a joiner behind an emoji with nothing to join", "\u{1F600}\u200D a", 1],
  ["two joiners in an Arabic word", "\u0645\u200C\u200C\u062E", 2],
  ["a second colour for one emoji", "\u2764\uFE0F\uFE0F", 1],
  ["a text in tags behind a flag", "\u{1F3F4}\u{E0067}\u{E007F}", 2],
])("%s is not", (_, text, times) => {
  const marks = hiddenUnicode(text).map(({ what }) => 1 + Number(/and (\d+) more/.exec(what)?.[1] ?? 0));
  expect(marks.reduce((sum, mark) => sum + mark, 0)).toBe(times);
});

test("a letter of another script in an English word is named, and what it looks like", () => {
  expect(found("see\nthe p\u0430ssw\u043Erd of \u0391dmin")).toEqual([
    '2 error U+0430 looks like "a" in "p\u0430ssw\u043Erd", at column 6',
    '2 error U+0391 looks like "A" in "\u0391dmin", at column 17',
  ]);
});
