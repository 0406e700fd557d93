import { closeSync, constants, ftruncateSync, lstatSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { exitCodes, UserError } from "../util/errors.ts";

export interface Lock {
  release(): void;
}

/**
 * Takes the lock at `path`, or returns undefined when another process (or this one) holds it. The kernel frees
 * it when its holder dies, however it dies; a holder that is merely slow keeps it.
 */
export function tryLock(path: string): Lock | undefined {
  emptyLockFile(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

/** Whether some process holds the lock at `path` at this moment. */
export function isLocked(path: string): boolean {
  if (!lstatSync(path, { throwIfNoEntry: false })) return false;
  const lock = tryLock(path);
  lock?.release();
  return lock === undefined;
}

/** Whether SQLite says that another process has the file just now. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && [5, 6].includes(Number(error.errcode) & 0xff);
}

/**
 * A lock's file is empty: what it holds was put there by somebody else, and SQLite would take it for a database. It is
 * emptied in place, because to remove the file could take it from a process that has just locked it.
 */
function emptyLockFile(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found || (found.isFile() && found.size === 0)) return;
  if (!found.isFile() || found.nlink > 1) {
    const message = `${path} is no plain file. Nothing was changed.`;
    throw new UserError("lock_unusable", message, { input: {}, why: "Remove it, then go on" }, exitCodes.conflict);
  }
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    ftruncateSync(file);
  } finally {
    closeSync(file);
  }
}
