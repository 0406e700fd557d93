import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  addBooking,
  bookAttempts,
  phaseKey,
  settleLost,
  spent,
  type Booking,
  type Costs,
} from "../../src/costs/books.ts";
import { phases } from "../../src/library/names.ts";
import type { Attempt, Usage } from "../../src/models/types.ts";

const usage = (input: number, output: number, cacheRead = 0, cacheWrite5m = 0, cacheWrite1h = 0): Usage => ({
  input,
  output,
  cacheRead,
  cacheWrite5m,
  cacheWrite1h,
});
const attempt = (model: string, used: Usage | undefined): Attempt => ({
  model,
  usage: used,
  requestId: undefined,
  ms: 10,
});
const price = (model: string, { input, output }: Usage) =>
  model === "known" ? input * 0.01 + output * 0.02 : model === "dear" ? 5 : undefined;

test("all attempts of a call are paid for, each at the price of its own model", () => {
  const attempts = [
    attempt("known", usage(10, 1, 100, 20, 3)),
    attempt("known", undefined),
    attempt("dear", usage(5, 2, 7, 1, 4)),
  ];
  expect(bookAttempts(attempts, price)).toEqual({ usage: usage(15, 3, 107, 21, 7), usd: 5.12 });
});

test("one attempt whose price is unknown makes the cost of the call unknown, never its tokens", () => {
  for (const order of [
    ["strange", "known"],
    ["known", "strange"],
  ] as const) {
    const attempts = order.map((model) => attempt(model, usage(1, 2, 3, 4, 5)));
    expect(bookAttempts(attempts, price)).toEqual({ usage: usage(2, 4, 6, 8, 10), usd: null });
  }
});

test("what was never sent, or never used anything, costs nothing", () => {
  expect(bookAttempts([], price)).toEqual({ usage: usage(0, 0), usd: 0 });
  expect(bookAttempts([attempt("strange", undefined)], price)).toEqual({ usage: usage(0, 0), usd: 0 });
});

const nothing: Costs = {
  tokens_used: 0,
  estimated_cost: 0,
  unpriced_calls: 0,
  by_phase: {},
  by_prompt: {},
  by_kind: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
  unknown_calls: 0,
  unknown_cost: 0,
  unknown_tokens: 0,
  lost_calls: [],
};

test("a call is booked by its phase, its prompt and its kinds of token", () => {
  const booking = { phase: "requirements", prompt: "a", model: "m", usage: usage(1, 2, 3, 4, 5), usd: 0.5 };
  const once: Costs = {
    tokens_used: 15,
    estimated_cost: 0.5,
    unpriced_calls: 0,
    by_phase: { requirements: 0.5 },
    by_prompt: { a: { calls: 1, tokens: 15, usd: 0.5 } },
    by_kind: { input: 1, output: 2, cache_read: 3, cache_write: 9 },
    unknown_calls: 0,
    unknown_cost: 0,
    unknown_tokens: 0,
    lost_calls: [],
  };
  expect(addBooking(nothing, booking)).toEqual(once);
  expect(addBooking(once, { ...booking, phase: "implementation", usd: null })).toEqual({
    ...once,
    tokens_used: 30,
    unpriced_calls: 1,
    by_phase: { requirements: 0.5, implementation: 0 },
    by_prompt: { a: { calls: 2, tokens: 30, usd: 0.5 } },
    by_kind: { input: 2, output: 4, cache_read: 6, cache_write: 18 },
  });
});

const lost = { calls: 1, usd: 0.25, most_usd: 1, tokens: 100, most_tokens: 900 };
const lostBooking = (phase: string, prompt: string, more: object = {}) => ({
  phase,
  prompt,
  model: "m",
  usage: usage(0, 0),
  usd: 0.25,
  lost: { ...lost, ...more },
});

