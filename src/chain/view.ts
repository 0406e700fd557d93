import { count } from "../util/count.ts";
import { sha256 } from "../util/hash.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { asJson, isRecord, parseJson, type Json } from "../util/json.ts";
import type { Next } from "../util/next.ts";
import type { Context } from "./context.ts";
import { differences } from "./edits.ts";
import type { Edit } from "./events.ts";
import { percent } from "./gates.ts";
import { nextStep } from "./next.ts";

/** The context file as a person reads it: the fields of the seed in its order, then ours. */
export function view(context: Context, journal: { n: number; hash: string }, isRunning = false): Record<string, Json> {
  const { engine: _engine, state: _state, cost_tracking: _costs, ...known } = context;
  const {
    workspace,
    worktree,
    git_advice,
    not_checked,
    touched,
    size,
    mode,
    waived,
    scores,
    questions,
    solution,
    evidence,
    ...seed
  } = known;
  const content = {
    ...seed,
    ...timesAndCosts(context),
    status: statusOf(context, isRunning),
    size,
    mode,
    scores,
    waived,
    questions,
    solution,
    // What tests printed stays in the journal.
    evidence: { ...evidence, runs: evidence.runs.map(({ output: _output, ...run }) => run) },
    workspace,
    worktree,
    git_advice,
    not_checked,
    touched,
    schema_version: 2,
    journal,
  };
  const plain = asJson(content);
  return { ...plain, seal: seal(plain) };
}

/** How long each phase lasted, and what the chain cost, as people read it. */
export function timesAndCosts({ phase_history, cost_tracking: costs }: Context) {
  return {
    phase_history: phase_history.map(({ duration: told, ...visit }) => {
      const lasted = told ?? (visit.started && visit.ended ? duration(visit.started, Date.parse(visit.ended)) : null);
      return { ...visit, duration: lasted };
    }),
    cost_tracking: {
      ...costs,
      estimated_cost: cents(costs.estimated_cost),
      by_phase: rounded(costs.by_phase),
      by_prompt: pricesRounded(costs.by_prompt),
    },
  };
}

export function writeView(
  path: string,
  context: Context,
  journal: { n: number; hash: string },
  durable: boolean,
  isRunning = false,
): void {
  writeAtomic(path, `${JSON.stringify(view(context, journal, isRunning), null, 2)}\n`, { durable });
}

export type Standing =
  | { readonly type: "missing" | "torn" | "current" | "old" }
  | { readonly type: "edited"; readonly edits: Edit[] };

/** How the context file stands to the journal. `at` gives the context as it was after a line. */
export function standing(
  path: string,
  journal: { n: number },
  at: (n: number) => { context: Context; hash: string } | undefined,
): Standing {
  const text = readTextIfThere(path);
  if (text === undefined) return { type: "missing" };
  const file = parseJson(text);
  if (!isRecord(file)) return { type: "torn" };
  const { seal: _sealed, ...content } = file as Record<string, Json>;
  const n = isRecord(content["journal"]) ? Number(content["journal"]["n"]) : Number.NaN;
  if (isSealed(file)) return { type: n === journal.n ? "current" : "old" };
  const written = at(n) ?? at(journal.n);
  if (!written) return { type: "torn" };
  const { seal: _seal, ...expected } = view(written.context, { n, hash: written.hash });
  // Files of an earlier version lack the findings, and read otherwise in two fields that are not for a person to edit.
  content["findings"] ??= expected["findings"]!;
  if (content["schema_version"] === 1) content["schema_version"] = expected["schema_version"]!;
  // Whether a process is at work is not for a person to edit, and the journal does not say it.
  content["status"] = expected["status"]!;
  const edits = differences(expected, content);
  return edits.length > 0 ? { type: "edited", edits } : { type: "old" };
}

/** Whether a context file is as the engine wrote it. */
export function isSealed(file: unknown): file is Record<string, Json> {
  if (!isRecord(file)) return false;
  const { seal: sealed, ...content } = file as Record<string, Json>;
  return sealed === seal(content);
}

function seal(content: Record<string, Json>): string {
  return sha256(JSON.stringify(content)).slice(0, 16);
}

/**
 * In one word what a chain is doing, what it waits for, and what can be done: `running`, `waiting` (for a person),
 * `stopped` (it can be resumed), or how it ended.
 */
export interface Status {
  readonly state: "running" | "waiting" | "stopped" | Extract<Context["state"], { type: "completed" }>["ending"];
  readonly waiting_for: string | null;
  readonly next: readonly Next[];
}

/** `isRunning`: a process is at work on it, which a journal does not say. */
export function statusOf(context: Context, isRunning = false): Status {
  const status = stepStatus(context, isRunning);
  const { gap } = context.engine;
  if (!gap || status.next.length === 0) return status;
  const why = `No existing prompt covers "${gap.text.split("\n")[0]}" (confidence ${percent(gap.confidence)}). Write one`;
  const create = { operation: "create-prompt", input: { chain: context.chain_id, auto: true }, why };
  return { ...status, next: [...status.next, create] };
}

