import { expect, test } from "vitest";
import { event, type Body } from "../../src/chain/events.ts";
import { decision, newItem, queueKey } from "../../src/chain/item.ts";
import { nextStep } from "../../src/chain/next.ts";
import type { Call } from "../../src/chain/context.ts";
import {
  after,
  approved,
  changed,
  fold,
  inEngine,
  offByOne,
  phase,
  presented,
  ran,
  recorded,
  solution,
} from "./lines.ts";

const epoch = event("epoch_opened", { number: 1, tools: "t", system: ["s"], schema: null, bytes: 100, digest: null });
const begun = (...bodies: Body[]) => after(epoch, ...bodies);
const controller = (key: string) => ({
  type: "call_model",
  key: `${key}/controller`,
  turn: 1,
  item: { prompt: "phase_controller", inputs: {}, expects: "action" },
});
const queued = (key: string, name: string, inputs: Record<string, string> = {}) =>
  event("prompts_queued", { why: "", prompts: [{ key, name, inputs }] });
/** A prompt that the engine queues without asking the controller. */
const engineQueues = (key: string, ...names: string[]) => ({
  type: "queue",
  prompts: names.map((name, index) => ({ key: `${key}/${index + 1}-${name}`, name })),
});
const asks = event("questions_asked", { questions: [{ id: "name", question: "What is it called?" }] });

test("a chain first freezes what its requests begin with, then clarifies the task, then asks the controller", () => {
  expect(nextStep(after())).toEqual({ type: "open_epoch" });
  expect(nextStep(begun())).toMatchObject(engineQueues("requirements-clarification/1", "requirement_disambiguator"));
  const recovered = begun(recorded("error_recovery"));
  expect(nextStep(recovered)).toMatchObject(engineQueues("requirements-clarification/1", "requirement_disambiguator"));
  const clarified = begun(queued("requirements-clarification/1/1-requirement_disambiguator", "x"), recorded("x"));
  expect(nextStep(inEngine(clarified, { queue: [] }))).toEqual(controller("requirements-clarification/2"));
});

test("the analysis begins with a measurement, and with the assumptions where something rests on them", () => {
  const analysing = begun(
    phase("context-building", "requirements-clarification"),
    phase("uncertainty-analysis", "context-building"),
  );
  expect(nextStep(analysing)).toMatchObject(engineQueues("uncertainty-analysis/1", "uncertainty_analysis"));
  const assuming = fold(
    begun(recorded("component_mapper", { notes: [{ kind: "assumption", text: "one user" }] })),
    phase("uncertainty-analysis", "context-building"),
  );
  expect(nextStep(assuming)).toMatchObject(engineQueues("uncertainty-analysis/1", "assumption_validator"));
  expect(nextStep(fold(assuming, recorded("assumption_validator")))).toMatchObject(
    engineQueues("uncertainty-analysis/1", "uncertainty_analysis"),
  );
  expect(nextStep(fold(analysing, recorded("uncertainty_analysis")))).toEqual(controller("uncertainty-analysis/1"));
  const again = fold(
    analysing,
    recorded("uncertainty_analysis"),
    phase("context-building", "uncertainty-analysis"),
    phase("uncertainty-analysis", "context-building"),
  );
  expect(nextStep(again)).toMatchObject(engineQueues("uncertainty-analysis/1", "uncertainty_analysis"));
});

test("a parked or completed chain does nothing more, whatever else is waiting", () => {
  const parked = { code: "budget", exit: 12, message: "No money.", next: [{ why: "More." }] };
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
  expect(nextStep(spent(4.99)).type).toBe("queue");
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
    told: 1,
    fresh: false,
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
  expect(nextStep(based)).toMatchObject(engineQueues("implementation/1", "test_generator"));
  expect(nextStep(fold(based, changed("a.js", "code")))).toEqual({ type: "run_tests", key: "implementation/tests-1" });
  expect(nextStep(inEngine(after(...building), { test_command: null })).type).toBe("queue");
  const direct = { ...based, mode: "direct" as const };
  expect(nextStep(direct)).toMatchObject(engineQueues("implementation/1", "tdd_flow_controller"));
});

const testFile = changed("test/product.test.js", "test");
const codeFile = changed("src/product.js", "code");
const red = [...building, ran("baseline", 0), testFile, ran("red"), recorded("test_generator")];
const green = [...red, codeFile, ran("green"), recorded("tdd_flow_controller")];
const reviewers = ["code_reviewer", "security_scanner"];

test("after red comes the code, and the controller is asked where that did not help", () => {
  expect(nextStep(after(...red))).toMatchObject(engineQueues("implementation/1", "tdd_flow_controller"));
  expect(nextStep(after(...red, recorded("tdd_flow_controller")))).toEqual(controller("implementation/1"));
  for (const verdict of ["failing", "broken", "unproven"] as const)
    expect(nextStep(after(...red, codeFile, ran(verdict), recorded("tdd_flow_controller")))).toEqual(
      controller("implementation/1"),
    );
});

test("a finished change is reviewed by all at once, and then the chain completes by itself", () => {
  expect(nextStep(after(...green))).toMatchObject(engineQueues("implementation/1", ...reviewers));
  const reviewed = [...green, ...reviewers.map((name) => recorded(name))];
  expect(nextStep(after(...reviewed))).toEqual({ type: "complete", summary: "security_scanner has looked." });
  const half = [...red.slice(0, -1), recorded("tdd_flow_controller"), ran("green")];
  expect(nextStep(after(...half))).toEqual(controller("implementation/1"));
  const say = (type: "complete") =>
    event("decision_taken", { key: "k", action: { say: "", do: { type, summary: "It is there." } } });
  expect(nextStep(after(...half, say("complete")))).toMatchObject(engineQueues("implementation/1", ...reviewers));
  expect(nextStep(after(...reviewed.slice(0, -2), say("complete"), ...reviewed.slice(-2)))).toEqual({
    type: "complete",
    summary: "It is there.",
  });
});

