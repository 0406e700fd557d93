import type { ResultOf } from "../../operations/operations.ts";
import { count } from "../../util/count.ts";
import type { Input } from "../../util/next.ts";
import { commandLine } from "./next.ts";
import { cutWords } from "./terminal.ts";
import { money, path, percent } from "./values.ts";

type Report = ResultOf<"cost-report">;

/** What the chains of a home spent, as a person reads it. */
export function costReportText(data: Report, flags: Input): string {
  const { total, groups, unpriced_models: models, endings: ends, forecast, foreign, calls_in_future: future } = data;
  const where = (isSo: boolean, ...lines: string[]) => (isSo ? lines : []);
  const remarks = [
    ...where(future > 0, `! ${count(future, "call")} with a date in the future: counted as made today.`),
    ...data.unread.map((why) => `! ${why}`),
    ...where(foreign > 0, `! Not counted: ${count(foreign, "chain")} not made by you in this home.`),
  ];
  const period = `last ${count(data.days, "day")}, ${data.from} to ${data.to} UTC`;
  if (groups.length === 0) return [`Nothing was spent (${period}).`, ...remarks].join("\n");
  const tokens = (number: number) => number.toLocaleString("en");
  const alone = data.runs > 0 ? `, and ${count(data.runs, "prompt")} run alone` : "";
  return [
    `Chain cost summary (${period}):`,
    `- Total chains: ${data.chains}${alone}`,
    `- Total cost: ${money(total.usd)}, ${tokens(total.tokens)} tokens in ${count(total.calls, "call")}`,
    ...where(
      models.length > 0,
      `  Without ${count(total.unpriced, "call")}: no price is known of ${models.join(", ")}.`,
    ),
    ...where(
      total.replayed > 0,
      `  Nobody paid for ${count(total.replayed, "call")} of them, ${money(total.replayed_usd)}: their replies were played from a recording.`,
    ),
    ...where(data.average_usd !== null, `- Average per chain: ${money(data.average_usd)}`),
    ...savedAndWasted(total).map((text) => `- ${text}`),
    `- Success rate: ${ends.rate === null ? "not known" : percent(ends.rate)} (${ends.succeeded} succeeded, ${ends.stopped} stopped, ${ends.open} still open)`,
    ...(forecast ? [`- ${forecastText(forecast)}`] : []),
    "\nMost expensive chains:",
    ...data.most_expensive.map((chain, at) => {
      const goal = cutWords(chain.goal.split("\n")[0] ?? "", 50);
      const mark = chain.is_expensive ? "  ! over $1" : "";
      return `${at + 1}. ${chain.chain} ${goal} (${tokens(chain.tokens)} tokens - ${money(chain.usd)})${mark}`;
    }),
    `\nCost by ${data.by}:`,
    ...groupLines(groups, Math.max(...groups.map(({ name }) => name.length))),
    "\nTrend:",
    trendLine(data, "usd", "dollars", money),
    trendLine(data, "tokens", "tokens ", tokens),
    ...where(data.advice.length > 0, "\nSuggestions:", ...data.advice.map((one) => `- ${adviceText(one, flags)}`)),
    ...remarks,
  ].join("\n");
}

function forecastText({ month, usd, ...of }: NonNullable<Report["forecast"]>): string {
  const rest = `${money(of.per_day_usd)} a day for ${count(of.days_left, "day")}`;
  return `Forecast for ${month}: ${money(usd)} (${money(of.spent_usd)} so far, then ${rest})`;
}

type Group = Pick<Report["groups"][number], "name" | "usd" | "share" | "calls" | "tokens">;

export function groupLines(groups: readonly Group[], width: number): string[] {
  return groups.map(
    ({ name, usd, share, calls, tokens }) =>
      `  ${path(name).padEnd(width)}  ${money(usd).padStart(8)}  ${percent(share).padStart(4)}  ${count(calls, "call")}, ${tokens.toLocaleString("en")} tokens`,
  );
}

export function savedAndWasted(total: Report["total"]): string[] {
  const { saved_usd: usd, fast, fast_again: again, fast_saved_usd: fastUsd } = total;
  const effect = fastUsd < 0 ? `cost ${money(-fastUsd)} more than it saved` : `saved ${money(fastUsd)}`;
  const asked = `${again} of ${count(fast, "call")} ${again === 1 ? "was" : "were"} asked again`;
  const saved =
    usd < 0
      ? `The provider's cache cost ${money(-usd)} more than it saved`
      : `Saved by the provider's cache: ${money(usd)}, against the same tokens at the full input price`;
  return [saved, ...(fast > 0 ? [`The fast model ${effect}; ${asked}`] : []), wasteText(total)];
}

/** The parts are said even where they are nothing: so a reader knows what is counted. */
function wasteText({ usd, wasted_usd: wasted, ...of }: Report["total"]): string {
  const share = percent(usd > 0 ? wasted / usd : 0);
  return `Wasted: ${money(wasted)} (${share}): ${count(of.repairs, "unusable reply", "unusable replies")} ${money(of.repairs_usd)}, ${count(of.abandoned, "call")} taken back by rewind ${money(of.abandoned_usd)}, ${count(of.lost, "lost call")} ${money(of.lost_usd)}`;
}

function adviceText({ about, chain, prompt, saving_usd }: Report["advice"][number], flags: Input): string {
  const saving = money(saving_usd);
  switch (about) {
    case "repairs":
      return `${prompt}: replies that could not be used cost ${saving}, most of it in chain ${chain}. Make its instructions clearer. Read why: ${commandLine("log", { chain, prompt }, flags)}`;
    case "abandoned":
      return `Chain ${chain}: a rewind took back ${saving}, most of it spent by ${prompt}. Ask for changes before you approve.`;
    case "long_chain":
      return `Chain ${chain}: the second half of its calls cost ${saving} more than the first. Two smaller chains could save that. Most was spent by ${prompt}.`;
  }
}

/** At most sixty marks, each for a day or for several. */
function trendLine({ trend }: Report, key: "usd" | "tokens", name: string, inWords: (value: number) => string): string {
  const size = Math.ceil(trend.length / 60);
  const parts = [...Map.groupBy(trend.entries(), ([at]) => Math.floor(at / size)).values()];
  const sums = parts.map((part) => part.reduce((sum, [, point]) => sum + point[key], 0));
  const most = Math.max(...sums);
  const marks = sums.map((sum) => bars[most > 0 ? Math.round((Math.max(0, sum) / most) * (bars.length - 1)) : 0]);
  const day = parts[sums.indexOf(most)]?.[0]?.[1].day;
  return `  ${name}  ${marks.join("")}  most: ${inWords(most)} ${size === 1 ? "on" : `in the ${size} days from`} ${day}`;
}

const bars = "▁▂▃▄▅▆▇█";

/** The same groups for another program: RFC 4180, one row a group. */
export function costReportCsv({ by, groups }: Report): string {
  const rows = groups.map(({ name, ...sums }) => [name, ...Object.values(sums).map((sum) => Number(sum.toFixed(6)))]);
  const { name: _, ...columns } = groups[0] ?? { name: "" };
  return [[by, ...Object.keys(columns)], ...rows].map((cells) => cells.map(csvCell).join(",")).join("\n");
}

/** A name comes from a journal. A spreadsheet takes one that begins like a formula for a formula. */
function csvCell(cell: string | number): string {
  const text = typeof cell === "string" && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : String(cell);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
