import { existsSync, rmSync, writeFileSync } from "node:fs";
import { systemCode, UserError } from "../util/errors.ts";

export interface Spare {
  /** Whoever held the chain before ended without closing it. */
  readonly isLeft: boolean;
  /** Begins something that will have to be kept: refused where there is no room left to keep it. */
  beginning<Written>(write: () => Promise<Written>): Promise<Written>;
  /** Carries out a write. Where the disk is full, what was set aside is given back, and the write tried again. */
  keeping<Written>(write: () => Promise<Written>): Promise<Written>;
  close(): void;
}

/** Enough for the largest reply and its events. */
const spareBytes = 256 * 1024;

/**
 * Room set aside on the disk while a chain is open: a reply that was paid for can be kept even when the disk has
 * filled up meanwhile. Where there is not even room for that, nothing is begun.
 */
export function openSpare(path: string): Spare {
  const isLeft = existsSync(path);
  try {
    rmSync(path, { force: true });
    // Never through a link that somebody put there.
    writeFileSync(path, Buffer.alloc(spareBytes), { mode: 0o600, flag: "wx" });
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
  let left = true;
  const give = () => {
    rmSync(path, { force: true });
    left = false;
  };
  return {
    isLeft,
    async beginning(write) {
      if (left) return write();
      throw new UserError("disk_full", "The disk is full. Everything up to the step before is kept.", {
        input: {},
        why: "Free some space, then go on",
      });
    },
    async keeping(write) {
      try {
        return await write();
      } catch (error) {
        if (!left || !isFull(error)) throw error;
        give();
        return write();
      }
    },
    close: give,
  };
}

function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return (
    code === "ENOSPC" ||
    code === "EDQUOT" ||
    (error instanceof UserError && (error.code === "disk_full" || error.code === "journal_unwritable"))
  );
}
