import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { systemCode, unlessRefused } from "../util/errors.ts";
import { writeFully } from "../util/files.ts";
import { sha256 } from "../util/hash.ts";
import { inside, kernelPaths, kindOf, openChecked, refused, statsOf } from "./place.ts";
import type { Place, Refused } from "./place.ts";
import type { FileChange, Fingerprint } from "./file_states.ts";

export type Found =
  | ({ readonly type: "text" } & Fingerprint)
  | { readonly type: "absent"; readonly text: string }
  | Refused;

/** `was` is what lay there before; only after `written` (or deleted, where that was asked) is it there no longer. */
export type Applied =
  | {
      readonly type: "written" | "already_there" | "changed_meanwhile";
      readonly was: Fingerprint | undefined;
    }
  | Refused
  /** The disk said no; the file is whole, as it was before. */
  | { readonly type: "failed"; readonly code: string; readonly text: string };

export const wholeFileLimit = 2_000_000;
export const temporaryEnd = ".claude-exec.tmp";

export function readText(path: string, place: Place): Found {
  const absent = { type: "absent", text: `There is no file ${JSON.stringify(path)}.` } as const;
  if (!place.exists) return absent;
  const real = join(place.folder, place.name);
  const stats = statsOf(real);
  if (stats === undefined) return absent;
  // Before it is opened: opening a device can already do something.
  if (!stats.isFile()) return refused(path, `is ${kindOf(stats)}, not a file`);
  const bytes = readBytes(path, real, wholeFileLimit);
  if (!(bytes instanceof Uint8Array)) return bytes;
  if (bytes.includes(0)) return refused(path, "is binary, not text");
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { type: "text", text, sha256: sha256(bytes), mode: stats.mode & 0o777 };
  } catch {
    return refused(path, "is not valid UTF-8");
  }
}

