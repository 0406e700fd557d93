import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { countOffline, tokensAtMost } from "../../src/costs/estimate.ts";
import { cpuTime } from "../support/cpu_time.ts";

test("a text without any end is counted in a time that grows with its length", async () => {
  const timed = async (length: number) => {
    const text = "x".repeat(length);
    return { tokens: await countOffline(text), ms: await cpuTime(() => countOffline(text)) };
  };
  const [short, long] = [await timed(50_000), await timed(400_000)];
  expect(long.tokens / short.tokens).toBeCloseTo(8, 0);
  // Eight times as long; were it counted as one piece, it would be some twenty times.
  expect(long.ms / short.ms).toBeLessThan(14);
});

test("the bound grows with the bytes, and is whole", () => {
  expect([0, 1, 24, 25, 2_400_000].map(tokensAtMost)).toEqual([0, 1, 10, 11, 1_000_000]);
});

test("counting without asking anybody is the tokenizer's number and what Claude counts above it", async () => {
  expect(await countOffline("")).toBe(0);
  expect(await countOffline("hello world")).toBe(4);
  expect(await countOffline("<|endoftext|>")).toBeGreaterThan(4);
});

test("the shipped prompts have no more tokens than the bound says", async () => {
  const files = globSync("prompts/**/*.md");
  expect(files.length).toBeGreaterThan(15);
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  expect(await countOffline(text)).toBeLessThanOrEqual(tokensAtMost(Buffer.byteLength(text)));
});
