import fs from "node:fs";
import { dirname, join } from "node:path";
import { systemCode, unlessRefused } from "./errors.ts";

/** Writes all of `bytes`: a full disk can make one write short without an error (the next one then fails). */
export function writeFully(fd: number, bytes: Uint8Array, position: number | null = null): void {
  let done = 0;
  while (done < bytes.length) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position === null ? null : position + done);
  }
}

/**
 * Replaces `path` as a whole or leaves it as it was. `durable` survives power loss; without it, only a crash of
 * this process.
 */
export function writeAtomic(
  path: string,
  content: string | Uint8Array,
  { mode = 0o600, durable = true }: { mode?: number; durable?: boolean } = {},
): void {
  const folder = dirname(path);
  makeFolder(folder);
  const temporary = join(folder, `.${crypto.randomUUID()}.tmp`);
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  try {
    const fd = fs.openSync(temporary, "wx", mode);
    try {
      writeFully(fd, bytes);
      if (durable) fs.fdatasyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  if (durable) syncFolder(folder);
}

export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Makes a folder, and those above it. Node's own `recursive` never ends where the system says ENOENT although the folder
 * above is there, as in /proc.
 */
export function makeFolder(path: string, mode = 0o700): void {
  if (isFolder(path)) return;
  try {
    fs.mkdirSync(path, { mode });
  } catch (error) {
    // Another process may have made it meanwhile.
    if (isFolder(path)) return;
    const above = dirname(path);
    if (systemCode(error) !== "ENOENT" || isFolder(above)) throw error;
    makeFolder(above, mode);
    makeFolder(path, mode);
  }
}

/** Whether a path leads to a folder. A path that cannot be followed, as through a file, leads to none. */
export function isFolder(path: string): boolean {
  return unlessRefused(() => fs.statSync(path).isDirectory()) === true;
}

/** The text of a file, or undefined where there is none. Any other error is thrown, and names the path even for a folder. */
export function readTextIfThere(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error instanceof Error ? Object.assign(error, { path }) : error;
  }
}
