import { exitCodes } from "../util/errors.ts";
import type { Actor } from "../store/journal.ts";
import type { AskedQuestion, PresentedSolution } from "./context.ts";
import { ledgerIsFull } from "./afford.ts";
import { callModel } from "./ask.ts";
import { engineCall } from "./called.ts";
import type { Deps, Work } from "./deps.ts";
import { openEpoch } from "./epoch.ts";
import { event, park, type ChainEvent } from "./events.ts";
import { approval, takeInbox } from "./inbox.ts";
import { completion } from "./judge.ts";
import { nextStep, type Step } from "./next.ts";
import { engineActor, withLedger, type Chain } from "./open.ts";
import { settle } from "./settle.ts";
import { runTests, useTool } from "./use.ts";

/** Why a turn of a chain ended. The chain is on disk; another turn may follow in any process. */
export type Ending =
  | { readonly type: "completed"; readonly summary: string }
  | { readonly type: "needs_answers"; readonly questions: readonly AskedQuestion[] }
  | { readonly type: "needs_approval"; readonly presented: PresentedSolution }
  | {
      readonly type: "parked";
      readonly code: string;
      readonly exit: number;
      readonly message: string;
      readonly hint: string;
    }
  | { readonly type: "interrupted" }
  /** `until` was reached. */
  | { readonly type: "reached" };

export interface Policy {
  /** Answers known beforehand, by a question's id or its words. */
  readonly answers: Readonly<Record<string, string>>;
  /** Only "auto" approves what nobody has read. */
  readonly approve: "ask" | "auto";
}

/** Runs a chain until it waits for a person, is stopped, or is done. This is all that wakes a chain. */
export async function runTurn(
  chain: Chain,
  deps: Deps,
  policy: Policy,
  signal: AbortSignal,
  until: (chain: Chain) => boolean = () => false,
): Promise<Ending> {
  const work: Work = { chain, deps, signal };
  const goOn = async (): Promise<Ending> => {
    chain.writeView(false);
    for (;;) {
      if (signal.aborted) return { type: "interrupted" };
      takeInbox(chain, deps.workspace);
      if (until(chain)) return { type: "reached" };
      const step = nextStep(chain.context);
      const ending = endingOf(step, policy);
      if (ending) return ending;
      await perform(work, step, policy);
      chain.writeView(false);
    }
  };
  const ending = await goOn().catch((error: unknown) => failed(chain, error));
  chain.writeView(true);
  return ending;
}

/** What went wrong says more than that the context file cannot be written either. */
function failed(chain: Chain, error: unknown): never {
  try {
    chain.writeView(true);
  } catch {
    throw error;
  }
  throw error;
}

/** Why a turn ends at this step; undefined: it goes on. */
function endingOf(step: Step, policy: Policy): Ending | undefined {
  switch (step.type) {
    case "done":
      return { type: "completed", summary: step.state.summary };
    case "parked":
      return step.state;
    case "wait_for_answers":
      return knownAnswers(step, policy).length > 0 ? undefined : { type: "needs_answers", questions: step.questions };
    case "wait_for_approval":
      return policy.approve === "auto" ? undefined : { type: "needs_approval", presented: step.presented };
    case "open_epoch":
    case "alert":
    case "call_model":
    case "settle":
    case "run_tool":
    case "run_tests":
    case "queue":
    case "complete":
      return undefined;
  }
}

/** Carries out one step. The only part of a chain that touches the world. */
async function perform(work: Work, step: Step, policy: Policy): Promise<void> {
  const { chain, deps } = work;
  switch (step.type) {
    case "wait_for_answers":
      return chain.append(withLedger(answersFile, knownAnswers(step, policy)));
    case "wait_for_approval":
      return chain.append(
        withLedger(
          autoApproval,
          approval(chain.context, deps.workspace, "Approved unseen, as --approve-policy auto says."),
        ),
      );
    case "open_epoch":
      return openEpoch(work, "A new record begins.");
    case "alert":
      return chain.append({
        by: engineActor,
        bodies: [event("cost_alerted", { usd: step.usd, threshold: step.threshold })],
      });
    case "queue":
      return chain.append(withLedger(engineActor, [event("prompts_queued", { why: step.why, prompts: step.prompts })]));
    case "complete":
      return chain.append(withLedger(engineActor, completion(chain.context, step.summary)));
    case "settle":
      return settle(work, step.key);
    case "run_tests":
      return runTests(work, step.key);
    case "run_tool":
      return useTool(work, step);
    case "call_model": {
      const { engine } = chain.context;
      const loop = engine.item?.turns.length ?? 0;
      if (engine.turns >= engine.limits.turns || loop >= engine.limits.turns_per_prompt) {
        return chain.append({ by: engineActor, bodies: [turnsUsedUp(chain)] });
      }
      if (!engine.item && engine.queue.length === 0 && ledgerIsFull(chain.context, deps)) return condense(work);
      return callModel(work, step);
    }
    case "done":
    case "parked":
      throw new Error(`${step.type} is an ending, not a step.`);
  }
}

/** First a prompt writes down what the engine's own digest would lose; its report is carried over word for word. */
function condense(work: Work): Promise<void> {
  const { chain } = work;
  const { prompts_executed: done, engine } = chain.context;
  if (done.at(-1) === "context_preservation") {
    return openEpoch(work, "The record had grown too long.", engine.ledger.at(-1));
  }
  const { why, prompts } = engineCall(chain.context, "context_preservation", "The record has grown too long.");
  chain.append(withLedger(engineActor, [event("prompts_queued", { why, prompts })]));
  return Promise.resolve();
}

function knownAnswers({ questions }: Extract<Step, { type: "wait_for_answers" }>, { answers }: Policy): ChainEvent[] {
  const known = new Map(Object.entries(answers));
  return questions.flatMap(({ id, question }) => {
    const answer = known.get(id) ?? known.get(question);
    return answer === undefined ? [] : [event("question_answered", { id, answer })];
  });
}

const answersFile: Actor = { kind: "policy", name: "--answers", door: "cli" };
const autoApproval: Actor = { kind: "policy", name: "--approve-policy auto", door: "cli" };

function turnsUsedUp({ context }: Chain) {
  const { item, limits } = context.engine;
  const [what, more] =
    (item?.turns.length ?? 0) >= limits.turns_per_prompt
      ? [
          `${item?.prompt} has taken ${limits.turns_per_prompt} turns without an end.`,
          `--turns-per-prompt ${limits.turns_per_prompt * 2}`,
        ]
      : [`The chain has used its ${limits.turns} calls.`, `--turns ${limits.turns * 2}`];
  const hint = `Everything is kept. Allow more and go on: claude-exec resume {id} ${more}`;
  return park("turns", exitCodes.budget, what, hint);
}
