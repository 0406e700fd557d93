import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { unlessRefused, UserError } from "../util/errors.ts";
import { isBusy } from "../store/lock.ts";
import { sha256 } from "../util/hash.ts";
import { entriesInside, statsOf } from "./place.ts";

/**
 * Whether something lies there that is not our empty folder `.git`. That folder keeps the name from commands where there
 * is no repository: the git of the user would obey at once what a command put there. It is known by its sticky bit.
 */
export function isTaken(path: string): boolean {
  const stats = statsOf(path);
  if (stats === undefined) return false;
  return !stats.isDirectory() || (stats.mode & sticky) === 0 || entriesInside(path).length > 0;
}

const sticky = 0o1000;

/**
 * Holds the name `.git` in a workspace that has none, until the given function is called. Several processes may hold
 * it: the last one removes the folder, also one that a killed process left. The kernel frees the lock of a process
 * that ends, however it ends.
 */
export function holdGitName(root: string): () => void {
  const path = join(root, ".git");
  if (isTaken(path)) return () => undefined;
  const file = lockFile(root);
  const shared = new DatabaseSync(file, { timeout: 10_000 });
  shared.exec("BEGIN; SELECT * FROM sqlite_master");
  // Where we may not make it, a command may not either.
  unlessRefused(() => fs.mkdirSync(path, { mode: 0o700 | sticky }), "EEXIST", "EACCES", "EPERM", "EROFS");
  return () => {
    shared.close();
    const alone = new DatabaseSync(file, { timeout: 20 });
    try {
      alone.exec("BEGIN EXCLUSIVE");
      if (statsOf(path) !== undefined && !isTaken(path)) fs.rmdirSync(path);
    } catch (error) {
      // Somebody else holds the name still, and will remove the folder.
      if (!isBusy(error)) throw error;
    } finally {
      alone.close();
    }
  };
}

/** One for each workspace and user. Only the database opens it: closing another descriptor would free the lock. */
function lockFile(root: string): string {
  const user = process.getuid?.() ?? 0;
  const path = join(fs.realpathSync(tmpdir()), `claude-exec-lock-${user}-${sha256(root).slice(0, 16)}`);
  if (statsOf(path) === undefined) new DatabaseSync(path).close();
  const stats = statsOf(path);
  if (stats?.isFile() && stats.uid === user) return path;
  throw new UserError("sandbox_failed", `${path} belongs to another user.`, "Set TMPDIR to a folder of yours.");
}
