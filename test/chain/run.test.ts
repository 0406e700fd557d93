import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { readChain } from "../../src/chain/inspect.ts";
import { action, productSolution, report, says, uses, wholeWay, wholeWayAnswers } from "../support/script.ts";
import { asksFirst, present, productCode, productTest, quickApp, tinyWay } from "../support/ways.ts";
import { cleanUp } from "../tools/folders.ts";
import { ada } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

type Bench = ReturnType<typeof workbench>;

/** Keys of what was asked, in its order, without the first turns' number. */
const asked = ({ requests }: Bench) => requests.map(({ key }) => key.replace("/turn-1", ""));
const named = (bench: Bench, event: string) => bench.events().filter((one) => one.event === event);
const hashOf = ({ chain }: Bench) => chain.context.solution?.hash ?? "";
const give = (reason: string) => action("I stop.", { type: "give_up", reason });
const run = (name: string, inputs: Record<string, string> = {}) =>
  action(`I run ${name}.`, {
    type: "run_prompts",
    prompts: [{ name, inputs: Object.entries(inputs).map(([name, value]) => ({ name, value })) }],
  });

test("a whole way waits for answers and for an approval, sees red and then green, and completes", async () => {
  const bench = workbench(wholeWay);
  expect(await bench.run()).toMatchObject({
    type: "needs_answers",
    questions: [{ id: "negative_numbers", answer: null }, { id: "big_numbers" }, { id: "api_name" }],
  });
  bench.say({ type: "answer", answers: wholeWayAnswers });
  expect(await bench.run()).toEqual({ type: "needs_approval", presented: bench.chain.context.solution });
  expect(existsSync(join(bench.folder, "src/product.js"))).toBe(false);
  bench.say({ type: "approve", hash: hashOf(bench) });
  expect(await bench.run()).toEqual({ type: "completed", summary: "product(a, b) is there, with a test." });
  bench.chain.close();

  const { context } = bench.chain;
  expect(context.evidence.runs.map(({ verdict, exit_code }) => [verdict, exit_code])).toEqual([
    ["baseline", 0],
    ["red", 2],
    ["green", 0],
  ]);
  expect(context.session_memory.files_modified).toEqual(["test/product.test.js", "src/product.js"]);
  expect([bench.file("src/product.js"), bench.file("test/product.test.js")]).toEqual([
    productCode.content,
    productTest.content,
  ]);
  expect(context.phase_history.map(({ phase }) => phase)).toEqual([
    "requirements-clarification",
    "context-building",
    "uncertainty-analysis",
    "context-building",
    "uncertainty-analysis",
    "solution-approval",
    "implementation",
  ]);
  expect(context.approval_history.map(({ user_response, by }) => [user_response, by])).toEqual([["approved", "ada"]]);
  expect(readChain(bench.beginning, bench.chain.id).context).toEqual(context);
});

let whole: ReturnType<typeof runAlone> | undefined;
const alone = () => (whole ??= runAlone());

/** The whole way, run without anybody being asked. */
async function runAlone() {
  const { api_name, ...known } = wholeWayAnswers;
  const monitor = { "requirements-clarification/2/0-cost_monitor/turn-1": report("Nothing to save yet.") };
  const bench = workbench({ ...wholeWay, ...monitor }, { limits: { cost_alert_usd: 0.03 } });
  const ending = await bench.run({ answers: { ...known, "What is it called?": api_name }, approve: "auto" });
  bench.chain.close();
  return { ...bench, ending };
}

test("what a run is told beforehand it does not wait for, by a question's id or its words", async () => {
  const bench = await alone();
  expect(bench.ending.type).toBe("completed");
  const door = { kind: "policy", name: "--answers", door: "cli" };
  expect(named(bench, "question_answered").map(({ by }) => by)).toEqual([door, door, door]);
  expect(named(bench, "approval_given").map(({ by }) => by)).toEqual([
    { kind: "policy", name: "--approve-policy auto", door: "cli" },
  ]);
});

