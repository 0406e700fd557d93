import { lostShares, noUsage, phaseKey, tokensOf } from "../costs/books.ts";
import { amounts, dimensions, effects, type ChainSpending, type SpendingRow } from "../costs/spending.ts";
import type { PriceTable } from "../models/price_table.ts";
import { priceOf } from "../models/prices.ts";
import { replay } from "./apply.ts";
import type { Context } from "./context.ts";
import { slugOf } from "./open.ts";
import { ratingIn } from "./pattern.ts";
import type { ChainLine, Counted, Result } from "./events.ts";

type ModelResult = Extract<Result, { effect: "model" }>;

/** One call, or a later correction of what it cost. */
interface Call {
  readonly n: number;
  readonly key: string;
  row: SpendingRow;
  waste?: "repairs" | "abandoned" | undefined;
}

/** What a chain spent, for what, and how each of its prompts did: one pass over its journal. */
export function spendingOf(lines: readonly ChainLine[], prices: PriceTable): ChainSpending {
  const calls: Call[] = [];
  /** When each step was begun, and with which text of its prompt. */
  const begun = new Map<string, { at: string; version: string; usual: string | undefined }>();
  const versionOf = (key: string) => begun.get(key)?.version ?? "";
  const rowOf = ({ at }: ChainLine, { current_phase }: Context, prompt: string, key: string) => {
    const model = calls.findLast((call) => call.key === key)?.row.model ?? "unknown";
    return { day: at.slice(0, 10), phase: phaseKey(current_phase), prompt, model, version: versionOf(key) };
  };
  const end = replay(lines, (before, line, after) => {
    if (line.type === "intent" && line.effect === "model" && !begun.has(line.key)) {
      const { prompt, request } = line;
      begun.set(line.key, { at: line.at, version: prompt.sha256.slice(0, 8), usual: request.instead_of });
    }
    if (line.type === "result" && line.effect === "model")
      calls.push(callOf(line, versionOf(line.key), prices, begun.get(line.key)?.usual));
    if (line.type !== "event") return;
    const { n } = line;
    const { item } = before.engine;
    switch (line.event) {
      case "reply_rejected": {
        const call = calls.findLast(({ key }) => key === line.key);
        if (call) call.waste ??= "repairs";
        break;
      }
      case "asked_again":
        for (const call of calls.filter(({ key }) => key === line.key))
          call.row = { ...call.row, fast_again: call.row.fast ?? 0, fast_saved_usd: -(call.row.usd ?? 0) };
        break;
      case "rewound":
        for (const call of line.files_only ? [] : calls) if (call.n > line.to) call.waste ??= "abandoned";
        break;
      case "lost_cost_entered":
        for (const { phase, prompt, key: turn = "", usd, difference } of lostShares(before.cost_tracking, line.usd)) {
          const key = turn.replace(/\/turn-\d+$/, "");
          const more = { usd: difference, lost_usd: difference, unpriced: usd === null ? -1 : 0 };
          calls.push({ n, key, row: { ...rowOf(line, before, prompt, key), phase, ...more } });
        }
        break;
      case "imported": {
        // What another tool's books, or those of a foreign journal, brought with them.
        const [old, books] = [before.cost_tracking, after.cost_tracking];
        const more = { usd: books.estimated_cost - old.estimated_cost, tokens: books.tokens_used - old.tokens_used };
        calls.push({ n, key: "", row: { ...rowOf(line, before, "(taken over)", ""), ...more } });
        break;
      }
      case "report_recorded":
      case "decision_taken": {
        // A decision that comes after a report is no other run: the report has ended it.
        const prompt =
          line.event === "report_recorded" ? line.prompt : item?.key === line.key ? item.prompt : undefined;
        const [was = 0, is = 0] = [before, after].map(({ confidence_scores: scores }) => scores["overall"]);
        if (prompt !== undefined)
          calls.push({
            n,
            key: line.key,
            row: {
              ...rowOf(line, before, prompt, line.key),
              runs: 1,
              confidence_moved: is - was,
              ms: Math.max(0, Date.parse(line.at) - Date.parse(begun.get(line.key)?.at ?? line.at)),
              ...(line.event === "report_recorded" ? reductionOf(line.counted, before, after) : {}),
            },
          });
        break;
      }
      default:
    }
  });
  const { type } = end.state;
  return {
    goal: end.goal,
    rating: ratingIn(lines),
    slug: slugOf(end.goal),
    state: type === "completed" ? "succeeded" : type === "parked" ? "stopped" : "open",
    rows: rowsOf(calls),
    grew_usd: growthOf(calls),
  };
}

