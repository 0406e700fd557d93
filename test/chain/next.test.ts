import { expect, test } from "vitest";
import { event, type Body } from "../../src/chain/events.ts";
import { newItem } from "../../src/chain/item.ts";
import { queueKey } from "../../src/chain/item.ts";
import { decision, nextStep } from "../../src/chain/next.ts";
import type { Call } from "../../src/chain/context.ts";
import { after, approved, changed, fold, inEngine, phase, presented, ran, recorded, solution } from "./lines.ts";

const epoch = event("epoch_opened", { number: 1, tools: "t", system: ["s"], bytes: 100, digest: null });
const begun = (...bodies: Body[]) => after(epoch, ...bodies);
const controller = (key: string) => ({
  type: "call_model",
  key: `${key}/controller`,
  turn: 1,
  item: { prompt: "phase_controller", inputs: {}, expects: "action" },
});
const queued = (key: string, name: string, inputs: Record<string, string> = {}) =>
  event("prompts_queued", { why: "", prompts: [{ key, name, inputs }] });
const asks = event("questions_asked", { questions: [{ id: "name", question: "What is it called?" }] });

test("a chain first freezes what its requests begin with, then asks the controller", () => {
  expect(nextStep(after())).toEqual({ type: "open_epoch" });
  expect(nextStep(begun())).toEqual(controller("requirements-clarification/1"));
});

test("a parked or completed chain does nothing more, whatever else is waiting", () => {
  const parked = { code: "budget", exit: 12, message: "No money.", hint: "More." };
  const context = begun(asks, queued("k/1/1-a", "a"), event("parked", parked));
  expect(nextStep(context)).toEqual({ type: "parked", state: { type: "parked", ...parked } });
  expect(nextStep(fold(context, event("completed", { summary: "Done." })))).toMatchObject({
    type: "done",
    state: { summary: "Done." },
  });
});

test("queued prompts come before open questions, and those before a presented solution", () => {
  const context = begun(
    queued("requirements-clarification/1/1-stack_detector", "stack_detector", { focus: "x" }),
    asks,
    presented(),
  );
  expect(nextStep(context)).toEqual({
    type: "call_model",
    key: "requirements-clarification/1/1-stack_detector",
    turn: 1,
    item: { prompt: "stack_detector", inputs: { focus: "x" }, expects: "report" },
  });
  const waiting = inEngine(context, { queue: [] });
  expect(nextStep(waiting)).toEqual({
    type: "wait_for_answers",
    questions: [{ id: "name", question: "What is it called?", answer: null }],
  });
  const run = fold(waiting, event("question_answered", { id: "name", answer: "product" }));
  expect(nextStep(run)).toEqual({ type: "wait_for_approval", presented: run.solution });
});

test("a cost alert comes before the next step, once", () => {
  const limited = inEngine(begun(), { limits: { ...begun().engine.limits, cost_alert_usd: 5 } });
  const spent = (usd: number) => ({ ...limited, cost_tracking: { ...limited.cost_tracking, estimated_cost: usd } });
  expect(nextStep(spent(4.99)).type).toBe("call_model");
  expect(nextStep(spent(5))).toEqual({ type: "alert", usd: 5, threshold: 5 });
  const alerted = inEngine(spent(6), { alerted: true });
  expect(nextStep(alerted)).toMatchObject({ type: "queue", prompts: [{ name: "cost_monitor" }] });
  expect(nextStep({ ...alerted, prompts_executed: ["cost_monitor"] }).type).toBe("call_model");
});

test("a prompt at work goes on where it stands: its calls one by one, then the model, then its end", () => {
  const key = "requirements-clarification/1/controller";
  const call = (id: string, answered: boolean): Call => ({
    id,
    tool: "read_file",
    answer: answered ? { content: { text: "" }, is_error: false } : null,
  });
  const item = {
    key,
    prompt: "phase_controller",
    inputs: {},
    expects: "action",
    tail: "# Step",
    ledger: 1,
    source: null,
    model: null,
    rejected: 0,
    note: null,
  } as const;
  const at = (stop: "tool_use" | "end_turn", calls: Call[], settled = false) =>
    nextStep(inEngine(begun(asks), { item: { ...item, turns: [{ note: null, stop, content: [], calls, settled }] } }));
  expect(nextStep(inEngine(begun(asks), { item: { ...item, turns: [] } }))).toMatchObject({
    type: "call_model",
    key,
    turn: 1,
  });
  expect(at("tool_use", [call("a", true), call("b", false), call("c", false)])).toEqual({
    type: "run_tool",
    key,
    call: call("b", false),
  });
  expect(at("tool_use", [call("a", true), call("b", true)])).toMatchObject({ type: "call_model", key, turn: 2 });
  expect(at("end_turn", [])).toEqual({ type: "settle", keys: [key] });
  expect(at("end_turn", [], true)).toMatchObject({ type: "call_model", key, turn: 2 });
});