test("some answers known beforehand are taken, the others are waited for", async () => {
  const questions = ["big_numbers", "constructor"].map((id) => ({ id, question: `${id}?` }));
  const bench = workbench({
    "requirements-clarification/1/controller/turn-1": action("I ask.", { type: "ask_user", questions }),
  });
  const ending = await bench.run({ answers: { big_numbers: "no" } });
  bench.chain.close();
  expect(ending).toEqual({
    type: "needs_answers",
    questions: [{ id: "constructor", question: "constructor?", answer: null }],
  });
  expect(bench.chain.context.questions[0]?.answer).toBe("no");
});

test("a tiny task is clarified, approved and built in three steps", async () => {
  const bench = workbench(tinyWay, { size: "tiny" });
  expect((await bench.run()).type).toBe("needs_approval");
  bench.say({ type: "approve", hash: hashOf(bench) });
  expect(await bench.run()).toEqual({ type: "completed", summary: "The test passes." });
  bench.chain.close();
  expect(asked(bench)).toEqual([
    "requirements-clarification/1/controller",
    "implementation/1/1-tdd_flow_controller",
    "implementation/1/1-tdd_flow_controller/turn-2",
    "implementation/1/1-tdd_flow_controller/turn-3",
  ]);
  const { context } = bench.chain;
  expect(context.phase_history.map(({ phase }) => phase)).toEqual([
    "requirements-clarification",
    "solution-approval",
    "implementation",
  ]);
  expect([context.evidence.red, context.evidence.green, context.size]).toEqual([true, true, "tiny"]);
});

test("a further file ends tiny, and voids the approval", async () => {
  const key = "implementation/1/1-tdd_flow_controller";
  const bench = workbench(
    {
      ...tinyWay,
      [`${key}/turn-1`]: uses(["write_file", { path: "src/other.js", content: "x" }]),
      "context-building/1/controller/turn-1": give("It is larger."),
    },
    { size: "tiny" },
  );
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "parked", code: "gave_up" });
  bench.chain.close();
  const { size, current_phase, solution, engine } = bench.chain.context;
  expect([size, current_phase, solution?.standing, engine.focus]).toEqual([
    "normal",
    "context-building",
    "void",
    "src/other.js",
  ]);
  expect(existsSync(join(bench.folder, "src/other.js"))).toBe(false);
  expect(named(bench, "approval_voided")).toMatchObject([
    { reason: "The task needs src/other.js, which was not approved." },
  ]);
  expect(asked(bench).at(-1)).toBe("context-building/1/controller");
});

/** Right before an approval, then what is played after it was refused. */
const presenting = (replies: Record<string, unknown>) => workbench({ ...tinyWay, ...replies }, { size: "tiny" });

test("a rejection is understood before anything else is done", async () => {
  const key = "solution-approval/1/1-requirement_disambiguator";
  const bench = presenting({
    [`${key}/turn-1`]: report("It was too much.", { questions: [{ id: "what_instead", question: "What instead?" }] }),
    "solution-approval/2/controller/turn-1": present,
  });
  await bench.run();
  bench.say({ type: "reject", reason: "too much" });
  expect(await bench.run()).toMatchObject({ type: "needs_answers", questions: [{ id: "what_instead" }] });
  expect(asked(bench).at(-1)).toBe(key);
  const [request] = bench.requests.slice(-1);
  const tail = JSON.stringify(request?.messages[0]?.content.at(-1));
  expect(tail).toContain("```data focus\\nunderstand_rejection\\n```");
  bench.say({ type: "answer", answers: { what_instead: "less" } });
  expect((await bench.run()).type).toBe("needs_approval");
  bench.chain.close();
  expect(bench.chain.context.approval_history.map(({ user_response }) => user_response)).toEqual([
    "rejected: too much",
  ]);
});