/** How much of the uncertainty in the areas that a report scores is gone: 1 less what is left of it. */
function reductionOf(counted: readonly Counted[], before: Context, after: Context) {
  const left = ({ confidence_scores: scores }: Context) =>
    counted.reduce((sum, { area }) => sum + 1 - Math.min(1, scores[area] ?? 0), 0);
  const [was, is] = [left(before), left(after)];
  if (was <= 0) return {};
  const reduction = Math.max(-1, 1 - is / was);
  return { measured: 1, reduction, reduction_squared: reduction ** 2 };
}

/** `usual`: the model in whose place the fast one was asked. All of its input would have come from the cache, at best. */
function callOf(line: ChainLine & ModelResult, version: string, prices: PriceTable, usual?: string): Call {
  const { booked, key, outcome, n, at, by } = line;
  const { phase, prompt, model, usage, usd, lost } = booked;
  const { input, output, cacheRead, cacheWrite5m, cacheWrite1h } = usage;
  const cache_write = cacheWrite5m + cacheWrite1h;
  const uncached = { ...noUsage, input: input + cacheRead + cache_write, output };
  const [full, paid] = [uncached, usage].map((one) => priceOf(model, Date.parse(at), one, prices));
  const where = { day: at.slice(0, 10), phase, prompt, model, version };
  const isReplayed = by.door === "recorded";
  const isCut = outcome.type === "cancelled";
  const counts = { calls: 1, tokens: tokensOf(usage), input, output, cache_read: cacheRead, cache_write };
  const cached = { ...noUsage, cacheRead: uncached.input, output };
  const instead = usual === undefined ? undefined : priceOf(usual, Date.parse(at), cached, prices);
  const row = {
    ...where,
    ...counts,
    fast: usual === undefined ? 0 : 1,
    fast_saved_usd: instead === undefined || paid === undefined ? 0 : instead - paid,
    usd: usd ?? 0,
    unpriced: usd === null ? 1 : 0,
    saved_usd: full === undefined || paid === undefined ? 0 : full - paid,
    // What a person cut off was paid for, and its answer is lost.
    lost: isCut ? 1 : (lost?.calls ?? 0),
    lost_usd: isCut ? (usd ?? 0) : (lost?.usd ?? 0),
    replayed: isReplayed ? 1 : 0,
    replayed_usd: isReplayed ? (usd ?? 0) : 0,
  };
  const isUnusable = outcome.type !== "replied" && row.usd > row.lost_usd;
  return { n, key, row, waste: isUnusable ? "repairs" : undefined };
}

function rowsOf(calls: readonly Call[]): SpendingRow[] {
  const rows = calls.map(({ row, waste }): SpendingRow => {
    const { usd = 0, lost_usd = 0, calls: count = 0 } = row;
    const rest = usd - lost_usd;
    return waste
      ? { ...row, wasted_usd: usd, [waste]: count, [`${waste}_usd`]: rest }
      : { ...row, wasted_usd: lost_usd };
  });
  const groups = Map.groupBy(rows, (row) => dimensions.map((name) => row[name]).join("\n"));
  return [...groups.values()].map(([first, ...more]) => {
    const sum = { ...first! };
    for (const row of more)
      for (const name of [...amounts, ...effects]) if (row[name]) sum[name] = (sum[name] ?? 0) + row[name];
    return sum;
  });
}

/** The call in the middle belongs to neither half. */
function growthOf(calls: readonly Call[]): number {
  const costs = calls.filter(({ row }) => row.calls === 1).map(({ row }) => row.usd ?? 0);
  const sum = (some: readonly number[]) => some.reduce((all, usd) => all + usd, 0);
  const half = Math.floor(costs.length / 2);
  return sum(costs.slice(costs.length - half)) - sum(costs.slice(0, half));
}
