import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readChain } from "../../src/chain/inspect.ts";
import { runTurn } from "../../src/chain/run.ts";
import {
  action,
  firstKey,
  opening,
  productSolution,
  report,
  says,
  uses,
  wholeWay,
  wholeWayAnswers,
  type Replies,
} from "../support/script.ts";
import { asksFirst, present, productCode, productTest, quickApp, tinyWay } from "../support/ways.ts";
import { cleanUp } from "../support/folders.ts";
import { workbench } from "./workbench.ts";
import { withPrinted } from "../support/printed.ts";

afterEach(cleanUp);

type Bench = Awaited<ReturnType<typeof workbench>>;

/** Keys of what was asked, in its order, without the first turns' number. */
const asked = ({ requests }: Bench) => requests.map(({ key }) => key.replace("/turn-1", ""));
const named = (bench: Bench, event: string) => bench.events().filter((one) => one.event === event);
const hashOf = ({ chain }: Bench) => chain.context.solution?.hash ?? "";
const give = (reason: string) => opening("I stop.", { type: "give_up", reason });
const run = (name: string, inputs: Record<string, string> = {}) =>
  opening(`I run ${name}.`, {
    type: "run_prompts",
    prompts: [{ name, inputs: Object.entries(inputs).map(([name, value]) => ({ name, value })) }],
  });

