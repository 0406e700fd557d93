import { z } from "zod";
import { rulesFor } from "./languages.ts";
import type { Rule } from "./languages.ts";
import { relativePath } from "./place.ts";
import { linesOf } from "./search.ts";
import { tool } from "./tool.ts";
import { withinMs } from "./within.ts";

const limits = { rows: 300, bytes: 20_000, lineCharacters: 160, ms: 500 };

export const outlineFileTool = tool({
  name: "outline_file",
  description:
    "Show what a source file defines (types, functions, methods, exported constants; headings of markdown), each with its lines, without the bodies.",
  needs: "read",
  input: z.strictObject({ path: z.string() }),
  plan({ path }, { workspace }) {
    const found = workspace.read(path);
    if (found.type !== "text") return { type: "refused", text: found.text };
    const name = relativePath(path) as string;
    const lines = linesOf(found.text);
    const outlined = withinMs(limits.ms, () => outlineOf(name, lines));
    if (outlined === undefined) {
      return { type: "refused", text: `The outline of ${name} takes too long; read_file shows the file.` };
    }
    const rows = outlined.value;
    if (rows === undefined) {
      const ending = /\.\w+$/.exec(name)?.[0];
      const kind = ending === undefined ? "files without an ending" : `${ending} files`;
      return { type: "refused", text: `There is no outline for ${kind}; read_file shows ${name}.` };
    }
    return { type: "look", text: shown(name, lines.length, rows), seen: [{ kind: "list", ref: name }] };
  },
});

export interface Definition {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
  /** Its first line. */
  readonly text: string;
}

/** Told line by line, by how lines begin and how they are indented; undefined for a language that is not known. */
export function outlineOf(path: string, lines: readonly string[]): Definition[] | undefined {
  if (/\.(?:md|markdown)$/i.test(path)) return headings(lines);
  const rules = rulesFor(path);
  return rules && definitions(lines, rules);
}

interface Open {
  readonly to: number;
  readonly container: boolean;
}

function definitions(lines: readonly string[], rules: readonly Rule[]): Definition[] {
  const found: Definition[] = [];
  const ends = endsOf(lines);
  const open: Open[] = [];
  let commentEnd: string | undefined;
  for (const [at, line] of lines.entries()) {
    const text = line.trim().slice(0, 400);
    if (commentEnd !== undefined) {
      if (text.includes(commentEnd)) commentEnd = undefined;
      continue;
    }
    commentEnd = commentBegun(text);
    while (open.length > 0 && (open.at(-1)?.to ?? 0) <= at) open.pop();
    if (commentEnd !== undefined || open.some(({ container }) => !container)) continue;
    const rule = rules.find(({ pattern, inside }) => (!inside || open.length > 0) && pattern.test(text));
    if (rule === undefined) continue;
    const to = ends[at] ?? at + 1;
    found.push({ from: at + 1, to, depth: open.length, text });
    open.push({ to, container: rule.container === true });
  }
  return found;
}

/** What ends the comment or the text over several lines that begins here. */
function commentBegun(text: string): string | undefined {
  if (text.startsWith("/*")) return text.includes("*/", 2) ? undefined : "*/";
  const quotes = /^[rbuf]{0,2}("""|''')/i.exec(text);
  const quote = quotes?.[1];
  return quote === undefined || text.includes(quote, quotes?.[0].length) ? undefined : quote;
}

/**
 * For each line, the number of the last line of the block it begins: up to what is indented no deeper, and with
 * that line where it only closes.
 */
function endsOf(lines: readonly string[]): number[] {
  const ends: number[] = [];
  const waiting: { at: number; indent: number }[] = [];
  let last = -1;
  for (const [at, line] of lines.entries()) {
    const text = line.trim();
    if (text === "") continue;
    const indent = indentOf(line);
    const closes = /^(?:[)}\]]|\{$|end\b)/.test(text);
    const goesOn = closes && /(?:[{([:]|=>)$/.test(text);
    while (waiting.length > 0) {
      const block = waiting.at(-1)!;
      if (block.indent < indent || (block.indent === indent && goesOn)) break;
      ends[block.at] = (block.indent === indent && closes ? at : last) + 1;
      waiting.pop();
    }
    if (!closes) waiting.push({ at, indent });
    last = at;
  }
  for (const block of waiting) ends[block.at] = last + 1;
  return ends;
}

function indentOf(line: string): number {
  let columns = 0;
  for (const character of line) {
    if (character === "\t") columns += 4;
    else if (character === " ") columns += 1;
    else break;
  }
  return columns;
}

function headings(lines: readonly string[]): Definition[] {
  const found: { at: number; level: number; text: string }[] = [];
  let fence: string | undefined;
  for (const [at, line] of lines.entries()) {
    const marks = /^ {0,3}(```+|~~~+)/.exec(line)?.[1];
    if (marks !== undefined && fence === undefined) fence = marks;
    else if (marks !== undefined && fence !== undefined && marks.startsWith(fence)) fence = undefined;
    const level = fence === undefined ? /^(#{1,6})\s/.exec(line)?.[1]?.length : undefined;
    if (level !== undefined) found.push({ at, level, text: line.trim() });
  }
  return found.map(({ at, level, text }, index) => {
    const next = found.slice(index + 1).find((other) => other.level <= level);
    return { from: at + 1, to: next?.at ?? lines.length, depth: 0, text };
  });
}

function shown(name: string, length: number, rows: readonly Definition[]): string {
  const texts: string[] = [];
  let size = 0;
  for (const { from, to, depth, text } of rows.slice(0, limits.rows)) {
    const range = from === to ? `${from}` : `${from}-${to}`;
    const row = `${range}\t${"  ".repeat(depth)}${text
      .replace(/\s*\{$/, "")
      .slice(0, limits.lineCharacters)
      .toWellFormed()}`;
    size += Buffer.byteLength(row) + 1;
    if (size > limits.bytes) break;
    texts.push(row);
  }
  const next = rows[texts.length];
  const cut = next === undefined ? "" : ` Cut here: ${rows.length - texts.length} more from line ${next.from} on.`;
  const what = rows.length === 1 ? "1 definition" : `${rows.length} definitions`;
  return [`${name}, ${length} lines, ${what}, each with its lines.${cut}`, ...texts].join("\n");
}
