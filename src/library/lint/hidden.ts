import { positionsOf, quoted, type Remark } from "./finding.ts";

/** Characters that a person does not see and a model reads, and letters that are not those they look like. */
export function hiddenUnicode(text: string): Remark[] {
  const at = positionsOf(text);
  return [...unseen(text, at), ...disguised(text, at)];
}

type At = ReturnType<typeof positionsOf>;

function unseen(text: string, at: At): Remark[] {
  const found = new Map<string, { line: number; column: number; character: string; times: number }>();
  for (const { 0: character, index } of withoutRightfulUse(text).matchAll(invisible)) {
    const { line, column } = at(index);
    const key = `${line} ${character}`;
    const seen = found.get(key);
    if (seen) seen.times++;
    else found.set(key, { line, column, character, times: 1 });
  }
  return Array.from(found.values(), ({ line, column, character, times }) => {
    const more = times > 1 ? `, and ${times - 1} more on this line` : "";
    const what = `${pointOf(character)}, ${kindOf(character)}, at column ${column}${more}`;
    const why = "A reviewer does not see it, a model reads it: instructions can be smuggled in this way.";
    return { line, rule, severity: "error", what, why, mend: "Delete it; type anew what stands around it." };
  });
}

function disguised(text: string, at: At): Remark[] {
  return [...text.matchAll(words)].flatMap(({ 0: word, index }): Remark[] => {
    const twin = word.search(anyTwin);
    if (twin === -1 || !/[A-Za-z]/.test(word) || !looksAscii.test(word)) return [];
    const { line, column } = at(index + twin);
    const letter = word[twin]!;
    const what = `${pointOf(letter)} looks like "${twins.get(letter)}" in ${quoted(word)}, at column ${column}`;
    const why = "The word is not the one it seems to be: searches miss it, and a model may read another.";
    return [{ line, rule, severity: "error", what, why, mend: "Type the word anew." }];
  });
}

const rule = "hidden-unicode";
const invisible = /[\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?![\t\n\r])\p{Cc}/gu;

/** Emoji are joined and coloured by invisible characters; several scripts need joiners to be spelt. */
function withoutRightfulUse(text: string): string {
  if (text.search(invisible) === -1) return "";
  const blank = (use: string) => " ".repeat(use.length);
  return text.replaceAll(emoji, blank).replaceAll(joiner, " ");
}

const pictogram = String.raw`\p{Extended_Pictographic}\p{Emoji_Modifier}?[\uFE0E\uFE0F]?`;
const emoji = new RegExp(`${pictogram}(?:\\u200D${pictogram})*|[0-9#*]\\uFE0F\\u20E3`, "gu");
const joined = ["Arab", "Syrc", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Mymr"]
  .map((script) => `\\p{Script_Extensions=${script}}`)
  .join("");
const joiner = new RegExp(`(?<=[${joined}])[\\u200C\\u200D](?=[${joined}])`, "gu");

function pointOf(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}

function kindOf(character: string): string {
  const point = character.codePointAt(0)!;
  if (point >= 0xe0000 && point <= 0xe007f) return "a tag character";
  if (/[\u200B-\u200D\u2060\uFEFF]/.test(character)) return "a character of no width";
  if (/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/.test(character)) return "a control of writing direction";
  if (point === 0xad) return "a soft hyphen";
  if (/\p{Co}/u.test(character)) return "a character for private use";
  if (/\p{Variation_Selector}/u.test(character)) return "a variation selector";
  return /\p{Cc}/u.test(character) ? "a control character" : "an invisible character";
}

/** Letters of Cyrillic, Greek and Armenian, each before the ASCII letter that it looks like. */
const pairs =
  "\u0430a\u0435e\u043Eo\u0440p\u0441c\u0443y\u0445x\u0455s\u0456i\u0458j\u04BBh\u0501d\u051Bq\u051Dw\u0475v" +
  "\u0410A\u0412B\u0415E\u041AK\u041CM\u041DH\u041EO\u0420P\u0421C\u0422T\u0423Y\u0425X\u0405S\u0406I\u0408J" +
  "\u03BFo\u03B1a\u03BDv\u03B9i\u03BAk\u03C1p\u03C5u\u03C7x\u03F2c\u03F3j" +
  "\u0391A\u0392B\u0395E\u0396Z\u0397H\u0399I\u039AK\u039CM\u039DN\u039FO\u03A1P\u03A4T\u03A5Y\u03A7X" +
  "\u0585o\u057Du\u0578n\u0570h";
const twins = new Map(pairs.match(/../gu)!.map((pair) => [pair[0]!, pair[1]!]));

const anyTwin = new RegExp(`[${Array.from(twins.keys()).join("")}]`);
const looksAscii = new RegExp(`^[\\w${Array.from(twins.keys()).join("")}]+$`);

/** Words with at least one letter of those scripts. */
const words = /(?<![\w\u0370-\u058F])\w*[\u0370-\u058F][\w\u0370-\u058F]*/gu;