test("a whole way waits for answers and for an approval, sees red and then green, and completes", async () => {
  const bench = await workbench(wholeWay);
  expect(await bench.run()).toMatchObject({
    type: "needs_answers",
    questions: [{ id: "negative_numbers", answer: null }, { id: "big_numbers" }, { id: "api_name" }],
  });
  await bench.say({ type: "answer", answers: wholeWayAnswers });
  expect(await bench.run()).toEqual({ type: "needs_approval", presented: bench.chain.context.solution });
  expect(existsSync(join(bench.folder, "src/product.js"))).toBe(false);
  await bench.say({ type: "approve", hash: hashOf(bench) });
  expect(await bench.run()).toEqual({ type: "completed", summary: "product(a, b) is there, with a test." });
  await bench.chain.close();

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

test("a phase begins with the prompts that were named when it was opened, and nobody is asked in between", async () => {
  const bench = await workbench({
    [`${firstKey}/turn-1`]: report(
      "It is clear.",
      { confidence: [{ area: "requirements", score: 0.95, evidence: [{ kind: "task", ref: "goal" }] }] },
      { type: "advance", to: "context-building", prompts: [{ name: "component_mapper", inputs: [] }] },
    ),
    "context-building/1/1-component_mapper/turn-1": report(
      "One module.",
      {},
      { type: "give_up", reason: "It is enough." },
    ),
  });
  expect(await bench.run()).toMatchObject({ type: "parked", code: "gave_up" });
  await bench.chain.close();
  expect(asked(bench)).toEqual([firstKey, "context-building/1/1-component_mapper"]);
});

let whole: ReturnType<typeof runAlone> | undefined;
const alone = () => (whole ??= runAlone());

/** The whole way, run without anybody being asked. */
async function runAlone() {
  const { api_name, ...known } = wholeWayAnswers;
  const monitor = { "context-building/1/0-cost_monitor/turn-1": report("Nothing to save yet.") };
  const bench = await workbench({ ...wholeWay, ...monitor }, { limits: { cost_alert_usd: 0.03 } });
  const ending = await bench.run({ answers: { ...known, "What is it called?": api_name }, approve: "auto" });
  await bench.chain.close();
  return { ...bench, ending };
}

test("what a run is told beforehand it does not wait for, by a question's id or its words", async () => {
  const bench = await alone();
  expect(bench.ending.type).toBe("completed");
  const door = { kind: "policy", name: "the answers file", door: "cli" };
  expect(named(bench, "question_answered").map(({ by }) => by)).toEqual([door, door, door]);
  expect(named(bench, "approval_given").map(({ by }) => by)).toEqual([
    { kind: "policy", name: "the approve policy auto", door: "cli" },
  ]);
});

test("some answers known beforehand are taken, the others are waited for", async () => {
  const questions = ["big_numbers", "constructor"].map((id) => ({ id, question: `${id}?` }));
  const bench = await workbench({
    [`${firstKey}/turn-1`]: opening("I ask.", { type: "ask_user", questions }),
  });
  const ending = await bench.run({ answers: { big_numbers: "no" } });
  await bench.chain.close();
  expect(ending).toEqual({
    type: "needs_answers",
    questions: [{ id: "constructor", question: "constructor?", answer: null }],
  });
  expect(bench.chain.context.questions[0]?.answer).toBe("no");
});

test("a tiny task is clarified, approved and built in three steps", async () => {
  const bench = await workbench(tinyWay, { size: "tiny" });
  expect((await bench.run()).type).toBe("needs_approval");
  await bench.say({ type: "approve", hash: hashOf(bench) });
  expect(await bench.run()).toEqual({ type: "completed", summary: "The test passes." });
  await bench.chain.close();
  expect(asked(bench)).toEqual([
    firstKey,
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
  const bench = await workbench(
    {
      ...tinyWay,
      [`${key}/turn-1`]: uses(["write_file", { path: "src/other.js", content: "x" }]),
      "context-building/1/controller/turn-1": give("It is larger."),
    },
    { size: "tiny" },
  );
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "parked", code: "gave_up" });
  await bench.chain.close();
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
const presenting = async (replies: Record<string, unknown>) =>
  await workbench({ ...tinyWay, ...replies }, { size: "tiny" });

test("a rejection is understood before anything else is done", async () => {
  const key = "solution-approval/1/1-requirement_disambiguator";
  const bench = await presenting({
    [`${key}/turn-1`]: report("It was too much.", { questions: [{ id: "what_instead", question: "What instead?" }] }),
    "solution-approval/2/controller/turn-1": present,
  });
  await bench.run();
  await bench.say({ type: "reject", reason: "too much" });
  expect(await bench.run()).toMatchObject({ type: "needs_answers", questions: [{ id: "what_instead" }] });
  expect(asked(bench).at(-1)).toBe(key);
  const [request] = bench.requests.slice(-1);
  const tail = JSON.stringify(request?.messages.at(-1)?.content.at(-1));
  expect(tail).toContain("```data focus\\nunderstand_rejection\\n```");
  await bench.say({ type: "answer", answers: { what_instead: "less" } });
  expect((await bench.run()).type).toBe("needs_approval");
  await bench.chain.close();
  expect(bench.chain.context.approval_history.map(({ user_response }) => user_response)).toEqual([
    "rejected: too much",
  ]);
});

test("a question at approval is looked into, and the approval is asked for again", async () => {
  const key = "solution-approval/1/1-uncertainty_resolver";
  const bench = await presenting({
    [`${key}/turn-1`]: report("Yes, they do."),
  });
  await bench.run();
  await bench.say({ type: "ask", question: "Do negative numbers work?" });
  expect((await bench.run()).type).toBe("needs_approval");
  expect(asked(bench).slice(1)).toEqual([key]);
  const question = bench.requests.find((request) => request.key.startsWith(key));
  expect(JSON.stringify(question?.messages.at(-1)?.content.at(-1))).toContain(
    "```data question\\nDo negative numbers work?\\n```",
  );
  await bench.say({ type: "approve", hash: hashOf(bench) });
  await bench.run();
  await bench.chain.close();
  expect(bench.chain.context.state.type).toBe("completed");
  expect(bench.chain.context.approval_history.map(({ user_response }) => user_response)).toEqual([
    "more-info: Do negative numbers work?",
    "approved",
  ]);
});

test("free text at approval asks for changes, and what is presented then has another hash", async () => {
  const changed = { ...productSolution, title: "A smaller product" };
  const bench = await presenting({
    "solution-approval/1/controller/turn-1": action("I change it.", { type: "present_solution", artifact: changed }),
  });
  await bench.run();
  const before = hashOf(bench);
  await bench.say({ type: "change", request: "Make it smaller." });
  expect((await bench.run()).type).toBe("needs_approval");
  expect(hashOf(bench)).not.toBe(before);
  expect(JSON.stringify(bench.requests.at(-1)?.messages)).toContain(
    "The user wants changes (user change_request): Make it smaller.",
  );
  await bench.say({ type: "approve", hash: before });
  expect((await bench.run()).type).toBe("needs_approval");
  await bench.chain.close();
  expect(named(bench, "message_ignored")).toMatchObject([
    { reason: `What is presented now is ${hashOf(bench)}, not ${before}. Nothing was approved.` },
  ]);
});

test("a file that changed after the solution was presented is not approved with it", async () => {
  const bench = await presenting({ "solution-approval/1/controller/turn-1": present });
  await bench.run();
  writeFileSync(join(bench.folder, "src/product.js"), "somebody else's\n");
  const before = hashOf(bench);
  await bench.say({ type: "approve", hash: before });
  expect((await bench.run()).type).toBe("needs_approval");
  await bench.chain.close();
  expect(named(bench, "approval_voided")).toMatchObject([
    { reason: "src/product.js changed after the solution was presented." },
  ]);
  expect(hashOf(bench)).not.toBe(before);
  expect(bench.file("src/product.js")).toBe("somebody else's\n");
});

test("where tests are planned and the old ones fail already, the person is asked before a word is said", async () => {
  const files = { ...quickApp, "check.sh": "exit 3\n" };
  const bench = await workbench(tinyWay, { size: "tiny", files });
  const question = {
    id: "test_command",
    question: "Before any change, the tests fail with `sh check.sh`. How should it go on?",
    why: "No names of failing tests could be read, so new failures could not be counted. Answer in any words, for example: the tests run with `make check`.",
    options: ["Use another command …", "Run them again"],
    answer: null,
  };
  expect(await bench.run({ approve: "auto" })).toEqual({ type: "needs_answers", questions: [question] });
  expect(asked(bench)).toEqual([firstKey]);
  const say = async (test_command: string, id = "test_command") => {
    await bench.say({ type: "answer", answers: { [id]: test_command } });
    return bench.run();
  };
  expect(await say("Run them again")).toMatchObject({
    type: "needs_answers",
    questions: [{ ...question, id: "test_command_2" }],
  });
  writeFileSync(join(bench.folder, "quick.sh"), quickApp["check.sh"]);
  const unclear = await say("I do not know.", "test_command_2");
  expect(unclear).toMatchObject({
    type: "needs_answers",
    questions: [
      { id: "test_command_3", why: expect.stringContaining("named neither a command nor a choice") as string },
    ],
  });
  expect(await say("no, use sh quick.sh", "test_command_3")).toMatchObject({ type: "completed" });
  await bench.chain.close();
  const { runs } = bench.chain.context.evidence;
  expect(runs.map(({ verdict, exit_code, argv }) => [verdict, exit_code, argv[1]])).toEqual([
    ["failing at baseline", 3, "check.sh"],
    ["failing at baseline", 3, "check.sh"],
    ["baseline", 0, "quick.sh"],
    ["red", 2, "quick.sh"],
    ["green", 0, "quick.sh"],
  ]);
});

test("a failing run says that the rest belongs to later steps, as long as files are still to be written", async () => {
  const readme = { path: "README.md", content: "# product\n" };
  const artifact = {
    ...productSolution,
    files: [...productSolution.files, { path: "README.md", role: "doc", change: "new", lines: 1 }],
  };
  const says = (name: string, word: string) =>
    `if grep -qs ${word} src/product.js; then echo "ok - ${name}"; else echo "not ok 1 - ${name}"; bad=1; fi\n`;
  const check = `test -e test/product.test.js || exit 0\n${says("multiplies", "product")}${says("rounds", "round")}exit $bad\n`;
  const step = "implementation/1/1-tdd_flow_controller";
  const bench = await workbench(
    {
      [`${firstKey}/turn-1`]: opening("This.", { type: "present_solution", artifact }),
      [`${step}/turn-1`]: uses(["write_file", productTest], ["run_tests", {}]),
      [`${step}/turn-2`]: uses(["write_file", productCode], ["run_tests", {}]),
      [`${step}/turn-3`]: uses(["write_file", readme], ["run_tests", {}]),
      [`${step}/turn-4`]: uses(
        ["write_file", { ...productCode, content: "export const product = Math.round;\n" }],
        ["run_tests", {}],
      ),
      [`${step}/turn-5`]: report("It is written."),
    },
    { size: "tiny", files: { ...quickApp, "check.sh": check } },
  );
  await bench.run({ approve: "auto" });
  await bench.chain.close();
  expect(bench.chain.context.evidence.runs.slice(1).map(({ verdict, why }) => [verdict, why])).toEqual([
    ["red", undefined],
    ["failing", "1 of 2 new tests passes; the rest belong to later steps"],
    ["failing", undefined],
    ["green", undefined],
  ]);
});

test("in direct mode too the person is asked about tests that fail before any change", async () => {
  const files = { ...quickApp, "check.sh": "printf 'ok 1 - adds\\nnot ok 2 - flaky\\n'; exit 1\n" };
  const bench = await workbench(tinyWay, { size: "tiny", mode: "direct", files });
  expect(await bench.run({ approve: "auto" })).toMatchObject({
    type: "needs_answers",
    questions: [{ question: "Before any change, 1 of 2 tests fails with `sh check.sh`: flaky. How should it go on?" }],
  });
  await bench.chain.close();
});

test("a solution without a test file goes on where the tests fail already", async () => {
  const artifact = { ...productSolution, files: productSolution.files.slice(0, 1) };
  const bench = await workbench(
    {
      [`${firstKey}/turn-1`]: opening("This.", { type: "present_solution", artifact }),
      "implementation/1/1-tdd_flow_controller/turn-1": uses(["write_file", productCode]),
      "implementation/1/1-tdd_flow_controller/turn-2": report("It is there."),
    },
    { size: "tiny", files: { ...quickApp, "check.sh": "test -e src/product.js\n" } },
  );
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "completed" });
  await bench.chain.close();
  expect(bench.chain.context.evidence.runs.map(({ verdict }) => verdict)).toEqual(["failing at baseline", "green"]);
});

test("a tiny task that only a check can prove is done when deployment_checker has carried it out", async () => {
  const artifact = {
    ...productSolution,
    files: [{ path: "README.md", role: "doc", change: "new", lines: 0 }],
    verification: { kind: "substitute", check: "read it aloud" },
  };
  const checker = "implementation/2/1-deployment_checker";
  const bench = await workbench(
    {
      [`${firstKey}/turn-1`]: opening("This.", { type: "present_solution", artifact }),
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
  await bench.chain.close();
  expect(bench.events().filter(({ event: name }) => name === "reply_rejected")).toHaveLength(1);
});

test("what nobody has read is not approved either once a file has changed", async () => {
  const bench = await presenting({ "solution-approval/1/controller/turn-1": give("Somebody is at work here.") });
  await bench.run();
  writeFileSync(join(bench.folder, "src/product.js"), "somebody else's\n");
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "parked", code: "gave_up" });
  await bench.chain.close();
  expect(named(bench, "approval_given")).toEqual([]);
  expect(named(bench, "approval_voided")).toMatchObject([
    { reason: "src/product.js changed after the solution was presented.", by: { name: "the approve policy auto" } },
  ]);
  expect(bench.file("src/product.js")).toBe("somebody else's\n");
});

test("a question is looked into while questions are open, and those are asked again", async () => {
  const key = "requirements-clarification/2/1-uncertainty_resolver";
  const bench = await workbench({ ...asksFirst, [`${key}/turn-1`]: report("A product is a times b.") });
  const open = await bench.run();
  await bench.say({ type: "ask", question: "What is a product?" });
  expect(await bench.run()).toEqual(open);
  await bench.chain.close();
  expect(asked(bench)).toEqual([firstKey, key]);
});

test("where looking into a question moved anything, the solution is presented anew", async () => {
  const bench = await presenting({
    "solution-approval/1/1-uncertainty_resolver/turn-1": report("No, they do not.", {
      decisions: [{ key: "negative_numbers", choice: "refused" }],
    }),
    "solution-approval/2/controller/turn-1": present,
  });
  await bench.run();
  await bench.say({ type: "ask", question: "Do negative numbers work?" });
  expect((await bench.run()).type).toBe("needs_approval");
  await bench.chain.close();
  expect(asked(bench).at(-1)).toBe("solution-approval/2/controller");
});

test("a reply that cannot be used is sent back twice, and then parks", async () => {
  const key = firstKey;
  const prose = {
    outcome: "replied",
    stop: "end_turn",
    content: [{ type: "text", text: "Well, I think" }],
    usage: null,
  };
  const good = await workbench({
    [`${key}/turn-1`]: prose,
    [`${key}/turn-2`]: says({ report: { summary: 1 } }),
    [`${key}/turn-3`]: give("Enough."),
  });
  expect(await good.run()).toMatchObject({ code: "gave_up" });
  await good.chain.close();
  expect(named(good, "reply_rejected")).toMatchObject([
    { problems: ['The reply is not one JSON object. Answer with {"report": …, "action": …} and nothing around it.'] },
    { problems: ["report.summary: Invalid input: expected string, received number"] },
  ]);
  const bad = await workbench({ [`${key}/turn-1`]: prose, [`${key}/turn-2`]: prose, [`${key}/turn-3`]: prose });
  expect(await bad.run()).toMatchObject({ type: "parked", code: "reply_unusable", exit: 1 });
  await bad.chain.close();
  expect(bad.requests).toHaveLength(3);
});

test("limits pause a chain before the call that would pass them", async () => {
  const looping = {
    [`${firstKey}/turn-1`]: run("component_mapper"),
    ...Object.fromEntries(
      Array.from({ length: 9 }, (_, index) => [
        `requirements-clarification/2/1-component_mapper/turn-${index + 1}`,
        uses(["read_file", { path: "src/sum.js", start: index + 1 }]),
      ]),
    ),
  };
  const all = await workbench(looping, { limits: { turns: 3 } });
  const hint = "Everything is kept. Allow more and go on: claude-exec resume 001 --turns 6";
  expect(withPrinted(await all.run())).toEqual({
    type: "parked",
    code: "turns",
    exit: 12,
    message: "The chain has used its 3 calls.",
    hint,
  });
  const one = await workbench(looping, { limits: { turns_per_prompt: 4 } });
  expect(await one.run()).toMatchObject({
    code: "turns",
    exit: 12,
    message: "component_mapper has taken 4 turns without an end.",
  });
  expect([all.requests.length, one.requests.length]).toEqual([3, 5]);
  const money = await workbench(looping, { limits: { budget_usd: 0.05 } });
  const tokens = await workbench(looping, { limits: { budget_tokens: 5_000 } });
  const [usd, count] = [await money.run(), await tokens.run()];
  expect([usd, count].map((ending) => withPrinted(ending))).toMatchObject([
    {
      code: "budget",
      exit: 12,
      message: expect.stringMatching(
        /^The next call could cost \$0\.\d\d, and \$0\.05 of \$0\.05 are left\. Nothing was sent\.$/,
      ),
      hint: expect.stringMatching(/^Everything is kept\. Go on with more: claude-exec resume 001 --budget-usd [\d.]+$/),
    },
    {
      code: "budget",
      exit: 12,
      message: expect.stringMatching(
        /^The next call could take \d+ tokens, and 5000 of 5000 are left\. Nothing was sent\.$/,
      ),
      hint: expect.stringMatching(/^Everything is kept\. Go on with more: claude-exec resume 001 --budget-tokens \d+$/),
    },
  ]);
  expect([money.requests, tokens.requests]).toEqual([[], []]);
  for (const { chain } of [all, one, money, tokens]) await chain.close();
});

test("a model without a price is refused where money is limited, before anything is sent", async () => {
  const bench = await workbench({}, { deps: { routes: { fast: "m", default: "a-model-of-yours", smart: "m" } } });
  expect(withPrinted(await bench.run())).toEqual({
    type: "parked",
    code: "price_unknown",
    exit: 78,
    message: "The price of a-model-of-yours is not known, so a budget in money cannot be kept.",
    hint: "Give its prices in config.json, or limit tokens instead: claude-exec resume 001 --budget-usd none --budget-tokens 500000",
  });
  await bench.chain.close();
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
  expect(costs.by_prompt["phase_controller"]).toMatchObject({ calls: 5, tokens: 5 * 5_600 });
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
  const bench = await workbench(wholeWay);
  expect(await bench.run({}, AbortSignal.abort())).toEqual({ type: "interrupted" });
  expect(bench.requests).toEqual([]);
  await bench.chain.close();
});

test("a measurement that a person asks for comes next, and a waived area counts no longer", async () => {
  const key = "requirements-clarification/1/1-uncertainty_analysis";
  const bench = await workbench({
    [`${key}/turn-1`]: report("Unsure.", {
      confidence: [{ area: "requirements", score: 0.9, evidence: [{ kind: "user", ref: "goal" }] }],
    }),
    "requirements-clarification/2/controller/turn-1": give("Enough."),
  });
  await bench.say({ type: "check" });
  await bench.say({ type: "waive", area: "technical_approach", reason: "A spike." });
  await bench.run();
  await bench.chain.close();
  expect(asked(bench)).toEqual([key, "requirements-clarification/2/controller"]);
  expect(bench.chain.context.confidence_scores).toEqual({ overall: 0.45, requirements: 0.9 });
});

test("a gap is noted, told to the model, and looked at before the next decision", async () => {
  const gaps = [{ description: "sessions to tokens", prompt_kind: "discovery" }];
  const bench = await workbench({
    [`${firstKey}/turn-1`]: opening("No prompt fits.", { type: "report_gap", gaps }),
    "requirements-clarification/1/0-prompt_gap_detector/turn-1": report("Two prompts together do."),
    "requirements-clarification/2/controller/turn-1": give("Enough."),
  });
  await bench.run();
  await bench.chain.close();
  expect(bench.chain.context.last_gap_detected).toMatchObject(gaps[0]!);
  expect(asked(bench)).toEqual([
    firstKey,
    "requirements-clarification/1/0-prompt_gap_detector",
    "requirements-clarification/2/controller",
  ]);
  expect(JSON.stringify(bench.requests[1]?.messages)).toContain("A gap is reported: sessions to tokens");
});

test("the context file is written when a turn ends, however it ends", async () => {
  const bench = await workbench({ [`${firstKey}/turn-1`]: give("Enough.") });
  await bench.run();
  await bench.chain.close();
  const file = JSON.parse(readFileSync(bench.chain.viewPath, "utf8")) as { status: object; journal: { n: number } };
  expect([withPrinted(file.status), file.journal.n]).toEqual([
    {
      state: "stopped",
      waiting_for: "The model gave up: Enough.",
      hint: 'Everything found out is kept. Add what it lacks: claude-exec ask 001 "…"\nOr go on: claude-exec resume 001',
    },
    bench.lines.length,
  ]);
});

test("a project without any test is not stopped before its first", async () => {
  const script = `test -e ${productTest.path} || { echo "No test files found"; exit 1; }\n${quickApp["check.sh"]}`;
  const bench = await workbench(tinyWay, { size: "tiny", files: { ...quickApp, "check.sh": script } });
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "completed" });
  await bench.chain.close();
  expect(bench.chain.context.evidence.runs.map(({ verdict }) => verdict)).toEqual(["broken", "red", "green"]);
});

