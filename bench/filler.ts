import { createHash } from "node:crypto";

/**
 * The same text with its words made unreadable: every word of three letters or more becomes other letters, as many, and
 * always the same ones for the same word. What other people wrote is measured with, but not copied; and a search or an
 * edit that names a word still finds it, when its own text went through here.
 */
export function unreadable(text: string): string {
  return text.replace(/(?<!\\)[A-Za-z]{3,}/g, (word) => {
    const digest = createHash("sha256").update(word.toLowerCase()).digest();
    return word.replace(/./g, (letter: string, index: number) => likeCase(letter, digest[index % digest.length]! % 26));
  });
}

function likeCase(letter: string, index: number): string {
  const other = String.fromCharCode(97 + index);
  return letter === letter.toUpperCase() ? other.toUpperCase() : other;
}

/** A line of which only the length is known. */
export function fillerLine(length: number): string {
  return "filler "
    .repeat(Math.ceil(length / 7))
    .slice(0, length)
    .replace(/ $/, ".");
}
