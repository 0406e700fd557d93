import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { action, firstKey, opening, productSolution, report, says, uses, type Replies } from "../support/script.ts";
import {
  advances,
  contextFull,
  cutOff,
  openGates,
  present,
  productCode,
  productTest,
  prose,
  quickApp,
  quickTests,
  refused,
  runs,
  task,
  tiny,
  tinyWay,
  toImplementation,
} from "../support/ways.ts";
import { withPrinted } from "../support/printed.ts";

const first = `${firstKey}/turn-1`;
const second = `${firstKey}/turn-2`;
const kept = "Everything before is kept.";

interface Ended {
  readonly code: number | string;
  readonly ending: { readonly message?: string; readonly [field: string]: unknown };
  readonly place: ReturnType<typeof placeWith>;
}

/** Runs a task with these replies until the program ends, and tells how it ended. */
async function run(replies: Replies, argv: readonly string[] = tiny, settings: object = {}): Promise<Ended> {
  const place = placeWith(quickApp);
  place.configure(settings);
  const replay = place.replay(replies);
  const ran = await place.run([...argv, replay, "--approve-policy=auto", "--json"]);
  expect(ran.stderr).toBe("");
  const { ending } = JSON.parse(ran.stdout) as { ending: Ended["ending"] };
  return { code: ran.code, ending: "next" in ending ? withPrinted(ending) : ending, place };
}

const normal = [task, "--trust", quickTests];
const asks = (name: string) => action(`I ask ${name}.`, { type: "run_prompts", prompts: [{ name, inputs: [] }] });

function parked(code: string, exit: number, message: string, hint: string) {
  return { type: "parked", code, exit, message, hint };
}

const controller = "requirements-clarification/2/controller";
const noJson = 'The reply is not one JSON object. Answer with {"report": …, "action": …} and nothing around it.';

test.for([
  ["prose", firstKey, prose("Sure! I would start with the tests."), noJson],
  ["torn JSON", firstKey, prose('{"report": {"summary"'), noJson],
  [
    "JSON of another shape",
    firstKey,
    prose('{"report": {"account": "All is well."}}'),
    "report.summary: Invalid input: expected string, received undefined",
  ],
  [
    "an action where a report is asked for",
    firstKey,
    action("On.", { type: "advance", to: "context-building" }),
    "This step needs a report. Its action may be null.",
  ],
  ["nothing where an action is asked for", controller, says({}), "This step needs an action. Its report may be null."],
  [
    "an action of another shape",
    controller,
    prose('{"action": {"say": "Go."}}'),
    "action.do: Invalid input: expected object, received undefined",
  ],
  [
    "a prompt that is not there",
    controller,
    asks("cupcake_baker"),
    'There is no prompt "cupcake_baker". Use a name from the catalogue.',
  ],
  [
    "a prompt without the input it needs",
    controller,
    asks("uncertainty_resolver"),
    'uncertainty_resolver needs the input "question".',
  ],
  [
    "a phase that is not there",
    controller,
    action("On.", { type: "advance", to: "world-domination" }),
    'There is no phase "world-domination". Phases: requirements-clarification, context-building, uncertainty-analysis, solution-approval, implementation.',
  ],
] as const)(
  "a model that answers %s is told so, and after the third time the chain pauses",
  async ([, key, reply, problem]) => {
    const { code, ending, place } = await run({
      [first]: report("It is clear."),
      ...Object.fromEntries([1, 2, 3].map((turn) => [`${key}/turn-${turn}`, reply])),
    });
    const prompt = key === controller ? "phase_controller" : "requirement_disambiguator";
    expect({ code, ending }).toEqual({
      code: 1,
      ending: parked(
        "reply_unusable",
        1,
        `The model's reply to ${prompt} could not be used three times: ${problem}`,
        `${kept} Try again, perhaps with another model: claude-exec resume 001 --model <model>`,
      ),
    });
    expect(place.events("reply_rejected").map(({ problems }) => problems[0])).toEqual([problem, problem, problem]);
  },
);

