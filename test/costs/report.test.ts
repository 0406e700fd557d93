import { expect, test } from "vitest";
import type { Costs } from "../../src/costs/books.ts";
import { chainCost } from "../../src/costs/report.ts";

const nothing: Costs = {
  tokens_used: 0,
  estimated_cost: 0,
  unpriced_calls: 0,
  unknown_calls: 0,
  unknown_cost: 0,
  unknown_tokens: 0,
  lost_calls: [],
  by_phase: {},
  by_prompt: {},
  by_kind: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
};

test("a chain's cost is told in all, by phase, by kind, and by prompt with the dearest first", () => {
  const books: Costs = {
    tokens_used: 12_450,
    estimated_cost: 0.4,
    unpriced_calls: 0,
    unknown_calls: 1,
    unknown_cost: 0.05,
    unknown_tokens: 900,
    lost_calls: [],
    by_phase: { requirements: 0.1, context_building: 0.3 },
    by_prompt: {
      stack_detector: { calls: 1, tokens: 50, usd: 0 },
      alpha: { calls: 2, tokens: 400, usd: 0.1 },
      component_mapper: { calls: 1, tokens: 9_000, usd: 0.2 },
      beta: { calls: 1, tokens: 3_000, usd: 0.1 },
      aleph: { calls: 1, tokens: 50, usd: 0 },
    },
    by_kind: { input: 1, output: 2, cache_read: 3, cache_write: 4 },
  };
  expect(chainCost(books)).toEqual({
    tokens: 12_450,
    usd: 0.4,
    calls: 6,
    usd_per_call: 0.4 / 6,
    complete: true,
    unpriced_calls: 0,
    notional_usd: 0,
    unknown_calls: 1,
    unknown_usd: 0.05,
    unknown_tokens: 900,
    lost_calls: [],
    by_phase: { requirements: 0.1, context_building: 0.3 },
    by_prompt: [
      { name: "component_mapper", calls: 1, tokens: 9_000, usd: 0.2, share: 0.5 },
      { name: "beta", calls: 1, tokens: 3_000, usd: 0.1, share: 0.25 },
      { name: "alpha", calls: 2, tokens: 400, usd: 0.1, share: 0.25 },
      { name: "aleph", calls: 1, tokens: 50, usd: 0, share: 0 },
      { name: "stack_detector", calls: 1, tokens: 50, usd: 0, share: 0 },
    ],
    by_kind: { input: 1, output: 2, cache_read: 3, cache_write: 4 },
  });
});

test("a chain that has asked nobody costs nothing, and one with unpriced calls is said to be incomplete", () => {
  const { usd, calls, usd_per_call, complete, by_prompt } = chainCost(nothing);
  expect({ usd, calls, usd_per_call, complete, by_prompt }).toEqual({
    usd: 0,
    calls: 0,
    usd_per_call: 0,
    complete: true,
    by_prompt: [],
  });
  expect(chainCost({ ...nothing, unpriced_calls: 2 })).toMatchObject({ complete: false, unpriced_calls: 2 });
});
