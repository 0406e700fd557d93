import { numberedLines } from "../tools/look.ts";
import { linesOf } from "../tools/search.ts";
import type { Seen } from "../tools/types.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Context, Item } from "./context.ts";
import { linesIn } from "./evidence.ts";
import { earlierIn } from "./item.ts";
import { asData } from "./texts.ts";

/** In bytes: for everything, for each part, and for a file that is shown whole without being cited. */
const room = { all: 16_000, each: 6_000, whole: 2_000 };

/**
 * For the first step of an implementation: the lines that its solution rests on, as they are on disk now. What reports
 * cited comes first, the shortest first, then short files that the solution edits. For the first step of a chain with a
 * pattern: the files that the pattern names.
 */
export function citedLines(context: Context, item: Item, workspace: Workspace): { text: string; seen: Seen[] } {
  const { solution, engine, current_phase: phase } = context;
  const hasBegun = earlierIn(context, item).some(({ expects }) => expects === "report");
  const pattern = context.prompts_executed.length === 0 ? engine.applied?.pattern : undefined;
  const isOpening = phase === "implementation" || pattern !== undefined;
  const isFirst = isOpening && item.expects === "report" && !item.fresh && !hasBegun;
  const files = solution?.solution.files ?? [];
  const edited = files.flatMap(({ path, change }) => (change === "delete" ? [] : [path]));
  const lengthOf = (ref: string) => Math.min(linesIn(ref).to, 1e6) - linesIn(ref).from;
  const ofRole = (wanted: string) => pattern?.files.flatMap(({ path, role }) => (role === wanted ? [path] : [])) ?? [];
  const cited = pattern
    ? [...["code", "doc", "test"].flatMap(ofRole), ...pattern.read]
    : engine.cited.toSorted((one, other) => lengthOf(one) - lengthOf(other));
  const isWhole = (at: number) => at >= cited.length;
  const parts: string[] = [];
  const seen: Seen[] = [];
  const left = new Set<string>();
  const shown = new Set<string>();
  let free = room.all;
  for (const [at, ref] of isFirst ? [...cited, ...edited].entries() : []) {
    const { path, from, to: end } = linesIn(ref);
    const found = workspace.read(path);
    if (found.type !== "text") continue;
    const size = Buffer.byteLength(found.text);
    if (isWhole(at) && size > room.whole) continue;
    // The beginning of a long file says nothing of the place that matters in it, and old tests little of new ones.
    const isBuilt = pattern?.files.some((file) => file.path === path && file.role !== "test");
    if (pattern && size > Math.min(free, isBuilt ? room.each : room.whole)) {
      left.add(ref);
      continue;
    }
    const lines = linesOf(found.text);
    const isShown = (line: number) => shown.has(`${path}:${line}`);
    let part = Math.min(free, room.each);
    for (const [first, to] of newRanges(Math.max(1, from), Math.min(end, lines.length), isShown)) {
      const { text, last } = numberedLines(path, lines, [first, to], part);
      if (last < first) {
        left.add(ref);
        break;
      }
      for (let line = first; line <= last; line++) shown.add(`${path}:${line}`);
      parts.push(workspace.redact(text));
      seen.push({ kind: "file", ref: `${path}:${first}-${last}` });
      free -= Buffer.byteLength(text);
      part = last < to ? 0 : part - Buffer.byteLength(text);
    }
  }
  const missing = left.size > 0 ? `There was no room for: ${[...left].slice(0, 10).join(", ")}.\n\n` : "\n";
  const heading = pattern ? ofPattern : ofSolution;
  return {
    text: parts.length > 0 ? `${heading}\n${asRead}\n${asData("lines", parts.join("\n\n"))}\n${missing}` : "",
    seen,
  };
}

/** The parts of a range that were not shown yet. */
function newRanges(from: number, to: number, isShown: (line: number) => boolean): (readonly [number, number])[] {
  const ranges: [number, number][] = [];
  for (let line = from; line <= to; line++) {
    const last = ranges.at(-1);
    if (isShown(line)) continue;
    if (last?.[1] === line - 1) last[1] = line;
    else ranges.push([line, line]);
  }
  return ranges;
}

const ofSolution = "## Lines that the solution rests on";
const ofPattern = "## Files that the pattern's chain changed or cited";
const asRead = "They are as on disk now and count as read: do not read them again.";