test("an action that cannot be used is refused where its report can, and after the third time the chain pauses", async () => {
  const wrong = runs("cupcake_baker");
  const { code, ending, place } = await run({
    [first]: wrong,
    "requirements-clarification/2/controller/turn-1": wrong,
    "requirements-clarification/3/controller/turn-1": wrong,
  });
  const problem = 'There is no prompt "cupcake_baker". Use a name from the catalogue.';
  expect({ code, message: ending.message }).toEqual({
    code: 11,
    message: `The model insists on "run prompts", which is refused: ${problem}`,
  });
  expect(place.events("gate_refused").map(({ reasons }) => reasons)).toEqual([[problem], [problem], [problem]]);
  expect(place.events("report_recorded")).toHaveLength(3);
});

test("a report alone where an action is asked for is kept, and after the third time the chain pauses", async () => {
  const keys = [2, 3, 4].map((number) => `requirements-clarification/${number}/controller/turn-1`);
  const { code, ending, place } = await run({
    [first]: report("It is clear."),
    ...Object.fromEntries(keys.map((key) => [key, report("All is well.")])),
  });
  expect({ code, message: ending.message }).toEqual({
    code: 11,
    message:
      'The model insists on "a reply without an action", which is refused: This step needs an action. Its report may be null.',
  });
  expect(place.events("report_recorded")).toHaveLength(4);
});

test("a model that answers prose once is asked again and goes on", async () => {
  const { code, place } = await run({ ...tinyWay, [first]: prose("Well …"), [second]: present });
  expect(code).toBe(0);
  expect(place.events("reply_rejected")).toHaveLength(1);
});

test("a model that names a prompt's reply wrong in a tool loop is asked again and goes on", async () => {
  const last = "implementation/1/1-tdd_flow_controller/turn-3";
  const { code } = await run({
    ...tinyWay,
    [last]: says({ action: { say: "Done.", do: { type: "complete", summary: "" } } }),
    "implementation/1/1-tdd_flow_controller/turn-4": report("It passes."),
  });
  expect(code).toBe(0);
});

test("nothing is written and nothing is run before a person approved", async () => {
  const step = "requirements-clarification/2/1-tdd_flow_controller";
  const { code, place } = await run({
    [first]: runs("tdd_flow_controller"),
    [`${step}/turn-1`]: uses(
      ["write_file", productTest],
      ["write_file", productCode],
      ["edit_file", { path: "src/sum.js", old: "a + b", new: "a - b" }],
      ["run_tests", {}],
    ),
    [`${step}/turn-2`]: report("I tried."),
    "requirements-clarification/3/controller/turn-1": action("I stop.", { type: "give_up", reason: "It is a test." }),
  });
  expect(code).toBe(1);
  const files = "Files are written only after a person approved the solution.";
  expect(answersIn(place)).toEqual([
    files,
    files,
    files,
    "Commands run only after a person approved the solution. Before that, try_command runs one that changes nothing.",
  ]);
  expect(readdirSync(join(place.workspace, "src"))).toEqual(["sum.js"]);
  expect(readFileSync(join(place.workspace, "src", "sum.js"), "utf8")).toBe(quickApp["src/sum.js"]);
  expect(place.journal().filter((line) => line.type === "intent" && line.effect !== "model")).toEqual([]);
});

test("a prompt that may only read can neither write nor run, and a tool that is not there does nothing", async () => {
  const step = "requirements-clarification/2/1-component_mapper";
  const { place } = await run({
    [first]: runs("component_mapper"),
    [`${step}/turn-1`]: uses(
      ["write_file", productTest],
      ["run_tests", {}],
      ["delete_everything", {}],
      ["read_file", { file: 7 }],
    ),
    [`${step}/turn-2`]: report("I tried."),
    "requirements-clarification/3/controller/turn-1": action("I stop.", { type: "give_up", reason: "It is a test." }),
  });
  expect(answersIn(place)).toEqual([
    "component_mapper may only read; write_file is refused.",
    "component_mapper may only read; run_tests is refused.",
    "There is no tool delete_everything.",
    expect.stringMatching(/^The input of read_file does not fit\./),
  ]);
});