test("a question at approval is looked into, and the approval is asked for again", async () => {
  const key = "solution-approval/1/1-uncertainty_resolver";
  const bench = presenting({
    [`${key}/turn-1`]: report("Yes, they do."),
  });
  await bench.run();
  bench.say({ type: "ask", question: "Do negative numbers work?" });
  expect((await bench.run()).type).toBe("needs_approval");
  expect(asked(bench).slice(1)).toEqual([key]);
  const question = bench.requests.find((request) => request.key.startsWith(key));
  expect(JSON.stringify(question?.messages[0]?.content.at(-1))).toContain(
    "```data question\\nDo negative numbers work?\\n```",
  );
  bench.say({ type: "approve", hash: hashOf(bench) });
  await bench.run();
  bench.chain.close();
  expect(bench.chain.context.state.type).toBe("completed");
  expect(bench.chain.context.approval_history.map(({ user_response }) => user_response)).toEqual([
    "more-info: Do negative numbers work?",
    "approved",
  ]);
});

test("free text at approval asks for changes, and what is presented then has another hash", async () => {
  const changed = { ...productSolution, title: "A smaller product" };
  const bench = presenting({
    "solution-approval/1/controller/turn-1": action("I change it.", { type: "present_solution", artifact: changed }),
  });
  await bench.run();
  const before = hashOf(bench);
  bench.say({ type: "change", request: "Make it smaller." });
  expect((await bench.run()).type).toBe("needs_approval");
  expect(hashOf(bench)).not.toBe(before);
  expect(JSON.stringify(bench.requests.at(-1)?.messages)).toContain("The user wants changes: Make it smaller.");
  bench.say({ type: "approve", hash: before });
  expect((await bench.run()).type).toBe("needs_approval");
  bench.chain.close();
  expect(named(bench, "message_ignored")).toMatchObject([
    { reason: `What is presented now is ${hashOf(bench)}, not ${before}. Nothing was approved.` },
  ]);
});

test("a file that changed after the solution was presented is not approved with it", async () => {
  const bench = presenting({ "solution-approval/1/controller/turn-1": present });
  await bench.run();
  writeFileSync(join(bench.folder, "src/product.js"), "somebody else's\n");
  const before = hashOf(bench);
  bench.say({ type: "approve", hash: before });
  expect((await bench.run()).type).toBe("needs_approval");
  bench.chain.close();
  expect(named(bench, "approval_voided")).toMatchObject([
    { reason: "src/product.js changed after the solution was presented." },
  ]);
  expect(hashOf(bench)).not.toBe(before);
  expect(bench.file("src/product.js")).toBe("somebody else's\n");
});

test("where tests are planned and the old ones fail already, the chain parks before a word is said", async () => {
  const files = { ...quickApp, "check.sh": "exit 3\n" };
  const bench = workbench(tinyWay, { size: "tiny", files });
  expect(await bench.run({ approve: "auto" })).toEqual({
    type: "parked",
    code: "baseline_failing",
    exit: 13,
    message:
      "The tests fail before anything was changed (exit 3), so new ones could not be told from old ones. Nothing was written.",
    hint: 'Mend them, or name a command that passes, then: claude-exec resume {id} --test-command "…"',
  });
  expect(asked(bench)).toEqual(["requirements-clarification/1/controller"]);
  const resume = (fields: { test_command?: readonly string[] }) => {
    bench.chain.append({ by: ada, bodies: [event("resumed", fields)] });
    return bench.run();
  };
  expect(await resume({})).toMatchObject({ code: "baseline_failing" });
  writeFileSync(join(bench.folder, "quick.sh"), quickApp["check.sh"]);
  expect(await resume({ test_command: ["sh", "quick.sh"] })).toMatchObject({ type: "completed" });
  bench.chain.close();
  const { runs } = bench.chain.context.evidence;
  expect(runs.map(({ verdict, exit_code, argv }) => [verdict, exit_code, argv[1]])).toEqual([
    ["failing at baseline", 3, "check.sh"],
    ["failing at baseline", 3, "check.sh"],
    ["baseline", 0, "quick.sh"],
    ["red", 2, "quick.sh"],
    ["green", 0, "quick.sh"],
  ]);
});