test("a lost call is booked at what was expected of it, and a budget counts the most it can have cost", () => {
  const paid = addBooking(nothing, { ...lostBooking("requirements", "a"), usage: usage(1, 2, 3, 4, 5), usd: 0.75 });
  expect(paid).toEqual({
    ...nothing,
    tokens_used: 15,
    estimated_cost: 0.75,
    by_phase: { requirements: 0.75 },
    by_prompt: { a: { calls: 1, tokens: 15, usd: 0.75 } },
    by_kind: { input: 1, output: 2, cache_read: 3, cache_write: 9 },
    unknown_calls: 1,
    unknown_cost: 0.25,
    unknown_tokens: 100,
    lost_calls: [{ phase: "requirements", prompt: "a", ...lost }],
  });
  expect(spent(paid)).toEqual({ usd: 1.5, tokens: 15 + 900, reserved: 0.75 });
});

test("the real cost of lost calls takes the place of what was expected of each, by its share", () => {
  const books = [
    { phase: "requirements", prompt: "a", model: "m", usage: usage(10, 0), usd: 0.5 },
    lostBooking("requirements", "a"),
    { ...lostBooking("implementation", "b", { usd: 0.75, most_usd: 2 }), usd: 0.75 },
  ].reduce(addBooking, nothing);
  expect(books.estimated_cost).toBe(1.5);
  const settled = settleLost(books, 2);
  expect(settled).toEqual({
    ...books,
    estimated_cost: 2.5,
    by_phase: { requirements: 1, implementation: 1.5 },
    by_prompt: { a: { calls: 2, tokens: 10, usd: 1 }, b: { calls: 1, tokens: 0, usd: 1.5 } },
    unknown_calls: 0,
    unknown_cost: 0,
    lost_calls: [],
  });
  expect(spent(settled)).toEqual({ usd: 2.5, tokens: 10 + 200, reserved: 0 });
  expect(settleLost(settled, 7)).toEqual(settled);
});

test("lost calls without a known price have one once their real cost is entered", () => {
  const books = [
    { ...lostBooking("requirements", "a", { usd: null, most_usd: null }), usd: null },
    { ...lostBooking("requirements", "b", { usd: null, most_usd: null }), usd: null },
  ].reduce(addBooking, nothing);
  expect([books.unpriced_calls, books.estimated_cost, spent(books).usd]).toEqual([2, 0, 0]);
  expect(settleLost(books, 0.5)).toMatchObject({
    estimated_cost: 0.5,
    unpriced_calls: 0,
    by_prompt: { a: { usd: 0.25 }, b: { usd: 0.25 } },
  });
});

test("phases, prompts and kinds each add up to the whole, whatever is booked", () => {
  const booking: fc.Arbitrary<Booking> = fc.record({
    phase: fc.constantFrom("requirements", "implementation"),
    prompt: fc.constantFrom("a", "b", "constructor"),
    model: fc.constant("m"),
    usage: fc
      .array(fc.nat(1_000_000), { minLength: 5, maxLength: 5 })
      .map(([a = 0, b = 0, c = 0, d = 0, e = 0]) => usage(a, b, c, d, e)),
    usd: fc.option(fc.integer({ min: 0, max: 1000 })),
  });
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  fc.assert(
    fc.property(fc.array(booking, { maxLength: 12 }), (bookings) => {
      const costs = bookings.reduce(addBooking, nothing);
      const prompts = Object.values(costs.by_prompt);
      expect(sum(Object.values(costs.by_phase))).toBe(costs.estimated_cost);
      expect(sum(prompts.map(({ usd }) => usd))).toBe(costs.estimated_cost);
      expect(sum(prompts.map(({ tokens }) => tokens))).toBe(costs.tokens_used);
      expect(sum(Object.values(costs.by_kind))).toBe(costs.tokens_used);
      expect(sum(prompts.map(({ calls }) => calls))).toBe(bookings.length);
      expect(costs.unpriced_calls).toBe(bookings.filter(({ usd }) => usd === null).length);
    }),
  );
});

test("phases have their names in the books from the seed's example", () => {
  expect(phases.map(phaseKey)).toEqual([
    "requirements",
    "context_building",
    "uncertainty_analysis",
    "solution_approval",
    "implementation",
  ]);
});