test("what a runner counts before a long list of failures is read, so that skipped tests are no loss later", async () => {
  const long = `i=0; while [ $i -lt 900 ]; do echo "at a frame of the stack that is long enough to push the counts out"; i=$((i+1)); done`;
  const script = `if test ! -e ${productTest.path} || test -e ${productCode.path}; then echo "9 passing"; echo "4 pending"; else echo "8 passing"; echo "4 pending"; echo "1 failing"; ${long}; exit 1; fi\n`;
  const bench = await workbench(tinyWay, { size: "tiny", files: { ...quickApp, "check.sh": script } });
  expect(await bench.run({ approve: "auto" })).toMatchObject({ type: "completed" });
  await bench.chain.close();
  const { runs } = bench.chain.context.evidence;
  expect(runs.map(({ verdict, skipped }) => [verdict, skipped])).toEqual([
    ["baseline", 4],
    ["red", 4],
    ["green", 4],
  ]);
  expect(runs.every(({ output }) => output.length < 40_000)).toBe(true);
});

test("on the copy without the new code a Python package is the copy's own, also where the workspace is installed", async () => {
  const bench = await workbench(
    {
      [`${firstKey}/turn-1`]: opening("This.", {
        type: "present_solution",
        artifact: {
          ...productSolution,
          files: [
            { path: "src/sums.py", role: "code", change: "edit", lines: 0 },
            { path: "test_sums.py", role: "test", change: "new", lines: 0 },
          ],
        },
      }),
      "implementation/1/1-tdd_flow_controller/turn-1": uses(
        ["write_file", { path: "test_sums.py", content: "from sums import product\n" }],
        ["run_tests", {}],
      ),
      "implementation/1/1-tdd_flow_controller/turn-2": uses(
        ["write_file", { path: "src/sums.py", content: "product = 6\n" }],
        ["run_tests", {}],
      ),
      "implementation/1/1-tdd_flow_controller/turn-3": report("It is there."),
    },
    {
      size: "tiny",
      files: { "src/sums.py": "", "check.sh": "test ! -e test_sums.py && exit 0\npython3 installed.py\n" },
    },
  );
  // What an editable installation does: the folder of the workspace is looked through after PYTHONPATH.
  const installed = `import sys\nsys.path.append(${JSON.stringify(join(bench.folder, "src"))})\nimport test_sums\n`;
  writeFileSync(join(bench.folder, "installed.py"), installed);
  const ending = await bench.run({ approve: "auto" });
  await bench.chain.close();
  expect(named(bench, "red_repeated")).toMatchObject([{ why: null }]);
  expect(ending).toMatchObject({ type: "completed" });
});

