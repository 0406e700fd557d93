import { setImmediate } from "node:timers/promises";
import { messageOf } from "../util/errors.ts";
import { closedBecause } from "./place.ts";
import type { Refused } from "./place.ts";
import { withinMs } from "./within.ts";
import type { Workspace } from "./workspace.ts";

export interface Hit {
  readonly path: string;
  readonly line: number;
}

export interface Hits {
  readonly type: "found";
  readonly hits: readonly Hit[];
  /** The pattern took longer than it may; what was found until then is there. */
  readonly slow: boolean;
}

/**
 * Which lines of `files` match, at most `limit` of them, in the order of the files. Only places are told: their
 * text is read through the workspace, so whatever a searcher is led to cannot be shown.
 */
export async function findLines(
  workspace: Workspace,
  files: readonly string[],
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
  const open = files.filter((path) => closedBecause(path, [], "read") === undefined);
  const hits = await withRipgrep(workspace.root, open, pattern, limit, signal);
  return hits ? { type: "found", hits, slow: false } : withRegExp(workspace, open, regex, limit, signal);
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

/** Undefined where there is no ripgrep, or where it does not know what the pattern says. */
async function withRipgrep(
  root: string,
  files: readonly string[],
  pattern: string,
  limit: number,
  signal: AbortSignal,
): Promise<Hit[] | undefined> {
  const format = ["--null", "--line-number", "--with-filename", "--no-heading", "--color=never", "--max-columns=1"];
  const how = ["--crlf", "--engine=auto", "--threads=1", "--no-messages", `--max-count=${limit}`];
  const { execa } = await import("execa");
  const hits: Hit[] = [];
  for (const part of parts(files)) {
    const argv = ["--no-config", ...format, ...how, "-e", pattern, "--", ...part];
    const env = { PATH: process.env["PATH"] ?? "" };
    const bounds = { maxBuffer: 4_000_000, timeout: 20_000, cancelSignal: signal, stdin: "ignore" } as const;
    const result = await execa("rg", argv, { cwd: root, env, extendEnv: false, reject: false, ...bounds });
    signal.throwIfAborted();
    if (result.exitCode !== 0 && result.exitCode !== 1 && !result.isMaxBuffer) return undefined;
    for (const [, path, line] of result.stdout.matchAll(/^([^\0\n]+)\0(\d+):/gm)) {
      hits.push({ path: path ?? "", line: Number(line) });
      if (hits.length === limit) return hits;
    }
  }
  return hits;
}

/** As many names at a time as fit on a command line. */
function parts(files: readonly string[]): string[][] {
  const all: string[][] = [];
  let size = Infinity;
  for (const file of files) {
    size += file.length + 1;
    if (size > 100_000) {
      all.push([]);
      size = file.length + 1;
    }
    all.at(-1)?.push(file);
  }
  return all;
}

async function withRegExp(
  workspace: Workspace,
  files: readonly string[],
  regex: RegExp,
  limit: number,
  signal: AbortSignal,
): Promise<Hits> {
  const hits: Hit[] = [];
  let left = 1000;
  for (let start = 0; start < files.length && hits.length < limit; start += 64) {
    const texts = files.slice(start, start + 64).map((path) => ({ path, found: workspace.read(path) }));
    const began = performance.now();
    const ended = withinMs(left, () => {
      for (const { path, found } of texts) {
        const lines = found.type === "text" ? linesOf(found.text) : [];
        for (let at = 0; at < lines.length && hits.length < limit; at += 1) {
          if (regex.test(lines[at] ?? "")) hits.push({ path, line: at + 1 });
        }
      }
    });
    left -= performance.now() - began;
    if (ended === undefined) return { type: "found", hits, slow: true };
    await setImmediate();
    signal.throwIfAborted();
  }
  return { type: "found", hits, slow: false };
}
