import { assert, constantFrom, nat, property, record } from "fast-check";
import { expect, test } from "vitest";
import { contextWindowOf, priceOf, priceTable, worstCase } from "../../src/models/prices.ts";
import { PriceTable } from "../../src/models/price_table.ts";

const november = Date.parse("2026-11-20T12:00:00Z");
const million = { input: 1e6, output: 1e6, cacheRead: 1e6, cacheWrite5m: 1e6, cacheWrite1h: 1e6 };
const none = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };

test("each kind of token has its own price", () => {
  const price = (kind: keyof typeof none) => priceOf("claude-opus-5-5", november, { ...none, [kind]: 1e6 });
  expect([price("input"), price("output"), price("cacheRead"), price("cacheWrite5m"), price("cacheWrite1h")]).toEqual([
    4, 20, 0.2, 5, 8,
  ]);
  expect(priceOf("claude-opus-5-5", november, million)).toBeCloseTo(37.2, 10);
});

test("twenty steps of the ledger cost what the formula of the layout says", () => {
  const usage = { input: 24_000, output: 30_000, cacheRead: 285_000, cacheWrite5m: 18_000, cacheWrite1h: 0 };
  expect(priceOf("claude-opus-5-5", november, usage)).toBeCloseTo(0.843, 10);
});

test("an unknown model has no price and no window, nor has one that only resembles a known one", () => {
  const strangers = ["qwen3-coder", "claude-opus-5-5-latest", "claude-opus-5-5-2026092", "claude-opus", "constructor"];
  for (const model of strangers) {
    expect(priceOf(model, november, million)).toBeUndefined();
    expect(worstCase(model, november, 1000, 1000)).toBeUndefined();
    expect(contextWindowOf(model)).toBeUndefined();
  }
});

test("a dated id is priced as its family", () => {
  expect(priceOf("claude-opus-5-5-20260922", november, million)).toBe(priceOf("claude-opus-5-5", november, million));
  expect(contextWindowOf("claude-haiku-4-5-20251001")).toBe(200_000);
});

test("a price holds from its day on; a clock that shows a day before all of them is wrong, and the newest counts", () => {
  const read = (day: string) => priceOf("claude-sonnet-5-5", Date.parse(day), { ...none, cacheRead: 1e6 });
  expect(read("2026-09-27T23:59:59Z")).toBe(0.1);
  expect(read("2016-11-29T00:00:00Z")).toBe(0.1);
  expect(read("2026-09-28T00:00:00Z")).toBe(0.2);
  expect(read("2026-10-06T23:59:59Z")).toBe(0.2);
  expect(read("2026-10-07T00:00:00Z")).toBe(0.1);
});

test("a long prompt costs haiku 5.5 five times as much, and cached tokens make it long", () => {
  const at = (input: number, cacheRead: number) =>
    priceOf("claude-haiku-5-5", november, { ...none, input, cacheRead }) as number;
  expect(at(100_000, 0)).toBeCloseTo(0.01, 12);
  expect(at(100_001, 0)).toBeCloseTo(0.0500005, 12);
  expect(at(50_000, 50_001)).toBeCloseTo((50_000 * 0.5 + 50_001 * 0.05) / 1e6, 12);
});

test("a user's table wins, model by model, and may know models that we do not", () => {
  const free = { input: 0, output: 0, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0 };
  const mine = PriceTable.parse({
    "qwen3-coder": { context_window: 32_768, prices: [free] },
    "claude-opus-5-5": { prices: [{ ...free, output: 1 }] },
  });
  expect(priceOf("qwen3-coder", november, million, mine)).toBe(0);
  expect(contextWindowOf("qwen3-coder", mine)).toBe(32_768);
  expect(priceOf("claude-opus-5-5-20260922", november, million, mine)).toBe(1);
  expect(priceOf("claude-opus-5", november, { ...none, input: 1e6 }, mine)).toBe(5);
});

test("a user's table with a misspelled kind of token is refused", () => {
  const prices = [{ input: 0, output: 0, cache_write: 0, cache_write_1h: 0, cache_read: 0 }];
  expect(PriceTable.safeParse({ mine: { prices } }).success).toBe(false);
});

test("our own table has the shape it asks of users, and every model has a price today", () => {
  expect(PriceTable.parse(priceTable)).toEqual(priceTable);
  const priceless = Object.keys(priceTable).filter((model) => priceOf(model, november, million) === undefined);
  expect(priceless).toEqual([]);
});

test("the worst case is an hour's cache write and all of the output", () => {
  expect(worstCase("claude-opus-5-5", november, 100_000, 16_000)).toBeCloseTo(0.8 + 0.32, 10);
});

test("no call within its limits costs more than its worst case", () => {
  const tokens = nat(300_000);
  const parts = record({
    input: tokens,
    output: tokens,
    cacheRead: tokens,
    cacheWrite5m: tokens,
    cacheWrite1h: tokens,
  });
  assert(
    property(constantFrom(...Object.keys(priceTable)), parts, (model, usage) => {
      const prompt = usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
      const worst = worstCase(model, november, prompt, usage.output) as number;
      expect(priceOf(model, november, usage)).toBeLessThanOrEqual(worst + 1e-9);
    }),
  );
});
