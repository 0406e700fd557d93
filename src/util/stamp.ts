import { lstatSync, statSync } from "node:fs";
import { systemCode } from "./errors.ts";

/** How a file looks from outside: as long as this is the same, so is what it holds. */
export interface Stamp {
  readonly stamp: string;
  /** Whether it changed so lately that it could change once more and still look the same. */
  readonly fresh: boolean;
}

/** Of the file itself; with `follow`, of what a link leads to. What cannot be looked at has a stamp too. */
export function stampOf(path: string, now: number, follow = false): Stamp {
  try {
    const found = (follow ? statSync : lstatSync)(path, { throwIfNoEntry: false });
    if (!found) return { stamp: "ENOENT", fresh: false };
    // Whatever changes in a file or about it moves its ctime, and nobody can set that.
    const { size, ctimeMs, ino } = found;
    return { stamp: `${ctimeMs} ${size} ${ino}`, fresh: now - ctimeMs <= clockTick };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return { stamp: code, fresh: false };
  }
}

/** Milliseconds that file systems may take for one moment, generously. */
const clockTick = 20;
