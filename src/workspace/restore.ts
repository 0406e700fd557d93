import fs from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { openFolder, removeEmptyFolder, systemCodeOrThrow, temporaryName, writeTemporary } from "./file.ts";
import { closedBecause, openChecked, refused, relativePath, statsOf } from "./place.ts";
import type { Place, Refused } from "./place.ts";
import { sameState, stateAt } from "./snapshot.ts";
import type { FileState, Touched } from "./file_states.ts";

/** What a path is to be, and what it may be now. */
export interface Restoration {
  readonly path: string;
  readonly to: FileState | null;
  readonly expected: readonly (FileState | null)[];
}

export type Restored =
  /** `not_kept` could not be brought back: their content had not been kept. */
  | { readonly type: "restored"; readonly paths: readonly string[]; readonly not_kept: readonly string[] }
  /** Somebody else changed these. `done` is empty unless that happened in the middle of it all. */
  | {
      readonly type: "conflict";
      readonly paths: readonly string[];
      readonly text: string;
      readonly done: readonly string[];
    }
  /** The disk said no: the file at hand is whole, `done` is done, and all of it may be tried again. */
  | { readonly type: "failed"; readonly code: string; readonly text: string; readonly done: readonly string[] }
  | Refused;

type BytesOf = (sha256: string) => Uint8Array;

/** One way back for each path that is not what it was, from what it was left as to what it was at first. */
export function planOf(touched: readonly Touched[]): Restoration[] {
  const ways = new Map<string, { to: FileState | null; left: FileState | null }>();
  for (const { path, before, after } of touched)
    ways.set(path, { to: (ways.get(path) ?? { to: before }).to, left: after });
  return [...ways].flatMap(([path, { to, left }]) => (sameState(to, left) ? [] : [{ path, to, expected: [left] }]));
}

/** Checks everything before it touches anything. See Workspace.restore. */
export function restore(
  root: string,
  hidden: readonly string[],
  plan: readonly Restoration[],
  bytesOf: BytesOf,
): Restored {
  for (const { path } of plan) {
    const plain = relativePath(path);
    if (typeof plain !== "string") return plain;
    const closed = plain === "." ? "is the workspace itself" : closedBecause(plain, hidden, "write");
    if (closed !== undefined) return refused(path, closed);
    if (plain !== path) throw new Error(`${path} is not a plain path.`);
  }
  const open = plan.flatMap((item) => {
    const now = stateAt(root, item.path);
    return isState(now, [item.to]) ? [] : [{ ...item, now }];
  });
  const isLost = ({ to }: Restoration) => to?.type === "file" && to.kept === false;
  const todo = open.filter((item) => !isLost(item));
  const removed = new Set(plan.filter(({ to }) => to === null).map(({ path }) => path));
  const conflicts = todo.flatMap((item) => {
    const why = whyNot(root, item, removed);
    return why === undefined ? [] : [{ path: item.path, why }];
  });
  if (conflicts.length > 0) return conflict(conflicts, []);
  // What is missing or damaged among the kept is found out now, not halfway.
  for (const { to } of todo) if (to?.type === "file") bytesOf(to.sha256);
  const ended = carryOut(root, todo, bytesOf);
  return (
    ended ?? {
      type: "restored",
      paths: todo.map(({ path }) => path),
      not_kept: open.filter(isLost).map(({ path }) => path),
    }
  );
}

