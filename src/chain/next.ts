import { called } from "./called.ts";
import { isRepeatDue } from "./gates.ts";
import { itemAt, queueKey } from "./item.ts";
import type { AskedQuestion, Context, Item, PresentedSolution, State } from "./context.ts";
import type { QueuedPrompt, Request } from "./events.ts";

export type Step =
  | { readonly type: "open_epoch" }
  | { readonly type: "alert"; readonly usd: number; readonly threshold: number }
  | {
      readonly type: "call_model";
      readonly key: string;
      readonly turn: number;
      readonly item: Pick<Item, "prompt" | "inputs" | "expects">;
    }
  /** Prompts that only look, each going its own way until it has answered. */
  | { readonly type: "together"; readonly keys: readonly string[] }
  | { readonly type: "settle"; readonly keys: readonly string[] }
  | { readonly type: "run_tool"; readonly key: string; readonly call: { readonly id: string; readonly tool: string } }
  | { readonly type: "run_tests"; readonly key: string }
  /** Today's tests on a copy in which the code is as it was when they failed. */
  | { readonly type: "repeat_red"; readonly key: string }
  | { readonly type: "queue"; readonly why: string; readonly prompts: readonly QueuedPrompt[] }
  | { readonly type: "complete"; readonly summary: string }
  | { readonly type: "wait_for_answers"; readonly questions: readonly AskedQuestion[] }
  | { readonly type: "wait_for_approval"; readonly presented: PresentedSolution }
  | { readonly type: "wait_for_permission"; readonly request: Request }
  | { readonly type: "parked"; readonly state: Extract<State, { type: "parked" }> }
  | { readonly type: "done"; readonly state: Extract<State, { type: "completed" }> };

/** What may run now. The whole policy of a chain, from its context alone. */
export function nextStep(context: Context): Step {
  const { engine, state, solution } = context;
  if (state.type === "completed") return { type: "done", state };
  if (state.type === "parked") return { type: "parked", state };
  if (!engine.epoch) return { type: "open_epoch" };
  const { estimated_cost: usd } = context.cost_tracking;
  const { cost_alert_usd: threshold } = engine.limits;
  if (threshold !== null && usd >= threshold && !engine.alerted) return { type: "alert", usd, threshold };
  if (engine.request) return { type: "wait_for_permission", request: engine.request };
  if (engine.item) return baselineIsDue(context) ? testRun(context) : continueItem(engine.item);

  const [queued] = engine.queue;
  if (engine.group.length > 0 || queued?.together) {
    const keys = togetherNow(context);
    return keys.some((key) => stepOf(context, key)) ? { type: "together", keys } : { type: "settle", keys };
  }
  if (queued) return firstCall(queued);

  const questions = context.questions.filter(({ answer }) => answer === null);
  if (questions.length > 0) return { type: "wait_for_answers", questions };

  if (solution?.standing === "presented") return { type: "wait_for_approval", presented: solution };

  if (context.current_phase === "implementation" && solution?.standing === "approved") {
    if (context.mode === "plan-only")
      return { type: "complete", summary: `Planned and approved: ${solution.solution.title}` };
    const step = implementation(context);
    if (step) return step;
  }
  const call = called(context);
  if (call) return { type: "queue", ...call };
  return {
    type: "call_model",
    key: `${decision(context)}/controller`,
    turn: 1,
    item: { prompt: "phase_controller", inputs: {}, expects: "action" },
  };
}

/** The phase and the number of the decision that comes next in it: the stem of every key below it. */
export function decision(context: Context): string {
  return `${context.current_phase}/${nextNumber(context)}`;
}

export function nextNumber(context: Context): number {
  return (context.engine.decisions[context.current_phase] ?? 0) + 1;
}

function continueItem(item: Item): Step {
  const turn = item.turns.at(-1);
  const again: Step = { type: "call_model", key: item.key, turn: item.turns.length + 1, item };
  if (!turn) return again;
  const call = turn.calls.find(({ answer }) => answer === null);
  if (call) return { type: "run_tool", key: item.key, call };
  if (turn.stop === "tool_use") return again;
  return turn.settled ? again : { type: "settle", keys: [item.key] };
}

function firstCall({ key, name, inputs }: QueuedPrompt): Step {
  return { type: "call_model", key, turn: 1, item: { prompt: name, inputs, expects: "report" } };
}

/** The prompts of a decision that are at work together, or are about to be, in the order they were named. */
function togetherNow({ engine: { group, queue } }: Context): string[] {
  const first = group[0]?.key ?? queue[0]?.key ?? "";
  const stem = first.slice(0, first.lastIndexOf("/") + 1);
  const alone = queue.findIndex((prompt) => !prompt.together);
  const waiting = queue.slice(0, alone < 0 ? queue.length : alone).map(({ key }) => key);
  const place = (key: string) => Number.parseInt(key.slice(stem.length), 10);
  return [...group.map(({ key }) => key), ...waiting]
    .filter((key) => key.startsWith(stem))
    .sort((one, other) => place(one) - place(other));
}

/** What one of them does next; undefined once it has answered. */
export function stepOf(context: Context, key: string): Step | undefined {
  const item = itemAt(context, key);
  if (item) {
    const step = continueItem(item);
    return step.type === "settle" ? undefined : step;
  }
  const queued = context.engine.queue.find((prompt) => prompt.key === key);
  return queued && firstCall(queued);
}

function implementation(context: Context): Step | undefined {
  const { engine, evidence } = context;
  if (engine.test_command && (engine.untested || evidence.runs.length === evidence.since)) return testRun(context);
  if (isRepeatDue(context)) {
    const number = engine.decisions["implementation"] ?? 0;
    return { type: "repeat_red", key: `implementation/${number}/tests-${engine.runs + 1}-without-code` };
  }
  if (context.size !== "tiny") return undefined;
  const done = context.phase_history.at(-1)?.prompts_executed ?? [];
  const follows = (name: string, why: string): Step => ({
    type: "queue",
    why,
    prompts: [{ key: queueKey(context, nextNumber(context), 0, name), name, inputs: {} }],
  });
  if (!done.includes("tdd_flow_controller"))
    return follows("tdd_flow_controller", "A tiny task goes straight to its tests and code.");
  if (Object.keys(engine.files).length === 0 || engine.gate) return undefined;
  const bySubstitute = context.solution?.solution.verification.kind === "substitute";
  if (bySubstitute && !done.includes("deployment_checker"))
    return follows("deployment_checker", "The approved check is carried out.");
  return evidence.green || !engine.test_command
    ? { type: "complete", summary: context.last_response ?? "" }
    : undefined;
}

/** Also in the middle of a prompt's work, where a resume before anything was written asks for a new baseline. */
function baselineIsDue({ engine, evidence, solution, current_phase: phase }: Context): boolean {
  return (
    phase === "implementation" &&
    solution?.standing === "approved" &&
    engine.test_command !== null &&
    !Object.values(engine.open).some(({ effect }) => effect === "change") &&
    evidence.runs.length === evidence.since
  );
}

function testRun({ engine }: Context): Step {
  return { type: "run_tests", key: `implementation/tests-${engine.runs + 1}` };
}
