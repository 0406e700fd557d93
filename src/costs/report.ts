import type { Costs } from "./books.ts";

/** What a chain cost: in all, by phase, by prompt with the dearest first, and by kind of token. */
export function chainCost(books: Costs) {
  const prompts = Object.entries(books.by_prompt)
    .map(([name, cost]) => ({ name, ...cost, share: books.estimated_cost > 0 ? cost.usd / books.estimated_cost : 0 }))
    .sort((a, b) => b.usd - a.usd || b.tokens - a.tokens || (a.name < b.name ? -1 : 1));
  const calls = prompts.reduce((sum, prompt) => sum + prompt.calls, 0);
  return {
    tokens: books.tokens_used,
    usd: books.estimated_cost,
    calls,
    /** What was taken over from another tool's books belongs to no call. */
    usd_per_call: calls > 0 ? prompts.reduce((sum, prompt) => sum + prompt.usd, 0) / calls : 0,
    /** Null: some calls have no known price, so the sum is less than what was paid. */
    complete: books.unpriced_calls === 0,
    unpriced_calls: books.unpriced_calls,
    notional_usd: books.notional_cost ?? 0,
    unknown_calls: books.unknown_calls,
    unknown_usd: books.unknown_cost,
    unknown_tokens: books.unknown_tokens,
    lost_calls: [...books.lost_calls],
    by_phase: { ...books.by_phase },
    by_prompt: prompts,
    by_kind: { ...books.by_kind },
  };
}
