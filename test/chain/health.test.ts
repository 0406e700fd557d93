import { afterEach, expect, test } from "vitest";
import type { Context } from "../../src/chain/context.ts";
import { event, type Body } from "../../src/chain/events.ts";
import { measureHealth } from "../../src/chain/health.ts";
import { nextStep } from "../../src/chain/next.ts";
import { cleanUp } from "../support/folders.ts";
import { report, type Replies } from "../support/script.ts";
import { after, fold, inEngine, recorded } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const epoch = { number: 1, tools: "", system: [], schema: null, bytes: 0 };
const ten = Array.from({ length: 10 }, (_, at) => at);
const seen = (line: number) => [{ kind: "file" as const, ref: `src/a.js:${line}` }];

/** Ten reports, each with a fact of its own that the next one goes on from. */
const inOrder = ten.map((at) =>
  recorded(`prompt_${at}`, {
    discovered: [{ key: `fact_${at}`, value: "new", evidence: [...seen(at), ...seen(at + 1)] }],
  }),
);
const inCircles = ten.map(() =>
  recorded("component_mapper", { discovered: [{ key: "stack", value: "node", evidence: seen(1) }] }),
);
const measured = (context: Context) => fold(context, ...measureHealth(context));

test("the engine measures after every ten reports, and keeps the score in the memory of the session", () => {
  expect(measureHealth(after(...inOrder.slice(0, 9)))).toEqual([]);
  const healthy = measured(after(...inOrder));
  expect(healthy.session_memory.context_health).toBe(10);
  expect(measureHealth(fold(healthy, ...inOrder.slice(0, 9)))).toEqual([]);
  expect(measureHealth(fold(healthy, ...inOrder))).toHaveLength(1);
  expect(nextStep(inEngine(healthy, { epoch })).type).toBe("call_model");
});

test("what is repeated, changed without a person's word, cited by nobody or refused lowers the score", () => {
  const score = (...bodies: readonly Body[]) => measured(after(...bodies)).session_memory.context_health;
  expect(score(...inCircles)).toBe(6.8);
  const choose = (choice: string) => recorded("chain_planner", { decisions: [{ key: "store", choice }] });
  const answered = event("question_answered", { id: "store", answer: "the other one" });
  const asked = event("questions_asked", { questions: [{ id: "store", question: "Which?" }] });
  expect(score(...inOrder.slice(0, 8), choose("redis"), choose("files"))).toBe(8.5);
  expect(score(asked, ...inOrder.slice(0, 8), choose("redis"), answered, choose("files"))).toBe(10);
  expect(score(...ten.map((at) => recorded(`prompt_${at}`)))).toBe(8);
  const refused = event("gate_refused", { to: "done", reasons: ["No."] });
  expect(score(...inOrder, refused, refused, refused)).toBe(7);
  const bad = measured(after(...inCircles, refused));
  expect(bad.session_memory.context_health).toBe(5.8);
  expect(bad.engine.health.signs).toBe("facts reported before: 9 of 10, refused replies and actions: 1");
});

test("only bad signs bring in the prompt that looks, and its score can only lower what was measured", () => {
  const doubtful = measured(after(...inCircles));
  const steps = (context: Context) => nextStep(inEngine(context, { epoch }));
  const inputs = { signs: doubtful.engine.health.signs };
  expect(steps(doubtful)).toMatchObject({ type: "queue", prompts: [{ name: "context_health_checker", inputs }] });
  const checked = (value: number) =>
    fold(doubtful, recorded("context_health_checker", { scores: [{ name: "health", value }] }));
  expect(checked(9.9).session_memory.context_health).toBe(6.8);
  expect(checked(0.99).session_memory.context_health).toBe(1);
  expect(steps(checked(9.9)).type).toBe("call_model");
  expect(steps(checked(0.99))).toEqual({ type: "fresh_record" });
  const other = fold(doubtful, recorded("code_reviewer", { scores: [{ name: "health", value: 1 }] }));
  expect(other.session_memory.context_health).toBe(6.8);
});

/** A chain that asks for the same prompt with other words again and again, and never learns anything. */
function circling(): Replies {
  const again = (at: number) => ({
    type: "run_prompts",
    prompts: [{ name: "uncertainty_resolver", inputs: [{ name: "question", value: `again ${at}` }] }],
  });
  const same = { discovered: [{ key: "stack", value: "node" }], decisions: [{ key: "store", choice: "files" }] };
  const replies: Record<string, unknown> = {
    "requirements-clarification/1/1-requirement_disambiguator/turn-1": report("Clear.", same, again(0)),
  };
  for (const at of ten) {
    const decisions = [{ key: "store", choice: at % 2 ? "files" : "redis" }];
    replies[`requirements-clarification/${at + 2}/1-uncertainty_resolver/turn-1`] =
      at < 9
        ? report("The same.", { ...same, decisions }, again(at + 1))
        : report("End.", same, { type: "give_up", reason: "x" });
  }
  replies["requirements-clarification/10/0-context_health_checker/turn-1"] = report("Looked.", {
    scores: [{ name: "health", value: 9.9 }],
  });
  return replies;
}

test("a bad record begins afresh where nobody can be asked, the run says so, and only then the record is looked at", async () => {
  const bench = await workbench(circling(), { limits: { repeats: 50 } });
  await bench.run();
  await bench.chain.close();
  const happened = bench
    .events()
    .flatMap((one) => (one.event === "epoch_opened" || one.event === "health_measured" ? [one] : []));
  expect(happened).toMatchObject([
    { event: "epoch_opened", number: 1 },
    { event: "health_measured" },
    {
      event: "epoch_opened",
      number: 2,
      why: expect.stringMatching(/^The record shows signs of confusion, its health is/),
    },
  ]);
  expect(bench.events().some(({ event: name }) => name === "questions_asked")).toBe(false);
  expect(bench.requests.filter(({ key }) => key.includes("context_health_checker"))).toHaveLength(1);
});

test.each([
  ["Yes", 2],
  ["No", 1],
])("a person at a terminal is asked once, and says %s", async (answer, epochs) => {
  const bench = await workbench(circling(), { limits: { repeats: 50 } });
  const ending = await bench.run({ asks: true });
  expect(ending).toMatchObject({
    type: "needs_answers",
    questions: [{ question: expect.stringContaining("Should the model go on with a fresh record of what is known?") }],
  });
  const { id } = bench.chain.context.questions.at(-1)!;
  await bench.say({ type: "answer", answers: { [id]: answer } });
  await bench.run({ asks: true });
  await bench.chain.close();
  expect(bench.chain.context.engine.epoch?.number).toBe(epochs);
  expect(bench.chain.context.questions).toHaveLength(1);
});
