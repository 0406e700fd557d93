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

export interface Costs {
  readonly tokens_used: number;
  readonly estimated_cost: number;
  /** Calls whose price is not known: what they cost is not in `estimated_cost`. */
  readonly unpriced_calls: number;
  readonly by_phase: Readonly<Record<string, number>>;
  readonly by_prompt: Readonly<
    Record<string, { readonly calls: number; readonly tokens: number; readonly usd: number }>
  >;
  readonly by_kind: {
    readonly input: number;
    readonly output: number;
    readonly cache_read: number;
    readonly cache_write: number;
  };
  /** Calls that were sent and whose answer was lost in a crash: counted at what was reserved for them. */
  readonly unknown_calls: number;
  readonly unknown_cost: number;
  /** What was reserved for them in tokens; not in `tokens_used`, and spent as far as a budget goes. */
  readonly unknown_tokens: number;
}

/** One call, as it was booked: `usd` null where the model's price is not known. */
export interface Booking {
  readonly phase: string;
  readonly prompt: string;
  readonly model: string;
  readonly usage: Usage;
  readonly usd: number | null;
  /** True where a call was sent and nobody knows what became of it. */
  readonly unknown?: boolean;
}

/** What a budget in tokens counts as spent. */
export function spentTokens({ tokens_used, unknown_tokens }: Costs): number {
  return tokens_used + unknown_tokens;
}

export function addBooking(costs: Costs, { phase, prompt, usage: booked, usd, unknown }: Booking): Costs {
  const usage = unknown ? noUsage : booked;
  const writes = usage.cacheWrite5m + usage.cacheWrite1h;
  const tokens = tokensOf(usage);
  const paid = usd ?? 0;
  const spent = (Object.hasOwn(costs.by_prompt, prompt) && costs.by_prompt[prompt]) || { calls: 0, tokens: 0, usd: 0 };
  const { by_kind: kinds } = costs;
  return {
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
    unknown_calls: costs.unknown_calls + (unknown ? 1 : 0),
    unknown_cost: costs.unknown_cost + (unknown ? paid : 0),
    unknown_tokens: costs.unknown_tokens + (unknown ? tokensOf(booked) : 0),
  };
}

/** The seed's name of a phase in the books. */
export function phaseKey(phase: string): string {
  return phase === "requirements-clarification" ? "requirements" : phase.replaceAll("-", "_");
}