function stepStatus(context: Context, isRunning: boolean): Status {
  const { chain_id: chain } = context;
  const step = nextStep(context);
  switch (step.type) {
    case "done":
      return { state: step.state.ending, waiting_for: null, next: [] };
    case "parked":
      return { state: "stopped", waiting_for: step.state.message, next: step.state.next };
    case "wait_for_answers": {
      const answers_given = step.questions.map(({ id }) => `${id}=…`);
      return {
        state: "waiting",
        waiting_for: `answers to ${count(step.questions.length, "question")}`,
        next: [{ operation: "answer", input: { chain, answers_given }, why: "Answer" }],
      };
    }
    case "wait_for_approval":
      return {
        state: "waiting",
        waiting_for: "approval",
        next: [
          { operation: "resume", input: { chain }, why: "See the solution and decide" },
          { operation: "approve", input: { chain, hash: step.presented.hash }, why: "Approve" },
        ],
      };
    case "wait_for_permission": {
      const { request } = step;
      const what =
        request.kind === "change"
          ? `a change of ${request.path}`
          : request.kind === "command"
            ? `a command: ${request.line}`
            : `tests that no longer run: ${request.lost.join(", ")}`;
      return {
        state: "waiting",
        waiting_for: `permission for ${what}`,
        next: [{ operation: "diff", input: { chain }, why: "Look at it" }],
      };
    }
    case "open_epoch":
    case "fresh_record":
    case "alert":
    case "call_model":
    case "together":
    case "settle":
    case "run_tool":
    case "run_tests":
    case "ask_about_tests":
    case "repeat_red":
    case "queue":
    case "complete":
      return {
        state: isRunning ? "running" : "stopped",
        waiting_for: null,
        next: [{ operation: "resume", input: { chain }, why: "Go on" }],
      };
  }
}

/**
 * How long each phase of a chain lasted so far in milliseconds, as far as it is known, up to its last line. It waited for
 * its person before each line that they wrote.
 */
export function durations({ phase_history: visits }: Pick<Context, "phase_history">, lines: readonly TimedLine[]) {
  const { idle, undone } = spansOutside(lines);
  const by_phase: Record<string, number> = {};
  let total: number | null = null;
  for (const { phase, started, ended, duration: told = "" } of visits) {
    const until = ended ?? lines.at(-1)?.at;
    const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) (second|minute|hour)s?$/.exec(told) ?? [];
    const own: Span | undefined = started && until ? [Date.parse(started), Date.parse(until)] : undefined;
    const ms = own ? own[1] - own[0] - shared(own, idle) : Number(amount) * (milliseconds[unit] ?? NaN);
    if (Number.isNaN(ms)) continue;
    total = (total ?? 0) + ms;
    const lost = undone.map((span) => (own ? Math.max(0, shared(own, [span]) - shared(span, idle)) : 0));
    by_phase[phase] = (by_phase[phase] ?? 0) + lost.reduce((left, part) => left - part, ms);
  }
  const waits = lines.map(({ at, by }, index) => {
    const wait: Span = [Date.parse(lines[index - 1]?.at ?? at), Date.parse(at)];
    return by.kind === "person" ? wait[1] - wait[0] - shared(wait, idle) : 0;
  });
  return { by_phase, waiting: waits.reduce((sum, ms) => sum + ms, 0), total };
}

type Span = readonly [from: number, until: number];

type Told = { event?: string; to?: unknown; files_only?: boolean; more?: number };
type TimedLine = Readonly<{ at: string; by: { readonly kind: string } } & Told>;

/** `idle`: from the end of a chain, from a rewind, or from a pause, to the next line. `undone`: what a rewind took away for good. */
function spansOutside(lines: readonly TimedLine[]) {
  const time = (index: number) => Date.parse(lines[Math.min(index, lines.length - 1)]!.at);
  const undone = new Map<number, Span>();
  const idle = lines.flatMap(({ event, to, files_only: filesOnly }, index): Span[] => {
    if (event === "rewound" && !filesOnly && typeof to === "number") {
      // To undo a rewind is to go back to its line.
      const isUndo = undone.has(to);
      for (const earlier of undone.keys()) if (earlier >= to) undone.delete(earlier);
      if (!isUndo) undone.set(index, [time(to), time(index)]);
    }
    let last = index;
    while (lines[last]?.more) last++;
    const isOver = event === "rewound" || event === "completed" || event === "interrupted";
    return isOver ? [[time(last), time(last + 1)]] : [];
  });
  return { idle, undone: [...undone.values()] };
}

function shared([from, until]: Span, spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + Math.max(0, Math.min(until, span[1]) - Math.max(from, span[0])), 0);
}

const milliseconds: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000 };

/** "3 minutes", as the seed writes it. */
export function duration(started: string, end: number): string {
  const seconds = Math.max(0, Math.round((end - Date.parse(started)) / 1000));
  const [amount, unit] =
    seconds < 60
      ? [seconds, "second"]
      : seconds < 5400
        ? [Math.round(seconds / 60), "minute"]
        : [Math.round(seconds / 3600), "hour"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}

function rounded(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, cents(value)]));
}

function pricesRounded(prompts: Context["cost_tracking"]["by_prompt"]): Context["cost_tracking"]["by_prompt"] {
  return Object.fromEntries(Object.entries(prompts).map(([name, cost]) => [name, { ...cost, usd: cents(cost.usd) }]));
}

function cents(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
