import { closeSync, openSync, readdirSync, rmSync } from "node:fs";
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
  if (perDay === null && inAll === null) return undefined;
  const marked = new Set<string>();
  const isNew = (name: string) => {
    if (marked.has(name)) return false;
    marked.add(name);
    try {
      makeFolder(folder);
      closeSync(openSync(join(folder, name), "wx", 0o600));
      const others = readdirSync(folder).filter(
        (other) => other !== name && other.split(" ")[0] === name.split(" ")[0],
      );
      for (const other of others) rmSync(join(folder, other), { force: true });
      return true;
    } catch (error) {
      // Where nothing can be marked, each process says it once.
      if (systemCode(error) === undefined) throw error;
      return systemCode(error) !== "EEXIST";
    }
  };
  return async () => {
    const { figures } = await read();
    const today = dayOf(now());
    const days = addUpRows(figures, (start) => Number(figures.kinds[figures.numbers[start]!]!.day === today));
    const [before = 0, day = 0] = [0, 1].map((is) => days.find(([key]) => key === is)?.[1][column.usd]);
    const sums = [
      { of: "day", usd: day, threshold: perDay, name: `day ${today}` },
      { of: "project", usd: before + day, threshold: inAll, name: `project ${inAll}` },
    ] as const;
    return sums.flatMap(({ of, usd, threshold, name }): PassedSum[] => {
      if (threshold !== null && usd >= threshold) return isNew(name) ? [{ of, usd, threshold }] : [];
      marked.delete(name);
      unlessRefused(() => rmSync(join(folder, name), { force: true }));
      return [];
    });
  };
}
