import { sha256 } from "../util/hash.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { asJson, isRecord, parseJson, type Json } from "../util/json.ts";
import type { Context } from "./context.ts";
import { differences } from "./edits.ts";
import type { Edit } from "./events.ts";
import { nextStep } from "./next.ts";

/** The context file as a person reads it: the fields of the seed in its order, then ours. */
export function view(context: Context, journal: { n: number; hash: string }): Record<string, Json> {
  const { engine: _engine, state: _state, cost_tracking: costs, ...known } = context;
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
    phase_history: context.phase_history.map((visit) => ({
      ...visit,
      duration: visit.duration ?? (visit.started && visit.ended && duration(visit.started, Date.parse(visit.ended))),
    })),
    cost_tracking: {
      ...costs,
      estimated_cost: cents(costs.estimated_cost),
      by_phase: rounded(costs.by_phase),
      by_prompt: pricesRounded(costs.by_prompt),
    },
    status: statusOf(context),
    size,
    mode,
    scores,
    waived,
    questions,
    solution,
    evidence,
    workspace,
    worktree,
    git_advice,
    not_checked,
    touched,
    schema_version: 1,
    journal,
  };
  const plain = asJson(content);
  return { ...plain, seal: seal(plain) };
}

export function writeView(
  path: string,
  context: Context,
  journal: { n: number; hash: string },
  durable: boolean,
): void {
  writeAtomic(path, `${JSON.stringify(view(context, journal), null, 2)}\n`, { durable });
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

/** In one word what the chain is doing, and what it waits for. */
export function statusOf(context: Context): { state: string; waiting_for: string | null; hint: string | null } {
  const step = nextStep(context);
  switch (step.type) {
    case "done":
      return { state: "completed", waiting_for: null, hint: null };
    case "parked":
      return {
        state: "parked",
        waiting_for: step.state.message,
        hint: step.state.hint.replaceAll("{id}", context.chain_id),
      };
    case "wait_for_answers":
      return {
        state: "waiting",
        waiting_for: `answers: ${step.questions.map(({ id }) => id).join(", ")}`,
        hint: `claude-exec answer ${context.chain_id} ${step.questions.map(({ id }) => `${id}="…"`).join(" ")}`,
      };
    case "wait_for_approval":
      return {
        state: "waiting",
        waiting_for: "approval",
        hint: `claude-exec approve ${context.chain_id} ${step.presented.hash}`,
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
        hint: `claude-exec diff ${context.chain_id}`,
      };
    }
    case "open_epoch":
    case "alert":
    case "call_model":
    case "together":
    case "settle":
    case "run_tool":
    case "run_tests":
    case "repeat_red":
    case "queue":
    case "complete":
      return { state: "running", waiting_for: null, hint: `claude-exec resume ${context.chain_id}` };
  }
}

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
