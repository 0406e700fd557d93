import { called, engineCall } from "./called.ts";
import { gate, isFinished, isRepeatDue } from "./gates.ts";
import { controller, decision, itemAt } from "./item.ts";
import type { AskedQuestion, Context, Item, PresentedSolution, State } from "./context.ts";
import type { ChainEvent, QueuedPrompt, Request } from "./events.ts";
import { askAboutBaseline, hasNoBaseline, isAboutTests } from "./test_question.ts";
import { isOffer } from "./health.ts";
import { ownStep } from "./own_list.ts";
import { triggers } from "./roles.ts";

export type Step =
  | { readonly type: "open_epoch" }
  /** The health of the record is bad. */
  | { readonly type: "fresh_record" }
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
  | { readonly type: "ask_about_tests"; readonly question: readonly ChainEvent[] }
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
  const questions = context.questions.filter(({ answer }) => answer === null);
  if (engine.tests.question || questions.some(({ id }) => isOffer(id))) return { type: "wait_for_answers", questions };
  if (engine.item) return baselineIsDue(context) ? testRun(context) : continueItem(engine.item);

  const [queued] = engine.queue;
  if (engine.group.length === 0 && engine.health.offer !== null) return { type: "fresh_record" };
  if (engine.group.length === 0 && engine.health.doubt && queued?.name !== triggers.bad_signs.prompt)
    return { type: "queue", ...engineCall(context, triggers.bad_signs, { signs: engine.health.signs }) };
  if (engine.group.length > 0 || queued?.together) {
    const keys = togetherNow(context);
    return keys.some((key) => stepOf(context, key)) ? { type: "together", keys } : { type: "settle", keys };
  }
  if (queued) return firstCall(queued);

  if (questions.length > 0) return { type: "wait_for_answers", questions };

  if (solution?.standing === "presented") return { type: "wait_for_approval", presented: solution };

  if (context.current_phase === "implementation" && solution?.standing === "approved") {
    if (context.mode === "plan-only")
      return { type: "complete", summary: `Planned and approved: ${solution.solution.title}` };
    const step = implementation(context);
    if (step) return step;
  }
  const own = engine.unheard ? undefined : (called(context) ?? ownStep(context));
  if (own) return { type: "queue", ...own };
  if (!engine.unheard && isProved(context))
    return { type: "complete", summary: engine.completion ?? context.last_response ?? "" };
  return {
    type: "call_model",
    key: `${decision(context)}/controller`,
    turn: 1,
    item: controller,
  };
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
  const { engine } = context;
  if ((engine.test_command && engine.untested) || baselineIsDue(context)) return testRun(context);
  if (isRepeatDue(context)) {
    const number = engine.decisions["implementation"] ?? 0;
    return { type: "repeat_red", key: `implementation/${number}/tests-${engine.runs + 1}-without-code` };
  }
  return undefined;
}

/** Nothing is left to be done or looked at: the engine completes the chain by itself. */
function isProved(context: Context): boolean {
  const isBuilt = context.current_phase === "implementation" && context.solution?.standing === "approved";
  return isBuilt && !context.engine.gate && isFinished(context) && gate(context, "done").length === 0;
}

/** Also in the middle of a prompt's work, where a resume before anything was written asks for a new baseline. */
function baselineIsDue(context: Context): boolean {
  const { engine, evidence, solution, current_phase: phase } = context;
  return (
    !hasNoBaseline(context) &&
    phase === "implementation" &&
    solution?.standing === "approved" &&
    engine.test_command !== null &&
    !Object.values(engine.open).some(({ effect }) => effect === "change") &&
    evidence.runs.length === evidence.since
  );
}

/**
 * Before the first call, the tests run once where nothing can be written, so that the model and the person know what
 * they say today. If they fail, the person is asked about it together with the first questions, or before the design:
 * a task that is only a question ends before that.
 */
export function earlyBaseline(context: Context, next: Step): Step | undefined {
  const { engine, evidence, solution, current_phase: phase } = context;
  const isBetween = (next.type === "queue" || next.type === "call_model") && !engine.item;
  const isAsking = next.type === "wait_for_answers" || next.type === "wait_for_approval";
  const byTests = (solution?.solution.verification.kind ?? "tests") === "tests";
  if (phase === "implementation" || engine.test_command === null || engine.tests.question !== null || !byTests)
    return undefined;
  if (evidence.runs.length === evidence.since)
    return isAsking || isBetween || next.type === "settle"
      ? { type: "run_tests", key: `${phase}/baseline` }
      : undefined;
  const isDesigning = isBetween && phase !== "requirements-clarification";
  const isOpen = Object.keys(engine.files).length === 0 && !context.questions.some(({ id }) => isAboutTests(id));
  const question = (isAsking || isDesigning) && isOpen ? askAboutBaseline(context, evidence.runs.at(-1)!) : [];
  return question.length > 0 ? { type: "ask_about_tests", question } : undefined;
}

function testRun({ engine }: Context): Step {
  return { type: "run_tests", key: `implementation/tests-${engine.runs + 1}` };
}
