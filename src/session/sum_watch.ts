import { closeSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Deps, PassedSum } from "../chain/deps.ts";
import { dayOf } from "../costs/cost_report.ts";
import { addUpRows, column } from "../costs/figures.ts";
import { systemCode, unlessRefused } from "../util/errors.ts";
import { makeFolder } from "../util/files.ts";
import type { Config } from "./config.ts";
import type { HomeFigures } from "./figures.ts";

/**
 * Says which sums over all chains of a home passed what their user set: that of a day once on that day, that of all days
 * once until it is below again. A file in `folder` marks what was said, so that of several processes only one says it.
 */
export function sumWatch(
  { cost_alert_day_usd: perDay, cost_alert_project_usd: inAll }: Config["limits"],
  folder: string,
  read: () => Promise<HomeFigures>,
  now: () => number,
): Deps["passedSums"] {
  const lowest = Math.min(perDay ?? Infinity, inAll ?? Infinity);
  if (lowest === Infinity) return undefined;
  const marked = new Set<string>();
  const isNew = (name: string) => {
    if (marked.has(name)) return false;
    marked.add(name);
    try {
      makeFolder(folder);
      closeSync(openSync(join(folder, name), "wx", 0o600));
      return true;
    } catch (error) {
      // Where nothing can be marked, each process says it once.
      if (systemCode(error) === undefined) throw error;
      return systemCode(error) !== "EEXIST";
    }
  };
  let readAt = -Infinity;
  return async (spent) => {
    // To read all journals after each call would be slow: they are read again once this chain has spent another twentieth
    // of the lower threshold.
    if (Math.abs(spent - readAt) < lowest / 20) return [];
    readAt = spent;
    const { figures } = await read();
    const today = dayOf(now());
    const sums = new Map(addUpRows(figures, (start) => Number(figures.kinds[figures.numbers[start]!]!.day === today)));
    const paid = (is: number) => (sums.get(is)?.[column.usd] ?? 0) - (sums.get(is)?.[column.replayed_usd] ?? 0);
    const watched = [
      { of: "day", usd: paid(1), threshold: perDay, name: `day ${today}` },
      { of: "project", usd: paid(0) + paid(1), threshold: inAll, name: `project ${inAll}` },
    ] as const;
    return watched.flatMap(({ of, usd, threshold, name }): PassedSum[] => {
      if (threshold !== null && usd >= threshold) return isNew(name) ? [{ of, usd, threshold }] : [];
      marked.delete(name);
      unlessRefused(() => rmSync(join(folder, name), { force: true }));
      return [];
    });
  };
}
