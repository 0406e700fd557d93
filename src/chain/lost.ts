import { noUsage, phaseKey, type Booking, type Lost } from "../costs/books.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import type { Context } from "./context.ts";
import type { Intent, Result } from "./events.ts";

type Call = Extract<Intent, { effect: "model" }>;

/** A call whose fate a crash left unknown. It may have been paid, so it is booked at what was expected of it. */
export function lostCall(context: Context, call: Call): Result {
  const { key, turn } = call;
  const message = "The process ended while this call was in the air.";
  const booked = { ...bookingOf(context, call), usage: noUsage, usd: 0 };
  const outcome = { type: "failed", reason: "unknown", message } as const;
  return { type: "result", effect: "model", key, turn, outcome, booked: withLost(booked, call, 1) };
}

export function bookingOf(context: Context, { prompt, request }: Call) {
  return { phase: phaseKey(context.current_phase), prompt: prompt.name, model: request.model };
}

/** The same booking, with so many attempts of which the provider did not say what they cost. */
export function withLost(booking: Booking, { reserved, expected }: Call, calls: number): Booking {
  if (calls === 0) return booking;
  const times = (usd: number | null) => (usd === null ? null : usd * calls);
  const lost: Lost = {
    calls,
    usd: times(expected.usd),
    most_usd: times(reserved.usd),
    tokens: expected.tokens * calls,
    most_tokens: reserved.tokens * calls,
  };
  return { ...booking, usd: booking.usd === null || lost.usd === null ? null : booking.usd + lost.usd, lost };
}

/** Why this cannot be what the lost calls of a chain really cost; undefined: it can. */
export function lostCostObjection(
  { chain_id: id, cost_tracking: costs }: Context,
  { usd, calls }: { readonly usd: number; readonly calls?: readonly string[] | undefined },
): UserError | undefined {
  const { lost_calls: lost } = costs;
  const costOf = (why: string, more = {}) => ({ operation: "chain-cost", input: { chain: id, ...more }, why });
  if (lost.length === 0) {
    const message = `Chain ${id} has no lost call whose cost is open. Nothing was changed.`;
    return new UserError("nothing_lost", message, costOf("See what it cost"), exitCodes.conflict);
  }
  if (calls !== undefined && calls.join("\n") !== lostKeys(costs).join("\n")) {
    const message = `Other calls of chain ${id} are lost now than those whose cost was entered. Nothing was changed.`;
    return new UserError("other_lost", message, costOf("Look again"), exitCodes.conflict);
  }
  // A lost call may have been sent several times before it was lost.
  const most = lost.reduce((sum, { most_usd }) => sum + (most_usd ?? Number.POSITIVE_INFINITY), 0) * attemptsAtMost;
  if (usd <= most) return undefined;
  const message = `The lost calls of chain ${id} cannot have cost $${usd}, but $${most.toFixed(2)} at most. Nothing was changed.`;
  const next = costOf("Enter what the provider charged for all of them together", { lost: "0.07" });
  return new UserError("lost_too_much", message, next, exitCodes.usage);
}

export function lostKeys({ lost_calls }: Context["cost_tracking"]): string[] {
  return lost_calls.map(({ key, prompt }) => key ?? prompt);
}

const attemptsAtMost = 6;