test("after the approval only its files are written, only inside the workspace, and code only after a red test", async () => {
  const step = "implementation/2/1-tdd_flow_controller";
  const outside = join("..", `evil-${process.pid}.js`);
  const place = placeWith(quickApp);
  place.configure(openGates);
  symlinkSync(place.beside, join(place.workspace, "beside"));
  const write = (path: string) => ["write_file", { path, content: "// evil\n" }] as [string, object];
  const replay = place.replay({
    ...toImplementation,
    "implementation/1/1-test_generator/turn-1": report("There is nothing to test."),
    "implementation/2/controller/turn-1": runs("tdd_flow_controller"),
    [`${step}/turn-1`]: uses(
      write("src/other.js"),
      write(outside),
      write("/tmp/evil.js"),
      write("beside/evil.js"),
      write(".git/hooks/pre-commit"),
      write(".claude-exec/config.json"),
      ["write_file", productCode],
    ),
    [`${step}/turn-2`]: report("I tried."),
    "implementation/3/controller/turn-1": action("I stop.", { type: "give_up", reason: "It is a test." }),
  });
  const ran = await place.run([...normal, replay, "--approve-policy=auto"]);
  expect(ran.code).toBe(13);
  const others = answersIn(place);
  expect(others.at(0)).toBe(
    "src/other.js is not among the approved files: src/product.js, test/product.test.js. If it is needed, go back to solution-approval and present it. Beside them only documents may be changed, such as a README, if the user says yes.",
  );
  expect(others.at(-1)).toBe("Tests come first: write the tests of the solution and see them fail, then write code.");
  expect(others.slice(1, -1)).toEqual(
    [
      `"${outside}" leads out of the workspace`,
      '"/tmp/evil.js" leads out of the workspace',
      '"beside/evil.js" leads out of the workspace',
      '".git/hooks/pre-commit" is protected',
      '".claude-exec/config.json" is protected',
    ].map((text) => expect.stringContaining(text.split('" ')[0] ?? "") as string),
  );
  expect(readdirSync(place.beside)).not.toContain("evil.js");
  expect([
    existsSync(join(place.workspace, outside)),
    existsSync("/tmp/evil.js"),
    existsSync(join(place.workspace, "src", "product.js")),
  ]).toEqual([false, false, false]);
  expect(place.events("file_changed")).toEqual([]);
});

test("a solution with a file outside the workspace is not even presented", async () => {
  const artifact = { ...productSolution, files: [{ path: "../evil.js", role: "code", change: "new" }] };
  const bad = opening("This one.", { type: "present_solution", artifact });
  const { code, ending } = await run({
    [first]: bad,
    "requirements-clarification/2/controller/turn-1": bad,
    "requirements-clarification/3/controller/turn-1": bad,
  });
  expect(code).toBe(11);
  expect(ending.message).toBe(
    'The model insists on "solution approval", which is refused: ../evil.js cannot be written: it is protected or lies outside the workspace.',
  );
});

const stuckHint = [
  'Tell it what it cannot find out: claude-exec ask 001 "…"',
  'Set an area aside: claude-exec waive 001 <area> "…"',
  "Or go on: claude-exec resume 001",
].join("\n");

test("the same prompt again and again without anything new pauses the chain", async () => {
  const replies: Replies = {};
  for (let round = 2; round <= 4; round++) {
    const before = round === 2 ? firstKey : `requirements-clarification/${round}/controller`;
    replies[`${before}/turn-1`] = runs("component_mapper");
    replies[`requirements-clarification/${round}/1-component_mapper/turn-1`] = report("Nothing new.");
  }
  const { code, ending } = await run(replies);
  expect({ code, ending }).toEqual({
    code: 11,
    ending: parked(
      "no_movement",
      11,
      "component_mapper was asked for 3 times although nothing had changed.",
      stuckHint,
    ),
  });
});

test("a phase that is refused again and again pauses the chain, and a hint from a person lets it go on", async () => {
  const replies: Replies = { [first]: advances("context-building") };
  for (let round = 2; round <= 3; round++)
    replies[`requirements-clarification/${round}/controller/turn-1`] = advances("context-building");
  const { code, ending, place } = await run(replies, normal);
  expect({ code, ending }).toEqual({
    code: 11,
    ending: parked(
      "no_movement",
      11,
      'The model insists on "context building", which is refused: Confidence in the requirements is 0%; 90% is needed.',
      stuckHint,
    ),
  });
  const helped = await place.run([
    "ask",
    "1",
    "Multiply two numbers, nothing else.",
    place.replay({
      "requirements-clarification/4/1-uncertainty_resolver/turn-1": report("Clear now."),
      "requirements-clarification/5/controller/turn-1": action("I ask.", {
        type: "ask_user",
        questions: [{ id: "api_name", question: "What is it called?" }],
      }),
    }),
  ]);
  expect(helped.code).toBe(10);
  expect(place.events("more_info_asked")).toHaveLength(1);
});

