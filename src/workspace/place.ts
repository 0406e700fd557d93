import fs from "node:fs";
import { basename, dirname, isAbsolute, join, posix, relative, sep } from "node:path";
import { systemCode, unlessRefused } from "../util/errors.ts";

export interface Refused {
  readonly type: "refused";
  readonly text: string;
}

/** Where a path leads: no link is left in `folder`, which exists; `missing` folders lie between it and `name`. */
export interface Place {
  readonly type: "place";
  readonly folder: string;
  readonly missing: readonly string[];
  readonly name: string;
  readonly exists: boolean;
}

export type Purpose = "read" | "write";

/** Follows `path` from `root` (itself real) and refuses whatever leads out, or to what is closed. */
export function locate(root: string, path: string, hidden: readonly string[], purpose: Purpose): Place | Refused {
  const asked = relativePath(path);
  if (typeof asked !== "string") return asked;
  const found = follow(join(root, asked));
  if (typeof found === "string") return refused(path, found);
  const { real, missing } = found;
  if (!isInside(root, real)) return refused(path, "leads out of the workspace");
  const full = join(real, ...missing);
  const there = slashes(relative(root, full));
  const reason = [asked, there].map((one) => closedBecause(one, hidden, purpose) ?? gitsOwn(one)).find(Boolean);
  if (reason !== undefined) return refused(path, reason);
  const exists = missing.length === 0;
  return {
    type: "place",
    folder: exists ? dirname(real) : real,
    missing: missing.slice(0, -1),
    name: basename(full),
    exists,
  };
}

/** The real path of what exists on the way to `path`, and what is missing below it; or why it cannot be told. */
export function follow(path: string): { readonly real: string; readonly missing: readonly string[] } | string {
  const missing: string[] = [];
  for (let here = path; ; here = dirname(here)) {
    try {
      const real = fs.realpathSync.native(here);
      return isTooLong(join(real, ...missing)) ? "cannot be reached (ENAMETOOLONG)" : { real, missing };
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      if (code !== "ENOENT" && code !== "ENOTDIR") return `cannot be reached (${code})`;
      if (statsOf(here)?.isSymbolicLink()) return "is a symbolic link that leads nowhere";
      missing.unshift(basename(here));
    }
  }
}

/** Whether no program could open it by this path; through its open folder it could still be made. */
export function isTooLong(path: string): boolean {
  return Buffer.byteLength(path) >= (process.platform === "darwin" ? 1024 : 4096);
}

/** The path in its plain form ("src/a.ts", "." for the root itself), by its letters alone. */
export function relativePath(path: string): string | Refused {
  if (path.includes("\0")) return refused(path, "holds a NUL character");
  if (isAbsolute(path)) return refused(path, "is absolute: paths are relative to the workspace");
  const plain = posix.normalize(path).replace(/\/+$/, "");
  if (plain === ".." || plain.startsWith("../")) return refused(path, "leads out of the workspace");
  return plain === "" ? "." : plain;
}

export function isInside(root: string, real: string): boolean {
  const way = relative(root, real);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export function slashes(path: string): string {
  return sep === "/" ? path : path.split(sep).join("/");
}

/** Compared in lower case, since some file systems open ".GIT" for ".git". */
export function closedBecause(path: string, hidden: readonly string[], purpose: Purpose): string | undefined {
  const segments = path.toLowerCase().split("/");
  if (segments.some((name) => secretName.test(name) && !(purpose === "read" && name === ".env.example"))) {
    return purpose === "read" ? "may hold secrets and is closed" : "may hold secrets and is closed to writing";
  }
  if (purpose === "read") return undefined;
  if (segments.includes(".git")) return "belongs to git and is closed to writing";
  return isHidden(path, hidden) ? "belongs to claude-exec and is closed to writing" : undefined;
}

/** Its settings may hold passwords, and what it keeps of the project has tools of its own. */
function gitsOwn(path: string): string | undefined {
  return path.toLowerCase().split("/").includes(".git") ? "belongs to git and is closed" : undefined;
}

const secretName = /^\.env|^id_(?:rsa|dsa|ecdsa|ed25519)|\.(?:pem|key)$/;

export function isHidden(path: string, hidden: readonly string[]): boolean {
  const lower = `${path.toLowerCase()}/`;
  return hidden.some((folder) => lower.startsWith(`${folder.toLowerCase()}/`));
}

/**
 * Opens `real` only where it still is what was checked: the kernel is asked where the open file lies, so a link
 * swapped in since then is noticed. Undefined: it was.
 */
export function openChecked(real: string, flags: number): number | undefined {
  const fd = fs.openSync(real, flags | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  try {
    if (liesAt(fd, real)) return fd;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  fs.closeSync(fd);
  return undefined;
}

/**
 * Works with what lies in a folder, by paths that a link swapped in meanwhile cannot lead elsewhere. Undefined where
 * there is no such folder, a link is on the way to it, or it may not be read.
 */
export function inside<Result>(folder: string, work: (at: string) => Result): Result | undefined {
  const fd = openedFolder(folder);
  if (fd === undefined) return undefined;
  try {
    return work(kernelPaths ? `/proc/self/fd/${fd}` : folder);
  } finally {
    fs.closeSync(fd);
  }
}

/** As `inside`, for work that waits for something. */
export async function insideWhile(folder: string, work: (at: string) => Promise<void>): Promise<void> {
  const fd = openedFolder(folder);
  if (fd === undefined) return;
  try {
    await work(kernelPaths ? `/proc/self/fd/${fd}` : folder);
  } finally {
    fs.closeSync(fd);
  }
}

/** What lies in a folder itself; nothing where it cannot be read or is gone, as then its files cannot be read either. */
export function entriesInside(folder: string): readonly fs.Dirent[] {
  const list = (at: string) => unlessRefused(() => fs.readdirSync(at, { withFileTypes: true }), ...closedCodes);
  return inside(folder, list) ?? [];
}

function openedFolder(folder: string): number | undefined {
  return unlessRefused(() => openChecked(folder, fs.constants.O_DIRECTORY), ...closedCodes);
}

/** It is gone, swapped, not for us, too deep, or on a disk that does not answer. */
const closedCodes = "ENOENT ENOTDIR ELOOP EACCES EPERM ENAMETOOLONG EIO ESTALE ENOTCONN".split(" ");

export const kernelPaths = fs.existsSync("/proc/self/fd");

function liesAt(fd: number, real: string): boolean {
  if (kernelPaths) return fs.readlinkSync(`/proc/self/fd/${fd}`) === real;
  const opened = fs.fstatSync(fd);
  const there = fs.lstatSync(real);
  return fs.realpathSync.native(real) === real && opened.dev === there.dev && opened.ino === there.ino;
}

export function refused(path: string, reason: string): Refused {
  return { type: "refused", text: `${JSON.stringify(path)} ${reason}.` };
}

export function kindOf(stats: fs.Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return stats.isSymbolicLink() ? "a symbolic link" : "a device";
}

/** What lies at the very end of the path, be it a link; undefined where nothing can be seen there. */
export function statsOf(path: string): fs.Stats | undefined {
  return unlessRefused(() => fs.lstatSync(path, { throwIfNoEntry: false }));
}
