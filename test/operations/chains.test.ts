import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ChainLine } from "../../src/chain/events.ts";
import { chainPaths } from "../../src/store/chains.ts";
import { tryLock } from "../../src/store/lock.ts";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { firstKey, recordingAt, report, wholeWay } from "../support/script.ts";
import { asks, asksFirst, quickApp, quickTests, task } from "../support/ways.ts";

const check = { test_command: quickTests.split("=")[1] };
const measure = "solution-approval/1/1-uncertainty_analysis/turn-1";

/** A workspace in which `ask` runs operations against a recording. */
function started(replies: object = wholeWay, files: Record<string, string> = quickApp) {
  const place = placeWith(files);
  const replay = recordingAt(place.beside, replies as typeof wholeWay);
  const heard: ChainLine[] = [];
  const caller = callerAt(place.workspace, place.env, { listen: (line) => heard.push(line) });
  const ask = (name: string, input: object = {}) => operate(name, { chain: "1", replay, ...input }, caller);
  const begin = (input: object = {}) => operate("new", { task, trust: true, replay, ...check, ...input }, caller);
  return { place, ask, begin, heard };
}

const knownAnswers = ["negative_numbers=yes", "big_numbers=no", "api_name=product"];

test("a task goes from its questions over its approval to its end, one command at a time", async () => {
  const { place, ask, begin, heard } = started();
  const asked = await begin();
  expect(asked).toMatchObject({
    exit: 10,
    data: {
      chain_id: "001",
      goal: task,
      phase: "requirements-clarification",
      ending: {
        type: "needs_answers",
        questions: [
          {
            id: "negative_numbers",
            question: "Must negative numbers work?",
            why: "It changes the tests.",
            answer: null,
          },
          { id: "big_numbers", question: "Must big integers work?", options: ["yes", "no"], answer: null },
          { id: "api_name", question: "What is it called?", answer: null },
        ],
      },
      confidence: { overall: 0 },
      files: [],
      test_runs: [],
      solution_hash: null,
      context_file: place.contextFile(),
    },
  });
  const one = await ask("answer", { answers_given: ["negative_numbers=yes"] });
  expect(one.data["ending"]).toMatchObject({ questions: [{ id: "big_numbers" }, { id: "api_name" }] });
  const presented = await ask("answer", { answers_given: ["big_numbers=no", "api_name=a=b"] });
  const hash = presented.data["solution_hash"] as string;
  expect(presented).toMatchObject({ exit: 10, data: { ending: { type: "needs_approval", presented: { hash } } } });
  expect(hash).toMatch(/^[0-9a-f]{12}$/);
  const shown = await ask("present-solution");
  expect(shown).toEqual({ ...presented, exit: 0 });
  const done = await ask("approve", { hash });
  expect(done).toMatchObject({
    exit: 0,
    data: {
      phase: "implementation",
      ending: { type: "completed", summary: "product(a, b) is there, with a test." },
      files: [
        { path: "src/product.js", new: true },
        { path: "test/product.test.js", new: true },
      ],
      test_runs: [
        { verdict: "baseline", exit_code: 0 },
        { verdict: "red", exit_code: expect.any(Number) as number },
        { verdict: "green", exit_code: 0 },
      ],
    },
  });
  expect(heard).toEqual(place.journal());
  const answers = heard.flatMap((line) =>
    line.type === "event" && line.event === "question_answered" ? [[line.id, line.answer, line.by.name]] : [],
  );
  expect(answers).toEqual([
    ["negative_numbers", "yes", "tester"],
    ["big_numbers", "no", "tester"],
    ["api_name", "a=b", "tester"],
  ]);
});

test("what cannot be meant is refused before anything happens", async () => {
  const { place, ask, begin } = started();
  await begin();
  const lines = place.journal().length;
  const refused = async (name: string, input: object, error: object) =>
    expect(await ask(name, input).catch((thrown: unknown) => thrown)).toMatchObject(error);
  await refused(
    "answer",
    { answers_given: ["api name"] },
    {
      code: "wrong_answer",
      message: '"api name" is not an answer.',
      next: [{ operation: "answer", input: { chain: "1", answers_given: ["<question>=…"] }, why: "Write it as" }],
      exitCode: 64,
    },
  );
  await refused(
    "answer",
    { answers_given: ["other=yes"] },
    {
      code: "unknown_question",
      message: 'Chain 001 has no question "other".',
      exitCode: 64,
    },
  );
  await refused("approve", { hash: "123456789abc" }, { code: "nothing_presented" });
  await refused("answer", { chain: "7", answers_given: knownAnswers }, { code: "no_chain", message: "No chain 007." });
  await refused("resume", { chain: "7" }, { code: "no_chain", message: "No chain 007." });
  await refused("resume", { answers: join(place.beside, "none.json") }, { code: "answers_missing" });
  expect(place.journal().length).toBe(lines);
  expect(existsSync(chainPaths(join(place.home, "contexts"), "007").journal)).toBe(false);
});

