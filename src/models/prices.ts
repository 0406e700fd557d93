import type { Price, PriceTable } from "./price_table.ts";
import type { Usage } from "./types.ts";

/** US dollars, or undefined where no price is known for that model at that time. */
export function priceOf(model: string, at: number, usage: Usage, overrides: PriceTable = {}): number | undefined {
  const prompt = usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
  const price = findPrice(model, at, prompt, overrides);
  if (!price) return undefined;
  const parts =
    usage.input * price.input +
    usage.output * price.output +
    usage.cacheRead * price.cache_read +
    usage.cacheWrite5m * price.cache_write_5m +
    usage.cacheWrite1h * price.cache_write_1h;
  return parts / 1e6;
}

/** What a call can cost at most: nothing read from the cache, all of it written for an hour, all output used. */
export function worstCase(
  model: string,
  at: number,
  inputTokens: number,
  maxTokens: number,
  overrides: PriceTable = {},
): number | undefined {
  const price = findPrice(model, at, inputTokens, overrides);
  if (!price) return undefined;
  const input = Math.max(price.input, price.cache_write_5m, price.cache_write_1h, price.cache_read);
  return (inputTokens * input + maxTokens * price.output) / 1e6;
}

/** Whether a model costs more than another for any kind of token, or whether nobody can tell. */
export function costsMore(model: string, other: string, at: number, overrides: PriceTable = {}): boolean {
  const kinds = ["input", "output", "cache_write_5m", "cache_write_1h", "cache_read"] as const;
  return [1, 1_000_000].some((prompt) => {
    const [price, least] = [model, other].map((name) => findPrice(name, at, prompt, overrides));
    return !price || !least || kinds.some((kind) => price[kind] > least[kind]);
  });
}

export function contextWindowOf(model: string, overrides: PriceTable = {}): number | undefined {
  return findModel(model, overrides)?.context_window;
}

function findPrice(model: string, at: number, prompt: number, overrides: PriceTable): Price | undefined {
  const since = (price: Price) => (price.valid_from ? Date.parse(price.valid_from) : Number.NEGATIVE_INFINITY);
  const limit = (price: Price) => price.up_to_prompt_tokens ?? Number.POSITIVE_INFINITY;
  const begunBy = (day: number) => findModel(model, overrides)?.prices.filter((price) => since(price) <= day) ?? [];
  const begunNow = begunBy(at);
  const begun = begunNow.length > 0 ? begunNow : begunBy(Math.max(at, Date.parse(pricesKnownOn)));
  const latest = Math.max(...begun.map(since));
  return begun
    .filter((price) => since(price) === latest && prompt <= limit(price))
    .toSorted((a, b) => limit(a) - limit(b))[0];
}

/** `claude-opus-5-5-20260922` is `claude-opus-5-5`; nothing else is taken for something it resembles. */
function findModel(model: string, overrides: PriceTable): PriceTable[string] | undefined {
  const names = [model, model.replace(/-\d{8}$/, "")];
  for (const table of [overrides, priceTable]) {
    const name = names.find((name) => Object.hasOwn(table, name));
    if (name !== undefined) return table[name];
  }
  return undefined;
}

/** Writing to the cache costs 1.25 times the input for five minutes, twice for an hour; reading differs by model. */
function price(input: number, output: number, cache_read: number, more: Partial<Price> = {}): Price {
  return { input, output, cache_write_5m: input * 1.25, cache_write_1h: input * 2, cache_read, ...more };
}

/** The day on which `priceTable` was written down. A clock that shows an earlier day is wrong. */
export const pricesKnownOn = "2026-11-20";

export const priceTable: PriceTable = {
  "claude-fable-5-2": { context_window: 1_000_000, prices: [price(8, 40, 0.2)] },
  "claude-fable-5-1": { context_window: 1_000_000, prices: [price(10, 50, 0.25)] },
  "claude-opus-5-5": { context_window: 1_000_000, prices: [price(4, 20, 0.2, { valid_from: "2026-09-22" })] },
  "claude-sonnet-5-5": {
    context_window: 1_000_000,
    prices: [price(2, 10, 0.2, { valid_from: "2026-09-28" }), price(2, 10, 0.1, { valid_from: "2026-10-07" })],
  },
  "claude-haiku-5-5": {
    context_window: 1_000_000,
    prices: [
      price(0.1, 0.5, 0.01, { valid_from: "2026-10-07", up_to_prompt_tokens: 100_000 }),
      price(0.5, 2.5, 0.05, { valid_from: "2026-10-07" }),
    ],
  },
  "claude-opus-5": { context_window: 1_000_000, prices: [price(5, 25, 0.5)] },
  "claude-opus-4-8": { context_window: 1_000_000, prices: [price(5, 25, 0.5)] },
  "claude-opus-4-7": { prices: [price(5, 25, 0.5)] },
  "claude-opus-4-6": { context_window: 1_000_000, prices: [price(5, 25, 0.5)] },
  "claude-opus-4-5": { context_window: 200_000, prices: [price(5, 25, 0.5)] },
  "claude-sonnet-5": { context_window: 1_000_000, prices: [price(2, 10, 0.2)] },
  "claude-sonnet-4-6": { context_window: 1_000_000, prices: [price(3, 15, 0.3)] },
  "claude-haiku-4-5": { context_window: 200_000, prices: [price(1, 5, 0.1)] },
};
