import { adviceOf } from "./advice.ts";
import { addUp, sumOf, type ChainSpending, type groupings, type SpendingOf, type Spent } from "./spending.ts";

/** A chain that cost more is marked. */
const expensiveUsd = 1;

/**
 * What the chains of a home spent on the last `days` days, today included. Days are those of UTC. A call whose date lies
 * in the future was made by a clock that was wrong: it counts as made today.
 */
export function costReport(
  all: readonly SpendingOf[],
  { now, days, by }: { now: number; days: number; by: (typeof groupings)[number] },
) {
  const to = dayOf(now);
  const from = dayOf(now - (days - 1) * dayMs);
  const everything = all.flatMap(({ chain, rows }): Spent[] =>
    rows.map((row) => ({ ...row, chain, day: row.day > to ? to : row.day })),
  );
  const spent = everything.filter(({ day }) => day >= from);
  const sums = addUp(spent, ({ chain }) => chain);
  const total = sumOf(sums);
  const byDay = Map.groupBy(spent, ({ day }) => day);
  const found = new Map(all.map((one) => [one.chain, one]));
  const chains = sums
    .filter(({ name }) => !name.startsWith("runs/"))
    .map((sum) => ({ ...sum, ...found.get(sum.name)! }));
  const expensive = chains.filter(({ usd }) => usd > expensiveUsd);
  const ended = (state: ChainSpending["state"]) => chains.filter((chain) => chain.state === state).length;
  const [succeeded, stopped, open] = [ended("succeeded"), ended("stopped"), ended("open")];
  const first = everything.reduce((least, { day }) => (day < least ? day : least), to);
  return {
    days,
    from,
    to,
    by,
    chains: chains.length,
    /** Prompts that were run on their own. */
    runs: sums.length - chains.length,
    total,
    average_usd: chains.length === 0 ? null : sumOf(chains).usd / chains.length,
    unpriced_models: [...new Set(spent.flatMap(({ unpriced = 0, model }) => (unpriced > 0 ? [model] : [])))].sort(),
    calls_in_future: sumOf(all.flatMap(({ rows }) => rows.filter(({ day }) => day > to))).calls,
    groups: addUp(spent, (row) => row[by]).sort((a, b) => (by !== "day" ? 0 : a.name < b.name ? -1 : 1)),
    most_expensive: chains
      .slice(0, 5)
      .map(({ chain, goal, usd, tokens }) => ({ chain, goal, usd, tokens, is_expensive: usd > expensiveUsd })),
    /** `rate`: of the chains that came to an end, how many succeeded. */
    endings: { succeeded, stopped, open, rate: succeeded + stopped > 0 ? succeeded / (succeeded + stopped) : null },
    trend: Array.from({ length: days }, (_, at) => dayOf(Date.parse(from) + at * dayMs)).map((day) => {
      const { usd, tokens } = sumOf(byDay.get(day) ?? [], ["usd", "tokens"]);
      return { day, usd, tokens };
    }),
    forecast: forecastOf(everything, total.usd, to, first < from ? from : first),
    advice: adviceOf(spent, expensive),
  };
}

/** What the month will cost if each of its other days costs what a day since `first` did; null where nothing was spent. */
function forecastOf(everything: readonly Spent[], usd: number, today: string, first: string) {
  const month = today.slice(0, 7);
  const spent = sumOf(
    everything.filter(({ day }) => day.startsWith(month)),
    ["usd"],
  ).usd;
  if (usd === 0 && spent === 0) return null;
  const perDay = usd / ((Date.parse(today) - Date.parse(first)) / dayMs + 1);
  const [year, number] = month.split("-").map(Number) as [number, number];
  const daysLeft = new Date(Date.UTC(year, number, 0)).getUTCDate() - Number(today.slice(8));
  return { month, spent_usd: spent, per_day_usd: perDay, days_left: daysLeft, usd: spent + perDay * daysLeft };
}

const dayMs = 86_400_000;

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
