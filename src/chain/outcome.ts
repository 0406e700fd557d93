import { exitCodes } from "../util/errors.ts";
import type { Next } from "../util/next.ts";
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
export async function takeIn(work: Work, call: Call, outcome: Outcome): Promise<unknown> {
  const { chain, deps } = work;
  const { context } = chain;
  const { engine } = context;
  const item = itemAt(context, call.key) ?? null;
  const price = (model: string, usage: Usage) => priceOf(model, deps.world.now(), usage, deps.prices);
  const problem = outcome.type === "replied" ? whyUnusable(outcome) : undefined;
  const notional = deps.model.notional ? { notional: true as const } : {};
  const booked = { ...bookingOf(context, call), ...bookAttempts(outcome.attempts, price), ...notional };
  const { key, turn } = call;
  const result: Result = {
    type: "result",
    effect: "model",
    key,
    turn,
    outcome: await stored(outcome, problem, work),
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
    case "cut": {
      const { max_tokens: cutAt } = call.request;
      const advice =
        cutAt < deps.maxTokens ? "There is more room now." : "Be briefer; write a long file in several edits.";
      return then(...reject(item, call.key, [`It was cut off at the limit of its length. ${advice}`], cutAt));
    }
    case "paused":
      return then(...reject(item, call.key, ["You paused. Go on and answer."]));
    case "context_exceeded":
      if (engine.ledger.length === 1 && item?.turns.length === 0) return then(tooLarge);
      await chain.append(first);
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
async function stored(outcome: Outcome, problem: string | undefined, { chain }: Work): Promise<StoredOutcome> {
  if (problem !== undefined) return { type: "failed", reason: "unusable_reply", message: problem };
  if (outcome.type !== "replied") {
    const reason = "reason" in outcome ? { reason: outcome.reason } : {};
    return { type: outcome.type, ...reason, ...("message" in outcome ? { message: outcome.message } : {}) };
  }
  const { stop, content } = outcome;
  const kept = await beside(JSON.stringify(content), chain.blobs.put);
  const calls = content.flatMap((block) => (block.type === "tool_use" ? [{ id: block.id, tool: block.name }] : []));
  return { type: "replied", stop, content: "blob" in kept ? kept : content, calls };
}

const otherModel = (why: string): Next => ({ operation: "resume", input: { model: "<model>" }, why });

const tooLarge = park(
  "context_exceeded",
  exitCodes.failed,
  "Even a fresh start of the context does not fit into the model's window.",
  otherModel("Everything is kept. Use a model with a larger window"),
);

function refusal(reason: string): ChainEvent {
  const why = "Everything before is kept. Say what it should know";
  const next = [{ operation: "ask", input: { question: "…" }, why }, otherModel("Or use another model")];
  return park("refused", exitCodes.failed, `The model refused this step${reason ? ` (${reason})` : ""}.`, next);
}

function failure({ reason, message, attempts }: Extract<Outcome, { type: "failed" }>): ChainEvent {
  const unpaid = attempts.length === 0 ? ", and nothing is paid twice" : "";
  const kept = `Everything before is kept${unpaid}. Go on`;
  const goOn = (first = ""): Next => ({ operation: "resume", why: first + kept });
  const stop = (exit: number, what: string, next: Next) => park(reason, exit, `${what}: ${message}`, next);
  const { notConfigured, budget, failed } = exitCodes;
  switch (reason) {
    case "authentication":
    case "permission":
      return stop(notConfigured, "The provider does not accept the key", goOn("Set a valid ANTHROPIC_API_KEY. "));
    case "spend_limit":
      return stop(budget, "The provider's spend limit is reached", goOn("Raise it with the provider. "));
    case "unknown_model":
      return stop(notConfigured, "The provider does not know this model", otherModel("Name another"));
    case "invalid_request":
      return stop(
        failed,
        "The provider rejected the request",
        otherModel("Everything before is kept. Try another model"),
      );
    case "not_recorded":
      return park(reason, failed, message, [
        { why: "A recording only knows the way it was recorded." },
        {
          operation: "resume",
          input: { replay: null },
          why: "For a real run set ANTHROPIC_API_KEY and go on without it",
        },
      ]);
    case "rate_limited":
    case "overloaded":
    case "server_error":
    case "network":
    case "stalled":
    case "bad_stream":
      return stop(failed, "The model could not be reached", goOn());
  }
}
