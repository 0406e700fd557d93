import { existsSync, readFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../util/hash.ts";
import { makeFolder, writeAtomic } from "../util/files.ts";
import { systemCode, unlessRefused, UserError } from "../util/errors.ts";

export interface Blobs {
  /** Keeps a text on disk, once, and returns the name it is found by. */
  put(text: string): Promise<string>;
  get(hash: string): string;
  /** As `put`, for thousands at once: safe from a crash of this process, but not each from a loss of power. */
  putBytes(bytes: Uint8Array): Promise<string>;
  getBytes(hash: string): Uint8Array;
}

/**
 * Texts and bytes by the hash of their content. A new blob is created under its final name and synced with one call: a
 * file system that syncs a new file keeps its name too, and what a crash leaves half written does not match its
 * name and is written again.
 */
export function openBlobs(folder: string): Blobs {
  const texts = new Map<string, string>();
  const kept = new Set<string>();
  const unsynced = new Set<string>();
  const keep = async (hash: string, bytes: Uint8Array, durable: boolean) => {
    makeFolder(folder);
    const path = join(folder, hash);
    if (!existsSync(path)) await create(path, bytes, durable);
    else if (!readFileSync(path).equals(bytes)) writeAtomic(path, bytes);
    else if (durable && unsynced.delete(hash)) await syncFile(path);
    else return;
    if (!durable) unsynced.add(hash);
  };
  const bytesOf = (hash: string, what: string) => {
    const bytes = unlessRefused(() => readFileSync(join(folder, hash)), "ENOENT");
    if (bytes !== undefined && sha256(bytes) === hash) return bytes;
    throw new UserError(
      "blob_damaged",
      `${what} is ${bytes === undefined ? "missing" : "damaged"} (blobs/${hash.slice(0, 12)}…). The journal is whole.`,
      { operation: "recover", why: "Restore that file from a backup, or choose how to go on" },
    );
  };
  return {
    async put(text) {
      const hash = sha256(text);
      if (!texts.has(hash)) await keep(hash, Buffer.from(text), true);
      texts.set(hash, text);
      return hash;
    },
    get(hash) {
      const text = texts.get(hash) ?? bytesOf(hash, "A text of this chain").toString();
      texts.set(hash, text);
      return text;
    },
    async putBytes(bytes) {
      const hash = sha256(bytes);
      if (!kept.has(hash)) await keep(hash, bytes, false);
      kept.add(hash);
      return hash;
    },
    getBytes: (hash) => bytesOf(hash, "A file that this chain kept"),
  };
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function create(path: string, bytes: Uint8Array, durable: boolean): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, "wx", 0o600);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    return writeAtomic(path, bytes, { durable });
  }
  try {
    await file.writeFile(bytes);
    if (durable) await file.datasync();
  } catch (error) {
    throw systemCode(error) === "ENOSPC"
      ? new UserError("disk_full", "The disk is full. Everything up to the step before is kept.", {
          input: {},
          why: "Free some space, then go on",
        })
      : error;
  } finally {
    await file.close();
  }
}
