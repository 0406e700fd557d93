import { adviceOf } from "./advice.ts";
import { addUpRows, amountsOf, column, eachRow, type About, type Figures } from "./figures.ts";
import { addUp, sumOf, withShares, type groupings, type SpendingRow, type Spent } from "./spending.ts";

/** A chain that cost more is marked. */
const expensiveUsd = 1;

/**
 * What the chains of a home spent on the last `days` days, today included. Days are those of UTC. A call whose date lies
 * in the future was made by a clock that was wrong: it counts as made today.
 */
export function costReport(
  figures: Figures,
  { now, days, by }: { now: number; days: number; by: (typeof groupings)[number] },
) {
  const to = dayOf(now);
  const from = dayOf(now - (days - 1) * dayMs);
  const { kinds, numbers, chains: kept } = figures;
  const kindAt = (start: number) => numbers[start + column.kind]!;
  const dated = addUpRows(figures, kindAt).map(([kind, sum]) => ({ ...kinds[kind]!, ...amountsOf(sum) }));
  const everything = dated.map((row) => ({ ...row, day: row.day > to ? to : row.day }));
  const spent = everything.filter(({ day }) => day >= from);
  const isInPeriod = kinds.map(({ day }) => day >= from);
  const sums = addUpRows(figures, (start, chain) => (isInPeriod[kindAt(start)] ? chain : undefined));
  const total = sumOf(spent);
  const byDay = Map.groupBy(spent, ({ day }) => day);
  const ofChains = sums.flatMap(([at, sum]) => {
    const { chain, about } = kept[at]!;
    if (chain.startsWith("runs/")) return [];
    return [{ ...(about as About), at, name: chain, usd: sum[column.usd]!, tokens: sum[column.tokens]! }];
  });
  const chains = withShares(ofChains);
  const expensive = chains.filter(({ usd }) => usd > expensiveUsd);
  const ended = (state: About["state"]) => chains.filter((chain) => chain.state === state).length;
  const [succeeded, stopped, open] = [ended("succeeded"), ended("stopped"), ended("open")];
  // Advice says which prompt of which chain: the rows of the chains that can be advised about are enough.
  const wasteful = sums.flatMap(([at, sum]) => (sum[column.wasted_usd]! > 0 ? [at] : []));
  const isAdvised = new Set([...expensive.map(({ at }) => at), ...wasteful]);
  const detail: Spent[] = [];
  eachRow(figures, (start, at) => {
    if (isAdvised.has(at) && isInPeriod[kindAt(start)])
      detail.push({ ...kinds[kindAt(start)]!, chain: kept[at]!.chain, ...amountsOf(numbers.subarray(start)) });
  });
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
    average_usd: chains.length === 0 ? null : chains.reduce((sum, { usd }) => sum + usd, 0) / chains.length,
    unpriced_models: [...new Set(spent.flatMap(({ unpriced, model }) => (unpriced > 0 ? [model] : [])))].sort(),
    calls_in_future: sumOf(dated.filter(({ day }) => day > to)).calls,
    groups:
      by === "chain"
        ? withShares(sums.map(([at, sum]) => ({ name: kept[at]!.chain, ...amountsOf(sum) })))
        : addUp(spent, (row) => row[by]).sort((a, b) => (by !== "day" ? 0 : a.name < b.name ? -1 : 1)),
    most_expensive: chains
      .slice(0, 5)
      .map(({ name, goal, usd, tokens }) => ({ chain: name, goal, usd, tokens, is_expensive: usd > expensiveUsd })),
    /** `rate`: of the chains that came to an end, how many succeeded. */
    endings: { succeeded, stopped, open, rate: succeeded + stopped > 0 ? succeeded / (succeeded + stopped) : null },
    trend: Array.from({ length: days }, (_, at) => dayOf(Date.parse(from) + at * dayMs)).map((day) => {
      const { usd, tokens } = sumOf(byDay.get(day) ?? []);
      return { day, usd, tokens };
    }),
    forecast: forecastOf(everything, total.usd, to, first < from ? from : first),
    advice: adviceOf(detail, expensive, total.usd),
  };
}

/** What the month will cost if each of its other days costs what a day since `first` did; null where nothing was spent. */
function forecastOf(everything: readonly SpendingRow[], usd: number, today: string, first: string) {
  const month = today.slice(0, 7);
  const spent = sumOf(everything.filter(({ day }) => day.startsWith(month))).usd;
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