test("only the hash that is presented is approved", async () => {
  const { place, ask, begin } = started();
  const { data } = await begin({ answers: place.answers });
  await expect(ask("approve", { hash: "123456789abc" })).rejects.toMatchObject({
    code: "other_solution",
    message: `What is presented now is ${data["solution_hash"] as string}, not 123456789abc. Nothing was approved.`,
    exitCode: 14,
  });
  expect(place.context()["approval_history"]).toEqual([]);
});

test("the limits of the configuration count for a chain, and flags go before them", async () => {
  const limits = {
    budget_usd: 3,
    budget_tokens: 9_000_000,
    cost_alert_usd: 2,
    turns: 50,
    turns_per_prompt: 5,
    rounds: 4,
    repeats: 2,
  };
  const config = JSON.stringify({
    limits,
    gates: { area: 0.7 },
    tests: { command: ["sh", "check.sh"] },
  });
  const { place, begin, ask } = started(asksFirst, { ...quickApp, ".claude-exec/config.json": config });
  await begin({ budget_usd: "none", budget_tokens: "8000000", turns: "7", test_command: undefined });
  expect(place.journal()[1]).toMatchObject({
    event: "chain_started",
    goal: task,
    size: "normal",
    workspace: place.workspace,
    gates: { requirements: 0.9, area: 0.7 },
    limits: { ...limits, budget_usd: null, budget_tokens: 8_000_000, turns: 7 },
    test_command: ["sh", "check.sh"],
  });
  await ask("resume", { budget_usd: "1.5" });
  expect(place.journal().at(-1)).toMatchObject({ event: "resumed", limits: { budget_usd: 1.5 } });
});

test("a chain that used up its calls says so, and goes on when it is given more", async () => {
  const { begin, ask } = started({
    [`${firstKey}/turn-1`]: report("It is not clear."),
    "requirements-clarification/2/controller/turn-1": asks,
  });
  const parked = await begin({ turns: "1" });
  expect(parked).toMatchObject({ exit: 12, data: { ending: { type: "parked", code: "turns" } } });
  expect(await ask("resume")).toMatchObject({ exit: 12, data: { ending: { type: "parked", code: "turns" } } });
  expect(await ask("resume", { turns: "400" })).toMatchObject({
    exit: 10,
    data: { ending: { type: "needs_answers" } },
  });
});

test("a chain whose tests fail before anything is written goes on with another command", async () => {
  const files = { ...quickApp, "check.sh": "exit 1\n", "quick.sh": quickApp["check.sh"] };
  const { place, begin, ask } = started(wholeWay, files);
  const all = { answers: place.answers, approve_policy: "auto" };
  const waits = { exit: 10, data: { ending: { type: "needs_answers", questions: [{ id: "test_command" }] } } };
  expect(await begin(all)).toMatchObject(waits);
  expect(await ask("resume", all)).toMatchObject(waits);
  expect(await ask("resume", { ...all, test_command: "sh quick.sh" })).toMatchObject({
    exit: 0,
    data: { ending: { type: "completed" } },
  });
});

test("what is said while another process is at work on the chain is delivered, not lost", async () => {
  const { place, ask, begin } = started();
  await begin();
  const { lock, inbox } = chainPaths(join(place.home, "contexts"), "001");
  const held = tryLock(lock);
  expect(await ask("answer", { answers_given: knownAnswers })).toEqual({
    exit: 0,
    data: { chain_id: "001", delivered: true },
  });
  expect(await ask("resume")).toMatchObject({ exit: 14, data: { chain_id: "001", busy: true } });
  expect(readdirSync(inbox)).toHaveLength(1);
  held?.release();
  expect((await ask("resume")).data["ending"]).toMatchObject({ type: "needs_approval" });
  expect(readdirSync(inbox)).toEqual([]);
});

test("uncertainty-check --only measures once and stops there", async () => {
  const { place, ask, begin } = started({ ...wholeWay, [measure]: report("Still clear.") });
  await begin({ answers: place.answers });
  const checked = await ask("uncertainty-check", { only: true });
  expect(checked).toMatchObject({ exit: 0, data: { ending: { type: "reached" } } });
  const runs = (place.context()["prompts_executed"] as string[]).filter((name) => name === "uncertainty_analysis");
  expect(runs).toHaveLength(3);
});

test("above the gate uncertainty-check goes on to the solution", async () => {
  const { place, ask, begin } = started({ ...wholeWay, [measure]: report("Still clear.") });
  await begin({ answers: place.answers });
  expect(await ask("uncertainty-check")).toMatchObject({ exit: 10, data: { ending: { type: "needs_approval" } } });
  expect(place.context()["prompts_executed"]).not.toContain("chain_planner");
});

