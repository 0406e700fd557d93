import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { action, firstKey, productSolution, report } from "../support/script.ts";
import { quickApp, tiny, tinyWay } from "../support/ways.ts";

const assumptions = [
  { text: "Numbers are small.", if_wrong: "BigInt is needed.", covers: [] },
  { text: "Two numbers are enough.", if_wrong: "It takes a list.", covers: [] },
];
const assumed = { ...productSolution, assumptions };
const patched = action("Without the first.", {
  type: "present_solution",
  report: "",
  patch: [{ part: "assumptions", value: [assumptions[1]] }],
});
const replies = {
  ...tinyWay,
  [`${firstKey}/turn-1`]: action("This is it.", { type: "present_solution", artifact: assumed }),
  "solution-approval/1/controller/turn-1": patched,
  "solution-approval/1/1-uncertainty_resolver/turn-1": report("Because sum stays as it is."),
};

async function presented() {
  const place = placeWith(quickApp);
  const replay = place.replay(replies);
  const first = await place.run([...tiny, replay]);
  expect(first.code).toBe(10);
  return { place, replay, first };
}

test("an answer to one assumption reaches the model, and the next page shows only what changed, marked", async () => {
  const { place, replay, first } = await presented();
  expect(first.stdout).toContain("  A1 Numbers are small. If it is wrong: BigInt is needed.\n");
  const ran = await place.run(["answer", "1", "A1=no, they can be big", replay]);
  expect(ran.code).toBe(10);
  expect(ran.stdout).toContain("  Changed since the last page (+ new, − gone, ~ changed):\n");
  expect(ran.stdout).toContain("− A1 Numbers are small. If it is wrong: BigInt is needed.\n");
  expect(ran.stdout).not.toContain("One more pure function.");
  const told = place.events("ledger_extended").map(({ text }) => text);
  expect(told).toContain('The user on assumption A1 (user A1), "Numbers are small.": no, they can be big');
});

test("all ok confirms every assumption, and no model is asked", async () => {
  const { place, replay } = await presented();
  const ran = await place.run(["answer", "1", "all=ok", replay, "--json"]);
  expect(JSON.parse(ran.stdout)).toMatchObject({
    ending: { type: "needs_approval", page: { confirmed: ["A1", "A2"] } },
    solution_hash: expect.any(String) as string,
  });
  expect(place.events("assumptions_answered")).toHaveLength(1);
  expect(place.events("solution_presented")).toHaveLength(1);
});

test("after a question that changed nothing only its answer is shown", async () => {
  const { place, replay } = await presented();
  const ran = await place.run(["ask", "1", "Why a function?", replay]);
  expect(ran.code).toBe(10);
  expect(ran.stdout).toContain("  │ Because sum stays as it is.\n");
  expect(ran.stdout).not.toContain("One more pure function.");
});

test("a short word is no change, and an assumption that is not there cannot be answered", async () => {
  const { place, replay } = await presented();
  expect(await place.run(["change", "1", "ok", replay])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining(
      '"ok" does not say what should change. Nothing was changed.\nApprove it: ',
    ) as string,
  });
  expect(await place.run(["answer", "1", "A3=no", replay])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('Chain 001 has no question "A3".') as string,
  });
});

test("an approved solution is shown, and nothing is built", async () => {
  const { place, replay } = await presented();
  expect((await place.run(["resume", "1", replay, "--approve-policy=auto", "--turns=2"])).code).toBe(12);
  const calls = place.events("file_changed").length;
  const shown = await place.run(["present-solution", "1", replay]);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toContain("  Chain 001 · Implementation · Add a product function\n");
  expect(shown.stdout).toContain("  A product beside the sum\n");
  expect(shown.stdout).toContain("It was approved. Go on: claude-exec resume 001");
  expect(place.events("file_changed")).toHaveLength(calls);
});
