import { statSync } from "node:fs";
import { systemCode } from "../util/errors.ts";

/**
 * Keeps what was made of files for as long as they stay as they were: asking again costs a look at each, not a
 * reading. `make` says `reads(path)` of each file and folder before it reads it. What it throws is not kept.
 */
export function remember<Value>(now: () => number = Date.now) {
  const known = new Map<string, { readonly stamps: ReadonlyMap<string, string>; readonly value: Value }>();
  return async (key: string, make: (reads: (path: string) => void) => Promise<Value>): Promise<Value> => {
    const kept = known.get(key);
    if (kept && [...kept.stamps].every(([path, stamp]) => look(path).stamp === stamp)) return kept.value;
    const stamps = new Map<string, string>();
    let settled = true;
    const value = await make((path) => {
      const { stamp, changedAt } = look(path);
      stamps.set(path, stamp);
      // Within one tick of the clock a file can change twice and look the same.
      settled &&= now() - changedAt > 20;
    });
    if (settled) known.set(key, { stamps, value });
    else known.delete(key);
    return value;
  };
}

function look(path: string): { stamp: string; changedAt: number } {
  try {
    const { size, mtimeMs, ctimeMs, ino, dev } = statSync(path);
    return { stamp: `${size} ${mtimeMs} ${ctimeMs} ${ino} ${dev}`, changedAt: ctimeMs };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return { stamp: code, changedAt: 0 };
  }
}
