import { looksRandom } from "../util/random_looking.ts";
import { secretShapes } from "../util/secret_shapes.ts";

/**
 * Takes secrets out of what a tool read, before a model or the journal sees it. Linear in the text: a pattern
 * starts only where a word starts, or what it skips is bounded.
 */
export function redact(text: string): string {
  let clean = text;
  for (const { kind, pattern } of secretShapes) {
    clean = clean.replace(pattern, (whole: string, value: unknown) => {
      if (typeof value !== "string") return `[redacted ${kind}]`;
      const at = whole.lastIndexOf(value);
      return looksRandom(value) ? `${whole.slice(0, at)}[redacted ${kind}]${whole.slice(at + value.length)}` : whole;
    });
  }
  return clean;
}
