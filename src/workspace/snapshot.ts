import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import type { LookedAt } from "../programs/program.ts";
import { unlessRefused, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { parseJson } from "../util/json.ts";
import { readBytes } from "./file.ts";
import { inside, insideWhile, isTooLong, kindOf, relativePath, statsOf } from "./place.ts";
import { treeOf, wholeTreeOf } from "./tree.ts";
import { fileState, type FileState, type Touched } from "./file_states.ts";

/** What lay in a workspace at one moment: its files and links, each under its own path. */
export interface Snapshot {
  readonly states: ReadonlyMap<string, FileState>;
  /** How files looked from outside when they were read: what still looks so is not read again. */
  readonly stamps: ReadonlyMap<string, string>;
  /** What git ignored then; whatever is found there later may have been there before. */
  readonly ignored: readonly string[];
}

/** Keeps the content of a file and returns its hash. */
export type Keep = (bytes: Uint8Array) => Promise<string>;

/** Larger files are told apart by how they look from outside, and cannot be brought back. */
export const keptFileLimit = 50_000_000;

const nothing: Snapshot = { states: new Map(), stamps: new Map(), ignored: [] };

/**
 * Content that `known` holds already is not kept again. What `known` names is looked at also where git ignores it
 * by now; and where the rules for ignoring changed, nothing new hides behind them.
 */
export async function takeSnapshot(
  lookedAt: LookedAt,
  leavesOut: (path: string) => boolean,
  keep: Keep,
  known: Snapshot = nothing,
): Promise<Snapshot> {
  const { root } = lookedAt;
  const { names, ignored } = await treeOf(lookedAt);
  const states = new Map<string, FileState>();
  const stamps = new Map<string, string>();
  const add = async (path: string, at: string) => {
    const stats = statsOf(at);
    if (stats === undefined) return;
    const stamp = stampOf(stats);
    const before = known.stamps.get(path) === stamp ? known.states.get(path) : undefined;
    const found = before ?? readState(root, path, at, stats);
    // Within one tick of the clock a file can change twice and look the same.
    const isSettled = before !== undefined || Date.now() - stats.ctimeMs > 20;
    if (found === undefined) return;
    const state = "bytes" in found ? fileOf(found, await keep(found.bytes)) : found;
    states.set(path, state);
    if (state.type === "file" && state.kept !== false && isSettled) stamps.set(path, stamp);
  };
  const isWanted = (path: string) =>
    !states.has(path) && !leftOut.test(path) && !leavesOut(path) && !isTooLong(join(root, path));
  const addAll = async (paths: Iterable<string>) => {
    for (const [folder, below] of Map.groupBy([...paths].filter(isWanted), (path) => dirname(path)))
      await insideWhile(join(root, folder), async (at) => {
        for (const path of below) await add(path, `${at}/${basename(path)}`);
      });
  };
  await addAll(names);
  // A rule can hide the very file that it stands in.
  await addAll(ignored.filter((path) => isRules.test(path)));
  await addAll(known.states.keys());
  if (known !== nothing && rulesOf(known.states) !== rulesOf(states)) {
    const wasIgnored = within(known.ignored);
    await addAll((await wholeTreeOf(lookedAt)).filter((path) => !wasIgnored(path)));
  }
  return { states, stamps, ignored };
}

/** What lies at exactly this path, no link followed on the way; a folder counts as nothing. */
export function stateAt(
  root: string,
  path: string,
): FileState | null | { readonly type: "other"; readonly kind: string } {
  const state = inside(join(root, dirname(path)), (folder) => {
    const at = `${folder}/${basename(path)}`;
    const stats = statsOf(at);
    if (stats === undefined || stats.isDirectory()) return null;
    if (!stats.isFile() && !stats.isSymbolicLink()) return { type: "other", kind: kindOf(stats) } as const;
    const found = readState(root, path, at, stats);
    return found && "bytes" in found ? fileOf(found, sha256(found.bytes)) : found;
  });
  return state ?? null;
}

export function compare(before: Snapshot, after: Snapshot): Touched[] {
  const wasIgnored = within(before.ignored);
  const paths = new Set([...before.states.keys(), ...after.states.keys()]);
  return [...paths].sort().flatMap((path) => {
    const [was, is] = [before.states.get(path) ?? null, after.states.get(path) ?? null];
    return sameState(was, is) || (was === null && wasIgnored(path)) ? [] : [{ path, before: was, after: is }];
  });
}

/** One hash over names and contents of all that it holds. */
export function treeHashOf({ states }: Snapshot): string {
  const told = (state: FileState) => (state.type === "file" ? state.sha256 : `-> ${state.target}`);
  return sha256(...[...states].map(([path, state]) => `${path}\0${told(state)}\0`).sort());
}

export function sameState(one: FileState | null, other: FileState | null): boolean {
  if (one === null || other === null) return one === other;
  if (one.type === "link" || other.type === "link")
    return one.type === "link" && other.type === "link" && one.target === other.target;
  return one.sha256 === other.sha256 && one.mode === other.mode && one.size === other.size;
}

export function snapshotText({ states, stamps, ignored }: Snapshot): string {
  const rows = [...states].map(([path, state]) => [path, state, stamps.get(path) ?? null]);
  return JSON.stringify({ format: 1, ignored, rows });
}

export function readSnapshot(text: string): Snapshot {
  const read = snapshotSchema.safeParse(parseJson(text));
  if (read.success) {
    const { ignored, rows } = read.data;
    const stamped = rows.flatMap(([path, , stamp]) => (stamp === null ? [] : [[path, stamp] as const]));
    return { states: new Map(rows.map(([path, state]) => [path, state])), stamps: new Map(stamped), ignored };
  }
  throw new UserError(
    "snapshot_damaged",
    `What was noted about the files before a command cannot be read: ${z.prettifyError(read.error)}`,
    "Restore the chain's blobs folder from a backup, or put the files back by hand.",
  );
}

const pathSchema = z.string().refine((path) => path !== "." && relativePath(path) === path, "leads elsewhere");
const snapshotSchema = z.strictObject({
  format: z.literal(1),
  ignored: z.array(z.string()),
  rows: z.array(z.tuple([pathSchema, fileState, z.string().nullable()])),
});

const leftOut = /(?:^|\/)(?:\.git|node_modules)(?:\/|$)/;

interface ReadFile {
  readonly mode: number;
  readonly bytes: Uint8Array;
}

function fileOf({ mode, bytes }: ReadFile, hash: string): FileState {
  return { type: "file", sha256: hash, mode, size: bytes.length };
}

/** Undefined for what is neither a file nor a link, and for what went away meanwhile. */
function readState(root: string, path: string, at: string, stats: fs.Stats): FileState | ReadFile | undefined {
  if (stats.isSymbolicLink()) {
    const target = unlessRefused(() => fs.readlinkSync(at), "ENOENT", "EINVAL", "ENOTDIR");
    return target === undefined ? undefined : { type: "link", target };
  }
  if (!stats.isFile()) return undefined;
  const mode = stats.mode & 0o7777;
  const bytes = stats.size > keptFileLimit ? undefined : readBytes(path, join(root, path), keptFileLimit);
  if (bytes instanceof Uint8Array) return { mode, bytes };
  const now = statsOf(at);
  // Too large, not for us to read, or being written to just now.
  return now?.isFile()
    ? { type: "file", sha256: sha256(stampOf(now)), mode: now.mode & 0o7777, size: now.size, kept: false }
    : undefined;
}

function stampOf({ size, mtimeMs, ctimeMs, ino, mode }: fs.Stats): string {
  return [size, mtimeMs, ctimeMs, ino, mode].join(" ");
}

function rulesOf(states: ReadonlyMap<string, FileState>): string {
  const rules = [...states].filter(([path]) => isRules.test(path));
  return JSON.stringify(rules.sort(([one], [other]) => (one < other ? -1 : 1)));
}

const isRules = /(?:^|\/)\.gitignore$/;

/** Whether a path is one of `ignored` or lies in one of its folders. */
function within(ignored: readonly string[]): (path: string) => boolean {
  const all = new Set(ignored);
  return (path) => {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1))
      if (all.has(path.slice(0, end + 1))) return true;
    return all.has(path);
  };
}
