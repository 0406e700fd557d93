import { expect, test } from "vitest";
import { emptyContext, type Context } from "../../src/chain/context.ts";
import { readinessOf } from "../../src/chain/readiness.ts";
import { placeWith } from "../support/cli.ts";
import { wholeWay } from "../support/script.ts";
import { asksFirst, quickApp, quickTests, task, tiny } from "../support/ways.ts";

test("a finished chain shows what is known of its change, and takes a rating that counts for its prompts", async () => {
  const place = placeWith(quickApp);
  const flags = ["--trust", quickTests, "--approve-policy=auto", `--answers=${place.answers}`];
  expect((await place.run([task, ...flags, place.replay(wholeWay)])).code).toBe(0);
  const shown = await place.run(["complete"]);
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  expect(shown.stdout.replace(/^✓ tests( .+)?$/m, "✓ tests")).toBe(`Chain 001 is complete: ${task}
✓ tests
· breaking changes: not checked
· migration plan: not checked
· feature flags: not checked
Rate it, from 1 to 5: claude-exec complete 001 --rating 4
Keep it as a pattern: claude-exec save-pattern 001
`);
  expect((await place.run(["complete", "1", "--rating", "6"])).code).toBe(64);
  const rated = await place.run(["complete", "1", "--rating", "4"]);
  expect(rated.stdout).toContain("Rated 4 of 5.\nKeep it");
  expect((await place.run(["complete", "1", "--rating", "5"])).stdout).toContain("Rated 5 of 5.");
  expect((await place.run(["save-pattern"])).stdout).toContain("  - Rated 5 of 5 by its user.\n");
  expect((await place.run(["log", "1"])).stdout).toContain("Rated 4 of 5.");
  const stats = JSON.parse((await place.run(["prompts", "stats", "--json"])).stdout) as {
    prompt_metrics: Record<string, { user_satisfaction: number }>;
  };
  expect(stats.prompt_metrics["component_mapper"]?.user_satisfaction).toBe(1);
});

test("a chain that is not finished is not rated, and says how it goes on", async () => {
  const place = placeWith(quickApp);
  await place.run([...tiny, place.replay(asksFirst)]);
  const shown = await place.run(["complete", "1"]);
  expect(shown.code).toBe(10);
  expect(shown.stdout).toContain(`Chain 001 is not complete: ${task}\n· tests: not checked\n`);
  expect(shown.stdout).toContain("It is not finished. Go on: claude-exec resume 001");
  const rated = await place.run(["complete", "1", "--rating", "4"]);
  expect([rated.code, rated.stderr]).toEqual([14, expect.stringContaining("It has not finished a change.")]);
});

test("what a report says counts as long as it is of these files, and only what was measured counts for tests", () => {
  const { engine, evidence } = emptyContext;
  const of = (more: Partial<Context>) => readinessOf({ ...emptyContext, ...more }).map(({ is }) => is);
  const runs = [{ verdict: "failing" }] as unknown as Context["evidence"]["runs"];
  expect(of({})).toEqual([null, null, null, null]);
  expect(of({ evidence: { ...evidence, runs, since: 0 } })[0]).toBe(false);
  expect(of({ evidence: { ...evidence, runs, since: 1 } })[0]).toBe(null);
  const reported = { breaking_change_detector: 2, migration_strategist: 0, feature_flag_designer: 0 };
  const looked = { engine: { ...engine, reported, changes: 2 } };
  expect(of(looked)).toEqual([null, true, true, true]);
  expect(of({ engine: { ...looked.engine, changes: 3 } })).toEqual([null, null, true, true]);
  const finding = { id: "f", severity: "minor", where: "a.js:1", what: "gone", trigger: "", standing: "open" } as const;
  expect(of({ ...looked, findings: [{ ...finding, by: "breaking_change_detector" }] })[1]).toBe(false);
  expect(of({ ...looked, not_checked: ["migration_strategist: the target"] })[2]).toBe(null);
});