export function readBytes(path: string, real: string, limit: number): Uint8Array | Refused {
  let fd: number | undefined;
  try {
    fd = openChecked(real, fs.constants.O_RDONLY);
    if (fd === undefined) return refused(path, "was swapped for something else while it was opened");
    const stats = fs.fstatSync(fd);
    if (!stats.isFile()) return refused(path, `is ${kindOf(stats)}, not a file`);
    const bytes = Buffer.alloc(Math.min(stats.size, limit) + 1);
    let length = 0;
    for (let got = 1; got > 0 && length < bytes.length; length += got)
      got = fs.readSync(fd, bytes, length, bytes.length - length, null);
    if (length > limit) return refused(path, `is larger than ${limit / 1_000_000} MB and is not read as a whole`);
    return length < bytes.length ? bytes.subarray(0, length) : refused(path, "is being written to just now");
  } catch (error) {
    return refused(path, `cannot be read (${systemCodeOrThrow(error)})`);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** See Workspace.apply. */
export function applyAt(place: Place, change: FileChange): Applied {
  const { path, before, after } = change;
  if (after && sha256(after.text) !== after.sha256) throw new Error(`The text for ${path} is not what was hashed.`);
  const verdict = (): Applied | undefined => {
    const now = readText(path, place);
    if (now.type === "refused") return now;
    const was = now.type === "absent" ? undefined : { sha256: now.sha256, text: now.text, mode: now.mode };
    if (was?.sha256 === after?.sha256) return { type: "already_there", was };
    return was?.sha256 === before?.sha256 ? undefined : { type: "changed_meanwhile", was };
  };
  const early = verdict();
  if (early) return early;
  let opened: OpenFolder | undefined;
  let temporary: string | undefined;
  let isWritten = false;
  try {
    opened = openFolder(place);
    if (opened === undefined) return refused(path, "was swapped for something else while it was opened");
    const target = `${opened.at}/${place.name}`;
    if (after) {
      temporary = `${opened.at}/${temporaryName(after.sha256)}`;
      const like = statsOf(target);
      writeTemporary(temporary, Buffer.from(after.text), like && { owner: like, mode: like.mode & 0o777 });
    }
    // Looked at once more, as writing to the disk takes long enough for somebody else to save the file.
    const late = verdict();
    if (late) return late;
    if (temporary === undefined) fs.unlinkSync(target);
    else fs.renameSync(temporary, target);
    temporary = undefined;
    isWritten = true;
    fs.fsyncSync(opened.fd);
    return { type: "written", was: before };
  } catch (error) {
    const code = systemCodeOrThrow(error);
    const what = after ? "written" : "deleted";
    return { type: "failed", code, text: `${JSON.stringify(path)} was not ${what} (${code}).` };
  } finally {
    if (temporary !== undefined) fs.rmSync(temporary, { force: true });
    if (opened !== undefined) fs.closeSync(opened.fd);
    if (!isWritten) opened?.made.every(removeEmptyFolder);
  }
}

/** Named by what it holds: a repeat after a crash clears away what the crash left. */
export function temporaryName(hash: string): string {
  return `.${hash.slice(0, 16)}${temporaryEnd}`;
}

/** Whether it is exactly such a name; what only ends like one is somebody else's. */
export function isTemporary(path: string): boolean {
  return /(?:^|\/)\.[0-9a-f]{16}\.claude-exec\.tmp$/.test(path);
}

export interface OpenFolder {
  readonly fd: number;
  /** Where the kernel has paths for open folders, all that goes through it cannot be led elsewhere. */
  readonly at: string;
  /** The folders that had to be made for it, the innermost first. */
  readonly made: readonly string[];
}

/** What it made is gone again where it is not opened in the end. */
export function openFolder(place: Place): OpenFolder | undefined {
  const made: string[] = [];
  let real = place.folder;
  let fd: number | undefined;
  try {
    fd = openChecked(real, fs.constants.O_DIRECTORY);
    for (const name of place.missing) {
      if (fd === undefined) break;
      const parent = fd;
      const below = join(kernelPaths ? `/proc/self/fd/${parent}` : real, name);
      real = join(real, name);
      fd = undefined;
      try {
        if (makeFolder(below)) made.unshift(real);
        fd = kernelPaths
          ? fs.openSync(below, fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW)
          : openChecked(real, fs.constants.O_DIRECTORY);
      } finally {
        fs.closeSync(parent);
      }
    }
  } finally {
    if (fd === undefined) made.every(removeEmptyFolder);
  }
  return fd === undefined ? undefined : { fd, at: kernelPaths ? `/proc/self/fd/${fd}` : real, made };
}

/** Whether it was not there before. */
function makeFolder(path: string): boolean {
  const isMade = unlessRefused(() => {
    fs.mkdirSync(path);
    return true;
  }, "EEXIST");
  return isMade === true;
}

/** Through its own folder, so that a link swapped in since cannot lead elsewhere. Whether it is gone. */
export function removeEmptyFolder(real: string): boolean {
  const remove = (at: string) => {
    fs.rmdirSync(`${at}/${basename(real)}`);
    return true;
  };
  return unlessRefused(() => inside(dirname(real), remove), ...staying) === true;
}

/** Why a folder may stay: it holds something, is gone or no folder, or a disk is mounted there that says no. */
const staying = ["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR", "EBUSY", "EACCES", "EPERM", "EROFS"];

/** `like` tells the mode exactly, and the owner where that is for us to choose; without it both are the usual ones. */
export function writeTemporary(
  path: string,
  bytes: Uint8Array,
  like?: { readonly owner: { uid: number; gid: number } | undefined; readonly mode: number },
): void {
  fs.rmSync(path, { force: true });
  const fd = fs.openSync(path, "wx", 0o666);
  try {
    writeFully(fd, bytes);
    if (like?.owner && process.geteuid?.() === 0) fs.fchownSync(fd, like.owner.uid, like.owner.gid);
    if (like) fs.fchmodSync(fd, like.mode);
    fs.fdatasyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export function systemCodeOrThrow(error: unknown): string {
  const code = systemCode(error);
  if (code === undefined) throw error;
  return code;
}
