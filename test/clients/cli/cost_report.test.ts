import { expect, test } from "vitest";
import { costReportCsv, costReportText } from "../../../src/clients/cli/cost_report.ts";
import { costReport } from "../../../src/costs/cost_report.ts";
import { packFigures, type Part } from "../../../src/costs/figures.ts";

const row = { day: "2026-11-20", phase: "requirements", prompt: "mapper", model: "opus", version: "a" };
const sums = { calls: 3, tokens: 12_000, usd: 1.5, saved_usd: 4, wasted_usd: 0.5, repairs: 1, repairs_usd: 0.5 };
const about = { goal: "Add JWT\nand more", slug: "jwt", state: "succeeded", rating: null, grew_usd: 0 } as const;
const chain = { stamp: "", about };

function told(all: readonly Part[], more: object = {}) {
  const now = Date.parse("2026-11-20T12:00:00Z");
  const data = {
    ...costReport(packFigures(all), { now, days: 7, by: "prompt", ...more }),
    foreign: 0,
    unread: [],
    ...more,
  };
  return { text: costReportText(data, {}).split("\n"), csv: costReportCsv(data).split("\n") };
}

test("the report says the sums, what is counted as waste, the trend, and what could be saved", () => {
  expect(
    told([
      {
        ...chain,
        chain: "015",
        rows: [
          { ...row, ...sums },
          { ...row, day: "2026-11-14", usd: 0.75 },
        ],
      },
    ]).text,
  ).toEqual([
    "Chain cost summary (last 7 days, 2026-11-14 to 2026-11-20 UTC):",
    "- Total chains: 1",
    "- Total cost: $2.25, 12,000 tokens in 3 calls",
    "- Average per chain: $2.25",
    "- Saved by the provider's cache: $4.00, against the same tokens at the full input price",
    "- Wasted: $0.50 (22%): 1 unusable reply $0.50, 0 calls taken back by rewind $0.00, 0 lost calls $0.00",
    "- Success rate: 100% (1 succeeded, 0 stopped, 0 still open)",
    "- Forecast for 2026-11: $5.46 ($2.25 so far, then $0.32 a day for 10 days)",
    "",
    "Most expensive chains:",
    "1. 015 Add JWT (12,000 tokens - $2.25)  ! over $1",
    "",
    "Cost by prompt:",
    "  mapper     $2.25  100%  3 calls, 12,000 tokens",
    "",
    "Trend:",
    "  dollars  ▅▁▁▁▁▁█  most: $1.50 on 2026-11-20",
    "  tokens   ▁▁▁▁▁▁█  most: 12,000 on 2026-11-20",
    "",
    "Suggestions:",
    "- mapper: replies that could not be used cost $0.50, most of it in chain 015. Make its instructions clearer. Read why: claude-exec log 015 --prompt mapper",
  ]);
});

test("nothing spent, an unknown price, a wrong clock, and chains that do not count are each said", () => {
  expect(told([], { foreign: 2, unread: ["The journal of chain 002 is damaged."] }).text).toEqual([
    "Nothing was spent (last 7 days, 2026-11-14 to 2026-11-20 UTC).",
    "! The journal of chain 002 is damaged.",
    "! Not counted: 2 chains not made by you in this home.",
  ]);
  const unpriced = { ...row, day: "2031-01-01", model: "some-model", calls: 1, unpriced: 1, saved_usd: -0.25 };
  const replayed = { ...row, calls: 2, usd: 0.5, replayed: 2, replayed_usd: 0.5 };
  const { text } = told([{ ...chain, chain: "001", about: { ...about, state: "open" }, rows: [unpriced, replayed] }]);
  expect(text).toContain("  Nobody paid for 2 calls of them, $0.50: their replies were played from a recording.");
  expect(text).toContain("  Without 1 call: no price is known of some-model.");
  expect(text).toContain("- The provider's cache cost $0.25 more than it saved");
  expect(text).toContain("- Success rate: not known (0 succeeded, 0 stopped, 1 still open)");
  expect(text.at(-1)).toBe("! 1 call with a date in the future: counted as made today.");
});

test("a year is drawn in sixty marks at most", () => {
  const { text } = told([{ ...chain, chain: "001", rows: [{ ...row, ...sums }] }], { days: 366 });
  expect(text.find((line) => line.startsWith("  dollars"))).toMatch(
    /^ {2}dollars {2}[▁█]{53} {2}most: \$1.50 in the 7 days from /,
  );
});

test("in comma-separated values a name stays one cell, and none is a formula", () => {
  const names = ['=cmd("x"), y', "plain"];
  const rows = names.map((model) => ({ ...row, ...sums, model, usd: model === "plain" ? 0.1 + 0.2 : 1 }));
  const { csv } = told([{ ...chain, chain: "001", rows }], { by: "model" });
  expect(csv[0]).toMatch(/^model,calls,tokens,/);
  expect(csv[1]).toMatch(/^"'=cmd\(""x""\), y",3,12000,/);
  expect(csv[2]).toContain(",0.3,");
});
