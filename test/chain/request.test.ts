import { afterEach, expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { newItem } from "../../src/chain/item.ts";
import { buildRequest, engineInputs, shortList, tailText } from "../../src/chain/request.ts";
import { replyJsonSchema } from "../../src/chain/reply.ts";
import { isForModels } from "../../src/chain/roles.ts";
import { openLibrary } from "../../src/library/library.ts";
import type { ModelRequest, TextBlock } from "../../src/models/types.ts";
import { definitions } from "../../src/tools/catalogue.ts";
import { action, report, says, uses, wholeWay, wholeWayAnswers } from "../support/script.ts";
import { cleanUp } from "../support/folders.ts";
import { after, approved, inEngine, phase, presented, recorded } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

/** What of a request a provider may cache: everything but the step's own text and its tool loop. */
const prefix = ({ tools, system, messages, schema }: ModelRequest) => ({
  tools: JSON.stringify(tools),
  system: JSON.stringify(system),
  schema: JSON.stringify(schema),
  ledger: texts(messages[0]?.content).slice(0, -1),
});
const texts = (blocks: ModelRequest["messages"][number]["content"] = []) =>
  blocks.map((block) => (block as TextBlock).text);
const tailOf = ({ messages }: ModelRequest) => texts(messages[0]?.content).at(-1) ?? "";
const marks = ({ system, messages }: ModelRequest) =>
  [...system, ...messages.flatMap(({ content }): readonly object[] => content)].map((block) =>
    "cache" in block ? block.cache : undefined,
  );

let whole: ReturnType<typeof runWhole> | undefined;
const wholeRun = () => (whole ??= runWhole());

async function runWhole() {
  const bench = await workbench(wholeWay);
  await bench.run({ answers: wholeWayAnswers, approve: "auto" });
  await bench.chain.close();
  return bench;
}

test("along a whole way tools, rules and catalogue stay the same to the byte, and the ledger only grows", async () => {
  const bench = await wholeRun();
  expect(bench.requests.length).toBeGreaterThan(15);
  const [first] = bench.requests;
  for (const [index, request] of bench.requests.entries()) {
    const [before, now] = [prefix(bench.requests[index - 1] ?? request), prefix(request)];
    expect([now.tools, now.system, now.schema]).toEqual([before.tools, before.system, before.schema]);
    expect(now.ledger.slice(0, before.ledger.length)).toEqual(before.ledger);
  }
  expect(prefix(first!).tools).toBe(JSON.stringify(definitions()));
  expect(prefix(first!).schema).toBe(JSON.stringify(replyJsonSchema()));
});

const keysOf = (requests: readonly ModelRequest[]) => requests.map(({ key }) => key);

test("within a phase a request begins with all that was said before, to the byte; the next phase begins anew", async () => {
  const { requests } = await wholeRun();
  const inPhase = (phase: string) => requests.filter(({ key }) => key.startsWith(`${phase}/`));
  const alone = inPhase("implementation").filter(({ key }) => /test_generator|tdd_flow_controller/.test(key));
  expect(alone.length).toBe(4);
  for (const [index, { messages }] of alone.entries()) {
    const before = alone[index - 1]?.messages ?? [];
    expect(JSON.stringify(messages.slice(0, before.length))).toBe(JSON.stringify(before));
    expect(messages.length).toBe(2 * index + 1);
  }
  const begins = ["requirements-clarification", "context-building", "implementation"].map((phase) => inPhase(phase)[0]);
  expect(begins.map((request) => request?.messages.length)).toEqual([1, 1, 1]);
});

test("reviewers begin without the conversation, with the whole ledger and the change in it", async () => {
  const { requests } = await wholeRun();
  const reviews = requests.filter(({ key }) => /reviewer|scanner|checker/.test(key));
  expect(keysOf(reviews).map((key) => key.split("/")[2])).toEqual([
    "1-code_reviewer",
    "2-security_scanner",
    "3-simplicity_checker",
    "1-deployment_checker",
  ]);
  for (const request of reviews) {
    expect(request.messages).toHaveLength(1);
    const shown = prefix(request).ledger.find((text) => text.startsWith("## The change, for its reviewers"));
    expect(shown).toContain("+export const product = (a, b) => a * b;");
  }
});

test("a later step is told what happened since, without what it said itself", async () => {
  const { requests } = await wholeRun();
  const code = requests.find(({ key }) => key === "implementation/2/1-tdd_flow_controller/turn-1");
  const told = texts(code?.messages.at(-1)?.content).join("\n");
  expect(told).toContain("Changed so far: test/product.test.js.");
  expect(told).toContain("recorded as red");
  expect(told).not.toContain("One test is written.");
});

test("the end of the system's text is marked to be cached for an hour, the end of the ledger for five minutes", async () => {
  const bench = await wholeRun();
  for (const request of bench.requests) {
    const ledger = prefix(request).ledger.length;
    expect(ledger).toBeGreaterThan(0);
    const expected = [undefined, "1h", ...Array(ledger - 1).fill(undefined), "5m", undefined];
    expect(marks(request)).toEqual([...expected, ...Array(marks(request).length - expected.length).fill(undefined)]);
  }
});

test("a step's own text names its key, and no two requests have the same", async () => {
  const bench = await wholeRun();
  for (const request of bench.requests) {
    const key = request.key.replace(/\/turn-\d+$/, "");
    const given = request.messages.flatMap(({ role, content }) => (role === "user" ? texts(content) : []));
    expect(given.findLast((text) => text?.includes("# Step "))).toContain(`# Step ${key}\n`);
  }
  expect(new Set(keysOf(bench.requests)).size).toBe(bench.requests.length);
});

test("inside a tool loop the first message stays the same to the byte, and the rest is what was said and answered", async () => {
  const bench = await workbench({
    "requirements-clarification/1/1-requirement_disambiguator/turn-1": uses(
      ["read_file", { path: "src/sum.js" }],
      ["write_file", { path: "src/x.js", content: "" }],
    ),
    "requirements-clarification/1/1-requirement_disambiguator/turn-2": uses(["read_file", { path: "nothing.js" }]),
    "requirements-clarification/1/1-requirement_disambiguator/turn-3": says({}),
    "requirements-clarification/1/1-requirement_disambiguator/turn-4": report("One module."),
    "requirements-clarification/2/controller/turn-1": action("No.", { type: "give_up", reason: "Enough." }),
  });
  await bench.run();
  await bench.chain.close();
  const loop = bench.requests.filter(({ key }) => key.includes("requirement_disambiguator"));
  expect(loop.map(({ messages }) => messages.length)).toEqual([1, 3, 5, 7]);
  for (const [index, { messages }] of loop.entries()) {
    const before = loop[index - 1]?.messages ?? [];
    expect(JSON.stringify(messages.slice(0, before.length))).toBe(JSON.stringify(before));
  }
  const [, said, answered, , missing, , repair] = loop.at(-1)?.messages ?? [];
  expect(said).toEqual({
    role: "assistant",
    content: [
      { type: "tool_use", id: "call_0_read_file", name: "read_file", input: { path: "src/sum.js" } },
      { type: "tool_use", id: "call_1_write_file", name: "write_file", input: { path: "src/x.js", content: "" } },
    ],
  });
  expect(answered).toMatchObject({
    role: "user",
    content: [
      {
        type: "tool_result",
        tool_use_id: "call_0_read_file",
        content: expect.stringContaining("export const sum"),
        is_error: false,
      },
      {
        type: "tool_result",
        tool_use_id: "call_1_write_file",
        content: "requirement_disambiguator may only try; write_file is refused.",
        is_error: true,
      },
    ],
  });
  expect(missing).toMatchObject({ role: "user", content: [{ type: "tool_result", is_error: true }] });
  expect(repair).toEqual({
    role: "user",
    content: [
      {
        type: "text",
        text: "Your last reply could not be used:\n- This step needs a report. Its action may be null.\nAnswer again.",
      },
    ],
  });
});

test("a repair said before the first reply stays in the first message of the loop that follows", async () => {
  const cut = { outcome: "cut", content: [], usage: null };
  const key = "requirements-clarification/1/1-requirement_disambiguator";
  const bench = await workbench({
    [`${key}/turn-1`]: [cut, uses(["read_file", { path: "src/sum.js" }])],
    [`${key}/turn-2`]: report("No.", {}, { type: "give_up", reason: "Enough." }),
  });
  await bench.run();
  await bench.chain.close();
  const [first, again, loop] = bench.requests;
  const note =
    "Your last reply could not be used:\n- It was cut off at the limit of its length. There is more room now.\nAnswer again.";
  expect(tailOf(again!)).toBe(`${tailOf(first!)}\n\n${note}`);
  expect(again?.maxTokens).toBe((first?.maxTokens ?? 0) * 2);
  expect(JSON.stringify(loop?.messages[0])).toBe(JSON.stringify(again?.messages[0]));
});

test("a new record in the middle of a loop begins the prompt anew, with a first message that then stays", async () => {
  const key = "implementation/2/1-tdd_flow_controller";
  const [write, done] = [wholeWay[`${key}/turn-1`], wholeWay[`${key}/turn-2`]];
  const full = { outcome: "context_exceeded" };
  const bench = await workbench({ ...wholeWay, [`${key}/turn-1`]: [full, write], [`${key}/turn-2`]: done });
  await bench.run({ answers: wholeWayAnswers, approve: "auto" });
  await bench.chain.close();
  expect(bench.chain.context.state.type).toBe("completed");
  const [before, anew, loop] = bench.requests.filter((request) => request.key.startsWith(key));
  expect(prefix(before!).ledger.length).toBeGreaterThan(10);
  expect(prefix(anew!).ledger).toEqual([
    expect.stringMatching(/^## Task\nAdd a product function\n\n## What is known so far\nThe model's context is full\./),
  ]);
  expect(JSON.stringify(loop?.messages[0])).toBe(JSON.stringify(anew?.messages[0]));
});

const library = openLibrary([{ scope: "builtin", path: "prompts" }]);
const { prompts } = await library.all();

const itemOf = (name: string, expects: "action" | "report", context = after()) =>
  newItem(`requirements-clarification/1/1-${name}`, { prompt: name, inputs: {}, expects }, context);
const offeredIn = (tail: string) => /^Prompts that fit now: (.*)\.$/m.exec(tail)?.[1]?.split(", ") ?? [];

test("the first step of a phase and the controller are told which prompts fit, reviewers and later steps are not", () => {
  const told = (name: string, context = after()) =>
    offeredIn(tailText(context, itemOf(name, "report", context), { tools: "read" }, "Look.", prompts, "9 calls"));
  expect(told("component_mapper")).toContain("requirement_disambiguator");
  expect(told("component_mapper")).not.toContain("new_case");
  expect(told("code_reviewer")).toEqual([]);
  const talking = inEngine(after(), { conversation: [itemOf("component_mapper", "report")] });
  expect(told("component_mapper", talking)).toEqual([]);
  const controller = itemOf("phase_controller", "action", talking);
  expect(offeredIn(tailText(talking, controller, { tools: "none" }, "", prompts, "9 calls"))).not.toEqual([]);
});

test("the short list begins with what the rules demand, then come those that reduce what is open", () => {
  const exploring = after(
    phase("context-building", "requirements-clarification"),
    recorded("component_mapper", {
      uncertainties: [{ area: "database_schema", confidence: 0.5, blocking: false, resolved: false }],
    }),
  );
  const names = shortList(exploring, prompts).map(({ name }) => name);
  expect(names.length).toBeLessThanOrEqual(8);
  expect(names.slice(0, 3).sort()).toEqual(["chain_planner", "solution_synthesizer", "uncertainty_resolver"]);
  expect(names[3]).toBe("database_schema_analyzer");
  const nothingOpen = after(phase("context-building", "requirements-clarification"));
  expect(
    shortList(nothingOpen, prompts)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(names.slice(0, 3).sort());
});

test("a step is offered neither itself nor the reviews that the engine runs", () => {
  const building = after(phase("implementation", "solution-approval"));
  const names = shortList(building, prompts).map(({ name }) => name);
  expect(names.slice(0, 2).sort()).toEqual(["tdd_flow_controller", "test_generator"]);
  for (const name of building.engine.gates.quality) expect(names).not.toContain(name);
  const clarifying = { ...itemOf("requirement_disambiguator", "report"), fresh: false };
  const tail = tailText(after(), clarifying, { tools: "read" }, "", prompts, "all");
  expect(offeredIn(tail)).toContain("requirement_validator");
  expect(offeredIn(tail)).not.toContain("requirement_disambiguator");
});

test("the catalogue in the system's text names every prompt of a phase, and no other", async () => {
  const bench = await workbench({
    "requirements-clarification/1/1-requirement_disambiguator/turn-1": report(
      "No.",
      {},
      { type: "give_up", reason: "x" },
    ),
  });
  await bench.run();
  await bench.chain.close();
  const [rules, catalogue] = bench.requests[0]?.system ?? [];
  const bodies = await Promise.all(["new_case", "phase_controller"].map((name) => library.find(name)));
  expect(rules?.text).toBe(bodies.map(({ body }) => body.trim()).join("\n\n"));
  const named = [...(catalogue?.text ?? "").matchAll(/^(\w+) — /gm)].map((match) => match[1]);
  expect(new Set(named)).toEqual(
    new Set(prompts.filter((prompt) => isForModels(prompt) && prompt.phases.length > 0).map(({ name }) => name)),
  );
  expect(catalogue?.text.endsWith("\n\n# Rules\nPlain code.")).toBe(true);
});

test("a tail tells where the chain stands", () => {
  const doubts = ["storage", "speed"].map((area) => ({
    area,
    confidence: 0.5,
    blocking: area === "storage",
    resolved: false,
  }));
  const context = after(
    recorded("uncertainty_analysis", {
      confidence: [{ area: "requirements", score: 0.95, evidence: [] }],
      uncertainties: [...doubts, { area: "done", confidence: 1, blocking: false, resolved: true }],
    }),
    phase("context-building", "requirements-clarification", "the tokens"),
    event("gate_refused", { to: "uncertainty-analysis", reasons: ["One.", "Two."] }),
    presented(),
    approved,
  );
  const step = { ...itemOf("stack_detector", "report", context), key: "context-building/1/1-stack_detector" };
  expect(tailText(context, step, { tools: "read" }, "Look at it.", [], "$1.00 of $2.00, 9 calls")).toBe(
    `# Step context-building/1/1-stack_detector
Phase: context-building. Size: normal. Overall confidence: 32% (requirements 95%).
Tests run with: npm test.
This phase may end now.
Open: storage (50%, blocking), speed (50%).
Assumptions of the solution cover: speed.
Focus: the tokens
Refused last: uncertainty-analysis: One. Two.
Approved files: src/product.js (code), test/product.test.js (test).
Budget left: $1.00 of $2.00, 9 calls.
Tools of this step: those that read, and not try_command.

Look at it.`,
  );
  const decision = tailText(after(), itemOf("phase_controller", "action"), { tools: "none" }, "", [], "9 calls");
  expect(decision).toMatch(
    /^# Step requirements-clarification\/1\/1-phase_controller\nPhase: requirements-clarification\. Size: normal\. Overall confidence: 0% \(nothing measured\)\.\nTests run with: npm test\.\nBefore this phase ends: Confidence in the requirements is 0%; 90% is needed\.\nBudget left: 9 calls\.\n\nChoose the next action/,
  );
});

test("the engine fills in only what a prompt declares, and only what it knows", async () => {
  const context = after(phase("context-building", "requirements-clarification", "the tokens"));
  expect(engineInputs(context, await library.find("stack_detector"))).toEqual({ focus: "the tokens" });
  expect(engineInputs(context, await library.find("phase_controller"))).toEqual({});
  expect(engineInputs(after(), await library.find("stack_detector"))).toEqual({});
});

test("there is no request without an epoch", () => {
  const context = inEngine(after(), { epoch: null });
  const frozen = { model: "m", effort: "low", max_tokens: 1, epoch: 0, ledger: 0 } as const;
  expect(() => buildRequest(context, {} as never, frozen, {} as never, "k")).toThrow("A request needs a ledger epoch.");
});

test("reviewers side by side are each told only what concerns themselves", () => {
  const built = after(presented(), approved, phase("implementation", "solution-approval"));
  const found = {
    id: "slow",
    severity: "blocking",
    where: "a.js:1",
    what: "Slow.",
    trigger: "Any.",
    standing: "open",
  } as const;
  const quality = ["code_reviewer", "security_scanner"];
  const context = inEngine(
    { ...built, findings: [{ ...found, by: "code_reviewer" }] },
    { gates: { ...built.engine.gates, quality } },
  );
  const told = (name: string) =>
    tailText(context, itemOf(name, "report", context), { tools: "try" }, "Review.", [], "9 calls");
  expect(told("code_reviewer")).not.toContain("The engine has still to run");
  expect(told("code_reviewer")).toContain("Open findings: slow of code_reviewer (blocking).");
  expect(told("code_reviewer")).not.toContain("security_scanner");
  expect(told("security_scanner")).not.toContain("code_reviewer");
});