test("going back and forth without learning anything pauses the chain", async () => {
  const back = opening("Once more.", {
    type: "go_back",
    to: "context-building",
    focus: "everything",
    reason: "I am not sure.",
  });
  const replies: Replies = { [first]: advances("context-building") };
  for (let round = 1; round <= 3; round++) {
    replies[`context-building/${round}/controller/turn-1`] = advances("uncertainty-analysis");
    replies[`uncertainty-analysis/${round}/1-uncertainty_analysis/turn-1`] = back;
  }
  const { code, ending } = await run(replies, normal, openGates);
  expect({ code, ending }).toEqual({
    code: 11,
    ending: parked(
      "no_movement",
      11,
      "Two rounds of exploration have not moved the confidence: it stays at 0%.",
      stuckHint,
    ),
  });
});

test("a tool loop without an end pauses the chain, the same call is refused, and more turns let it go on", async () => {
  const step = "requirements-clarification/2/1-component_mapper";
  const replies: Replies = { [first]: runs("component_mapper") };
  for (let turn = 1; turn <= 6; turn++) replies[`${step}/turn-${turn}`] = uses(["read_file", { path: "src/sum.js" }]);
  replies[`${step}/turn-7`] = report("Enough.");
  replies["requirements-clarification/3/controller/turn-1"] = action("I ask.", {
    type: "ask_user",
    questions: [{ id: "api_name", question: "What is it called?" }],
  });
  const { code, ending, place } = await run(replies, normal, openGates);
  expect({ code, ending }).toEqual({
    code: 12,
    ending: parked(
      "turns",
      12,
      "component_mapper has taken 5 turns without an end.",
      `Everything is kept. Allow more and go on: claude-exec resume 001 --turns-per-prompt 10`,
    ),
  });
  const same = "The same call was made just before: its result is above. Do something else.";
  expect(answersIn(place).slice(2)).toEqual([same, same, same]);
  expect((await place.run(["resume", "1", place.replay(replies), "--turns-per-prompt", "10"])).code).toBe(10);
});

test("a chain whose calls are used up pauses and goes on with more", async () => {
  const { code, ending, place } = await run(tinyWay, [...tiny, "--turns=2"]);
  expect({ code, ending }).toEqual({
    code: 12,
    ending: parked(
      "turns",
      12,
      "The chain has used its 2 calls.",
      `Everything is kept. Allow more and go on: claude-exec resume 001 --turns 4`,
    ),
  });
  expect((await place.run(["resume", "1", place.replay(tinyWay), "--turns", "4"])).code).toBe(0);
});

test("a model that gives up says why, and in the implementation nothing is reported as working", async () => {
  const quits = opening("I cannot.", { type: "give_up", reason: "The wind is against me." });
  const early = await run({ [first]: quits });
  const hint = `Everything found out is kept. Add what it lacks: claude-exec ask 001 "…"\nOr go on: claude-exec resume 001`;
  expect({ code: early.code, ending: early.ending }).toEqual({
    code: 1,
    ending: parked("gave_up", 1, "The model gave up: The wind is against me.", hint),
  });
  const late = await run({ ...toImplementation, "implementation/1/1-test_generator/turn-1": quits }, normal, openGates);
  expect({ code: late.code, ending: late.ending }).toEqual({
    code: 13,
    ending: parked("gave_up", 13, "The model gave up: The wind is against me.", hint),
  });
});

