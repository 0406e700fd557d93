import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { messageOf } from "../util/errors.ts";
import { wholeFileLimit } from "../workspace/file.ts";
import { matching } from "../workspace/listing.ts";
import { follow, kindOf, refused, statsOf } from "../workspace/place.ts";
import type { Refused } from "../workspace/place.ts";
import { gitNames } from "../programs/git_names.ts";
import { ripgrep } from "../programs/ripgrep.ts";
import { withinMs } from "../util/within.ts";
import type { Workspace } from "../workspace/workspace.ts";

export interface Hits {
  readonly type: "found";
  /** In the order of their paths. */
  readonly inFiles: readonly FileHits[];
  /** How many files there are where it was looked. */
  readonly files: number;
  /** The pattern took longer than it may; what was found until then is there. */
  readonly slow: boolean;
}

export interface FileHits {
  readonly path: string;
  /** All lines of the file. */
  readonly lines: readonly string[];
  /** The numbers of those that match. */
  readonly hits: readonly number[];
}

export interface Where {
  /** A file or a folder, in its plain form. */
  readonly path: string;
  readonly glob: string | undefined;
}

/**
 * Which lines match, at most `limit` of them. A searcher only tells places: the text is read through the workspace,
 * so whatever it is led to cannot be shown.
 */
export async function findLines(
  workspace: Workspace,
  where: Where,
  pattern: string,
  limit: number,
  signal: AbortSignal,
): Promise<Hits | Refused> {
  let regex: RegExp;
  try {
    regex = toRegExp(pattern);
  } catch (error) {
    return { type: "refused", text: `The pattern is not a regular expression: ${messageOf(error)}.` };
  }
  const [without, listed] = await Promise.all([filesWithout(workspace, where, pattern, signal), workspace.list()]);
  const files = chosen(listed, where);
  const candidates = files.filter((path) => !without?.has(path));
  const told = { type: "found", files: files.length } as const;
  if (without === undefined)
    return { ...told, ...(await withRegExp(workspace, candidates, regex, limit, 1000, signal)) };
  if (isAlike(pattern)) {
    // The few files that are left then need no second run of ripgrep, unless letters beyond ASCII are among them.
    const ours = await withRegExp(workspace, candidates, regex, limit, 100, signal);
    if (!ours.slow && (ours.ascii || /^[\w ]+$/.test(pattern))) return { ...told, ...ours };
  }
  const hits = await withRipgrep(workspace, candidates, pattern, limit, signal);
  if (hits) return { ...told, inFiles: hits, slow: false };
  return { ...told, ...(await withRegExp(workspace, candidates, regex, limit, 1000, signal)) };
}

/** Whether ripgrep and JavaScript read a pattern alike, for text that is ASCII. */
function isAlike(pattern: string): boolean {
  const sign = String.raw`[^\\()[\]{}]|\\[wWdDsSbB]|\\[^\w\s<>]`;
  const set = String.raw`\[\^?(?:[\w .,:;/"'@#]|[a-z0-9]-[a-z0-9]|\\[wds.])+\]`;
  const more = String.raw`\((?:\?:)?|\)|\{\d+(?:,\d*)?\}`;
  return new RegExp(`^(?:${sign}|${set}|${more})+$`).test(pattern);
}