/** What follows a second approval: a prompt that looks at what there is, then the reviews of all of it. */
const againApproved = {
  "implementation/4/1-code_reviewer/turn-1": report("Nothing to fix."),
  "implementation/4/2-security_scanner/turn-1": report("Nothing found."),
  "implementation/4/3-simplicity_checker/turn-1": report("Plain.", { scores: [{ name: "simplicity", value: 2 }] }),
  "implementation/5/1-deployment_checker/turn-1": report("Ready."),
};
const done = report("All is there.", {}, { type: "complete", summary: "product(a, b) is there, with a test." });

test("a solution that needs one more file keeps what was written and seen to fail, and all of it is reviewed", async () => {
  const readme = { path: "README.md", content: "# product\n" };
  const files = [...productSolution.files, { path: readme.path, role: "doc", change: "new" }];
  const bench = await workbench({
    ...wholeWay,
    "implementation/2/1-tdd_flow_controller/turn-2": report(
      "The test passes, and it belongs into the README.",
      {},
      { type: "go_back", to: "solution-approval", focus: readme.path },
    ),
    "solution-approval/1/controller/turn-1": action("One more file.", {
      type: "present_solution",
      patch: [{ part: "files", value: files }],
    }),
    "implementation/3/1-tdd_flow_controller/turn-1": uses(["write_file", readme]),
    "implementation/3/1-tdd_flow_controller/turn-2": done,
    ...againApproved,
  });
  expect(await bench.run({ answers: wholeWayAnswers, approve: "auto" })).toMatchObject({ type: "completed" });
  await bench.chain.close();
  expect(bench.chain.context.evidence.runs.map(({ verdict }) => verdict)).toEqual([
    "baseline",
    "red",
    "green",
    "green",
    "green",
  ]);
  expect(named(bench, "red_repeated")).toMatchObject([{ why: null }]);
  expect(named(bench, "file_changed").map((one) => "path" in one && one.path)).toEqual([
    productTest.path,
    productCode.path,
    readme.path,
  ]);
  const [{ text = "" } = {}] = named(bench, "change_shown") as { text?: string }[];
  for (const path of [productTest.path, productCode.path, readme.path]) expect(text).toContain(`+++ b/${path}`);
});

