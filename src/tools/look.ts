import { z } from "zod";
import { count } from "../util/count.ts";
import { relativePath } from "../workspace/place.ts";
import { chosen, findLines, leftOut, linesOf } from "./search.ts";
import { summary } from "./summary.ts";
import { tool } from "./tool.ts";
import type { Plan } from "./types.ts";
import { cutLine, linesWithin } from "../util/shorten.ts";

const limits = { lines: 400, readBytes: 40_000, lineCharacters: 2000, listed: 250 };
const searchLimits = { matches: 100, bytes: 20_000, lineCharacters: 300 };

export const listFilesTool = tool({
  name: "list_files",
  description:
    "List the files of the workspace, without those that git ignores. `path` narrows it to a folder, `pattern` to a glob such as `**/*.ts`. More than 250 files are counted by folder.",
  needs: "read",
  input: z.strictObject({ path: z.string().optional(), pattern: z.string().max(200).optional() }),
  async plan({ path = ".", pattern }, { workspace }) {
    const folder = relativePath(path);
    if (typeof folder !== "string") return folder;
    const files = chosen(await workspace.list(), { path: folder, glob: pattern });
    const left = files.length === 0 ? await leftOut(workspace, folder, "listed") : undefined;
    if (left) return left;
    const named = files.length <= limits.listed;
    const shown = named ? files : summary(folder, files);
    const cut = named ? "" : ", too many to name and so counted by folder: narrow path or pattern to see names";
    const where = folder === "." ? "the workspace" : folder;
    const title = `${count(files.length, "file")} in ${where}${pattern === undefined ? "" : ` like ${pattern}`}${cut}.`;
    const ref = pattern === undefined ? folder : `${folder} ${pattern}`;
    return { type: "look", text: [title, ...shown].join("\n"), seen: [{ kind: "list", ref }] };
  },
});

export const readFileTool = tool({
  name: "read_file",
  description:
    "Read a text file with numbered lines, from line `from` to line `to`. Shows at most 400 lines and 40 KB at once, and says how to read on.",
  needs: "read",
  input: z.strictObject({ path: z.string(), from: z.int().min(1).optional(), to: z.int().min(1).optional() }),
  plan({ path, from = 1, to = Infinity }, { workspace }) {
    const found = workspace.read(path);
    if (found.type !== "text") return { type: "refused", text: found.text };
    const name = relativePath(path) as string;
    const lines = linesOf(found.text);
    if (lines.length === 0) return look(`${name} is empty.`, `${name}:0-0`);
    if (from > to) return { type: "refused", text: `from (${from}) lies behind to (${to}).` };
    if (from > lines.length) return { type: "refused", text: `${name} has only ${count(lines.length, "line")}.` };
    const { text, last } = numberedLines(name, lines, [from, to]);
    return look(text, `${name}:${from}-${last}`);
  },
});

/** Lines of a file as a model reads them, as many as there is room for (in bytes). */
export function numberedLines(name: string, lines: string[], [from, to]: [number, number], room = limits.readBytes) {
  const wanted = Math.min(to, lines.length);
  const chosenLines = lines.slice(from - 1, Math.min(wanted, from - 1 + limits.lines));
  const numbered = chosenLines.map((line, at) => `${from + at}\t${cutLine(line, limits.lineCharacters)}`);
  const shown = linesWithin(numbered, room);
  const last = from + shown.length - 1;
  const cut = last < wanted ? ` Cut here; read on with from: ${last + 1}.` : "";
  const title = `${name}, lines ${from} to ${last} of ${lines.length}.${cut}`;
  return { text: [title, ...shown].join("\n"), last };
}

export const searchFilesTool = tool({
  name: "search_files",
  description:
    "Search the files of the workspace line by line for a regular expression. `path` narrows it to a file or folder, `glob` to names such as `*.ts`, `context` adds lines around each match. Shows at most 100 matches and 20 KB.",
  needs: "read",
  input: z.strictObject({
    pattern: z.string().min(1).max(1000),
    path: z.string().optional(),
    glob: z.string().max(200).optional(),
    context: z.int().min(0).max(5).optional(),
  }),
  async plan({ pattern, path = ".", glob, context = 0 }, { workspace }, signal) {
    const folder = relativePath(path);
    if (typeof folder !== "string") return folder;
    const found = await findLines(workspace, { path: folder, glob }, pattern, searchLimits.matches + 1, signal);
    if (found.type === "refused") return found;
    const isNone = found.files <= 1 && found.inFiles.length === 0;
    const left = isNone ? await leftOut(workspace, folder, "searched") : undefined;
    if (left) return left;
    const all: string[] = [];
    let full = false;
    let matches = 0;
    for (const { path: file, lines, hits } of found.inFiles) {
      const here = hits.slice(0, searchLimits.matches - matches);
      if (here.length < hits.length) full = true;
      if (here.length === 0) break;
      all.push("", file, ...excerpt(lines, here, context));
      matches += here.length;
    }
    const shown = linesWithin(all, searchLimits.bytes);
    const cut = full || shown.length < all.length ? " Cut here, there is more: narrow pattern, path or glob." : "";
    const slow = found.slow ? " Stopped early, the pattern takes too long: make it simpler." : "";
    const title = `${count(matches, "match", "matches")} in ${count(found.files, "file")} searched.${cut}${slow}`;
    return { type: "look", text: [title, ...shown].join("\n"), seen: [{ kind: "search", ref: pattern }] };
  },
});

function look(text: string, ref: string): Plan {
  return { type: "look", text, seen: [{ kind: "file", ref }] };
}

function excerpt(lines: readonly string[], hits: readonly number[], context: number): string[] {
  const matched = new Set(hits);
  const wanted = new Set(hits.flatMap((hit) => Array.from({ length: 2 * context + 1 }, (_, i) => hit - context + i)));
  const shown = [...wanted].filter((at) => at >= 1 && at <= lines.length).sort((a, b) => a - b);
  return shown.flatMap((at, index) => {
    const line = `${at}${matched.has(at) ? ":" : "-"}${cutLine(lines[at - 1] ?? "", searchLimits.lineCharacters)}`;
    const gap = context > 0 && index > 0 && shown[index - 1] !== at - 1;
    return gap ? ["--", line] : [line];
  });
}
