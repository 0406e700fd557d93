import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keepFigures, packFigures, readFigures, type Part } from "../../src/costs/figures.ts";
import { promptFigures, promptMetrics } from "../../src/costs/prompt_figures.ts";
import { temporaryFolder } from "../support/temporary.ts";

const where = { day: "2026-11-20", phase: "requirements", prompt: "mapper", model: "opus", version: "aa" };
const about = { goal: "Add JWT auth", slug: "jwt-auth", state: "succeeded", rating: null, grew_usd: 0 } as const;
const chain = (id: string, rows: Part["rows"], more: object = {}): Part => ({
  chain: id,
  stamp: `stamp ${id}`,
  about: { ...about, ...more },
  rows,
});

test("figures are read as they were kept; with any byte changed, or for another key, there are none", () => {
  const path = join(temporaryFolder(), "home.figures");
  const figures = packFigures([chain("001", [{ ...where, usd: 1.5, calls: 2 }]), chain("002", [])]);
  expect(readFigures(path, "key")).toBeUndefined();
  keepFigures(path, "key", figures);
  expect(readFigures(path, "key")).toEqual(figures);
  expect(readFigures(path, "other")).toBeUndefined();
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 1;
    writeFileSync(path, changed);
    expect(readFigures(path, "key"), `byte ${at}`).toBeUndefined();
  }
  for (const length of [0, 5, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length));
    expect(readFigures(path, "key")).toBeUndefined();
  }
});

test("chains that are taken over from earlier figures add up as if all were read anew", () => {
  const one = chain("001", [
    { ...where, usd: 1 },
    { ...where, day: "2026-11-19", usd: 2 },
  ]);
  const two = chain("002", [{ ...where, prompt: "reviewer", usd: 4 }]);
  const before = packFigures([one, two]);
  const three = chain("003", [{ ...where, prompt: "designer", usd: 8 }]);
  const again = packFigures([{ ...one, rows: 0 }, three], before);
  expect(promptFigures(again)).toEqual(promptFigures(packFigures([one, three])));
});

test("a prompt's figures are a mean with its interval, by version, and the words of goals in which it helped", () => {
  const run = { ...where, runs: 1, measured: 1, tokens: 100, ms: 2000, calls: 1 };
  const helped = { ...run, reduction: 0.6, reduction_squared: 0.36 };
  const less = { ...run, version: "bb", day: "2026-11-21", reduction: 0.4, reduction_squared: 0.16 };
  const [found] = promptFigures(
    packFigures([
      chain("001", [helped], { rating: 5 }),
      chain("002", [less], { slug: "auth-api", rating: 4 }),
      chain("003", [{ ...run, reduction: 0, version: "bb" }], { slug: "jwt-api" }),
    ]),
  );
  expect(found).toMatchObject({ prompt: "mapper", runs: 3, tokens_per_run: 100, ms_per_run: 2000 });
  expect(found).toMatchObject({ last_used: "2026-11-21", common_patterns: ["auth"] });
  expect(found!.reduction!.mean).toBeCloseTo(1 / 3, 9);
  // Three runs of 0.6, 0.4 and 0: the deviation is 0.3055, and Student's t for two degrees of freedom 4.3.
  expect(found!.reduction!.high! - found!.reduction!.mean).toBeCloseTo(
    Math.min(2 / 3, (4.3 * 0.30551) / Math.sqrt(3)),
    2,
  );
  expect(found!.versions.map(({ version, runs }) => [version, runs])).toEqual([
    ["bb", 2],
    ["aa", 1],
  ]);
  expect(found!.versions[1]!.reduction).toEqual({ mean: 0.6, low: null, high: null, measured: 1 });
  const written = [{ name: "mapper", standing: "promoted", chain: "002" }];
  expect(promptMetrics([found!], written)).toEqual({
    mapper: {
      usage_count: 3,
      avg_uncertainty_reduction: 0.33,
      avg_tokens: 100,
      user_satisfaction: 0.9,
      common_patterns: ["auth"],
      promotion_status: "promoted",
      created_from_chain: "002",
    },
  });
});
