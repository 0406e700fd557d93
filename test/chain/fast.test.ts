import { afterEach, expect, test } from "vitest";
import type { Deps } from "../../src/chain/deps.ts";
import { spendingOf } from "../../src/chain/spending.ts";
import { sumOf } from "../../src/costs/spending.ts";
import { openLibrary } from "../../src/library/library.ts";
import { cleanUp } from "../support/folders.ts";
import { firstKey, report, uses } from "../support/script.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const key = "requirements-clarification/2/1-stack_detector";
const next = { type: "run_prompts", prompts: [{ name: "stack_detector", inputs: [] }] };
const giveUp = { type: "give_up", reason: "x" };
const stack = (evidence: object[], score = 0.3) =>
  report(
    "It is node.",
    {
      discovered: [{ key: "stack", value: "node", evidence }],
      confidence: [{ area: "technical_approach", score, evidence }],
    },
    giveUp,
  );
const seen = [{ kind: "file", ref: "package.json:1" }];

/** What a chain asked of which model, and what it spent for that. */
async function detected(replies: object, deps: Partial<Deps> = {}) {
  const bench = await workbench({ [`${firstKey}/turn-1`]: report("Clear.", {}, next), ...replies }, { deps });
  await bench.run();
  await bench.chain.close();
  const asked = bench.requests.slice(1).map(({ key: step, model }) => [step.replace(key, ""), model]);
  return { asked, bench, total: sumOf(spendingOf(bench.lines, bench.deps.prices).rows) };
}

const [haiku, opus] = ["claude-haiku-5-5", "claude-opus-5-5"];
const looks = uses(["read_file", { path: "package.json" }]);

test("a reply of the fast model that evidence proves counts, and the saving is what the usual model would have cost more", async () => {
  const { asked, bench, total } = await detected({ [`${key}/turn-1`]: looks, [`${key}/turn-2`]: stack(seen) });
  expect(asked).toEqual([
    ["/turn-1", haiku],
    ["/turn-2", haiku],
  ]);
  expect(bench.chain.context.discovered["stack"]).toBe("node");
  // 5,300 tokens from the cache of opus and 300 of its output, less what haiku cost; twice.
  const usual = (5_300 * 0.2 + 300 * 20) / 1e6;
  const paid = (900 * 0.1 + 4_000 * 0.01 + 400 * 0.125 + 300 * 0.5) / 1e6;
  expect(total).toMatchObject({ fast: 2, fast_again: 0, fast_saved_usd: expect.closeTo(2 * (usual - paid), 9) });
});

test.each([
  ["without evidence", { [`${key}/turn-1`]: stack([]) }],
  ["that says 0.99 and cites what nobody read", { [`${key}/turn-1`]: stack(seen, 0.99) }],
  ["that cites the task", { [`${key}/turn-1`]: stack([{ kind: "task", ref: "goal" }], 0.99) }],
  ["that claims nothing", { [`${key}/turn-1`]: report("Nothing here.", {}, giveUp) }],
  ["that cannot be used", { [`${key}/turn-1`]: { ...stack([]), content: [{ type: "text", text: "{" }] } }],
])("a reply of the fast model %s does not count, and a stronger model is asked", async (_, replies) => {
  const again = `${key}-again`;
  const { asked, bench, total } = await detected({
    ...replies,
    [`${again}/turn-1`]: looks,
    [`${again}/turn-2`]: stack(seen),
  });
  expect(asked).toEqual([
    ["/turn-1", haiku],
    ["-again/turn-1", opus],
    ["-again/turn-2", opus],
  ]);
  const reports = bench.events().flatMap((one) => (one.event === "report_recorded" ? [one.key] : []));
  expect(reports).toEqual([firstKey, again]);
  expect(bench.chain.context.discovered["stack"]).toBe("node");
  expect(total).toMatchObject({ fast: 1, fast_again: 1 });
  expect(total.fast_saved_usd).toBeLessThan(0);
  expect(JSON.stringify(bench.requests[2]?.messages)).toContain("does not count");
});

test("the stronger model's own reply counts as any other, with or without evidence", async () => {
  const { asked } = await detected({ [`${key}/turn-1`]: stack([]), [`${key}-again/turn-1`]: stack([]) });
  expect(asked.map(([step]) => step)).toEqual(["/turn-1", "-again/turn-1"]);
});

test.each([
  ["one model for all", { fast: opus, default: opus, smart: opus }, opus],
  [
    "a fast model that reads anew for more than the usual one reads from the cache",
    { fast: "claude-sonnet-5-5", default: opus, smart: opus },
    opus,
  ],
  ["a fast model without a known price", { fast: "a-model-of-yours", default: opus, smart: opus }, "a-model-of-yours"],
])("with %s the route decides only where it pays", async (_, routes, model) => {
  const unlimited = { limits: { budget_usd: null, budget_tokens: 9e6 } };
  const replies = {
    [`${firstKey}/turn-1`]: report("Clear.", {}, next),
    [`${key}/turn-1`]: looks,
    [`${key}/turn-2`]: stack(seen),
  };
  const bench = await workbench(replies, { deps: { routes }, ...unlimited });
  await bench.run();
  await bench.chain.close();
  expect(bench.requests.slice(1).map((one) => one.model)).toEqual([model, model]);
  expect(sumOf(spendingOf(bench.lines, {}).rows).fast_saved_usd).toBe(0);
});

test("only prompts whose replies evidence can check name the fast model", async () => {
  const library = openLibrary([{ scope: "builtin", path: "prompts" }]);
  const { prompts } = await library.all();
  const fast = await Promise.all(prompts.filter(({ model }) => model === "fast").map(({ name }) => library.find(name)));
  expect(fast.length).toBeGreaterThan(0);
  for (const { name, tools, produces } of fast)
    expect([name, tools, produces.includes("discovered")]).toEqual([name, "read", true]);
});
