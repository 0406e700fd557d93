import { patternSchema } from "../src/library/pattern.ts";
import { fittingNotes, rowOf, similarPatterns, type PatternRow } from "../src/library/similar.ts";
import { pairedRatio, spread, type Table } from "./measure.ts";

/** A new task beside many patterns, and beside as many notes; the floor reads each word of each pattern once. */
export async function bench({ patterns = 1_000, rounds = 21 } = {}): Promise<Table> {
  const rows = Array.from({ length: patterns }, (_, at) => patternAt(at));
  const notes = rows.map(({ goal, words }) => [...goal, ...words.slice(0, 12)].join(" "));
  const goal = "Replace the session store of the billing service by tokens, and keep old logins for thirty days";
  const task = { goal, stack: ["node", "express", ".js"], prompts: ["component_mapper", "migration_strategist"] };
  const timed = (work: () => unknown) => {
    const began = performance.now();
    work();
    return performance.now() - began;
  };
  const times: Record<"floor" | "match" | "notes", number[]> = { floor: [], match: [], notes: [] };
  for (let round = 0; round < rounds; round++) {
    times.floor.push(timed(() => wordsOnce(rows)));
    times.match.push(timed(() => similarPatterns(task, rows)));
    times.notes.push(timed(() => fittingNotes(goal, notes)));
  }
  const ratio = pairedRatio(times.match, times.floor);
  return {
    title: `A new task beside ${patterns.toLocaleString("en")} patterns`,
    columns: ["what", "ms", "min-max", "ratio"],
    rows: [
      ["each word once", ...spread(times.floor), 1],
      ["all patterns compared", ...spread(times.match), ratio.toFixed(2)],
      ["as many notes compared", ...spread(times.notes), pairedRatio(times.notes, times.floor).toFixed(2)],
    ],
    limits: [{ what: "comparing all patterns, to reading each word once", value: ratio, most: 20 }],
    notes: [`${rounds} rounds. The promise: under 20 ms for 1,000 patterns.`],
  };
}

function wordsOnce(rows: readonly PatternRow[]): number {
  const seen = new Map<string, number>();
  for (const { goal, words } of rows) for (const word of [...goal, ...words]) seen.set(word, (seen.get(word) ?? 0) + 1);
  return seen.size;
}

/** Thirty other words each, out of a few hundred, as a project has them. */
function patternAt(at: number): PatternRow {
  const word = (n: number) => `${names[(at * 7 + n * 13) % names.length]!}${(at * 31 + n) % 40}`;
  const some = (from: number, count: number) => Array.from({ length: count }, (_, n) => word(from + n)).join(" ");
  const took = [{ chain: "001", calls: 9, questions: 2, approval_rounds: 1, minutes: 4, usd: 0.2, tokens: 9_000 }];
  const decisions = [{ choice: some(40, 8) }, { choice: some(60, 8) }];
  const more = { strategy: some(10, 20), decisions, stack: ["node", ".js"], prompts: ["component_mapper"], took };
  return rowOf(`pattern-${at}`, patternSchema.parse({ title: some(1, 4), goal: `Replace ${some(5, 9)}`, ...more }));
}

const names = ["session", "billing", "token", "report", "queue", "cache", "login", "order", "search", "mail", "store"];