/** Deletions come first: they make room, and a folder may stand where a file is to be. Undefined: all is done. */
function carryOut(root: string, todo: readonly Restoration[], bytesOf: BytesOf): Restored | undefined {
  const done: string[] = [];
  const ordered = [...todo.filter(({ to }) => to === null), ...todo.filter(({ to }) => to !== null)];
  let at = "";
  try {
    for (const item of ordered) {
      at = item.path;
      const outcome = item.to === null ? remove(root, item) : put(root, item, item.to, bytesOf);
      if (outcome === "changed") return conflict([{ path: at, why: "was changed meanwhile" }], done);
      if (item.to === null) removeEmptyFolders(root, dirname(at));
      done.push(at);
    }
    for (const folder of new Set(done.map((path) => dirname(path)))) {
      at = folder;
      syncFolder(join(root, folder));
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = systemCodeOrThrow(error);
    return { type: "failed", code, text: `${JSON.stringify(at)} was not restored (${code}).`, done };
  }
  return undefined;
}

type Now = ReturnType<typeof stateAt>;

function isState(now: Now, wanted: readonly (FileState | null)[]): boolean {
  return now?.type !== "other" && wanted.some((one) => sameState(now, one));
}

/** Why a path cannot be put back, in words that follow its name; undefined: it can. */
function whyNot(
  root: string,
  { path, to, expected, now }: Restoration & { now: Now },
  removed: ReadonlySet<string>,
): string | undefined {
  if (now?.type === "other") return `is ${now.kind} now`;
  const isFolder = statsOf(join(root, path))?.isDirectory() === true;
  if (!isState(now, expected)) return isFolder ? "is a folder now" : now ? "was changed meanwhile" : "is gone";
  if (to === null) return undefined;
  const blocking = ancestorsOf(path).find((folder) => statsOf(join(root, folder))?.isDirectory() === false);
  if (blocking !== undefined && !removed.has(blocking)) return `lies in ${JSON.stringify(blocking)}, no folder now`;
  if (blocking !== undefined || !isFolder) return undefined;
  try {
    const left = filesIn(root, path).find((file) => !removed.has(file));
    return left === undefined ? undefined : `is a folder now, with ${JSON.stringify(left)} in it`;
  } catch (error) {
    return `is a folder now that cannot be read (${systemCodeOrThrow(error)})`;
  }
}

/** The folders on the way to a path, the outermost first. */
function ancestorsOf(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}

function filesIn(root: string, path: string): string[] {
  const files: string[] = [];
  const folders = [path];
  for (const folder of folders) {
    for (const entry of fs.readdirSync(join(root, folder), { withFileTypes: true }))
      (entry.isDirectory() ? folders : files).push(`${folder}/${entry.name}`);
  }
  return files;
}

function conflict(found: readonly { path: string; why: string }[], done: readonly string[]): Restored {
  const shown = found.slice(0, 10).map(({ path, why }) => `${JSON.stringify(path)} ${why}`);
  const more = found.length > 10 ? `, and ${found.length - 10} more` : "";
  const end = done.length === 0 ? "Nothing was touched." : `${done.length} were restored before that was seen.`;
  const paths = found.map(({ path }) => path);
  return { type: "conflict", paths, text: `${shown.join(", ")}${more}. ${end}`, done };
}

function remove(root: string, { path, expected }: Restoration): "done" | "changed" {
  const now = stateAt(root, path);
  if (now === null) return "done";
  if (!isState(now, expected)) return "changed";
  return inFolder(root, path, (at) => {
    fs.unlinkSync(at);
    return "done";
  });
}

function put(root: string, { path, expected }: Restoration, to: FileState, bytesOf: BytesOf): "done" | "changed" {
  removeEmptyTree(root, path);
  return inFolder(root, path, (at, folder) => {
    const name = to.type === "file" ? to.sha256 : sha256(to.target);
    const temporary = `${folder}/${temporaryName(name)}`;
    try {
      writeState(temporary, to, statsOf(at), bytesOf);
      if (!isState(stateAt(root, path), [to, ...expected])) return "changed";
      fs.renameSync(temporary, at);
      return "done";
    } finally {
      fs.rmSync(temporary, { force: true });
    }
  });
}

function writeState(temporary: string, to: FileState, was: fs.Stats | undefined, bytesOf: BytesOf): void {
  if (to.type === "link") {
    fs.rmSync(temporary, { force: true });
    return fs.symlinkSync(to.target, temporary);
  }
  const bytes = bytesOf(to.sha256);
  if (sha256(bytes) !== to.sha256) throw new Error("The bytes to restore are not what was hashed.");
  writeTemporary(temporary, bytes, { owner: was, mode: to.mode });
}

/** Works in the folder of a path, made where it is missing; what a link leads to on the way counts as changed. */
function inFolder(
  root: string,
  path: string,
  work: (at: string, folder: string) => "done" | "changed",
): "done" | "changed" {
  const place = placeOf(root, path);
  const opened = place && openFolder(place);
  if (!opened) return "changed";
  try {
    return work(`${opened.at}/${place.name}`, opened.at);
  } finally {
    fs.closeSync(opened.fd);
  }
}

/** No link is followed; undefined where something other than a folder is on the way. */
function placeOf(root: string, path: string): Place | undefined {
  const names = path.split("/");
  const name = names.pop() ?? path;
  let folder = root;
  for (const [index, next] of names.entries()) {
    const stats = statsOf(join(folder, next));
    if (stats === undefined) return { type: "place", folder, missing: names.slice(index), name, exists: false };
    if (!stats.isDirectory()) return undefined;
    folder = join(folder, next);
  }
  return { type: "place", folder, missing: [], name, exists: statsOf(join(folder, name)) !== undefined };
}

/** As git does when the last file of a folder goes. */
function removeEmptyFolders(root: string, folder: string): void {
  for (let here = folder; here !== "." && removeEmptyFolder(join(root, here)); here = dirname(here));
}

/** Makes way for a file where there is a folder with nothing but folders in it. */
function removeEmptyTree(root: string, path: string): void {
  if (statsOf(join(root, path))?.isDirectory() !== true) return;
  const folders = [path];
  for (const folder of folders)
    for (const name of fs.readdirSync(join(root, folder))) folders.push(`${folder}/${name}`);
  for (const folder of folders.reverse()) removeEmptyFolder(join(root, folder));
}

function syncFolder(folder: string): void {
  if (statsOf(folder)?.isDirectory() !== true) return;
  const fd = openChecked(folder, fs.constants.O_DIRECTORY);
  if (fd === undefined) return;
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