test("a solution without a test file goes on where the tests fail already", async () => {
  const artifact = { ...productSolution, files: productSolution.files.slice(0, 1) };
  const bench = workbench(
    {
      "requirements-clarification/1/controller/turn-1": action("This.", { type: "present_solution", artifact }),
      "implementation/1/1-tdd_flow_controller/turn-1": uses(["write_file", productCode]),
      "implementation/1/1-tdd_flow_controller/turn-2": report("It is there."),
    },
    { size: "tiny", files: { ...quickApp, "check.sh": "test -e src/product.js\n" } },
  );
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "completed" });
  bench.chain.close();
  expect(bench.chain.context.evidence.runs.map(({ verdict }) => verdict)).toEqual(["failing at baseline", "green"]);
});

test("a tiny task that only a check can prove is done when deployment_checker has carried it out", async () => {
  const artifact = {
    ...productSolution,
    files: [{ path: "README.md", role: "doc", change: "new" }],
    verification: { kind: "substitute", check: "read it aloud" },
  };
  const checker = "implementation/2/1-deployment_checker";
  const bench = workbench(
    {
      "requirements-clarification/1/controller/turn-1": action("This.", { type: "present_solution", artifact }),
      "implementation/1/1-tdd_flow_controller/turn-1": uses(["write_file", { path: "README.md", content: "# Sum\n" }]),
      "implementation/1/1-tdd_flow_controller/turn-2": report("Written.", {
        scores: [{ name: "substitute_check", value: 1 }],
      }),
      // A word is no check: without a look it is sent back.
      [`${checker}/turn-1`]: [report("It reads well.", { scores: [{ name: "substitute_check", value: 1 }] })],
      [`${checker}/turn-2`]: uses(["read_file", { path: "README.md" }]),
      [`${checker}/turn-3`]: report("It reads well.", { scores: [{ name: "substitute_check", value: 1 }] }),
    },
    { size: "tiny" },
  );
  expect(await bench.run({ approve: "auto" })).toEqual({ type: "completed", summary: "It reads well." });
  bench.chain.close();
  expect(bench.events().filter(({ event: name }) => name === "reply_rejected")).toHaveLength(1);
});

test("what nobody has read is not approved either once a file has changed", async () => {
  const bench = presenting({ "solution-approval/1/controller/turn-1": give("Somebody is at work here.") });
  await bench.run();
  writeFileSync(join(bench.folder, "src/product.js"), "somebody else's\n");
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "parked", code: "gave_up" });
  bench.chain.close();
  expect(named(bench, "approval_given")).toEqual([]);
  expect(named(bench, "approval_voided")).toMatchObject([
    { reason: "src/product.js changed after the solution was presented.", by: { name: "--approve-policy auto" } },
  ]);
  expect(bench.file("src/product.js")).toBe("somebody else's\n");
});

test("a question is looked into while questions are open, and those are asked again", async () => {
  const key = "requirements-clarification/2/1-uncertainty_resolver";
  const bench = workbench({ ...asksFirst, [`${key}/turn-1`]: report("A product is a times b.") });
  const open = await bench.run();
  bench.say({ type: "ask", question: "What is a product?" });
  expect(await bench.run()).toEqual(open);
  bench.chain.close();
  expect(asked(bench)).toEqual(["requirements-clarification/1/controller", key]);
});

test("where looking into a question moved anything, the solution is presented anew", async () => {
  const bench = presenting({
    "solution-approval/1/1-uncertainty_resolver/turn-1": report("No, they do not.", {
      decisions: [{ key: "negative_numbers", choice: "refused" }],
    }),
    "solution-approval/2/controller/turn-1": present,
  });
  await bench.run();
  bench.say({ type: "ask", question: "Do negative numbers work?" });
  expect((await bench.run()).type).toBe("needs_approval");
  bench.chain.close();
  expect(asked(bench).at(-1)).toBe("solution-approval/2/controller");
});

