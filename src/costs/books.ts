import { z } from "zod";
import type { Attempt, Usage } from "../models/types.ts";

export const noUsage: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };

/** All attempts of a call in one booking: what a provider reported is paid for, also where the answer was lost. */
export function bookAttempts(
  attempts: readonly Attempt[],
  price: (model: string, usage: Usage) => number | undefined,
): { usage: Usage; usd: number | null } {
  let usage = noUsage;
  let usd: number | null = 0;
  for (const attempt of attempts) {
    if (!attempt.usage) continue;
    usage = addUsage(usage, attempt.usage);
    const paid = price(attempt.model, attempt.usage);
    usd = paid === undefined || usd === null ? null : usd + paid;
  }
  return { usage, usd };
}

function addUsage(a: Usage, b: Usage): Usage {
  return {
    input: a.input + b.input,
    output: a.output + b.output,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
  };
}

export function tokensOf({ input, output, cacheRead, cacheWrite5m, cacheWrite1h }: Usage): number {
  return input + output + cacheRead + cacheWrite5m + cacheWrite1h;
}

const amount = z.number();
const amounts = z.record(z.string(), amount).readonly();

/** What lost calls of one booking are expected to have cost, which is booked, and what they can have cost at most. */
const lostSchema = z.object({
  calls: amount,
  usd: amount.nullable(),
  most_usd: amount.nullable(),
  tokens: amount,
  most_tokens: amount,
  /** The chain was completed since, so a budget reserves no more than what is booked. */
  released: z.exactOptional(z.literal(true)),
});
export type Lost = Readonly<z.infer<typeof lostSchema>>;

export const costsSchema = z.object({
  tokens_used: amount,
  estimated_cost: amount,
  /** Calls whose price is not known: what they cost is not in `estimated_cost`. */
  unpriced_calls: amount,
  /** The part of `estimated_cost` that a subscription may not bill. */
  notional_cost: z.exactOptional(amount),
  by_phase: amounts,
  by_prompt: z.record(z.string(), z.object({ calls: amount, tokens: amount, usd: amount })).readonly(),
  by_kind: z.object({ input: amount, output: amount, cache_read: amount, cache_write: amount }),
  /** Calls that were sent and whose answer was lost: counted at what was expected of them. */
  unknown_calls: amount,
  unknown_cost: amount,
  /** What was expected of them in tokens; not in `tokens_used`, and spent as far as a budget goes. */
  unknown_tokens: amount,
  /** Those of them whose real cost no person has entered yet. */
  lost_calls: z
    .array(lostSchema.extend({ phase: z.string(), prompt: z.string(), key: z.exactOptional(z.string()) }))
    .readonly(),
});
export type Costs = Readonly<z.infer<typeof costsSchema>>;

/** One call, as it was booked: `usd` null where the model's price is not known. */
export interface Booking {
  readonly phase: string;
  readonly prompt: string;
  readonly model: string;
  readonly usage: Usage;
  readonly usd: number | null;
  /** It was calculated, and a subscription may not bill it. */
  readonly notional?: true;
  /** Calls or attempts of which nobody knows what they cost; `usd` contains what was expected of them. */
  readonly lost?: Lost;
}

/** What a budget counts as spent: what is booked, and what lost calls may have cost beyond that. */
export function spent({ estimated_cost, tokens_used, unknown_tokens, lost_calls }: Costs) {
  const open = lost_calls.filter(({ released }) => !released);
  const more = (of: (lost: Lost) => number) => open.reduce((sum, lost) => sum + of(lost), 0);
  const reserved = more(({ usd, most_usd }) => (most_usd ?? 0) - (usd ?? 0));
  const tokens = tokens_used + unknown_tokens + more(({ tokens, most_tokens }) => most_tokens - tokens);
  return { usd: estimated_cost + reserved, tokens, reserved };
}

export function releaseLost(costs: Costs): Costs {
  return { ...costs, lost_calls: costs.lost_calls.map((lost) => ({ ...lost, released: true })) };
}

/** How much more each lost call cost than was booked for it, once a person says what all of them cost together. */
export function lostShares({ lost_calls: lost }: Costs, usd: number) {
  const expected = lost.reduce((sum, call) => sum + (call.usd ?? 0), 0);
  return lost.map((call) => {
    const share = expected > 0 ? (call.usd ?? 0) / expected : 1 / lost.length;
    return { ...call, difference: usd * share - (call.usd ?? 0) };
  });
}

/** The real cost of all lost calls together takes the place of what was expected of each. */
export function settleLost(costs: Costs, usd: number): Costs {
  const settled = lostShares(costs, usd).reduce((books, { phase, prompt, usd: booked, calls, difference }) => {
    const before = books.by_prompt[prompt] ?? { calls, tokens: 0, usd: 0 };
    return {
      ...books,
      estimated_cost: books.estimated_cost + difference,
      unpriced_calls: books.unpriced_calls - (booked === null ? 1 : 0),
      by_phase: { ...books.by_phase, [phase]: (books.by_phase[phase] ?? 0) + difference },
      by_prompt: { ...books.by_prompt, [prompt]: { ...before, usd: before.usd + difference } },
      unknown_calls: books.unknown_calls - calls,
      unknown_cost: books.unknown_cost - (booked ?? 0),
    };
  }, costs);
  return { ...settled, lost_calls: [] };
}

/** `key` names the call, so that a cost can be entered for exactly the calls that are lost. */
export function addBooking(costs: Costs, booking: Booking & { readonly key?: string }): Costs {
  const { phase, prompt, key, usage, usd, notional, lost } = booking;
  const writes = usage.cacheWrite5m + usage.cacheWrite1h;
  const tokens = tokensOf(usage);
  const paid = usd ?? 0;
  const spent = (Object.hasOwn(costs.by_prompt, prompt) && costs.by_prompt[prompt]) || { calls: 0, tokens: 0, usd: 0 };
  const { by_kind: kinds } = costs;
  const calculated = (costs.notional_cost ?? 0) + (notional ? paid : 0);
  return {
    ...(calculated > 0 ? { notional_cost: calculated } : {}),
    tokens_used: costs.tokens_used + tokens,
    estimated_cost: costs.estimated_cost + paid,
    unpriced_calls: costs.unpriced_calls + (usd === null ? 1 : 0),
    by_phase: { ...costs.by_phase, [phase]: (costs.by_phase[phase] ?? 0) + paid },
    by_prompt: {
      ...costs.by_prompt,
      [prompt]: { calls: spent.calls + 1, tokens: spent.tokens + tokens, usd: spent.usd + paid },
    },
    by_kind: {
      input: kinds.input + usage.input,
      output: kinds.output + usage.output,
      cache_read: kinds.cache_read + usage.cacheRead,
      cache_write: kinds.cache_write + writes,
    },
    unknown_calls: costs.unknown_calls + (lost?.calls ?? 0),
    unknown_cost: costs.unknown_cost + (lost?.usd ?? 0),
    unknown_tokens: costs.unknown_tokens + (lost?.tokens ?? 0),
    lost_calls: lost
      ? [...costs.lost_calls, { phase, prompt, ...(key === undefined ? {} : { key }), ...lost }]
      : costs.lost_calls,
  };
}

/** The seed's name of a phase in the books. */
export function phaseKey(phase: string): string {
  return phase === "requirements-clarification" ? "requirements" : phase.replaceAll("-", "_");
}