const building = [epoch, presented(), approved, phase("implementation", "solution-approval")];

test("an implementation begins with a run of the tests, and every change is followed by one", () => {
  expect(nextStep(after(...building))).toEqual({ type: "run_tests", key: "implementation/tests-1" });
  const based = after(...building, ran("baseline", 0));
  expect(nextStep(based)).toEqual(controller("implementation/1"));
  expect(nextStep(fold(based, changed("a.js", "code")))).toEqual({ type: "run_tests", key: "implementation/tests-1" });
  expect(nextStep(inEngine(after(...building), { test_command: null }))).toEqual(controller("implementation/1"));
});

test("after a new approval, and after a resume with nothing written, the baseline is run anew", () => {
  const tests = { type: "run_tests", key: "implementation/tests-1" };
  const based = after(...building, ran("baseline", 0));
  expect(nextStep(fold(based, event("approval_voided", { reason: "" }), presented(), approved))).toEqual(tests);
  const resumed = event("resumed", {});
  expect(nextStep(fold(based, resumed))).toEqual(tests);
  const written = [changed("a.js", "code"), ran("failing")];
  expect(nextStep(fold(based, ...written, resumed))).toEqual(controller("implementation/1"));
  const key = "implementation/1/1-test_generator";
  const working = inEngine(based, {
    item: newItem(key, { prompt: "test_generator", inputs: {}, expects: "report" }, based),
  });
  expect(nextStep(working)).toMatchObject({ type: "call_model", key });
  expect(nextStep(fold(working, resumed))).toEqual(tests);
  expect(nextStep(fold(working, resumed, ran("baseline", 0)))).toMatchObject({ type: "call_model", key });
  const change = { type: "intent", effect: "change", key, call: "c", path: "a.js", before: null, after: "x" } as const;
  expect(nextStep(fold(working, change, resumed))).toMatchObject({ type: "call_model", key });
});

test("without an approval nothing is built", () => {
  expect(nextStep(fold(after(...building), event("approval_voided", { reason: "" })))).toEqual(
    controller("implementation/1"),
  );
});

test("a tiny task goes straight to its tests and code, and is complete when they pass", () => {
  const tiny = event("size_changed", { to: "tiny", reason: "" });
  const based = after(tiny, ...building, ran("baseline", 0));
  expect(nextStep(based)).toEqual({
    type: "queue",
    why: "A tiny task goes straight to its tests and code.",
    prompts: [{ key: "implementation/1/1-tdd_flow_controller", name: "tdd_flow_controller", inputs: {} }],
  });
  const written = fold(based, changed("a.js", "code"), ran("green"), recorded("tdd_flow_controller"));
  expect(nextStep(written)).toEqual({ type: "complete", summary: "tdd_flow_controller has looked." });
  expect(nextStep(fold(written, ran("failing")))).toEqual(controller("implementation/1"));
  expect(nextStep(fold(written, event("gate_refused", { to: "done", reasons: ["no red"] })))).toEqual(
    controller("implementation/1"),
  );
  expect(nextStep(fold(based, recorded("tdd_flow_controller")))).toEqual(controller("implementation/1"));
});

test("a tiny task that only a check can prove goes from its change to deployment_checker", () => {
  const tiny = event("size_changed", { to: "tiny", reason: "" });
  const checked = presented({ ...solution, verification: { kind: "substitute", check: "read it aloud" } });
  const changing = [epoch, tiny, checked, approved, building[3]!, ran("baseline", 0), changed("a.js", "code")];
  const written = after(...changing, ran("green"), recorded("tdd_flow_controller"));
  expect(nextStep(written)).toEqual({
    type: "queue",
    why: "The approved check is carried out.",
    prompts: [{ key: "implementation/1/1-deployment_checker", name: "deployment_checker", inputs: {} }],
  });
  expect(nextStep(fold(written, recorded("deployment_checker")))).toEqual({
    type: "complete",
    summary: "deployment_checker has looked.",
  });
});

test("what a person asks before a tiny task has begun does not stand in for its tests and code", () => {
  const tiny = event("size_changed", { to: "tiny", reason: "" });
  const looked = after(tiny, ...building, ran("baseline", 0), recorded("uncertainty_resolver"));
  expect(nextStep(looked)).toMatchObject({ type: "queue", prompts: [{ name: "tdd_flow_controller" }] });
});

test("keys name the phase, the decision in it, and the place among what it named", () => {
  const twice = begun(
    queued("requirements-clarification/2/1-a", "a"),
    phase("context-building", "requirements-clarification"),
  );
  expect([decision(begun()), decision(twice), queueKey(twice, 4, 1, "stack_detector")]).toEqual([
    "requirements-clarification/1",
    "context-building/1",
    "context-building/4/2-stack_detector",
  ]);
  expect(decision(fold(twice, phase("requirements-clarification", "context-building")))).toBe(
    "requirements-clarification/3",
  );
});
