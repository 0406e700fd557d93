import type { Next } from "../util/next.ts";
import type { Actor } from "../store/journal.ts";
import type { AskedQuestion, PresentedSolution } from "./context.ts";
import { ledgerIsFull } from "./afford.ts";
import { callModel } from "./ask.ts";
import { engineCall } from "./called.ts";
import { leaveToChange, renewedRequest } from "./consent.ts";
import type { Deferred, Deps, PassedSum, Work } from "./deps.ts";
import { contextFull, openEpoch, otherEngine } from "./epoch.ts";
import { event, type Request } from "./events.ts";
import { offerFreshRecord, whyAfresh } from "./health.ts";
import { answered, approval, presentAgain, takeInbox } from "./inbox.ts";
import { completion } from "./judge.ts";
import { earlyBaseline, nextStep, stepOf, type Step } from "./next.ts";
import { itemAt } from "./item.ts";
import { missingFrom } from "./kept.ts";
import { engineActor, withLedger, type Chain } from "./open.ts";
import { isReviewer, triggers } from "./roles.ts";
import { withGenerated } from "./generated.ts";
import { chooseYourself, novelTask } from "./gap.ts";
import { showChange } from "./shown_change.ts";
import { settle, strayed } from "./settle.ts";
import { mayRunEarly, repeatRed, runTests } from "./test_runs.ts";
import { useTool } from "./use.ts";

/** Why a turn of a chain ended. The chain is on disk; another turn may follow in any process. */
export type Ending =
  | { readonly type: "completed"; readonly summary: string }
  /** The task was a question. */
  | { readonly type: "answered"; readonly text: string }
  /** A person keeps the files as they are, whatever was not proved. */
  | { readonly type: "accepted"; readonly reason: string; readonly unproved: readonly string[] }
  | { readonly type: "needs_answers"; readonly questions: readonly AskedQuestion[] }
  | { readonly type: "needs_approval"; readonly presented: PresentedSolution }
  | { readonly type: "needs_permission"; readonly request: Request }
  | {
      readonly type: "parked";
      readonly code: string;
      readonly exit: number;
      readonly message: string;
      readonly next: readonly Next[];
    }
  | { readonly type: "interrupted" }
  /** `until` was reached. */
  | { readonly type: "reached" };

export interface Policy {
  /** Answers known beforehand, by a question's id or its words. */
  readonly answers: Readonly<Record<string, string>>;
  /** Only "auto" approves what nobody has read. */
  readonly approve: "ask" | "auto";
  /** A person is there who can be asked what the engine could also decide. */
  readonly asks?: boolean;
}

/** Runs a chain until it waits for a person, is stopped, or is done. This is all that wakes a chain. */
export async function runTurn(
  chain: Chain,
  deps: Deps,
  policy: Policy,
  signal: AbortSignal,
  until: (chain: Chain) => boolean = () => false,
): Promise<Ending> {
  const work: Work = { chain, deps: { ...deps, library: withGenerated(deps.library, chain) }, signal };
  const goOn = async (): Promise<Ending> => {
    if (chain.isLeft) await interrupted(chain, diedBefore);
    await allowByMode(chain, deps);
    const renewed = renewedRequest(chain.context, deps.workspace.root);
    if (renewed) await chain.append({ by: engineActor, bodies: [event("permission_asked", { request: renewed })] });
    chain.writeView(false);
    for (;;) {
      if (signal.aborted) return { type: "interrupted" };
      await takeInbox(chain, deps.workspace);
      if (until(chain)) return { type: "reached" };
      const next = nextStep(chain.context);
      const early = earlyBaseline(chain.context, next);
      const step = early && (early.type !== "run_tests" || (await mayRunEarly(work))) ? early : next;
      const kept = keepWhole(work, step);
      await kept;
      if (kept) continue;
      const ending = endingOf(step, policy);
      if (ending) return ending;
      await perform(work, step, policy);
      if (step === early && step.type === "run_tests" && chain.context.solution?.standing === "presented")
        await chain.append(withLedger(engineActor, [presentAgain(chain.context, deps.workspace)]));
      if (step.type === "call_model" || step.type === "together")
        for (const passed of (await deps.passedSums?.(chain.context.cost_tracking.estimated_cost)) ?? [])
          await alert(work, passed);
      chain.writeView(false);
    }
  };
  const ending = await goOn().catch((error: unknown) => failed(chain, error));
  if (ending.type === "interrupted") await interrupted(chain, stops[String(signal.reason)] ?? String(signal.reason));
  chain.writeView(true);
  return ending;
}

