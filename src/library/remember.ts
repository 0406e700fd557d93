import { stampOf } from "../util/stamp.ts";

/**
 * Keeps what was made of files for as long as they stay as they were: asking again costs a look at each, not a
 * reading. `make` says `reads(path)` of each file and folder before it reads it. What it throws is not kept.
 */
export function remember<Value>(now: () => number = Date.now) {
  const known = new Map<string, { readonly stamps: ReadonlyMap<string, string>; readonly value: Value }>();
  return async (key: string, make: (reads: (path: string) => void) => Promise<Value>): Promise<Value> => {
    const kept = known.get(key);
    if (kept && [...kept.stamps].every(([path, stamp]) => stampOf(path, now(), true).stamp === stamp))
      return kept.value;
    const stamps = new Map<string, string>();
    let settled = true;
    const value = await make((path) => {
      const { stamp, fresh } = stampOf(path, now(), true);
      stamps.set(path, stamp);
      settled &&= !fresh;
    });
    if (settled) known.set(key, { stamps, value });
    else known.delete(key);
    return value;
  };
}