test("below the gate uncertainty-check plans more exploration", async () => {
  const doubt = { area: "big_numbers", confidence: 0.2, blocking: true, resolved: false };
  const { place, ask, begin } = started({ ...wholeWay, [measure]: report("A doubt.", { uncertainties: [doubt] }) });
  await begin({ answers: place.answers });
  expect((await ask("uncertainty-check")).data["doubts"]).toMatchObject({
    open: [{ area: "big_numbers", confidence: 0.2, blocking: true }],
  });
  const queued = place.events("prompts_queued").at(-1);
  expect(queued).toMatchObject({
    why: "The measurement is below the gate, so more exploration is planned.",
    prompts: [{ name: "chain_planner", inputs: { focus: "reduce_uncertainty" } }],
  });
});

test.each([
  ["reject", { reason: "too much" }, { event: "approval_refused", reason: "too much" }],
  ["change", { request: "less of it" }, { event: "changes_requested", request: "less of it" }],
  ["ask", { question: "why so?" }, { event: "more_info_asked", question: "why so?" }],
])("%s reaches the chain in the person's words, and nothing is approved", async (name, words, event) => {
  const { place, ask, begin } = started();
  const { data } = await begin({ answers: place.answers });
  await ask(name, words);
  const said = place.journal().find((line) => line.type === "event" && line.event === event.event);
  expect(said).toMatchObject({ ...event, solution: data["solution_hash"], by: { kind: "person", name: "tester" } });
  expect(place.context()["current_phase"]).not.toBe("implementation");
});

test("what a chain is told waits in its inbox, lets nothing go on, and is taken in when the chain goes on", async () => {
  const { place, ask, begin } = started(asksFirst);
  await begin();
  const before = place.journal().length;
  expect(await ask("tell", { text: "Use BigInt." })).toMatchObject({
    exit: 0,
    data: { chain_id: "001", delivered: true },
  });
  expect(place.journal()).toHaveLength(before);
  await ask("resume");
  expect(place.events("hint_given")).toMatchObject([{ text: "Use BigInt.", by: { kind: "person", name: "tester" } }]);
  expect(place.events("ledger_extended").at(-1)?.text).toBe("The user says: Use BigInt.");
});

test("an area is waived by name with a reason; what needs a solution is refused while there is none", async () => {
  const { place, ask, begin } = started(asksFirst);
  await begin();
  await expect(ask("waive", { area: "big_numbers", reason: "nobody has any" })).rejects.toMatchObject({
    code: "unknown_area",
  });
  await ask("waive", { area: "technical_approach", reason: "a spike" });
  expect(place.context()["waived"]).toEqual({ technical_approach: "a spike" });
  for (const [name, words] of [
    ["change", { request: "less" }],
    ["reject", { reason: "no" }],
  ] as const) {
    await expect(ask(name, words)).rejects.toMatchObject({ code: "nothing_presented" });
  }
});

test("a context file edited by hand is neither taken over nor overwritten without a word", async () => {
  const { place, ask, begin } = started(asksFirst);
  await begin();
  const path = place.contextFile();
  const edit = (goal: string) => {
    const context = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...context, goal, prompts_executed: [] }, null, 2));
    return readFileSync(path, "utf8");
  };
  const edited = edit("Add a quotient function");
  await expect(ask("resume")).rejects.toMatchObject({ code: "context_edited", exitCode: 10 });
  await expect(ask("resume")).rejects.toThrow('goal: "Add a product function" → "Add a quotient function"');
  expect(readFileSync(path, "utf8")).toBe(edited);
  await ask("resume", { discard_edit: true });
  expect(place.context()["goal"]).toBe(task);
});

test("a journal damaged in the middle is refused, and recovered only on a word", async () => {
  const recovery = report("Nothing is lost but the last decision.");
  const lookers = [0, 1].map((n) => [`requirements-clarification/${n}/0-error_recovery/turn-1`, recovery] as const);
  const { place, ask, begin } = started({ ...asksFirst, ...Object.fromEntries(lookers) });
  await begin();
  const { journal } = chainPaths(join(place.home, "contexts"), "001");
  await expect(ask("recover")).rejects.toMatchObject({ code: "nothing_to_recover" });
  const whole = readFileSync(journal, "utf8");
  const damaged = whole.replace('"summary":"I ask."', '"summary":"I fake."');
  expect(damaged).not.toBe(whole);
  writeFileSync(journal, damaged);
  await expect(ask("resume")).rejects.toMatchObject({ code: "journal_damaged", exitCode: 14 });
  expect((await ask("recover")).exit).toBe(10);
  expect(readFileSync(journal, "utf8")).toBe(damaged);
  const { exit, data } = await ask("recover", { choice: "continue" });
  expect(exit).toBe(0);
  expect(data).toMatchObject({ chain_id: "001", context_file: place.contextFile() });
  expect(readFileSync(join(place.home, "contexts", data["kept_as"] as string), "utf8")).toBe(damaged);
  expect((await ask("resume")).exit).toBe(10);
  const context = JSON.parse(readFileSync(place.contextFile(), "utf8")) as { prompts_executed: string[] };
  expect(context.prompts_executed).toContain("error_recovery");
});
