import { expect, test } from "vitest";
import { budgetLeft } from "../../src/chain/afford.ts";
import type { Limits } from "../../src/chain/events.ts";
import { after, inEngine, limits } from "./lines.ts";

test("what is left is told in money, tokens and calls, whichever are limited, and never below nothing", () => {
  const left = (change: Partial<Limits>, spent: { usd: number; tokens: number; turns: number }) => {
    const context = inEngine(after(), { limits: { ...limits, ...change }, turns: spent.turns });
    const { usd, tokens } = spent;
    return budgetLeft({
      ...context,
      cost_tracking: { ...context.cost_tracking, estimated_cost: usd, tokens_used: tokens },
    });
  };
  expect([
    left({}, { usd: 2.34, tokens: 10, turns: 3 }),
    left({ budget_tokens: 1000 }, { usd: 0, tokens: 10, turns: 0 }),
    left({ budget_usd: null }, { usd: 5, tokens: 10, turns: 99 }),
    left({ budget_usd: 1, budget_tokens: 5 }, { usd: 2, tokens: 10, turns: 101 }),
  ]).toEqual([
    "$7.66 of $10.00, 97 calls",
    "$10.00 of $10.00, 990 of 1000 tokens, 100 calls",
    "1 calls",
    "$0.00 of $1.00, 0 of 5 tokens, 0 calls",
  ]);
});
