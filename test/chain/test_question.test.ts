import { afterEach, expect, test } from "vitest";
import { proposeCommand, settledBy } from "../../src/chain/test_question.ts";
import { event } from "../../src/chain/events.ts";
import { tinyWay } from "../support/ways.ts";
import { after, started } from "./lines.ts";
import { cleanUp } from "../support/folders.ts";
import { firstKey, productSolution, report } from "../support/script.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const makeCheck = event("tests_settled", { how: "command", argv: ["make", "check"] });
const answer = (text: string) => [
  event("questions_asked", { questions: [{ id: "big", question: "Big numbers?" }] }),
  event("question_answered", { id: "big", answer: text }),
];

test("a command that the user wrote needs no second yes", () => {
  for (const text of ["Only small ones. Use make check for the tests.", "`make check`", "it is make  check"])
    expect(proposeCommand(after(started, ...answer(text)), "make check", "")).toEqual(makeCheck);
});

test("any other command is asked about", () => {
  for (const text of ["yes", "do not run make check", "make check-all", "remake check"])
    expect(proposeCommand(after(started, ...answer(text)), "make check", "It is quicker.")).toEqual(
      event("questions_asked", {
        questions: [
          {
            id: "test_command",
            question: "Should the tests run with `make check` from now on?",
            why: "It is quicker.",
            options: ["Yes", "No"],
          },
        ],
        about_tests: { proposed: ["make", "check"] },
      }),
    );
});

test("a single word may be prose, and counts only in backticks", () => {
  const named = (text: string) => proposeCommand(after(started, ...answer(text)), "make", "").event;
  expect(named("make the tests pass")).toBe("questions_asked");
  expect(named("use `make` for that")).toBe("tests_settled");
});

test("an answer settles the command in any words, at the question about it and at any other", () => {
  const asked = after(started, proposeCommand(after(started), "make check", ""));
  expect(settledBy(asked, "test_command", "Yes")).toEqual([makeCheck]);
  expect(settledBy(asked, "test_command", "no")).toEqual([]);
  expect(settledBy(asked, "test_command", "no, use npm run unit")).toEqual([
    event("tests_settled", { how: "command", argv: ["npm", "run", "unit"] }),
  ]);
  expect(settledBy(after(started), "big", "Yes. The tests run with make check")).toEqual([makeCheck]);
  expect(settledBy(after(started), "big", "make check")).toEqual([]);
});

test("a model proposes a command, the user says yes, and the tests run with it", async () => {
  const files = { "slow.sh": "exit 1\n", "quick.sh": "grep -q product src/product.js\n", "src/product.js": "" };
  const [first, ...rest] = Object.entries(tinyWay);
  const bench = await workbench(
    {
      [first![0]]: report("It is clear.", {}, { type: "set_test_command", command: "sh quick.sh", reason: "" }),
      "requirements-clarification/2/controller/turn-1": first![1],
      ...Object.fromEntries(rest),
    },
    { size: "tiny", files, test_command: ["sh", "slow.sh"] },
  );
  expect(firstKey).toBe(first![0].replace("/turn-1", ""));
  expect(await bench.run()).toMatchObject({ type: "needs_answers", questions: [{ id: "test_command" }] });
  await bench.say({ type: "answer", answers: { test_command: "ok" } });
  expect(await bench.run()).toMatchObject({ type: "needs_approval" });
  expect(bench.chain.context.engine.test_command).toEqual(["sh", "quick.sh"]);
  expect(bench.chain.context.solution?.text).toContain("with: sh quick.sh (as you said)");
  await bench.chain.close();
});

test("a solution that is reported with the command its tests need is presented once that is settled, without another call", async () => {
  const files = { "quick.sh": "test ! -e test/product.test.js || grep -q product src/product.js\n", "src/sum.js": "" };
  const propose = { type: "set_test_command", command: "sh quick.sh", reason: "The present one cannot run." };
  const [first, ...rest] = Object.entries(tinyWay);
  const bench = await workbench(
    {
      [first![0]]: report("This is the solution.", { solution: productSolution }, propose),
      ...Object.fromEntries(rest),
    },
    { size: "tiny", files, test_command: ["sh", "gone.sh"] },
  );
  expect(await bench.run()).toMatchObject({ type: "needs_answers", questions: [{ id: "test_command" }] });
  const calls = bench.requests.length;
  await bench.say({ type: "answer", answers: { test_command: "yes" } });
  const ending = await bench.run();
  expect(ending).toMatchObject({ type: "needs_approval" });
  expect(ending.type === "needs_approval" && ending.presented.text).toContain("with: sh quick.sh");
  expect(bench.requests).toHaveLength(calls);
  await bench.chain.close();
});

test("a person who only corrects the test command at the approval is shown the solution with it, without a call", async () => {
  const bench = await workbench(tinyWay, { size: "tiny" });
  expect(await bench.run()).toMatchObject({ type: "needs_approval" });
  const calls = bench.requests.length;
  await bench.say({ type: "change", request: "Run the tests with make check" });
  const ending = await bench.run();
  expect(ending).toMatchObject({ type: "needs_approval" });
  expect(bench.requests).toHaveLength(calls);
  expect(ending.type === "needs_approval" && ending.presented.text).toContain("with: make check");
  await bench.chain.close();
});

test("an approval by a person confirms the command, and one by a policy does not", async () => {
  const bench = await workbench(tinyWay, { size: "tiny" });
  await bench.run();
  await bench.say({ type: "approve", hash: bench.chain.context.solution!.hash });
  await bench.runUntil(() => bench.chain.context.current_phase === "implementation");
  expect(bench.chain.context.engine.tests.confirmed).toBe(true);
  await bench.chain.close();
  const other = await workbench(tinyWay, { size: "tiny" });
  await other.run({ approve: "auto" });
  expect(other.chain.context.engine.tests.confirmed).toBe(false);
  await other.chain.close();
});
