export interface Part {
  readonly text: string;
  /** Where in the text it begins. */
  readonly from: number;
  /** The run of backticks or tildes it stands between; undefined outside of fences. */
  readonly fence?: string;
  /** What stands behind the opening run, such as "data focus". */
  readonly info?: string;
}

/**
 * A text cut into its fenced blocks and what lies between them. A fence that nothing closes is plain text; the time
 * does not grow with how many stand open.
 */
export function fencedParts(body: string): Part[] {
  const lines = linesOf(body);
  const leastUnclosed = { "`": Infinity, "~": Infinity };
  const parts: Part[] = [];
  let from = 0;
  for (let index = 0; index < lines.length; index++) {
    const { text, offset } = lines[index]!;
    const [, fence, info = ""] = /^ {0,3}(`{3,}|~{3,})(.*)$/s.exec(text) ?? [];
    if (fence === undefined) continue;
    const mark = fence[0] as "`" | "~";
    // What nothing closed above is not closed below.
    if (fence.length >= leastUnclosed[mark]) continue;
    let end = index + 1;
    while (end < lines.length && !lines[end]!.closes.startsWith(fence)) end++;
    if (end === lines.length) {
      leastUnclosed[mark] = fence.length;
      continue;
    }
    const until = lines[end]!.offset + lines[end]!.text.length;
    if (offset > from) parts.push({ text: body.slice(from, offset), from });
    parts.push({ text: body.slice(offset, until), from: offset, fence, info: info.trim() });
    from = until;
    index = end;
  }
  if (from < body.length) parts.push({ text: body.slice(from), from });
  return parts;
}

interface Line {
  readonly text: string;
  readonly offset: number;
  /** The marks it consists of; "" where there is more on it. */
  readonly closes: string;
}

function linesOf(body: string): Line[] {
  let next = 0;
  return body.split("\n").map((text) => {
    const offset = next;
    next += text.length + 1;
    const [, closes = ""] = /^ {0,3}([`~]{3,})[ \t\r]*$/.exec(text) ?? [];
    return { text, offset, closes };
  });
}