test("a reply that cannot be used is sent back twice, and then parks", async () => {
  const key = "requirements-clarification/1/controller";
  const prose = {
    outcome: "replied",
    stop: "end_turn",
    content: [{ type: "text", text: "Well, I think" }],
    usage: null,
  };
  const good = workbench({
    [`${key}/turn-1`]: prose,
    [`${key}/turn-2`]: says({ kind: "report", summary: "x" }),
    [`${key}/turn-3`]: give("Enough."),
  });
  expect(await good.run()).toMatchObject({ code: "gave_up" });
  good.chain.close();
  expect(named(good, "reply_rejected")).toMatchObject([
    { problems: ['The reply is not one JSON object. Answer with {"reply": …} and nothing around it.'] },
    { problems: ['This step answers with kind "action", not "report".'] },
  ]);
  const bad = workbench({ [`${key}/turn-1`]: prose, [`${key}/turn-2`]: prose, [`${key}/turn-3`]: prose });
  expect(await bad.run()).toMatchObject({ type: "parked", code: "reply_unusable", exit: 1 });
  bad.chain.close();
  expect(bad.requests).toHaveLength(3);
});

test("limits pause a chain before the call that would pass them", async () => {
  const controller = "requirements-clarification/1/controller/turn-1";
  const looping = {
    [controller]: run("component_mapper"),
    ...Object.fromEntries(
      Array.from({ length: 9 }, (_, index) => [
        `requirements-clarification/1/1-component_mapper/turn-${index + 1}`,
        uses(["read_file", { path: "src/sum.js", start: index + 1 }]),
      ]),
    ),
  };
  const all = workbench(looping, { limits: { turns: 3 } });
  const hint = "Everything is kept. Allow more and go on: claude-exec resume {id} --turns 6";
  expect(await all.run()).toEqual({
    type: "parked",
    code: "turns",
    exit: 12,
    message: "The chain has used its 3 calls.",
    hint,
  });
  const one = workbench(looping, { limits: { turns_per_prompt: 4 } });
  expect(await one.run()).toMatchObject({
    code: "turns",
    exit: 12,
    message: "component_mapper has taken 4 turns without an end.",
  });
  expect([all.requests.length, one.requests.length]).toEqual([3, 5]);
  const money = workbench(looping, { limits: { budget_usd: 0.05 } });
  const tokens = workbench(looping, { limits: { budget_tokens: 5_000 } });
  const [usd, count] = [await money.run(), await tokens.run()];
  expect([usd, count]).toMatchObject([
    {
      code: "budget",
      exit: 12,
      message: expect.stringMatching(
        /^The next call could cost \$0\.\d\d, and \$0\.05 of \$0\.05 are left\. Nothing was sent\.$/,
      ),
      hint: expect.stringMatching(
        /^Everything is kept\. Go on with more: claude-exec resume \{id\} --budget-usd [\d.]+$/,
      ),
    },
    {
      code: "budget",
      exit: 12,
      message: expect.stringMatching(
        /^The next call could take \d+ tokens, and 5000 of 5000 are left\. Nothing was sent\.$/,
      ),
      hint: expect.stringMatching(
        /^Everything is kept\. Go on with more: claude-exec resume \{id\} --budget-tokens \d+$/,
      ),
    },
  ]);
  expect([money.requests, tokens.requests]).toEqual([[], []]);
  for (const { chain } of [all, one, money, tokens]) chain.close();
});

test("a model without a price is refused where money is limited, before anything is sent", async () => {
  const bench = workbench({}, { deps: { routes: { fast: "m", default: "a-model-of-yours", smart: "m" } } });
  expect(await bench.run()).toEqual({
    type: "parked",
    code: "price_unknown",
    exit: 78,
    message: "The price of a-model-of-yours is not known, so a budget in money cannot be kept.",
    hint: "Give its prices in config.json, or limit tokens instead: claude-exec resume {id} --budget-usd none --budget-tokens 500000",
  });
  bench.chain.close();
  expect(bench.requests).toEqual([]);
});

