/** What is left of the limits, and what the next call could take at most. */
export interface Reservation {
  readonly budgetUsd: number | null;
  readonly budgetTokens: number | null;
  readonly spentUsd: number;
  readonly spentTokens: number;
  readonly inputTokens: number;
  readonly maxTokens: number;
  /** How far `maxTokens` may shrink to fit. */
  readonly leastTokens: number;
  /** The dearest a call can be; undefined where the model has no known price. */
  readonly worstCase: (inputTokens: number, maxTokens: number) => number | undefined;
}

export type Reserved =
  | { readonly ok: true; readonly maxTokens: number; readonly usd: number | null; readonly tokens: number }
  | {
      readonly ok: false;
      readonly why: "price_unknown" | "money" | "tokens";
      readonly needs: number;
      readonly left: number;
    };

/** Below this an answer is too likely to be cut, if nobody knows how long such answers are. */
export const leastMaxTokens = 8_000;

/** Reserves a call before it is made: its answer may shrink to fit, but rather than pay for half a reply the chain stops. */
export function reserve(call: Reservation): Reserved {
  const { budgetUsd, budgetTokens, inputTokens, leastTokens } = call;
  let maxTokens = call.maxTokens;
  if (budgetTokens !== null) {
    const left = budgetTokens - call.spentTokens;
    maxTokens = Math.min(maxTokens, left - inputTokens);
    if (maxTokens < leastTokens)
      return { ok: false, why: "tokens", needs: inputTokens + leastTokens, left: Math.max(0, left) };
  }
  const usd = call.worstCase(inputTokens, maxTokens);
  if (budgetUsd === null) return { ok: true, maxTokens, usd: usd ?? null, tokens: inputTokens + maxTokens };
  if (usd === undefined) return { ok: false, why: "price_unknown", needs: 0, left: 0 };
  const left = budgetUsd - call.spentUsd;
  const none = call.worstCase(inputTokens, 0) ?? 0;
  const perToken = (usd - none) / maxTokens;
  const affordable = Math.min(maxTokens, Math.floor((left - none) / perToken + 1e-6));
  if (!(affordable >= leastTokens))
    return { ok: false, why: "money", needs: none + leastTokens * perToken, left: Math.max(0, left) };
  return { ok: true, maxTokens: affordable, usd: none + affordable * perToken, tokens: inputTokens + affordable };
}