test("a file that the newest solution no longer names is still shown to reviewers, and named as such", async () => {
  const readme = { path: "README.md", content: "# product\n" };
  const back = { type: "go_back", to: "solution-approval" };
  const presents = (files: readonly object[]) =>
    action("Other files.", { type: "present_solution", patch: [{ part: "files", value: files }] });
  const later = Object.entries(againApproved).map(([key, reply]) => [
    key.replace(/\d/, (number) => String(Number(number) + 1)),
    reply,
  ]);
  const bench = await workbench({
    ...wholeWay,
    "implementation/2/1-tdd_flow_controller/turn-2": report("It belongs into the README.", {}, back),
    "solution-approval/1/controller/turn-1": presents([
      ...productSolution.files,
      { path: readme.path, role: "doc", change: "new" },
    ]),
    "implementation/3/1-tdd_flow_controller/turn-1": uses(["write_file", readme]),
    "implementation/3/1-tdd_flow_controller/turn-2": report("It does not.", {}, back),
    "solution-approval/2/controller/turn-1": presents(productSolution.files),
    "implementation/4/1-tdd_flow_controller/turn-1": done,
    ...(Object.fromEntries(later) as Replies),
  });
  expect(await bench.run({ answers: wholeWayAnswers, approve: "auto" })).toMatchObject({ type: "completed" });
  await bench.chain.close();
  const { text = "" } = named(bench, "change_shown").at(-1) as { text?: string };
  expect(text).toContain(
    "Changed for an earlier solution, and not part of the approved one: README.md. These files are still changed.",
  );
  for (const path of [productTest.path, productCode.path, readme.path]) expect(text).toContain(`+++ b/${path}`);
});

