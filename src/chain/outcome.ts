import { exitCodes } from "../util/errors.ts";
import { bookAttempts } from "../costs/books.ts";
import { priceOf } from "../models/prices.ts";
import type { Outcome, Usage } from "../models/types.ts";
import type { Work } from "./deps.ts";
import { contextFull, openEpoch } from "./epoch.ts";
import { park, type ChainEvent, type Intent, type Result, type StoredOutcome } from "./events.ts";
import { itemAt } from "./item.ts";
import { reject } from "./judge.ts";
import { bookingOf, withLost } from "./lost.ts";
import { engineActor } from "./open.ts";
import { beside } from "./texts.ts";
import { settle } from "./settle.ts";
import { whyUnusable } from "./transcript.ts";

type Call = Extract<Intent, { effect: "model" }>;

/** What a call brought, and what follows from it, in one write. */
export async function takeIn(work: Work, call: Call, outcome: Outcome): Promise<void> {
  const { chain, deps } = work;
  const { context } = chain;
  const { engine } = context;
  const item = itemAt(context, call.key) ?? null;
  const price = (model: string, usage: Usage) => priceOf(model, deps.world.now(), usage, deps.prices);
  const problem = outcome.type === "replied" ? whyUnusable(outcome) : undefined;
  const booked = { ...bookingOf(context, call), ...bookAttempts(outcome.attempts, price) };
  const { key, turn } = call;
  const result: Result = {
    type: "result",
    effect: "model",
    key,
    turn,
    outcome: stored(outcome, problem, work),
    booked: withLost(booked, call, lostAttempts(outcome)),
  };
  const first = { by: { kind: "model" as const, name: call.request.model, door: deps.model.name }, bodies: [result] };
  const then = (...bodies: ChainEvent[]) => chain.append(first, { by: engineActor, bodies });
  if (problem !== undefined) return then(...reject(item, call.key, [problem]));
  switch (outcome.type) {
    case "replied":
      return outcome.stop === "tool_use" ? chain.append(first) : settle(work, call.key, outcome.content, first);
    case "cancelled":
      return chain.append(first);
    case "cut":
      return then(
        ...reject(item, call.key, [
          "It was cut off at the limit of its length. Be briefer; write a long file in several edits.",
        ]),
      );
    case "paused":
      return then(...reject(item, call.key, ["You paused. Go on and answer."]));
    case "context_exceeded":
      if (engine.ledger.length === 1 && item?.turns.length === 0) return then(tooLarge);
      chain.append(first);
      return work.defer ? work.defer(call.key, "context_full") : openEpoch(work, contextFull);
    case "refused":
      return then(refusal(outcome.reason));
    case "failed":
      return then(failure(outcome));
  }
}

/** Attempts that may have been paid for and broke off before the provider said what they used. */
function lostAttempts({ type, attempts }: Outcome): number {
  const brokeOff = type === "failed" || type === "cancelled" ? attempts : attempts.slice(0, -1);
  return brokeOff.filter(({ usage }) => !usage).length;
}

/** A reply with a problem is not kept: it must not become part of a later request. */
function stored(outcome: Outcome, problem: string | undefined, { chain }: Work): StoredOutcome {
  if (problem !== undefined) return { type: "failed", reason: "unusable_reply", message: problem };
  if (outcome.type !== "replied") {
    const reason = "reason" in outcome ? { reason: outcome.reason } : {};
    return { type: outcome.type, ...reason, ...("message" in outcome ? { message: outcome.message } : {}) };
  }
  const { stop, content } = outcome;
  const kept = beside(JSON.stringify(content), chain.blobs.put);
  const calls = content.flatMap((block) => (block.type === "tool_use" ? [{ id: block.id, tool: block.name }] : []));
  return { type: "replied", stop, content: "blob" in kept ? kept : content, calls };
}

const otherModel = "claude-exec resume {id} --model <model>";

const tooLarge = park(
  "context_exceeded",
  exitCodes.failed,
  "Even a fresh start of the context does not fit into the model's window.",
  `Everything is kept. Use a model with a larger window: ${otherModel}`,
);

function refusal(reason: string): ChainEvent {
  const hint = `Everything before is kept. Say what it should know (claude-exec ask {id} "…") or use another model: ${otherModel}`;
  return park("refused", exitCodes.failed, `The model refused this step${reason ? ` (${reason})` : ""}.`, hint);
}

function failure({ reason, message, attempts }: Extract<Outcome, { type: "failed" }>): ChainEvent {
  const unpaid = attempts.length === 0 ? ", and nothing is paid twice" : "";
  const again = `Everything before is kept${unpaid}. Go on: claude-exec resume {id}`;
  switch (reason) {
    case "authentication":
    case "permission":
      return park(
        reason,
        exitCodes.notConfigured,
        `The provider does not accept the key: ${message}`,
        `Set a valid ANTHROPIC_API_KEY. ${again}`,
      );
    case "spend_limit":
      return park(
        reason,
        exitCodes.budget,
        `The provider's spend limit is reached: ${message}`,
        `Raise it with the provider. ${again}`,
      );
    case "unknown_model":
      return park(
        reason,
        exitCodes.notConfigured,
        `The provider does not know this model: ${message}`,
        `Name another: ${otherModel}`,
      );
    case "invalid_request":
      return park(
        reason,
        exitCodes.failed,
        `The provider rejected the request: ${message}`,
        `Everything before is kept. Try another model: ${otherModel}`,
      );
    case "not_recorded":
      return park(
        reason,
        exitCodes.failed,
        message,
        "A recording only knows the way it was recorded. For a real run set ANTHROPIC_API_KEY and resume the chain without --replay.",
      );
    case "rate_limited":
    case "overloaded":
    case "server_error":
    case "network":
    case "stalled":
    case "bad_stream":
      return park(reason, exitCodes.failed, `The model could not be reached: ${message}`, again);
  }
}