/** Says why nothing was searched or listed at `path`, so that nobody takes that for a search without a hit. */
export async function leftOut(
  workspace: Workspace,
  path: string,
  done: "searched" | "listed",
): Promise<Refused | undefined> {
  if (path === ".") return undefined;
  const plain = workspace.plainPath(path);
  if (typeof plain !== "string") return plain;
  if ((await workspace.list()).some((one) => isAtOrBelow(one, path))) return undefined;
  const because = (why: string) => refused(path, `was not ${done}: ${why}`);
  const { root } = workspace;
  const stats = statsOf(join(root, plain));
  if (stats === undefined) {
    return { type: "refused", text: `There is no file or folder ${JSON.stringify(path)}.` };
  }
  if (plain !== path) return because(`it is a symbolic link. Use ${JSON.stringify(plain)} instead`);
  const folders = path.split("/");
  if (folders.includes("node_modules"))
    return because("it lies in node_modules. read_file still shows a single file there");
  const ignored = await gitNames(workspace, ["-o", "-i", "--exclude-standard", "--", `:(literal)${path}`]);
  if (ignored?.length) return because("git ignores it. read_file still shows a single file there");
  if (!stats.isDirectory() && !stats.isFile()) return refused(path, `is ${kindOf(stats)}, not a file`);
  const isRepository = folders.some((_, at) => statsOf(join(root, ...folders.slice(0, at + 1), ".git")) !== undefined);
  return because(isRepository ? "it is a git repository of its own" : "there is no file that may be listed");
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Those of `paths` that lie where it is looked. */
export function chosen(paths: string[], { path, glob }: Where): string[] {
  const below = path === "." ? paths : paths.filter((one) => isAtOrBelow(one, path));
  return glob === undefined ? below : matching(below, [glob]);
}

/** Lines as an editor counts them, without their ends and without a byte order mark. */
export function linesOf(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function toRegExp(pattern: string): RegExp {
  const flags = /\\p\{/i.test(pattern) ? "u" : "";
  return pattern.startsWith("(?i)") ? new RegExp(pattern.slice(4), `${flags}i`) : new RegExp(pattern, flags);
}

// Binary files are looked through too: what is found there is dropped, and what is not need not be read again.
const howToSearch = ["--crlf", "--engine=auto", "--text", `--max-filesize=${wholeFileLimit}`];

/**
 * The files that ripgrep, walking by itself, looked through in vain. It ignores much like git, but not just so, and
 * what it passed by is not among them: whoever lists the files with git misses nothing.
 */
async function filesWithout(
  workspace: Workspace,
  { path, glob }: Where,
  pattern: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const { root } = workspace;
  const found = follow(join(root, path));
  // Nothing is listed below a link, so nothing need be searched.
  if (typeof found === "string" || found.missing.length > 0 || found.real !== join(root, path)) return new Set();
  // What it is told to search by name it reads to the end, be it a pipe.
  if (statsOf(found.real)?.isDirectory() !== true && !isSearched(found.real)) return new Set();
  const plainGlob = glob !== undefined && /^\*\.\w+$/.test(glob);
  const only = plainGlob ? [`--type-add=wanted:${glob}`, "--type=wanted"] : [];
  const how = [...howToSearch, "--no-ignore-dot", ...only];
  const argv = [...how, "--files-without-match", "-e", pattern, "--", path === "." ? "./" : `./${path}`];
  const printed = await ripgrep(workspace, argv, signal);
  return printed === undefined ? undefined : new Set(printed.split("\0").map((one) => one.slice(2)));
}

/** Undefined where there is no ripgrep, or where it does not know what the pattern says. */
async function withRipgrep(
  workspace: Workspace,
  files: readonly string[],
  pattern: string,
  limit: number,
  signal: AbortSignal,
): Promise<FileHits[] | undefined> {
  const how = [...howToSearch, "--threads=1", "--line-number", "--with-filename", "--no-heading", "--max-columns=1"];
  const inFiles: FileHits[] = [];
  let left = limit;
  for (const part of parts(files)) {
    const plain = part.filter((path) => isSearched(join(workspace.root, path)));
    if (plain.length === 0) continue;
    const argv = [...how, `--max-count=${limit}`, "-e", pattern, "--", ...plain.map((path) => `./${path}`)];
    const printed = await ripgrep(workspace, argv, signal);
    if (printed === undefined) return undefined;
    const places = printed.matchAll(/^\.\/([^\0\n]+)\0(\d+):/gm);
    for (const [path, inFile] of Map.groupBy(places, ([, path = ""]) => path)) {
      const found = workspace.read(path);
      if (found.type !== "text") continue;
      const hits = inFile.map(([, , line]) => Number(line)).slice(0, left);
      inFiles.push({ path, lines: linesOf(found.text), hits });
      left -= hits.length;
      if (left === 0) return inFiles;
    }
  }
  return inFiles;
}

function isSearched(path: string): boolean {
  const stats = statsOf(path);
  return stats?.isFile() === true && stats.size <= wholeFileLimit;
}

/** Few names at first, as they mostly are enough, then as many as fit on a command line. */
function parts(files: readonly string[]): string[][] {
  const all: string[][] = [];
  let size = Infinity;
  for (const file of files) {
    size += file.length + 1;
    if (size > (all.length < 2 ? 10_000 : 100_000)) {
      all.push([]);
      size = file.length + 1;
    }
    all.at(-1)?.push(file);
  }
  return all;
}

/** `ascii`: all of the text that was looked through. */
async function withRegExp(
  workspace: Workspace,
  files: readonly string[],
  regex: RegExp,
  limit: number,
  milliseconds: number,
  signal: AbortSignal,
): Promise<{ inFiles: FileHits[]; slow: boolean; ascii: boolean }> {
  const inFiles: FileHits[] = [];
  let left = limit;
  let ascii = true;
  let remaining = milliseconds;
  for (let start = 0; start < files.length; start += 64) {
    const texts = files.slice(start, start + 64).flatMap((path) => {
      const found = workspace.read(path);
      return found.type === "text" ? [{ path, text: found.text, lines: linesOf(found.text) }] : [];
    });
    // oxlint-disable-next-line no-control-regex
    ascii &&= texts.every(({ text }) => /^[\0-\x7f]*$/.test(text));
    const began = performance.now();
    const ended = withinMs(remaining, () => {
      for (const { path, lines } of texts) {
        const hits: number[] = [];
        for (let at = 0; at < lines.length && hits.length < left; at += 1) {
          if (regex.test(lines[at] ?? "")) hits.push(at + 1);
        }
        if (hits.length > 0) inFiles.push({ path, lines, hits });
        left -= hits.length;
        if (left === 0) return true;
      }
      return false;
    });
    remaining -= performance.now() - began;
    if (ended === undefined) return { inFiles, slow: true, ascii };
    if (ended.value) break;
    await setImmediate();
    signal.throwIfAborted();
  }
  return { inFiles, slow: false, ascii };
}