export const diedBefore = "its process was killed or crashed";
const stops: Readonly<Record<string, string>> = { SIGINT: "Ctrl+C", SIGHUP: "its terminal was closed" };

function interrupted(chain: Chain, why: string): Promise<unknown> {
  return chain.append({ by: engineActor, bodies: [event("interrupted", { why })] });
}

/** A change that waits for a person waits no longer once its user chose a mode that asks for none. */
async function allowByMode(chain: Chain, { permission }: Deps): Promise<void> {
  const { request } = chain.context.engine;
  if (request?.kind !== "change" || leaveToChange(chain.context, request, permission).type !== "given") return;
  const by: Actor = { kind: "policy", name: `permission ${permission.mode}`, door: "cli" };
  await chain.append({ by, bodies: [event("permission_given", { id: request.id, always: false })] });
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
      return endOf(step.state);
    case "parked":
      return step.state;
    case "wait_for_answers":
      return knownAnswers(step, policy).length > 0 ? undefined : { type: "needs_answers", questions: step.questions };
    case "wait_for_approval":
      return policy.approve === "auto" ? undefined : { type: "needs_approval", presented: step.presented };
    case "wait_for_permission":
      return { type: "needs_permission", request: step.request };
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
      return undefined;
  }
}

function endOf({ ending, summary, unproved }: Extract<Step, { type: "done" }>["state"]): Ending {
  switch (ending) {
    case "answered":
      return { type: "answered", text: summary };
    case "accepted":
      return { type: "accepted", reason: summary, unproved };
    case "completed":
      return { type: "completed", summary };
  }
}

/** Carries out one step. The only part of a chain that touches the world. */
async function perform(work: Work, step: Step, policy: Policy): Promise<unknown> {
  const { chain, deps } = work;
  const { item, group, queue } = chain.context.engine;
  const isBetween = !item && group.length === 0 && queue[0]?.name !== triggers.ledger_too_long.prompt;
  if (isBetween && ["queue", "together", "call_model"].includes(step.type) && ledgerIsFull(chain.context, deps))
    return condense(work);
  switch (step.type) {
    case "wait_for_answers": {
      const events = knownAnswers(step, policy).flatMap((one) => answered(chain.context, one, deps.workspace));
      return chain.append(withLedger(answersFile, events));
    }
    case "wait_for_approval":
      return chain.append(
        withLedger(
          autoApproval,
          approval(chain.context, deps.workspace, "Approved unseen, as the approve policy auto says."),
        ),
      );
    case "open_epoch":
      return openEpoch(work, "A new record begins.");
    case "fresh_record":
      if (chain.context.engine.health.offer === "due" && policy.asks)
        return chain.append(withLedger(engineActor, [offerFreshRecord(chain.context)]));
      return openEpoch(work, whyAfresh(chain.context));
    case "alert":
      return alert(work, { usd: step.usd, threshold: step.threshold });
    case "queue": {
      const { why, prompts } = step;
      if (prompts.some(({ name }) => isReviewer(name, chain.context.engine.gates.quality))) await showChange(work);
      return chain.append(withLedger(engineActor, [event("prompts_queued", { why, prompts })]));
    }
    case "complete":
      return chain.append((now) => {
        const events = strayed(now, deps.workspace)?.events ?? completion(now, step.summary);
        return [withLedger(engineActor, events)];
      });
    case "together":
      return together(work, step.keys);
    case "settle":
      return settleAll(work, step.keys);
    case "run_tests":
      return runTests(work, step.key);
    case "ask_about_tests":
      return chain.append(withLedger(engineActor, step.question));
    case "repeat_red":
      return repeatRed(work, step.key);
    case "run_tool":
      return useTool(work, step);
    case "call_model":
      return callModel(work, step);
    case "done":
    case "parked":
    case "wait_for_permission":
      throw new Error(`${step.type} is an ending, not a step.`);
  }
}

