import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { action, productSolution, report } from "../support/script.ts";
import { productTest, quickApp, tiny, tinyWay } from "../support/ways.ts";

const round = "requirements-clarification/2";
const more = {
  ...tinyWay,
  [`${round}/1-requirement_disambiguator/turn-1`]: action("Here is more.", {
    type: "present_solution",
    artifact: { ...productSolution, title: "A product of three" },
  }),
  [`${round}/1-uncertainty_resolver/turn-1`]: report(
    "Because it is short.",
    {},
    { type: "answer", text: "It is short." },
  ),
};

async function finished() {
  const place = placeWith(quickApp);
  const replay = place.replay(more);
  expect((await place.run([...tiny, replay, "--approve-policy=auto"])).code).toBe(0);
  return { place, replay };
}

test("a change to a finished chain begins a new round, with empty proof and permissions, and needs a budget", async () => {
  const { place, replay } = await finished();
  expect(await place.run(["change", "1", "Take three numbers", replay])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining(
      "Chain 001 is finished. What you say begins a new round in it, and a new round needs a budget.\nSay what it may cost: claude-exec change 001",
    ) as string,
  });
  const ran = await place.run(["change", "1", "Take three numbers", replay, "--budget-usd=1"]);
  expect(ran.code).toBe(10);
  expect(ran.stdout).toContain("A product of three");
  expect(place.context()).toMatchObject({
    current_phase: "solution-approval",
    solution: { standing: "presented" },
    evidence: { runs: [], red: false, green: false },
    session_memory: { files_modified: [] },
  });
  expect(place.events("round_begun")).toMatchObject([{ kind: "change", text: "Take three numbers" }]);
  expect(await place.run(["rewind", "1", "--yes"])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("This round of chain 001 has no approval to go back to.") as string,
  });
});

test("a question to a finished chain is answered, and ends the round", async () => {
  const { place, replay } = await finished();
  const ran = await place.run(["ask", "1", "Why so short?", replay, "--budget-usd=1"]);
  expect([ran.code, ran.stdout.split("\n")[0]]).toEqual([0, "It is short."]);
  expect(place.context()).toMatchObject({ status: { state: "answered" } });
});

test("a short word is no change to a finished chain either", async () => {
  const { place, replay } = await finished();
  expect(await place.run(["change", "1", "ok", replay, "--budget-usd=1"])).toMatchObject({
    code: 64,
    stderr: '"ok" does not say what should change. Nothing was changed.\n',
  });
});

test("a person accepts what was written, and is told what was not proved", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  const nothing = await place.run([...tiny, replay]);
  expect(nothing.code).toBe(10);
  expect(await place.run(["accept", "1", "good enough", replay])).toMatchObject({
    code: 14,
    stderr: expect.stringContaining("Chain 001 has written no file, so there is nothing to accept.") as string,
  });
  expect(
    (await place.run(["resume", "1", replay, "--approve-policy=auto", "--turns=2", "--permission=edits"])).code,
  ).toBe(12);
  // No model is asked for it, so no key is needed either.
  const ran = await place.run(["accept", "1", "good enough"]);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toContain("Chain 001 is accepted as it is: good enough\n");
  expect(ran.stdout).toContain("Not proved:\n  - The last test run recorded after the last change did not pass.\n");
  expect(place.context()).toMatchObject({ status: { state: "accepted" } });
  expect(place.events("completed")).toMatchObject([{ ending: "accepted", summary: "good enough" }]);
});

test("what a person decides is kept where there is no key, and the chain goes on once there is one", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  expect((await place.run([...tiny, replay, "--permission=ask"])).code).toBe(10);
  const kept = (rest: string) =>
    expect.stringContaining(`There is no model to think with. What you said is kept in chain 001.\n${rest}`) as string;
  const hash = (place.context()["solution"] as { hash: string }).hash;
  const approved = await place.run(["approve", "1", hash]);
  expect([approved.code, approved.stderr]).toEqual([78, kept("Take a key of your own: export ANTHROPIC_API_KEY=")]);
  expect(approved.stderr).toMatch(/\nThen go on: claude-exec resume 001\n$/);
  expect(place.events("approval_given")).toHaveLength(1);
  expect((await place.run(["resume", "1"])).code).toBe(78);
  expect((await place.run(["resume", "1", replay, "--permission=ask"])).code).toBe(10);
  const id = place.events("permission_asked")[0]!.request.id;
  const allowed = await place.run(["allow", "1", id]);
  expect([allowed.code, allowed.stderr]).toEqual([78, kept("")]);
  expect(place.events("file_changed").map(({ path }) => path)).toEqual([productTest.path]);
  expect((await place.run(["rewind", "1", "--yes"])).code).toBe(0);
  expect((await place.run(["diff", "1"])).code).toBe(0);
  expect(place.journal().filter((line) => line.type === "intent" && line.effect === "model")).toHaveLength(2);
});

test("a decision that the approved solution does not hold is named when the chain is done", async () => {
  const place = placeWith(quickApp);
  const decisions = [{ key: "zero", choice: "product(0) stays 0", because: "that is what * does" }];
  const replies = { ...tinyWay, "implementation/1/1-tdd_flow_controller/turn-3": report("It passes.", { decisions }) };
  const ran = await place.run([...tiny, place.replay(replies), "--approve-policy=auto"]);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toContain(
    "\nDecided while building, not part of what you approved:\n  → product(0) stays 0. Why: that is what * does\n",
  );
});
