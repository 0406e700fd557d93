import * as fc from "fast-check";
import { expect, test } from "vitest";
import { reserve, type Reservation } from "../../src/costs/budget.ts";
import { worstCase } from "../../src/models/prices.ts";

const november = Date.parse("2026-11-20T12:00:00Z");
/** 8 dollars a million tokens in, 20 out. */
const opus = (input: number, output: number) => worstCase("claude-opus-5-5", november, input, output);

const call: Reservation = {
  budgetUsd: 10,
  budgetTokens: null,
  spentUsd: 0,
  spentTokens: 0,
  inputTokens: 10_000,
  maxTokens: 32_000,
  leastTokens: 8_000,
  worstCase: opus,
};

test("a call that fits is reserved at the dearest it can be", () => {
  expect(reserve(call)).toEqual({ ok: true, maxTokens: 32_000, usd: 0.72, tokens: 42_000 });
});

test("without limits nothing is refused, and what a call costs may be unknown", () => {
  const free = { ...call, budgetUsd: null };
  expect(reserve(free)).toEqual({ ok: true, maxTokens: 32_000, usd: 0.72, tokens: 42_000 });
  expect(reserve({ ...free, worstCase: () => undefined })).toEqual({
    ok: true,
    maxTokens: 32_000,
    usd: null,
    tokens: 42_000,
  });
});

test("an answer shrinks to the money that is left, down to 8000 tokens, and then the call is refused", () => {
  const shrunk = reserve({ ...call, budgetUsd: 1, spentUsd: 0.5 });
  expect(shrunk).toEqual({ ok: true, maxTokens: 21_000, usd: expect.closeTo(0.5, 9), tokens: 31_000 });
  const least = reserve({ ...call, budgetUsd: 0.24 });
  expect(least).toEqual({ ok: true, maxTokens: 8_000, usd: expect.closeTo(0.24, 9), tokens: 18_000 });
  expect(reserve({ ...call, budgetUsd: 1, spentUsd: 0.77 })).toEqual({
    ok: false,
    why: "money",
    needs: expect.closeTo(0.24, 9),
    left: expect.closeTo(0.23, 9),
  });
});

test("an answer shrinks to the tokens that are left, down to 8000, and then the call is refused", () => {
  const tokens = { ...call, budgetTokens: 100_000 };
  expect(reserve({ ...tokens, spentTokens: 70_000 })).toEqual({
    ok: true,
    maxTokens: 20_000,
    usd: expect.closeTo(0.48, 9),
    tokens: 30_000,
  });
  expect(reserve({ ...tokens, spentTokens: 82_000 })).toMatchObject({ ok: true, maxTokens: 8_000, tokens: 18_000 });
  expect(reserve({ ...tokens, spentTokens: 82_001 })).toEqual({
    ok: false,
    why: "tokens",
    needs: 18_000,
    left: 17_999,
  });
  expect(reserve({ ...tokens, spentTokens: 120_000 })).toEqual({ ok: false, why: "tokens", needs: 18_000, left: 0 });
});

test("a budget in money cannot be kept where the price is unknown; one in tokens can", () => {
  const strange = { ...call, worstCase: () => undefined };
  expect(reserve(strange)).toEqual({ ok: false, why: "price_unknown", needs: 0, left: 0 });
  expect(reserve({ ...strange, budgetUsd: null, budgetTokens: 50_000 })).toEqual({
    ok: true,
    maxTokens: 32_000,
    usd: null,
    tokens: 42_000,
  });
});

test("a model that costs nothing is bound by tokens alone", () => {
  expect(reserve({ ...call, worstCase: () => 0 })).toEqual({ ok: true, maxTokens: 32_000, usd: 0, tokens: 42_000 });
});

const size = fc.integer({ min: 0, max: 400_000 });
const usd = fc.integer({ min: 1, max: 5_000_000 }).map((tenthsOfCents) => tenthsOfCents / 1000);
const perMillion = fc.integer({ min: 1, max: 100_000 }).map((cents) => cents / 100);
const calls = fc.record({
  budgetUsd: fc.option(usd),
  budgetTokens: fc.option(fc.integer({ min: 1, max: 3_000_000 })),
  spentUsd: fc.oneof(fc.constant(0), usd),
  spentTokens: size,
  inputTokens: size,
  maxTokens: fc.integer({ min: 8_000, max: 128_000 }),
  leastTokens: fc.integer({ min: 1, max: 8_000 }),
  prices: fc.tuple(perMillion, perMillion),
});

const worst = (prices: readonly [number, number]) => (input: number, output: number) =>
  (input * prices[0] + output * prices[1]) / 1e6;
const left = ({ budgetUsd, spentUsd, budgetTokens, spentTokens }: Omit<Reservation, "worstCase">) => ({
  money: budgetUsd === null ? Infinity : budgetUsd - spentUsd,
  tokens: budgetTokens === null ? Infinity : budgetTokens - spentTokens,
});
const aCentOfACent = 1e-6;

test("money and tokens never pass their limits, whatever is asked for", () => {
  fc.assert(
    fc.property(calls, ({ prices, ...rest }) => {
      const reserved = reserve({ ...rest, worstCase: worst(prices) });
      fc.pre(reserved.ok);
      const { maxTokens, tokens, usd } = reserved;
      expect([tokens, usd]).toEqual([
        rest.inputTokens + maxTokens,
        expect.closeTo(worst(prices)(rest.inputTokens, maxTokens), 8),
      ]);
      expect(tokens).toBeLessThanOrEqual(left(rest).tokens);
      expect(usd).toBeLessThanOrEqual(left(rest).money + aCentOfACent);
      expect(maxTokens).toBeGreaterThanOrEqual(rest.leastTokens);
      expect(maxTokens).toBeLessThanOrEqual(rest.maxTokens);
      expect(Number.isInteger(maxTokens)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("a call is refused only where even the shortest answer would not fit, and says what it needs", () => {
  fc.assert(
    fc.property(calls, ({ prices, ...rest }) => {
      const reserved = reserve({ ...rest, worstCase: worst(prices) });
      fc.pre(!reserved.ok && reserved.why !== "price_unknown");
      const { inputTokens, leastTokens } = rest;
      const least = { money: worst(prices)(inputTokens, leastTokens), tokens: inputTokens + leastTokens };
      expect(reserved.needs).toBeCloseTo(least[reserved.why], 8);
      expect(reserved.left).toBeCloseTo(Math.max(0, left(rest)[reserved.why]), 8);
      expect(reserved.needs).toBeGreaterThan(reserved.left - aCentOfACent);
    }),
    { numRuns: 500 },
  );
});

test("an answer is not cut shorter than its limits ask for", () => {
  fc.assert(
    fc.property(calls, ({ prices, ...rest }) => {
      const reserved = reserve({ ...rest, worstCase: worst(prices) });
      fc.pre(reserved.ok && reserved.maxTokens < rest.maxTokens);
      const one = { tokens: reserved.tokens + 1, money: worst(prices)(rest.inputTokens, reserved.maxTokens + 1) };
      expect(one.tokens > left(rest).tokens || one.money > left(rest).money - aCentOfACent).toBe(true);
    }),
    { numRuns: 200 },
  );
});
