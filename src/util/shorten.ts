/** At most so many letters; "…" stands for what was cut off. */
export function shorten(text: string, most: number): string {
  // A letter takes at most two places of a string.
  const letters = text.length <= most ? [] : Array.from(text.slice(0, 2 * most + 2));
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

/** As `shorten`, where a model must know how much it does not see. */
export function cutLine(line: string, most: number): string {
  if (line.length <= most) return line;
  return `${line.slice(0, most).toWellFormed()} [line cut: ${line.length} characters]`;
}

/** The first lines, as many as there is room for. */
export function linesWithin(lines: readonly string[], bytes: number): readonly string[] {
  let size = 0;
  const end = lines.findIndex((line) => (size += Buffer.byteLength(line) + 1) > bytes);
  return end === -1 ? lines : lines.slice(0, end);
}

/** Without line breaks and other control characters. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
}
