import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { replay } from "../../src/chain/apply.ts";
import { event, type Body, type ChainLine } from "../../src/chain/events.ts";
import { spendingOf } from "../../src/chain/spending.ts";
import { upcast } from "../../src/chain/upcast.ts";
import { sumOf, type Amounts } from "../../src/costs/spending.ts";
import type { Usage } from "../../src/models/types.ts";
import { line, started } from "./lines.ts";

const header: Body = { type: "header", format: 1, chain_id: "047", engine: "0.1.0", parent: null };
const model = "claude-opus-5-5";
const none: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };

/** One answered call of a million tokens read from the cache, which costs 20 cents in place of four dollars. */
function call(key: string, booked: object = {}, outcome: object = { type: "replied", stop: "end_turn", content: [] }) {
  const usage = { ...none, cacheRead: 1_000_000 };
  return {
    type: "result",
    effect: "model",
    key,
    turn: 1,
    outcome: { ...outcome, calls: [] },
    booked: { phase: "requirements", prompt: key.split("-").at(-1)!, model, usage, usd: 0.2, ...booked },
  } as unknown as Body;
}

function chainOf(bodies: readonly Body[]): ChainLine[] {
  return [header, started, ...bodies].map((body, at) => line(body, at + 1));
}

function totalOf(lines: readonly ChainLine[], prices = {}): Amounts {
  return sumOf(spendingOf(lines, prices).rows);
}

test("of every recorded history, what was spent is what its books say, and as many tokens", () => {
  const folder = join(import.meta.dirname, "histories");
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".br"))) {
    const text = brotliDecompressSync(readFileSync(join(folder, name))).toString();
    const lines = text
      .trim()
      .split("\n")
      .map((one) => upcast(JSON.parse(one) as ChainLine));
    const { cost_tracking: books, prompts_executed: executed } = replay(lines);
    const total = totalOf(lines);
    expect(total.usd).toBeCloseTo(books.estimated_cost, 6);
    expect(total.tokens).toBe(books.tokens_used);
    expect(total.runs).toBeGreaterThanOrEqual(executed.length);
  }
});

test("the cache saves what the same tokens would have cost at the full input price", () => {
  expect(totalOf(chainOf([call("a/1/1-mapper")]))).toMatchObject({
    calls: 1,
    usd: 0.2,
    saved_usd: expect.closeTo(3.8) as number,
  });
  const writes = { usage: { ...none, cacheWrite5m: 1_000_000 }, usd: 5 };
  expect(totalOf(chainOf([call("a/1/1-mapper", writes)])).saved_usd).toBeCloseTo(-1);
});

test("a reply that could not be used is a repair, and one that a rewind took back is abandoned, each once", () => {
  const rejected = event("reply_rejected", { key: "a/1/1-mapper", problems: ["It is no JSON."] });
  const rewound = event("rewound", { to: 2, step: "a/1", files: [], files_only: false });
  const cut = { type: "cut" };
  const lines = chainOf([call("a/1/1-mapper"), rejected, call("a/1/1-mapper"), call("a/2/1-mapper", {}, cut), rewound]);
  expect(totalOf(lines)).toMatchObject({
    calls: 3,
    usd: expect.closeTo(0.6) as number,
    repairs: 2,
    repairs_usd: expect.closeTo(0.4) as number,
    abandoned: 1,
    abandoned_usd: expect.closeTo(0.2) as number,
  });
  const files = event("rewound", { to: 2, step: "a/1", files: [], files_only: true });
  expect(totalOf(chainOf([call("a/1/1-mapper"), files])).abandoned).toBe(0);
});

test("a lost call is waste at what was expected of it, and at what it did cost once a person says so", () => {
  const lost = { calls: 1, usd: 0.05, most_usd: 1, tokens: 100, most_tokens: 1000 };
  const died = call("a/1/1-mapper", { usage: none, usd: 0.05, lost }, { type: "failed", reason: "unknown" });
  expect(totalOf(chainOf([died]))).toMatchObject({ usd: 0.05, lost: 1, lost_usd: 0.05, repairs: 0, repairs_usd: 0 });
  const entered = totalOf(chainOf([died, event("lost_cost_entered", { usd: 0.07 })]));
  expect(entered).toMatchObject({
    calls: 1,
    usd: expect.closeTo(0.07) as number,
    lost: 1,
    lost_usd: expect.closeTo(0.07) as number,
  });
});

test("a call of a model without a known price counts its tokens and says that its cost is not known", () => {
  const unknown = { model: "some-model", usd: null, usage: { ...none, input: 7 } };
  expect(totalOf(chainOf([call("a/1/1-mapper", unknown)]))).toMatchObject({
    usd: 0,
    input: 7,
    unpriced: 1,
    saved_usd: 0,
  });
});

test("a chain grows by what the second half of its calls costs more than the first", () => {
  const costs = [0.1, 0.2, 0.9, 0.3, 0.4].map((usd, at) => call(`a/${at}/1-mapper`, { usd }));
  expect(spendingOf(chainOf(costs), {}).grew_usd).toBeCloseTo(0.4);
});

test("what another tool's books brought with them is part of what the chain cost", () => {
  const context = { goal: "Add it", cost_tracking: { tokens_used: 500, estimated_cost: 0.3 } };
  const imported = event("imported", { context, parts: ["costs"] });
  const lines = chainOf([imported, call("a/1/1-mapper")]);
  expect(replay(lines).cost_tracking.estimated_cost).toBeCloseTo(0.5);
  expect(totalOf(lines)).toMatchObject({ calls: 1, usd: expect.closeTo(0.5) as number });
});
