import { afterEach, expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { buildRequest, engineInputs, tailText } from "../../src/chain/request.ts";
import { replyJsonSchema } from "../../src/chain/reply.ts";
import { isListed } from "../../src/library/catalogue.ts";
import { openLibrary } from "../../src/library/library.ts";
import type { ModelRequest, TextBlock } from "../../src/models/types.ts";
import { definitions } from "../../src/tools/catalogue.ts";
import { action, report, says, uses, wholeWay, wholeWayAnswers } from "../support/script.ts";
import { cleanUp } from "../tools/folders.ts";
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
  const bench = workbench(wholeWay);
  await bench.run({ answers: wholeWayAnswers, approve: "auto" });
  bench.chain.close();
  return bench;
}

test("along a whole way each request begins with all of the one before, to the byte", async () => {
  const bench = await wholeRun();
  expect(bench.requests.length).toBeGreaterThan(20);
  const [first] = bench.requests;
  for (const [index, request] of bench.requests.entries()) {
    const [before, now] = [prefix(bench.requests[index - 1] ?? request), prefix(request)];
    expect([now.tools, now.system, now.schema]).toEqual([before.tools, before.system, before.schema]);
    expect(now.ledger.slice(0, before.ledger.length)).toEqual(before.ledger);
  }
  expect(prefix(first!).tools).toBe(JSON.stringify(definitions()));
  expect(prefix(first!).schema).toBe(JSON.stringify(replyJsonSchema()));
  expect(prefix(bench.requests.at(-1)!).ledger).toEqual(bench.chain.context.engine.ledger.slice(0, -1));
});

test("two places are marked to be cached: the end of the system's text for an hour, the end of the ledger for five minutes", async () => {
  const bench = await wholeRun();
  for (const request of bench.requests) {
    const ledger = prefix(request).ledger.length;
    expect(ledger).toBeGreaterThan(0);
    const expected = [undefined, "1h", ...Array(ledger - 1).fill(undefined), "5m", undefined];
    expect(marks(request)).toEqual([...expected, ...Array(marks(request).length - expected.length).fill(undefined)]);
  }
});

test("a step's own text begins with its key, and the request is known by that and its turn", async () => {
  const bench = await wholeRun();
  for (const request of bench.requests) {
    const key = request.key.replace(/\/turn-\d+$/, "");
    expect(tailOf(request).split("\n")[0]).toBe(`# Step ${key}`);
    expect(request.messages.length).toBe(2 * Number(/turn-(\d+)$/.exec(request.key)?.[1]) - 1);
  }
  expect(new Set(bench.requests.map(({ key }) => key)).size).toBe(bench.requests.length);
});

test("inside a tool loop the first message stays the same to the byte, and the rest is what was said and answered", async () => {
  const bench = workbench({
    "requirements-clarification/1/controller/turn-1": action("I look.", {
      type: "run_prompts",
      prompts: [{ name: "component_mapper", inputs: [] }],
    }),
    "requirements-clarification/1/1-component_mapper/turn-1": uses(
      ["read_file", { path: "src/sum.js" }],
      ["write_file", { path: "src/x.js", content: "" }],
    ),
    "requirements-clarification/1/1-component_mapper/turn-2": uses(["read_file", { path: "nothing.js" }]),
    "requirements-clarification/1/1-component_mapper/turn-3": says({ kind: "poem" }),
    "requirements-clarification/1/1-component_mapper/turn-4": report("One module."),
    "requirements-clarification/2/controller/turn-1": action("No.", { type: "give_up", reason: "Enough." }),
  });
  await bench.run();
  bench.chain.close();
  const loop = bench.requests.filter(({ key }) => key.includes("component_mapper"));
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
        content: "component_mapper may only read; write_file is refused.",
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
        text: expect.stringMatching(/^Your last reply could not be used:\n- reply\.kind: .*\nAnswer again\.$/),
      },
    ],
  });
});

test("a repair said before the first reply stays in the first message of the loop that follows", async () => {
  const cut = { outcome: "cut", content: [], usage: null };
  const key = "requirements-clarification/1/controller/turn-1";
  const bench = workbench({
    [key]: [cut, uses(["read_file", { path: "src/sum.js" }])],
    "requirements-clarification/1/controller/turn-2": action("No.", { type: "give_up", reason: "Enough." }),
  });
  await bench.run();
  bench.chain.close();
  const [first, again, loop] = bench.requests;
  const note =
    "Your last reply could not be used:\n- It was cut off at the limit of its length. Be briefer; write a long file in several edits.\nAnswer again.";
  expect(tailOf(again!)).toBe(`${tailOf(first!)}\n\n${note}`);
  expect(again?.maxTokens).toBe((first?.maxTokens ?? 0) * 2);
  expect(JSON.stringify(loop?.messages[0])).toBe(JSON.stringify(again?.messages[0]));
});

