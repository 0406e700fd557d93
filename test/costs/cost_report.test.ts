import { expect, test } from "vitest";
import { costReport } from "../../src/costs/cost_report.ts";
import { packFigures, type Part } from "../../src/costs/figures.ts";
import type { Amounts, ChainSpending, SpendingRow } from "../../src/costs/spending.ts";

const now = Date.parse("2026-11-20T12:00:00Z");

function row(day: string, prompt: string, sums: Partial<Amounts>, model = "opus", phase = "requirements"): SpendingRow {
  const wasted_usd = (sums.repairs_usd ?? 0) + (sums.abandoned_usd ?? 0) + (sums.lost_usd ?? 0);
  return { day, phase, prompt, model, version: "a", wasted_usd, ...sums };
}

function chain(id: string, rows: SpendingRow[], more: Partial<ChainSpending> = {}): Part {
  return {
    chain: id,
    stamp: "",
    about: { goal: `Goal ${id}`, slug: "goal", rating: null, state: "succeeded", grew_usd: 0, ...more },
    rows,
  };
}

const report = (all: Part[], more: object = {}) =>
  costReport(packFigures(all), { now, days: 7, by: "prompt", ...more });

test("without a chain nothing is spent, nothing is forecast, and nothing is advised", () => {
  expect(report([])).toMatchObject({
    chains: 0,
    total: { usd: 0 },
    average_usd: null,
    forecast: null,
    groups: [],
    advice: [],
  });
  expect(report([]).trend.map(({ day }) => day)).toEqual(
    ["14", "15", "16", "17", "18", "19", "20"].map((day) => `2026-11-${day}`),
  );
});

test("only what was spent in the period counts, by what was asked for", () => {
  const all = [
    chain("001", [
      row("2026-11-20", "mapper", { usd: 1.5, calls: 2, tokens: 10 }),
      row("2026-11-13", "mapper", { usd: 9 }),
    ]),
    chain("002", [row("2026-11-14", "reviewer", { usd: 0.5, calls: 1, tokens: 4 }, "haiku", "implementation")]),
    chain("003", [row("2026-10-01", "reviewer", { usd: 7 })], { state: "stopped" }),
  ];
  const names = (by: string) => report(all, { by }).groups.map(({ name, usd, share }) => [name, usd, share]);
  expect(names("prompt")).toEqual([
    ["mapper", 1.5, 0.75],
    ["reviewer", 0.5, 0.25],
  ]);
  expect(names("model")).toEqual([
    ["opus", 1.5, 0.75],
    ["haiku", 0.5, 0.25],
  ]);
  expect(names("phase")).toEqual([
    ["requirements", 1.5, 0.75],
    ["implementation", 0.5, 0.25],
  ]);
  expect(names("chain")).toEqual([
    ["001", 1.5, 0.75],
    ["002", 0.5, 0.25],
  ]);
  expect(names("day")).toEqual([
    ["2026-11-14", 0.5, 0.25],
    ["2026-11-20", 1.5, 0.75],
  ]);
  const { chains, total, average_usd, most_expensive, endings, trend, forecast } = report(all);
  expect([chains, total.usd, total.tokens, average_usd, endings.rate]).toEqual([2, 2, 14, 1, 1]);
  expect(most_expensive.map(({ chain: id, is_expensive }) => [id, is_expensive])).toEqual([
    ["001", true],
    ["002", false],
  ]);
  expect(trend.map((point) => point.usd)).toEqual([0.5, 0, 0, 0, 0, 0, 1.5]);
  expect(forecast).toEqual({ month: "2026-11", spent_usd: 11, per_day_usd: 2 / 7, days_left: 10, usd: 11 + 20 / 7 });
});

test("who began yesterday is not forecast the mean of a week", () => {
  expect(report([chain("001", [row("2026-11-19", "mapper", { usd: 4 })])]).forecast?.per_day_usd).toBe(2);
});

test("what a wrong clock wrote into the future counts as made today, and that is said", () => {
  const all = [chain("001", [row("2031-01-01", "mapper", { usd: 1, calls: 3 })])];
  expect(report(all)).toMatchObject({ total: { usd: 1 }, calls_in_future: 3, forecast: { spent_usd: 1 } });
  expect(report(all, { by: "day" }).groups).toMatchObject([{ name: "2026-11-20", usd: 1 }]);
});

test("prompts that were run on their own count, but are no chains", () => {
  const run = chain("runs/001", [row("2026-11-20", "mapper", { usd: 3 })]);
  const all = [run, chain("001", [row("2026-11-20", "mapper", { usd: 1 })])];
  expect(report(all, { by: "chain" })).toMatchObject({
    chains: 1,
    runs: 1,
    total: { usd: 4 },
    average_usd: 1,
    groups: [{ name: "runs/001" }, { name: "001" }],
  });
});

test("a price that is not known names its model", () => {
  const all = [chain("001", [row("2026-11-20", "mapper", { calls: 2, unpriced: 2 }, "some-model")])];
  expect(report(all)).toMatchObject({ unpriced_models: ["some-model"], total: { unpriced: 2 } });
});

test("advice names the chain, the prompt and the saving, and none is given where no figure supports it", () => {
  const cheap = chain("001", [row("2026-11-20", "mapper", { usd: 0.9 })], { grew_usd: 0.7 });
  expect(report([cheap]).advice).toEqual([]);
  const all = [
    chain("001", [row("2026-11-20", "mapper", { usd: 1, repairs: 1, repairs_usd: 0.1 })]),
    chain("002", [row("2026-11-20", "mapper", { usd: 1, repairs: 4, repairs_usd: 0.4 })]),
    chain("003", [row("2026-11-20", "designer", { usd: 1, abandoned: 3, abandoned_usd: 0.3 })]),
    chain("005", [row("2026-11-20", "reviewer", { usd: 2 })], { grew_usd: 0.1 }),
    chain("006", [row("2026-11-20", "reviewer", { usd: 1, abandoned: 1, abandoned_usd: 0.05 })]),
  ];
  expect(report(all).advice).toEqual([
    { about: "repairs", chain: "002", prompt: "mapper", saving_usd: 0.5 },
    { about: "abandoned", chain: "003", prompt: "designer", saving_usd: 0.3 },
    {
      about: "long_chain",
      chain: "005",
      prompt: "reviewer",
      saving_usd: 0.1,
    },
  ]);
});