test("a test that a person edits after it failed costs an approval, and nothing is written again", async () => {
  const bench = await workbench({
    ...wholeWay,
    "solution-approval/1/controller/turn-1": action("The test is yours now.", { type: "present_solution" }),
    "implementation/3/1-tdd_flow_controller/turn-1": done,
    ...againApproved,
  });
  const policy = { answers: wholeWayAnswers, approve: "auto" } as const;
  const isRed = () => bench.chain.context.evidence.red;
  await runTurn(bench.chain, bench.deps, policy, new AbortController().signal, isRed);
  writeFileSync(join(bench.folder, productTest.path), `${productTest.content}// by hand\n`);
  expect(await bench.run(policy)).toMatchObject({ type: "completed" });
  await bench.chain.close();
  expect(named(bench, "approval_given")).toHaveLength(2);
  expect(named(bench, "file_changed")).toHaveLength(2);
  expect(named(bench, "red_repeated")).toMatchObject([{ why: null, differs: [productTest.path] }, { why: null }]);
});

test("a test that is edited by hand so that it needs no code proves nothing after a new approval either", async () => {
  const bench = await workbench({
    ...wholeWay,
    "implementation/2/1-tdd_flow_controller/turn-2": report(
      "One more file.",
      {},
      { type: "go_back", to: "solution-approval", focus: "docs" },
    ),
    "solution-approval/1/controller/turn-1": action("The same.", { type: "present_solution" }),
    "implementation/3/1-tdd_flow_controller/turn-1": done,
    "implementation/3/controller/turn-1": give("It does not count."),
    "implementation/4/controller/turn-1": give("It does not count."),
  });
  const policy = { answers: wholeWayAnswers, approve: "auto" } as const;
  const isBack = () => named(bench, "approval_voided").length > 0;
  await runTurn(bench.chain, bench.deps, policy, new AbortController().signal, isBack);
  writeFileSync(join(bench.folder, "check.sh"), "true\n");
  writeFileSync(join(bench.folder, productTest.path), "// nothing\n");
  expect(await bench.run(policy)).toMatchObject({ type: "parked", code: "gave_up" });
  await bench.chain.close();
  expect(bench.chain.context.evidence.runs.at(-1)).toMatchObject({ verdict: "unproven" });
});