async function alert({ chain, deps }: Work, passed: Omit<PassedSum, "of"> & Partial<PassedSum>): Promise<void> {
  const { of = "chain", usd, threshold } = passed;
  await chain.append({ by: engineActor, bodies: [event("cost_alerted", passed)] });
  const { chain_id, goal, workspace } = chain.context;
  const trouble = await deps.alert?.({ alert: of, chain_id, goal, workspace, usd, threshold_usd: threshold });
  if (trouble) deps.progress({ type: "notice", line: trouble });
}

/**
 * Each prompt of a group goes its own way until it has answered. What they report is taken in once all have, by
 * `settleAll`: so each sees the context as it was when they were chosen. They begin with the same text, which the
 * provider's cache can give back once the first reply begins: the others wait for that, so that it is paid for once.
 */
async function together(work: Work, keys: readonly string[]): Promise<void> {
  const { chain, signal } = work;
  const deferred = new Map<string, Deferred>();
  const member: Work = { ...work, defer: (key, why) => deferred.set(key, why) };
  const isWarm = Promise.withResolvers<void>();
  const first: Work = { ...member, replyBegan: isWarm.resolve };
  const goOn = async (key: string, by: Work): Promise<void> => {
    for (;;) {
      const step = stepOf(chain.context, key);
      if (!step || signal.aborted || chain.context.state.type !== "running" || deferred.has(key)) return;
      if (step.type === "run_tool") await useTool(by, step);
      else if (step.type === "call_model") await callModel(by, step);
      else throw new Error(`${key} cannot ${step.type} beside others.`);
    }
  };
  const ended = await Promise.allSettled(
    keys.map(async (key, place) => {
      if (place === 0) return goOn(key, first).finally(isWarm.resolve);
      await isWarm.promise;
      return goOn(key, member);
    }),
  );
  const failure = ended.find((end) => end.status === "rejected");
  if (failure) throw failure.reason;
  const whys = [...deferred.values()];
  if (whys.includes("context_full")) await openEpoch(work, contextFull);
  else if (whys.includes("other_engine")) await openEpoch(work, otherEngine);
}

/** In the order in which they were named; one whose report cannot be used is asked again before the rest. */
async function settleAll(work: Work, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await settle(work, key);
    if (itemAt(work.chain.context, key)) return;
  }
}

/**
 * Before a person judges a solution, and before it is built: tells what the ledger lacks, and condenses a record that
 * fills half of the window. Undefined: there is nothing to do.
 */
function keepWhole(work: Work, { type }: Step): Promise<unknown> | undefined {
  const { context } = work.chain;
  const { engine, current_phase: phase, phase_history: visits } = context;
  const isFree = (type === "queue" || type === "call_model") && !engine.item && engine.queue.length === 0;
  const isFirst = isFree && phase === "implementation" && visits.at(-1)?.prompts_executed.length === 0;
  if (!isFirst && type !== "wait_for_approval") return undefined;
  const missing = missingFrom(context);
  if (missing.length === 0) return ledgerIsFull(context, work.deps, 0.5) ? condense(work) : undefined;
  const text = `## Kept by the engine\n${missing.join("\n")}`;
  return work.chain.append({ by: engineActor, bodies: [event("ledger_extended", { text })] });
}

/** First a prompt writes down what the engine's own digest would lose; its report is carried over word for word. */
function condense(work: Work): Promise<unknown> {
  const { chain } = work;
  const { prompts_executed: done, engine } = chain.context;
  if (done.at(-1) === triggers.ledger_too_long.prompt) {
    return openEpoch(work, "The record had grown too long.", engine.ledger.at(-1)?.text);
  }
  const { why, prompts } = engineCall(chain.context, triggers.ledger_too_long);
  return chain.append(withLedger(engineActor, [event("prompts_queued", { why, prompts })]));
}

function knownAnswers({ questions }: Extract<Step, { type: "wait_for_answers" }>, { answers, approve }: Policy) {
  const known = new Map(Object.entries(answers));
  return questions.flatMap(({ id, question }) => {
    const unseen = approve === "auto" && id === novelTask ? chooseYourself : undefined;
    const answer = known.get(id) ?? known.get(question) ?? unseen;
    return answer === undefined ? [] : [{ id, answer }];
  });
}

const answersFile: Actor = { kind: "policy", name: "the answers file", door: "cli" };
const autoApproval: Actor = { kind: "policy", name: "the approve policy auto", door: "cli" };
