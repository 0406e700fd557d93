import { expect, test } from "vitest";
import { budgetLeft, mayRetry, outOfBudget, roomFor } from "../../src/chain/afford.ts";
import type { Limits } from "../../src/chain/events.ts";
import type { Attempt } from "../../src/models/types.ts";
import { realWorld } from "../../src/util/world.ts";
import { after, inEngine, limits } from "./lines.ts";

function spending(usd: number, tokens: number, change: Partial<Limits>) {
  const context = inEngine(after(), { limits: { ...limits, ...change } });
  return { ...context, cost_tracking: { ...context.cost_tracking, estimated_cost: usd, tokens_used: tokens } };
}

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

/** Each costs $0.25 and 50,000 tokens. */
const paid: Attempt = {
  model: "known",
  usage: { input: 10_000, output: 10_000, cacheRead: 10_000, cacheWrite5m: 10_000, cacheWrite1h: 10_000 },
  requestId: undefined,
  ms: 1,
};
const unknown: Attempt = { ...paid, usage: undefined };
const each = { input: 5, output: 5, cache_read: 5, cache_write_5m: 5, cache_write_1h: 5 };
const deps = { world: realWorld({}), prices: { known: { prices: [each] as [typeof each] } } };

test.for([
  ["what was paid and one more reservation fit to the cent", { budget_usd: 3.25 }, [paid], true],
  ["they are a cent too much", { budget_usd: 3.24 }, [paid], false],
  ["every attempt counts", { budget_usd: 3.25 }, [paid, paid], false],
  ["one that nobody knows the cost of counts as a reservation", { budget_usd: 4 }, [unknown], true],
  ["and is too much where that is", { budget_usd: 3.99 }, [unknown], false],
  ["the tokens fit to the last", { budget_tokens: 250_000 }, [paid], true],
  ["a token is too much", { budget_tokens: 249_999 }, [paid], false],
  ["tokens that nobody knows count as a reservation", { budget_tokens: 300_000 }, [unknown], true],
  ["and are too many where those are", { budget_tokens: 299_999 }, [unknown], false],
  ["without limits nothing is too much", {}, [paid, unknown, paid], true],
  ["a price nobody knows cannot keep a budget", { budget_usd: 100 }, [{ ...paid, model: "strange" }], false],
  ["and need not without one", {}, [{ ...paid, model: "strange" }], true],
] as const)("a call is sent again only within the limits: %s", ([, change, attempts, allowed]) => {
  const context = spending(2, 100_000, { budget_usd: null, budget_tokens: null, ...change });
  const reserved = { ok: true, maxTokens: 1, usd: 1, tokens: 100_000 } as const;
  expect(mayRetry(() => context, "k", reserved, deps)(attempts)).toBe(allowed);
});

test.for([
  ["spent beyond the budget", 0.25, 0.01, 0.21, 0, "0.46"],
  ["twice the budget is more", 0.25, 0.3, 0.21, 0.05, "0.60"],
  ["never a fraction of a cent too little", 0.251, 0.01, 0.21, 0, "0.47"],
] as const)(
  "the budget that is named covers what is spent and what is needed: %s",
  ([, usd, budget, needs, left, named]) => {
    const parked = outOfBudget(
      spending(usd, 0, { budget_usd: budget }),
      { ok: false, why: "money", needs, left },
      "known",
    );
    expect(parked).toMatchObject({
      code: "budget",
      next: [{ operation: "resume", input: { budget_usd: named }, why: "Everything is kept. Go on with more" }],
    });
  },
);

test("so does a budget in tokens", () => {
  const refused = { ok: false, why: "tokens", needs: 20_000, left: 0 } as const;
  expect(outOfBudget(spending(0, 90_000, { budget_tokens: 1_000 }), refused, "known")).toMatchObject({
    next: [{ operation: "resume", input: { budget_tokens: "110000" }, why: "Everything is kept. Go on with more" }],
  });
});

test("a reply gets the room that such replies need, and more after it was cut off", () => {
  const used = (outputs: Record<string, readonly number[]>) => inEngine(after(), { outputs });
  const room = (outputs: Record<string, readonly number[]>, tools: "read" | "edit" = "read", cut_at?: number) =>
    roomFor(used(outputs), { prompt: "p", ...(cut_at === undefined ? {} : { cut_at }) }, tools, 32_000);
  expect(room({})).toEqual({ wanted: 16_000, least: 8_000 });
  expect(room({ other: [900, 1_000, 1_100] })).toEqual({ wanted: 16_000, least: 4_000 });
  expect(room({ p: [300, 400, 500] })).toEqual({ wanted: 8_000, least: 2_000 });
  expect(room({ p: [300, 400, 500] }, "edit")).toEqual({ wanted: 16_000, least: 2_000 });
  expect(room({ p: [1_000, 5_000] })).toEqual({ wanted: 20_000, least: 8_000 });
  expect(room({ p: [20_000] })).toEqual({ wanted: 32_000, least: 8_000 });
  expect(room({ p: [300] }, "read", 8_000)).toEqual({ wanted: 32_000, least: 16_000 });
  expect(room({ p: [300] }, "read", 32_000)).toEqual({ wanted: 64_000, least: 64_000 });
});
