import { numberedLines } from "../tools/look.ts";
import { linesOf } from "../tools/search.ts";
import type { Seen } from "../tools/types.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Context, Item } from "./context.ts";
import { linesIn, linesRead } from "./evidence.ts";
import { earlierIn } from "./item.ts";

/** In bytes: for everything, and for each part. */
const room = { all: 6_000, each: 3_000 };

/**
 * For the first step of an implementation: the lines that its solution rests on, as they are on disk now. Short files that
 * the solution edits come first, then what reports cited, the shortest first, then what was read of the files that it edits.
 */
export function citedLines(context: Context, item: Item, workspace: Workspace): { text: string; seen: Seen[] } {
  const { solution, engine, current_phase: phase } = context;
  const hasBegun = earlierIn(context, item).some(({ expects }) => expects === "report");
  const isFirst = phase === "implementation" && item.expects === "report" && !item.fresh && !hasBegun;
  const files = solution?.solution.files ?? [];
  const edited = files.flatMap(({ path, change }) => (change === "delete" ? [] : [path]));
  const read = edited.flatMap((path) => linesRead(context, path).map(([from, to]) => `${path}:${from}-${to}`));
  const lengthOf = (ref: string) => Math.min(linesIn(ref).to, 1e6) - linesIn(ref).from;
  const cited = engine.cited.toSorted((one, other) => lengthOf(one) - lengthOf(other));
  const parts: string[] = [];
  const seen: Seen[] = [];
  const left = new Set<string>();
  const shown = new Set<string>();
  let free = room.all;
  for (const [at, ref] of isFirst ? [...edited, ...cited, ...read].entries() : []) {
    const { path, from, to } = linesIn(ref);
    const found = workspace.read(path);
    if (found.type !== "text" || (at < edited.length && Buffer.byteLength(found.text) > room.each)) continue;
    const lines = linesOf(found.text);
    let first = Math.max(1, from);
    while (shown.has(`${path}:${first}`)) first++;
    if (first > Math.min(to, lines.length)) continue;
    const { text, last } = numberedLines(path, lines, [first, to], Math.min(free, room.each));
    if (last < first) {
      left.add(ref);
      continue;
    }
    for (let line = first; line <= last; line++) shown.add(`${path}:${line}`);
    parts.push(workspace.redact(text));
    seen.push({ kind: "file", ref: `${path}:${first}-${last}` });
    free -= Buffer.byteLength(text);
  }
  const data = parts.join("\n\n").replaceAll("</lines", "<\\/lines");
  const missing = left.size > 0 ? `There was no room for: ${[...left].slice(0, 10).join(", ")}.\n\n` : "\n";
  return { text: parts.length > 0 ? `${heading}\n<lines kind="data">\n${data}\n</lines>\n${missing}` : "", seen };
}

const heading = `## Lines that the solution rests on
They are as on disk now and count as read: do not read them again.`;
