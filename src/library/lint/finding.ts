import { z } from "zod";
import { shorten } from "../../util/shorten.ts";

/** What is wrong with a file, why it matters, and how to mend it: each in words that stand alone. */
export const findingSchema = z.object({
  file: z.string(),
  line: z.number(),
  rule: z.string(),
  severity: z.enum(["error", "warning"]),
  what: z.string(),
  why: z.string(),
  mend: z.string(),
});
export type Finding = Readonly<z.infer<typeof findingSchema>>;

/** A finding of which the file is known anyway. */
export type Remark = Omit<Finding, "file">;

/** At which line and column an offset of the text lies; the text itself begins on line `first`. */
export function positionsOf(text: string, first = 1): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    for (let high = starts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { line: first + low, column: offset - starts[low]! + 1 };
  };
}

/** On which line of the front matter a key stands, or an input below `inputs`; the first where it is not found. */
export function frontLine(front: string, key: string, input?: string): number {
  const lines = front.split("\n");
  const at = lines.findIndex((line) => new RegExp(`^["']?${key}["']?\\s*:`).test(line));
  if (input === undefined || at === -1) return Math.max(at, 0) + 1;
  const named = new RegExp(`(?:^|[\\s{,])["']?${input}["']?\\s*:`);
  const inside = lines.findIndex((line, index) => index >= at && named.test(line.slice(index === at ? key.length : 0)));
  return Math.max(inside, at) + 1;
}

/** A piece of the file for a message: short, on one line, and with nothing in it that a terminal would hide. */
export function quoted(text: string): string {
  return JSON.stringify(shorten(text, 41)).replaceAll(
    /[\p{Cc}\p{Cf}\p{Co}\p{Default_Ignorable_Code_Point}]/gu,
    (hidden) => `\\u{${hidden.codePointAt(0)!.toString(16)}}`,
  );
}
