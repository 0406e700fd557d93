import { existsSync, mkdirSync, closeSync, fdatasyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../util/hash.ts";
import { readTextIfThere, writeAtomic, writeFully } from "../util/files.ts";
import { systemCode, UserError } from "../util/errors.ts";

export interface Blobs {
  /** Keeps a text on disk, once, and returns the name it is found by. */
  put(text: string): string;
  get(hash: string): string;
}

/**
 * Texts by the hash of their content. A new blob is created under its final name and synced with one call: a
 * file system that syncs a new file keeps its name too, and what a crash leaves half written does not match its
 * name and is written again.
 */
export function openBlobs(folder: string): Blobs {
  const read = new Map<string, string>();
  return {
    put(text) {
      const hash = sha256(text);
      if (read.has(hash)) return hash;
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, hash);
      if (existsSync(path)) {
        if (readTextIfThere(path) !== text) writeAtomic(path, text);
      } else {
        createDurable(path, text);
      }
      read.set(hash, text);
      return hash;
    },
    get(hash) {
      const known = read.get(hash);
      if (known !== undefined) return known;
      const text = readTextIfThere(join(folder, hash));
      if (text === undefined || sha256(text) !== hash) {
        throw new UserError(
          "blob_damaged",
          `A text of this chain is ${text === undefined ? "missing" : "damaged"} (blobs/${hash.slice(0, 12)}…). The journal is whole.`,
          "Restore that file from a backup, or type: claude-exec recover <chain>",
        );
      }
      read.set(hash, text);
      return text;
    },
  };
}

function createDurable(path: string, text: string): void {
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    return writeAtomic(path, text);
  }
  try {
    writeFully(fd, Buffer.from(text));
    fdatasyncSync(fd);
  } catch (error) {
    throw systemCode(error) === "ENOSPC"
      ? new UserError(
          "disk_full",
          "The disk is full. Everything up to the step before is kept.",
          "Free some space, then resume the chain.",
        )
      : error;
  } finally {
    closeSync(fd);
  }
}