test("code that a second solution leaves out is not proved by a file that it adds", async () => {
  const other = { path: "src/other.js", content: "export const other = 1;\n" };
  const files = [productSolution.files[1], { path: other.path, role: "code", change: "new" }];
  const bench = await workbench({
    ...wholeWay,
    "implementation/2/1-tdd_flow_controller/turn-2": report(
      "One more.",
      {},
      { type: "go_back", to: "solution-approval" },
    ),
    "solution-approval/1/controller/turn-1": action("Another file.", {
      type: "present_solution",
      patch: [{ part: "files", value: files }],
    }),
    "implementation/3/1-tdd_flow_controller/turn-1": uses(["write_file", other]),
    "implementation/3/1-tdd_flow_controller/turn-2": done,
    "implementation/4/controller/turn-1": give("It does not count."),
  });
  expect(await bench.run({ answers: wholeWayAnswers, approve: "auto" })).toMatchObject({ code: "gave_up" });
  await bench.chain.close();
  expect(bench.chain.context.evidence.runs.at(-1)).toMatchObject({ verdict: "unproven" });
});

/** The whole way, where a test of before is deleted by hand once the new one has failed. */
async function withoutOldTest(more: Replies) {
  const bench = await workbench(
    { ...wholeWay, ...againApproved, ...more },
    { files: { ...quickApp, "test/old.test.js": "// old\n" } },
  );
  const policy = { answers: wholeWayAnswers, approve: "auto" } as const;
  const isRed = () => bench.chain.context.evidence.red;
  await runTurn(bench.chain, bench.deps, policy, new AbortController().signal, isRed);
  rmSync(join(bench.folder, "test/old.test.js"));
  const next = async () => {
    const ending = await bench.run(policy);
    return ending.type === "needs_permission" && ending.request.kind === "lost_tests" ? ending.request.id : ending;
  };
  return { bench, next };
}

