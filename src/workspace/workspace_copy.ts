import fs from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { isInside, statsOf } from "./place.ts";
import type { Snapshot } from "./snapshot.ts";
import type { FileState } from "./file_states.ts";

export interface CopyOptions {
  readonly root: string;
  readonly snapshot: Snapshot;
  /** Files that are to lie in the copy in another state than now; null: not at all. */
  readonly instead: ReadonlyMap<string, FileState | null>;
  readonly bytesOf: (sha256: string) => Uint8Array;
  /** Never copied: keys, and what is ours. */
  readonly isClosed: (path: string) => boolean;
}

/**
 * Makes a copy of a workspace below an empty folder, under the same name, and returns its path. Each package in
 * node_modules is a link to the installed one. Links between packages of the workspace lead to their copies.
 */
export function copyWorkspace(base: string, { root, snapshot, instead, bytesOf, isClosed }: CopyOptions): string {
  const folder = join(base, basename(root));
  fs.mkdirSync(folder);
  const states = new Map<string, FileState | null>([...snapshot.states, ...instead]);
  const times = [...instead.keys()].flatMap((path) => statsOf(join(root, path))?.mtimeMs ?? []);
  const changedAt = times.length > 0 ? Math.min(...times) : 0;
  const folders = new Set([""]);
  for (const [path, state] of states) {
    for (let above = dirname(path); above !== "."; above = dirname(above)) folders.add(above);
    if (state === null) continue;
    const to = join(folder, path);
    fs.mkdirSync(dirname(to), { recursive: true });
    if (state.type === "link") fs.symlinkSync(state.target, to);
    else if (state.kept === false) fs.symlinkSync(join(root, path), to);
    else fs.writeFileSync(to, bytesOf(state.sha256), { mode: state.mode });
    // Builds compare times. A file in another state has the present time, so that it is built again.
    const stats = state.type === "file" && state.kept !== false && !instead.has(path) && statsOf(join(root, path));
    if (stats) fs.utimesSync(to, stats.atime, stats.mtime);
  }
  for (const path of snapshot.ignored.map((name) => name.replace(/\/$/, ""))) {
    if (isModules.test(path) || isClosed(path) || states.has(path)) continue;
    copyIgnored(root, path, folder, isClosed, changedAt);
  }
  for (const path of folders)
    linkModules(join(root, path, "node_modules"), join(folder, path, "node_modules"), root, folder);
  // A workspace that is part of a larger one may find its packages above itself.
  for (let above = dirname(root); above !== dirname(above); above = dirname(above)) {
    const modules = join(above, "node_modules");
    if (fs.existsSync(modules)) {
      fs.symlinkSync(modules, join(base, "node_modules"));
      break;
    }
  }
  return folder;
}

const isModules = /(?:^|\/)node_modules(?:\/|$)/;
const mostEntries = 20_000;
const mostBytes = 200_000_000;
/** These are made anew by whoever needs them. */
const outputs = /(?:^|\/)(?:target|build|dist|out|coverage|__pycache__|\.(?!venv$)[\w.-]+)$/;
/** What these hold is left out if it is as new as the changed code, because it may be made from it. */
const built =
  /(?:^|\/)(?:target|_?build|dist|out(?:put)?|lib|obj|bin|esm?|cjs|gen(?:erated)?|coverage|__pycache__)(?:\/|$)|\.tsbuildinfo$/;

/** Tests may need what git ignores. What is too large to be copied is linked, unless it is the output of a build. */
function copyIgnored(root: string, path: string, folder: string, isClosed: CopyOptions["isClosed"], changedAt: number) {
  const [from, to] = [join(root, path), join(folder, path)];
  fs.mkdirSync(dirname(to), { recursive: true });
  if (isLarge(from)) return outputs.test(path) ? undefined : fs.symlinkSync(from, to);
  const filter = (each: string) => {
    const stats = fs.lstatSync(each, { throwIfNoEntry: false });
    const isPlain = stats?.isFile() || stats?.isDirectory() || stats?.isSymbolicLink();
    const isBuilt = stats?.isFile() === true && stats.mtimeMs >= changedAt && built.test(path);
    return isPlain === true && !isBuilt && !isClosed(each.slice(root.length + 1));
  };
  const mode = fs.constants.COPYFILE_FICLONE;
  fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, mode, filter });
}

function isLarge(path: string): boolean {
  let [entries, bytes] = [0, 0];
  const waiting = [path];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const stats = fs.lstatSync(next, { throwIfNoEntry: false });
    bytes += stats?.size ?? 0;
    if ((entries += 1) > mostEntries || bytes > mostBytes) return true;
    const here = next;
    if (stats?.isDirectory()) waiting.push(...fs.readdirSync(here).map((name) => join(here, name)));
  }
  return false;
}

/** Caches of runners are left out, so that the copy begins without them and can write its own. */
function linkModules(from: string, to: string, root: string, folder: string): void {
  if (fs.lstatSync(from, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  fs.mkdirSync(to, { recursive: true });
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [there, here] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) {
      const target = fs.readlinkSync(there);
      const isOwn = isAbsolute(target) && isInside(root, target);
      fs.symlinkSync(isOwn ? join(folder, target.slice(root.length)) : target, here);
    } else if (entry.name === ".bin" || entry.name.startsWith("@")) linkModules(there, here, root, folder);
    else if (!entry.name.startsWith(".") || stores.has(entry.name)) fs.symlinkSync(there, here);
  }
}

/** Folders in which package managers keep what the names in node_modules lead to. */
const stores = new Set([".pnpm", ".store", ".deno", ".package-lock.json", ".modules.yaml"]);