test("what a review found is fixed, and only its reviewer looks again", () => {
  const found = [...green, recorded("code_reviewer", { findings: [offByOne] }), recorded("security_scanner")];
  expect(nextStep(after(...found))).toMatchObject({
    type: "queue",
    why: "What the review found is fixed now.",
    prompts: [
      { name: "tdd_flow_controller", inputs: { focus: expect.stringContaining("It is one too many.") as string } },
    ],
  });
  const fixed = [...found, codeFile, ran("green"), recorded("tdd_flow_controller")];
  expect(nextStep(after(...fixed))).toMatchObject(engineQueues("implementation/1", "code_reviewer"));
  expect(nextStep(after(...fixed, recorded("code_reviewer")))).toMatchObject({ type: "complete" });
  expect(nextStep(after(...fixed, recorded("code_reviewer", { findings: [offByOne] })))).toMatchObject(
    engineQueues("implementation/1", "tdd_flow_controller"),
  );
  expect(nextStep(after(...found, recorded("tdd_flow_controller")))).toEqual(controller("implementation/1"));
  const minor = { ...offByOne, severity: "minor" as const };
  expect(
    nextStep(after(...green, recorded("code_reviewer", { findings: [minor] }), recorded("security_scanner"))),
  ).toMatchObject({ type: "complete" });
});

test("the deployment is checked last, and only where something is deployed", () => {
  const quality = [...reviewers, "deployment_checker"];
  const at = (is_deployed: boolean, ...more: Body[]) => {
    const context = after(...green, ...more);
    return nextStep(inEngine(context, { is_deployed, gates: { ...context.engine.gates, quality } }));
  };
  const reviewed = reviewers.map((name) => recorded(name));
  expect(at(true)).toMatchObject(engineQueues("implementation/1", ...reviewers));
  expect(at(true, ...reviewed)).toMatchObject(engineQueues("implementation/1", "deployment_checker"));
  expect(at(false, ...reviewed)).toMatchObject({ type: "complete" });
});

test("after a new approval, and after a resume with nothing written, the baseline is run anew", () => {
  const tests = { type: "run_tests", key: "implementation/tests-1" };
  const based = after(...building, ran("baseline", 0));
  expect(nextStep(fold(based, event("approval_voided", { reason: "" }), presented(), approved))).toEqual(tests);
  const resumed = event("resumed", {});
  expect(nextStep(fold(based, resumed))).toEqual(tests);
  const written = [changed("a.js", "code"), ran("failing"), recorded("tdd_flow_controller")];
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
  expect(nextStep(based)).toMatchObject(engineQueues("implementation/1", "tdd_flow_controller"));
  const written = fold(based, testFile, ran("red"), codeFile, ran("green"), recorded("tdd_flow_controller"));
  expect(nextStep(written)).toEqual({ type: "complete", summary: "tdd_flow_controller has looked." });
  expect(nextStep(fold(written, ran("failing")))).toEqual(controller("implementation/1"));
  expect(nextStep(fold(written, event("gate_refused", { to: "done", reasons: ["no red"] })))).toEqual(
    controller("implementation/1"),
  );
  expect(nextStep(fold(based, recorded("tdd_flow_controller")))).toEqual(controller("implementation/1"));
});

test("a tiny task that only a check can prove goes from its change to deployment_checker", () => {
  const tiny = event("size_changed", { to: "tiny", reason: "" });
  const files = [{ path: "a.js", role: "code" as const, change: "edit" as const, lines: 0 }];
  const checked = presented({
    ...solution,
    files,
    verification: { kind: "substitute", check: "read it aloud", command: "" },
  });
  const changing = [epoch, tiny, checked, approved, building[3]!, ran("baseline", 0), changed("a.js", "code")];
  const written = after(...changing, ran("green"), recorded("tdd_flow_controller"));
  expect(nextStep(written)).toMatchObject(engineQueues("implementation/1", "deployment_checker"));
  const check = (value: number) => recorded("deployment_checker", { scores: [{ name: "substitute_check", value }] });
  expect(nextStep(fold(written, check(1)))).toEqual({ type: "complete", summary: "deployment_checker has looked." });
  expect(nextStep(fold(written, check(0)))).toMatchObject(engineQueues("implementation/1", "tdd_flow_controller"));
});

test("what a person asks before the work has begun does not stand in for its tests and code", () => {
  const looked = after(...building, ran("baseline", 0), recorded("uncertainty_resolver"));
  expect(nextStep(looked)).toMatchObject(engineQueues("implementation/1", "test_generator"));
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

test("what a person says meanwhile leads to a decision of the controller, before the engine goes on by itself", () => {
  const hint = event("hint_given", { text: "Use BigInt." });
  expect(nextStep(begun(hint))).toMatchObject(
    engineQueues("requirements-clarification/1", "requirement_disambiguator"),
  );
  const working = begun(queued("requirements-clarification/1/1-requirement_disambiguator", "x"));
  const analysing = fold(
    inEngine(working, { queue: [] }),
    phase("context-building", "requirements-clarification"),
    phase("uncertainty-analysis", "context-building"),
  );
  expect(nextStep(analysing)).toMatchObject(engineQueues("uncertainty-analysis/1", "uncertainty_analysis"));
  const told = fold(analysing, hint);
  expect(nextStep(told)).toEqual(controller("uncertainty-analysis/1"));
  expect([told.engine.unheard, told.engine.said, told.engine.ledger.length]).toEqual([true, ["Use BigInt."], 0]);
});
