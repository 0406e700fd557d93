import { apply } from "./apply.ts";
import { emptyContext, type Context } from "./context.ts";
import type { ChainLine } from "./events.ts";

/** What one prompt did in a chain. */
export type PromptRuns = {
  prompt: string;
  runs: number;
  calls: number;
  tokens: number;
  usd: number;
  /** By how much the overall confidence rose with its reports, in all. */
  confidence_moved: number;
  /** Replies that could not be used. */
  repairs: number;
};

export function promptRuns(lines: readonly ChainLine[]): PromptRuns[] {
  const rows = new Map<string, PromptRuns>();
  const row = (prompt: string) => {
    const known = rows.get(prompt) ?? { prompt, runs: 0, calls: 0, tokens: 0, usd: 0, confidence_moved: 0, repairs: 0 };
    rows.set(prompt, known);
    return known;
  };
  let context: Context = emptyContext;
  for (const line of lines) {
    const { item } = context.engine;
    const before = context.confidence_scores["overall"] ?? 0;
    context = apply(context, line);
    if (line.type !== "event") continue;
    if (line.event === "report_recorded") {
      const done = row(line.prompt);
      done.runs++;
      done.confidence_moved += (context.confidence_scores["overall"] ?? 0) - before;
    }
    // A decision taken without a report: otherwise the report has ended its prompt run.
    else if (line.event === "decision_taken" && item?.key === line.key) row(item.prompt).runs++;
    else if (line.event === "reply_rejected" && item) row(item.prompt).repairs++;
  }
  for (const [prompt, { calls, tokens, usd }] of Object.entries(context.cost_tracking.by_prompt)) {
    Object.assign(row(prompt), { calls, tokens, usd });
  }
  return [...rows.values()].map((one) => ({ ...one, confidence_moved: Math.round(one.confidence_moved * 100) / 100 }));
}

/** A chain's events in short, one a line, for a prompt that looks at the chain from outside. */
export function historyText(lines: readonly ChainLine[]): string {
  return lines.flatMap((line) => (line.type === "event" ? [shortLine(line)] : [])).join("\n");
}

function shortLine(line: Extract<ChainLine, { type: "event" }>): string {
  const { type: _type, hash: _hash, n, at, by: _by, event, ...fields } = line;
  const short = (key: string, value: unknown): unknown =>
    key === "text" || key === "tools" || key === "system" || key === "base"
      ? undefined
      : typeof value === "string" && value.length > 400
        ? `${value.slice(0, 400)}…`
        : value;
  return event === "ledger_extended" || event === "epoch_opened"
    ? JSON.stringify({ n, at, event })
    : JSON.stringify({ n, at, event, ...fields }, short);
}