test("a model that claims to be done without evidence is refused, and at last the chain ends as not verified", async () => {
  const claims = opening("Done.", { type: "complete", summary: "All works, trust me." });
  const replies: Replies = { ...toImplementation, "implementation/1/1-test_generator/turn-1": claims };
  for (let round = 2; round <= 3; round++) replies[`implementation/${round}/controller/turn-1`] = claims;
  const { code, ending, place } = await run(replies, normal, openGates);
  expect({ code, ending }).toEqual({
    code: 13,
    ending: parked(
      "not_verified",
      13,
      'The model insists on "done", which is refused: The tests were never seen to fail before the code was written.',
      `The files are as they are, nothing is reported as working.\nHelp with a hint: claude-exec ask 001 "…"\nOr go on: claude-exec resume 001`,
    ),
  });
  expect(place.events("gate_refused")[0]).toMatchObject({
    reasons: ["The tests were never seen to fail before the code was written.", "No file has been changed."],
  });
});

test("a hint in the implementation leaves the approval as it is", async () => {
  const quits = opening("I cannot.", { type: "give_up", reason: "What is a product?" });
  const generator = "implementation/1/1-test_generator/turn-1";
  const { place } = await run({ ...toImplementation, [generator]: quits }, normal, openGates);
  const step = "implementation/3/1-test_generator";
  const ran = await place.run([
    "ask",
    "1",
    "a times b",
    place.replay({
      "implementation/2/1-uncertainty_resolver/turn-1": report("a times b."),
      "implementation/3/controller/turn-1": runs("test_generator"),
      [`${step}/turn-1`]: uses(["write_file", productTest]),
      [`${step}/turn-2`]: report("Written."),
      "implementation/4/1-tdd_flow_controller/turn-1": quits,
    }),
  ]);
  expect(ran.code).toBe(13);
  expect(place.context()).toMatchObject({
    solution: { standing: "approved" },
    session_memory: { files_modified: ["test/product.test.js"] },
  });
});

test("a reply cut off at its limit is not acted on, and is asked for again with more room", async () => {
  const { code, place } = await run({ ...tinyWay, [first]: [cutOff, present] });
  expect(code).toBe(0);
  const sizes = place
    .journal()
    .flatMap((line) => (line.type === "intent" && line.effect === "model" ? [line.request.max_tokens] : []));
  expect(sizes.slice(0, 3)).toEqual([16_000, 32_000, 16_000]);
  const always = await run({ [first]: cutOff });
  expect({ code: always.code, message: always.ending.message }).toEqual({
    code: 1,
    message:
      "The model's reply to requirement_disambiguator could not be used three times: It was cut off at the limit of its length. Be briefer; write a long file in several edits.",
  });
});

test("a refusal pauses the chain and says how to go on", async () => {
  const { code, ending, place } = await run({ ...tinyWay, [first]: refused });
  expect({ code, ending }).toEqual({
    code: 1,
    ending: parked(
      "refused",
      1,
      "The model refused this step (It could do harm.).",
      `${kept} Say what it should know: claude-exec ask 001 "…"\nOr use another model: claude-exec resume 001 --model <model>`,
    ),
  });
  expect((await place.run(["resume", "1", place.replay(tinyWay), "--approve-policy=auto"])).code).toBe(0);
});

test("a context that is full is condensed and the step begins again; where even that is too much, the chain pauses", async () => {
  const full = "implementation/1/1-tdd_flow_controller/turn-2";
  const restarted = {
    ...tinyWay,
    "implementation/1/1-tdd_flow_controller/turn-1": [
      tinyWay["implementation/1/1-tdd_flow_controller/turn-1"],
      tinyWay[full],
    ],
    [full]: [contextFull, report("The test passes.")],
  };
  const { code, place } = await run(restarted);
  expect(code).toBe(0);
  expect(place.events("epoch_opened").map(({ number, digest }) => [number, digest?.split("\n")[0] ?? null])).toEqual([
    [1, null],
    [2, "## Task"],
  ]);
  const never = await run({ [first]: contextFull });
  expect({ code: never.code, ending: never.ending }).toEqual({
    code: 1,
    ending: parked(
      "context_exceeded",
      1,
      "Even a fresh start of the context does not fit into the model's window.",
      `Everything is kept. Use a model with a larger window: claude-exec resume 001 --model <model>`,
    ),
  });
});

/** What the model's tool calls were answered, in order. */
function answersIn(place: ReturnType<typeof placeWith>): string[] {
  return place
    .journal()
    .flatMap((line) =>
      line.type === "result" && line.effect === "tool" && "text" in line.content ? [line.content.text] : [],
    );
}