test("a new record in the middle of a loop begins the prompt anew, with a first message that then stays", async () => {
  const key = "implementation/2/1-tdd_flow_controller";
  const [write, done] = [wholeWay[`${key}/turn-1`], wholeWay[`${key}/turn-2`]];
  const full = { outcome: "context_exceeded" };
  const health = { "implementation/2/0-context_health_checker/turn-1": report("Nothing is lost.") };
  const bench = workbench({ ...wholeWay, ...health, [`${key}/turn-1`]: [full, write], [`${key}/turn-2`]: done });
  await bench.run({ answers: wholeWayAnswers, approve: "auto" });
  bench.chain.close();
  expect(bench.chain.context.state.type).toBe("completed");
  const [before, anew, loop] = bench.requests.filter((request) => request.key.startsWith(key));
  expect(prefix(before!).ledger.length).toBeGreaterThan(10);
  expect(prefix(anew!).ledger).toEqual([
    expect.stringMatching(/^## Task\nAdd a product function\n\n## What is known so far\nThe model's context is full\./),
  ]);
  expect(bench.chain.context.engine.ledger.length).toBeGreaterThan(2);
  expect(JSON.stringify(loop?.messages[0])).toBe(JSON.stringify(anew?.messages[0]));
});

const library = openLibrary([{ scope: "builtin", path: "prompts" }]);
const { prompts } = await library.all();

test("the controller is told the prompts made for its phase, and only such as it may run", () => {
  const tail = tailText(after(), "requirements-clarification/1/controller", "Decide.", prompts, "9 calls");
  const named = /Prompts made for this phase: (.*)\.$/m.exec(tail)?.[1]?.split(", ") ?? [];
  expect(named).toHaveLength(9);
  expect(named.slice(0, 2)).toEqual(["clarification_generator", "constraint_mapper"]);
  expect(named).toContain("requirement_disambiguator");
  expect(named).not.toContain("new_case");
  expect(tailText(after(), "requirements-clarification/1/1-stack_detector", "Look.", prompts, "9 calls")).not.toContain(
    "Prompts made for this phase",
  );
});

test("the catalogue in the system's text names every prompt that can be run, and no other", async () => {
  const bench = workbench({
    "requirements-clarification/1/controller/turn-1": action("No.", { type: "give_up", reason: "x" }),
  });
  await bench.run();
  bench.chain.close();
  const [rules, catalogue] = bench.requests[0]?.system ?? [];
  expect(rules?.text).toBe((await library.find("new_case")).body.trim());
  const named = [...(catalogue?.text ?? "").matchAll(/^(\w+) — /gm)].map((match) => match[1]);
  expect(new Set(named)).toEqual(new Set(prompts.filter(isListed).map(({ name }) => name)));
  expect(catalogue?.text.endsWith("# Project rules\n\n# Rules\nPlain code.")).toBe(true);
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
  expect(tailText(context, "context-building/1/1-stack_detector", "Look at it.", [], "$1.00 of $2.00, 9 calls")).toBe(
    `# Step context-building/1/1-stack_detector
Phase: context-building. Size: normal. Overall confidence: 32% (requirements 95%).
Budget left: $1.00 of $2.00, 9 calls.
Open: storage (50%, blocking), speed (50%).
Focus: the tokens
Refused last: uncertainty-analysis: One. Two.
Approved files: src/product.js (code), test/product.test.js (test).

Look at it.`,
  );
  const elsewhere = prompts.filter(({ phases }) => !phases.includes("requirements-clarification"));
  expect(elsewhere.length).toBeGreaterThan(10);
  expect(tailText(after(), "k/1/controller", "Decide.", elsewhere, "9 calls")).toBe(
    `# Step k/1/controller
Phase: requirements-clarification. Size: normal. Overall confidence: 0% (nothing measured).
Budget left: 9 calls.

Decide.`,
  );
});

test("the engine fills in only what a prompt declares, and only what it knows", async () => {
  const controller = await library.find("phase_controller");
  const context = after(
    phase("context-building", "requirements-clarification", "the tokens"),
    event("gate_refused", { to: "x", reasons: ["One.", "Two."] }),
    recorded("component_mapper", {
      uncertainties: [{ area: "storage", confidence: 0.5, blocking: true, resolved: false }],
    }),
  );
  expect(engineInputs(context, controller)).toEqual({
    phase: "context-building",
    overall: "0%",
    blocking: "storage",
    refused: "One. Two.",
  });
  expect(engineInputs(context, await library.find("stack_detector"))).toEqual({ focus: "the tokens" });
  expect(engineInputs(after(), await library.find("stack_detector"))).toEqual({});
});

test("there is no request without an epoch", () => {
  const context = inEngine(after(), { epoch: null });
  const frozen = { model: "m", effort: "low", max_tokens: 1, epoch: 0, ledger: 0 } as const;
  expect(() => buildRequest(context, {} as never, frozen, {} as never, "k")).toThrow("A request needs a ledger epoch.");
});