test("every call is booked under its phase and prompt, at the price of its day", async () => {
  const bench = await alone();
  const { cost_tracking: costs } = bench.chain.context;
  const perCall = (900 * 4 + 300 * 20 + 4_000 * 0.2 + 400 * 5) / 1e6;
  expect(costs.tokens_used).toBe(bench.requests.length * 5_600);
  expect(costs.estimated_cost).toBeCloseTo(bench.requests.length * perCall, 9);
  expect(Object.keys(costs.by_phase)).toEqual([
    "requirements",
    "context_building",
    "uncertainty_analysis",
    "implementation",
  ]);
  expect(costs.by_prompt["phase_controller"]).toMatchObject({ calls: 16, tokens: 16 * 5_600 });
  expect(costs.by_kind).toEqual({
    input: bench.requests.length * 900,
    output: bench.requests.length * 300,
    cache_read: bench.requests.length * 4_000,
    cache_write: bench.requests.length * 400,
  });
});

test("a cost alert is said once, and stops nothing", async () => {
  const bench = await alone();
  expect(bench.ending.type).toBe("completed");
  expect(named(bench, "cost_alerted")).toMatchObject([{ usd: expect.closeTo(0.0372, 6), threshold: 0.03 }]);
  expect(asked(bench).filter((key) => key.endsWith("-cost_monitor"))).toHaveLength(1);
});

test("who is stopped before a step takes none; who reaches what was asked for stops there", async () => {
  const bench = workbench(wholeWay);
  expect(await bench.run({}, AbortSignal.abort())).toEqual({ type: "interrupted" });
  expect(bench.requests).toEqual([]);
  bench.chain.close();
});

test("a measurement that a person asks for comes next, and a waived area counts no longer", async () => {
  const key = "requirements-clarification/1/1-uncertainty_analysis";
  const bench = workbench({
    [`${key}/turn-1`]: report("Unsure.", {
      confidence: [{ area: "requirements", score: 0.9, evidence: [{ kind: "user", ref: "goal" }] }],
    }),
    "requirements-clarification/2/controller/turn-1": give("Enough."),
  });
  bench.say({ type: "check" });
  bench.say({ type: "waive", area: "technical_approach", reason: "A spike." });
  await bench.run();
  bench.chain.close();
  expect(asked(bench)).toEqual([key, "requirements-clarification/2/controller"]);
  expect(bench.chain.context.confidence_scores).toEqual({ overall: 0.45, requirements: 0.9 });
});

test("a gap is noted, told to the model, and looked at before the next decision", async () => {
  const gaps = [{ description: "sessions to tokens", prompt_kind: "discovery" }];
  const bench = workbench({
    "requirements-clarification/1/controller/turn-1": action("No prompt fits.", { type: "report_gap", gaps }),
    "requirements-clarification/1/0-prompt_gap_detector/turn-1": report("Two prompts together do."),
    "requirements-clarification/2/controller/turn-1": give("Enough."),
  });
  await bench.run();
  bench.chain.close();
  expect(bench.chain.context.last_gap_detected).toMatchObject(gaps[0]!);
  expect(asked(bench)).toEqual([
    "requirements-clarification/1/controller",
    "requirements-clarification/1/0-prompt_gap_detector",
    "requirements-clarification/2/controller",
  ]);
  expect(JSON.stringify(bench.requests[1]?.messages)).toContain("A gap is reported: sessions to tokens");
});

test("the context file is written when a turn ends, however it ends", async () => {
  const bench = workbench({ "requirements-clarification/1/controller/turn-1": give("Enough.") });
  await bench.run();
  bench.chain.close();
  const file = JSON.parse(readFileSync(bench.chain.viewPath, "utf8")) as { status: unknown; journal: { n: number } };
  expect([file.status, file.journal.n]).toEqual([
    {
      state: "parked",
      waiting_for: "The model gave up: Enough.",
      hint: 'Everything found out is kept. Add what it lacks and go on: claude-exec ask 001 "…", or claude-exec resume 001',
    },
    bench.lines.length,
  ]);
});

test("a project without any test is not stopped before its first", async () => {
  const script = `test -e ${productTest.path} || { echo "No test files found"; exit 1; }\n${quickApp["check.sh"]}`;
  const bench = workbench(tinyWay, { size: "tiny", files: { ...quickApp, "check.sh": script } });
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "completed" });
  bench.chain.close();
  expect(bench.chain.context.evidence.runs.map(({ verdict }) => verdict)).toEqual(["broken", "red", "green"]);
});