test("a question about tests that no longer run is answered, and then the person is asked again", async () => {
  const { bench, next } = await withoutOldTest({
    "implementation/3/1-uncertainty_resolver/turn-1": report("It tested nothing."),
  });
  const id = await next();
  await bench.say({ type: "ask", question: "What did it test?", id: id as string });
  const again = await next();
  expect(again).toBeTypeOf("string");
  expect(JSON.stringify(bench.requests.at(-1))).toContain(
    "What did it test?\\n(About tests that no longer run: test/old.test.js)",
  );
  await bench.say({ type: "allow", id: again as string, always: false });
  expect(await next()).toMatchObject({ type: "completed" });
  await bench.chain.close();
  expect(
    asked(bench)
      .filter((key) => key.endsWith("/controller"))
      .slice(-1),
  ).toEqual(["uncertainty-analysis/3/controller"]);
});

test("why a person does not let tests go stands in the very next request", async () => {
  const { bench, next } = await withoutOldTest({});
  const id = await next();
  const before = bench.requests.length;
  await bench.say({ type: "reject", reason: "It pins the old behaviour down.", id: id as string });
  await next();
  await bench.chain.close();
  expect(JSON.stringify(bench.requests[before])).toContain(
    "A person does not allow these tests that no longer run: test/old.test.js. It pins the old behaviour down.",
  );
});

test("a refusal to let tests go is asked about again once the person answered something else", async () => {
  const { bench, next } = await withoutOldTest({
    "implementation/3/controller/turn-1": action("I ask.", {
      type: "ask_user",
      questions: [{ id: "old_test", question: "Shall the old test come back?" }],
    }),
  });
  const id = await next();
  await bench.say({ type: "reject", reason: "Why?", id: id as string });
  expect(await next()).toMatchObject({ type: "needs_answers" });
  await bench.say({ type: "answer", answers: { old_test: "no, it is obsolete" } });
  const again = await next();
  await bench.say({ type: "allow", id: again as string, always: false });
  expect(await next()).toMatchObject({ type: "completed" });
  await bench.chain.close();
});

test("code that takes more than three minutes to read is written in parts, with a test run after each", async () => {
  const turn = (number: number) => `implementation/1/1-tdd_flow_controller/turn-${number}`;
  const part = (count: number) => Array.from({ length: count }, (_, at) => `// line ${count} ${at}\n\n`).join("");
  const code = (...counts: number[]) => ({
    ...productCode,
    content: productCode.content + counts.map(part).join(""),
  });
  const bench = await workbench(
    {
      ...tinyWay,
      [turn(2)]: uses(["write_file", code(75)]),
      [turn(3)]: uses(["write_file", code(74)]),
      [turn(4)]: uses(["write_file", code(74, 1)]),
      [turn(5)]: uses(["run_tests", {}], ["write_file", code(74, 70)]),
      [turn(6)]: uses(["run_tests", {}]),
      [turn(7)]: report("Written in two parts.", { action: { type: "complete", summary: "Done." } }),
    },
    { size: "tiny" },
  );
  await bench.run({ approve: "auto" });
  const told = bench.lines.flatMap((line) =>
    line.type === "result" && line.effect === "tool" && "text" in line.content ? [line.content.text] : [],
  );
  const inParts = "Write it in parts of at most 75 lines, with run_tests after each.";
  expect(told.filter((text) => /^(?:src|Changed|Created src.product)/.test(text))).toEqual([
    `src/product.js was not written: a person would read this change for more than three minutes. ${inParts}`,
    "Created src/product.js (149 lines).",
    `src/product.js was not written: with this change, a person would read what changed since the last test run for more than three minutes. ${inParts}`,
    "Changed src/product.js (289 lines).",
  ]);
  await bench.chain.close();
});
