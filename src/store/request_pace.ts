import { dirname } from "node:path";
import { makeFolder, readTextIfThere, writeAtomic } from "../util/files.ts";
import { parseJson } from "../util/json.ts";
import { tryLock } from "./lock.ts";

/**
 * Takes a place for one request and gives 0, or gives the milliseconds after which to ask again. It lets through at most `limit` requests in any minute, of all processes that share the file. A process that dies keeps
 * nothing locked. Times that lie in the future are of a clock that was turned back since: they count as now.
 */
export function openPace(path: string, limit: number, now: () => number): () => number {
  return () => {
    makeFolder(dirname(path));
    const lock = tryLock(`${path}.lock`);
    // Another process holds it, for a moment only: try again in ten milliseconds.
    if (!lock) return 10;
    try {
      const at = now();
      const known = parseJson(readTextIfThere(path) ?? "");
      const times = (Array.isArray(known) ? known : [])
        .filter((time) => typeof time === "number")
        .map((time) => Math.min(time, at))
        .filter((time) => time > at - minute)
        .sort((a, b) => a - b);
      const isFree = times.length < limit;
      writeAtomic(path, JSON.stringify(isFree ? [...times, at] : times), { durable: false });
      return isFree ? 0 : Math.max(1, times[times.length - limit]! + minute - at);
    } finally {
      lock.release();
    }
  };
}

const minute = 60_000;
