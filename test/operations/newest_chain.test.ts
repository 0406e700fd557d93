import { beforeAll, expect, test } from "vitest";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { recordingAt, wholeWay, type Replies } from "../support/script.ts";
import { asksFirst, quickApp, quickTests, task, tinyWay } from "../support/ways.ts";

let place: Place;
const ask = (name: string, input: object = {}) => operate(name, input, callerAt(place.workspace, place.env));

/** 001 is done, 002 waits for approval, 003 waits for answers. */
beforeAll(async () => {
  place = placeWith(quickApp);
  const begin = (replies: Replies, input: object) =>
    ask("new", {
      replay: recordingAt(place.beside, replies),
      test_command: quickTests.split("=")[1],
      trust: true,
      ...input,
    });
  await begin(wholeWay, { task, approve_policy: "auto", answers: place.answers });
  await begin(tinyWay, { task: "Approve me", size: "tiny" });
  await begin(asksFirst, { task: "Answer me" });
});

test.each([
  ["status", undefined, "003"],
  ["log", undefined, "003"],
  ["chain-cost", undefined, "003"],
  ["present-solution", undefined, "002"],
  ["diff", undefined, "001"],
])("%s without a number means the newest chain that fits", async (name, _, id) => {
  const { data } = await ask(name);
  const chains = data["chains"] as { chain_id: string }[] | undefined;
  expect(chains?.[0]?.chain_id ?? data["chain_id"]).toBe(id);
});

test("a command without a number says so where no chain fits", async () => {
  await expect(ask("allow", { request: "abc", trust: true })).rejects.toMatchObject({
    code: "no_chain",
    message: "No chain here waits for permission.",
    next: [{ operation: "status", input: { chain: "all" }, why: "List chains with" }],
  });
  const empty = placeWith(quickApp);
  const cost = operate("chain-cost", {}, callerAt(empty.workspace, empty.env));
  await expect(cost).rejects.toMatchObject({ code: "no_chain", message: "There is no chain here yet." });
});

test("words without a number go to the newest chain that fits", async () => {
  const replay = place.replay(asksFirst);
  const answered = await place.run(["answer", "api_name=product", replay]);
  expect(answered.stdout).toContain("Chain 003 waits for answers:");
  const waived = await place.run(["waive", "technical approach", "one user", replay]);
  expect(waived.stderr).toContain("technical approach is set aside: one user");
});

test.each(["approve", "allow"])("%s without a terminal needs the number of the chain", async (name) => {
  const ran = await place.run([name, "abc123abc123"]);
  expect(ran).toMatchObject({ code: 64, stdout: "" });
  expect(ran.stderr).toContain(
    `Without a terminal, ${name} needs the number of the chain.\nUsage: claude-exec ${name} [chain] <`,
  );
});

test("without a terminal a solution that waits is printed once", async () => {
  const other = placeWith(quickApp);
  const ran = await other.run(["Add a product", "--size=tiny", "--trust", quickTests, other.replay(tinyWay)]);
  expect(ran.code).toBe(10);
  const { solution } = other.context()["solution"] as { solution: { architecture: string } };
  const words = `${ran.stderr}\n${ran.stdout}`.replaceAll(/\s+/g, " ");
  expect(words.split(solution.architecture).length).toBe(2);
});
