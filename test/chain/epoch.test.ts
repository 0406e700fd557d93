import { afterEach, expect, test } from "vitest";
import type { Deps } from "../../src/chain/deps.ts";
import { openEpoch } from "../../src/chain/epoch.ts";
import { event } from "../../src/chain/events.ts";
import { replyJsonSchema } from "../../src/chain/reply.ts";
import { isForModels } from "../../src/chain/roles.ts";
import { catalogueText } from "../../src/library/catalogue.ts";
import { definitions } from "../../src/tools/catalogue.ts";
import { action, firstKey, report, uses, wholeWay, wholeWayAnswers, type Replies } from "../support/script.ts";
import { cleanUp } from "../support/folders.ts";
import { ada, changed, presented, ran, recorded } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

/** What the model is told of the rules: those of every step, and those of the phase controller. */
async function rulesOf({ library }: Pick<Deps, "library">): Promise<string> {
  const bodies = await Promise.all(["new_case", "phase_controller"].map((name) => library.find(name)));
  return bodies.map(({ body }) => body.trim()).join("\n\n");
}

const howRulesHold =
  "Uncertainty in these rules is 1 minus confidence. The engine itself runs the reviews, health checks and measurements that are due, and a tiny task has no reviews. Where a rule cannot be followed with the actions above, the rules above hold.";

test("the first epoch freezes tools, rules and catalogue, and leaves the ledger as it is", async () => {
  const { chain, deps, lines } = await workbench({});
  await openEpoch({ chain, deps, signal: new AbortController().signal }, "A new record begins.");
  await chain.close();
  const { epoch, ledger } = chain.context.engine;
  const { prompts } = await deps.library.all();
  const listed = prompts.filter((prompt) => isForModels(prompt) && prompt.phases.length > 0);
  const [tools, ...system] = [epoch?.tools ?? "", ...(epoch?.system ?? [])].map(chain.blobs.get);
  expect(tools).toBe(JSON.stringify(definitions()));
  expect(system).toEqual([
    await rulesOf(deps),
    `# Catalogue of prompts\n\n${catalogueText(listed)}\n13 more prompts are not listed here: find_prompts finds them.\n\n# Project rules\n\n${howRulesHold}\n\n# Rules\nPlain code.`,
  ]);
  expect(epoch?.number).toBe(1);
  expect(epoch?.bytes).toBe(Buffer.byteLength(tools + system.join("") + JSON.stringify(replyJsonSchema())));
  expect([lines.at(-1), ledger.length]).toMatchObject([{ event: "epoch_opened", digest: null }, 1]);
});

test("a later epoch begins its ledger with everything that later steps may need", async () => {
  const { chain, deps } = await workbench({});
  const work = { chain, deps, signal: new AbortController().signal };
  await openEpoch(work, "A new record begins.");
  await chain.append({
    by: ada,
    bodies: [
      event("questions_asked", { questions: [{ id: "name", question: "What is it called?" }] }),
      event("question_answered", { id: "name", answer: "product" }),
      recorded("component_mapper", {
        discovered: [{ key: "stack", value: "node" }],
        decisions: [{ key: "style", choice: "plain" }],
        uncertainties: [{ area: "storage", confidence: 0.5, blocking: true, resolved: false }],
        confidence: [{ area: "requirements", score: 0.9, evidence: [] }],
        notes: [{ kind: "assumption", text: "small numbers" }],
      }),
      event("area_waived", { area: "speed", reason: "one user" }),
      presented(),
      changed("a.js", "code"),
      ran("baseline"),
      ran("red"),
      ran("green"),
    ],
  });
  await openEpoch(work, "The record had grown too long.");
  await chain.close();
  const { context } = chain;
  expect([context.engine.epoch?.number, context.engine.ledger.length]).toEqual([2, 1]);
  const [head, known, text] = (context.engine.ledger[0]?.text ?? "").split(/\n(?=\{)|(?<=\})\n\n/);
  expect(head).toBe(
    "## Task\nAdd a product function\n\n## What is known so far\nThe record had grown too long. This replaces the earlier record.",
  );
  expect(JSON.parse(known ?? "")).toMatchObject({
    discovered: { stack: "node" },
    decisions: { style: "plain" },
    confidence_scores: { overall: 0.3, requirements: 0.9 },
    waived: { speed: "one user" },
    uncertainties: context.uncertainties,
    answers: { "What is it called?": "product" },
    session_memory: context.session_memory,
    test_runs: [{ verdict: "red" }, { verdict: "green" }],
  });
  expect(text).toBe("## Solution (presented)\nA product beside the sum");
});

test("prompts that come and go count from the next epoch on", async () => {
  const { chain, deps } = await workbench({});
  const work = { chain, deps, signal: new AbortController().signal };
  await openEpoch(work, "");
  const before = chain.context.engine.epoch?.system;
  const fewer = { ...deps, library: { ...deps.library, all: () => Promise.resolve({ prompts: [], problems: [] }) } };
  expect(chain.context.engine.epoch?.system).toEqual(before);
  await openEpoch({ ...work, deps: fewer }, "");
  await chain.close();
  const after = chain.context.engine.epoch?.system ?? [];
  expect(after[0]).toBe(before?.[0]);
  expect(chain.blobs.get(after[1] ?? "")).toBe(
    `# Catalogue of prompts\n\n\n# Project rules\n\n${howRulesHold}\n\n# Rules\nPlain code.`,
  );
});

test("a record that fills most of the window is begun anew before the next step, never inside a loop", async () => {
  const long = "x".repeat(60_000);
  const bench = await workbench(
    {
      ...wholeWay,
      "context-building/1/2-dependency_analyzer/turn-1": report("No dependencies.", { account: long }),
      "context-building/1/0-context_preservation/turn-1": report("One thing.", { account: "The hinge is the name." }),
    },
    { deps: { contextWindow: 30_000 } },
  );
  const ending = await bench.run({ answers: wholeWayAnswers, approve: "auto" });
  await bench.chain.close();
  expect(ending.type).toBe("completed");
  const epochs = bench.events().flatMap((one) => (one.event === "epoch_opened" ? [one] : []));
  expect(epochs.map(({ number }) => number)).toEqual([1, 2]);
  const anew = bench.requests.find(({ key }) => key === "context-building/2/controller/turn-1");
  expect(anew?.messages[0]?.content[0]).toMatchObject({
    text: expect.stringMatching(/^## Task\n.*\n\n## What is known so far\nThe record had grown too long\./),
  });
  expect(JSON.stringify(anew?.messages)).not.toContain(long);
  expect(anew?.messages[0]?.content[0]).toMatchObject({ text: expect.stringContaining("The hinge is the name.") });
  const order = bench.requests.map(({ key }) => key.split("/").slice(0, 3).join("/"));
  const from = order.indexOf("context-building/1/0-context_preservation");
  // The engine saw no bad signs, so no prompt looks at the condensed record.
  expect(order.slice(from, from + 2)).toEqual([
    "context-building/1/0-context_preservation",
    "context-building/2/controller",
  ]);
});

test("a request that does not fit even after a fresh start parks the chain", async () => {
  const full = { outcome: "context_exceeded" };
  const bench = await workbench({ [`${firstKey}/turn-1`]: full });
  expect(await bench.run()).toEqual({
    type: "parked",
    code: "context_exceeded",
    exit: 1,
    message: "Even a fresh start of the context does not fit into the model's window.",
    next: [
      {
        operation: "resume",
        input: { chain: "001", model: "<model>" },
        why: "Everything is kept. Use a model with a larger window",
      },
    ],
  });
  await bench.chain.close();
  expect(bench.requests).toHaveLength(1);
  const next = { type: "run_prompts", prompts: [{ name: "stack_detector", inputs: [] }] };
  const later = await workbench({
    [`${firstKey}/turn-1`]: report("Clear.", {}, next),
    "requirements-clarification/2/1-stack_detector/turn-1": full,
  });
  expect(await later.run()).toMatchObject({ code: "context_exceeded" });
  await later.chain.close();
  expect(later.requests.map(({ key }) => key.split("/")[2])).toEqual([
    "1-requirement_disambiguator",
    "1-stack_detector",
    "1-stack_detector",
  ]);
});

const lookOnce = {
  [`${firstKey}/turn-1`]: report(
    "Clear.",
    {},
    { type: "run_prompts", prompts: [{ name: "component_mapper", inputs: [] }] },
  ),
  "requirements-clarification/2/1-component_mapper/turn-1": report("Seen."),
  "requirements-clarification/3/controller/turn-1": action("No.", { type: "give_up", reason: "x" }),
};

/** A chain whose epoch another engine opened, with these parts in place of ours. */
async function begunElsewhere(replies: Replies, other: { rules?: string; tools?: string; schema?: string | null }) {
  const bench = await workbench(replies);
  const { blobs } = bench.chain;
  const rules = await rulesOf(bench.deps);
  const parts = { rules, tools: JSON.stringify(definitions()), schema: JSON.stringify(replyJsonSchema()), ...other };
  const opened = event("epoch_opened", {
    number: 1,
    tools: await blobs.put(parts.tools),
    system: [await blobs.put(parts.rules), await blobs.put("# Catalogue of prompts")],
    schema: parts.schema && (await blobs.put(parts.schema)),
    bytes: 30_000,
    digest: null,
  });
  await bench.chain.append({ by: ada, bodies: [opened] });
  const happened = () =>
    bench.lines.flatMap((line) =>
      line.type === "event" && line.event === "epoch_opened"
        ? [`epoch ${line.number}`]
        : line.type === "intent" && line.effect === "model"
          ? [`call ${line.key.split("/").at(-1)} in epoch ${line.request.epoch}`]
          : [],
    );
  return { ...bench, happened };
}

test.for([
  ["other rules", { rules: "Follow other rules." }],
  ["other tools", { tools: JSON.stringify(definitions().slice(1)) }],
  ["another form of replies", { schema: JSON.stringify({ type: "object" }) }],
  ["a form of replies that was not kept", { schema: null }],
] as const)("an engine that finds %s begins a new epoch before its next call", async ([, other]) => {
  const bench = await begunElsewhere(lookOnce, other);
  await bench.run();
  await bench.chain.close();
  expect(bench.happened().slice(0, 3)).toEqual(["epoch 1", "epoch 2", "call 1-requirement_disambiguator in epoch 2"]);
  expect(bench.requests[0]).toMatchObject({ tools: definitions(), schema: replyJsonSchema() });
});

test("an engine that finds its own rules, tools and form of replies goes on in the epoch that there is", async () => {
  const bench = await begunElsewhere(lookOnce, {});
  await bench.run();
  await bench.chain.close();
  expect(bench.happened()).toEqual([
    "epoch 1",
    "call 1-requirement_disambiguator in epoch 1",
    "call 1-component_mapper in epoch 1",
    "call controller in epoch 1",
  ]);
});

test("a call in flight is sent again as it was sent by another engine, and the new epoch begins after it", async () => {
  const tools = definitions().slice(1);
  const schema = { ...replyJsonSchema(), description: "As another engine says it." };
  const other = { rules: "Follow other rules.", tools: JSON.stringify(tools), schema: JSON.stringify(schema) };
  const bench = await begunElsewhere(lookOnce, other);
  const inFlight = {
    type: "intent",
    effect: "model",
    key: firstKey,
    turn: 1,
    prompt: { name: "requirement_disambiguator", scope: "builtin", sha256: "x", route: "default", tools: "none" },
    request: { model: "claude-opus-5-5", effort: "medium", max_tokens: 9_000, epoch: 1, ledger: 1, tail: "# Step" },
    expected: { usd: 0.1, tokens: 900 },
    reserved: { usd: 1, tokens: 9_000 },
  } as const;
  await bench.chain.append({ by: ada, bodies: [inFlight] });
  await bench.run();
  await bench.chain.close();
  expect(bench.happened().slice(0, 5)).toEqual([
    "epoch 1",
    "call 1-requirement_disambiguator in epoch 1",
    "call 1-requirement_disambiguator in epoch 1",
    "epoch 2",
    "call 1-component_mapper in epoch 2",
  ]);
  const [again, next] = bench.requests;
  expect(again).toMatchObject({ tools, schema, system: [{ text: "Follow other rules." }, {}] });
  expect(next).toMatchObject({ tools: definitions(), schema: replyJsonSchema() });
});

test("a catalogue beyond its core says how many more there are, and find_prompts finds them", async () => {
  const looks = uses(["find_prompts", { query: "load test" }], ["find_prompts", { query: "phase controller" }]);
  const bench = await workbench(
    {
      [`${firstKey}/turn-1`]: looks,
      [`${firstKey}/turn-2`]: report("No.", {}, { type: "give_up", reason: "x" }),
    },
    { deps: { catalogueCore: 20 } },
  );
  await bench.run();
  await bench.chain.close();
  const [first, second] = bench.requests;
  const catalogue = first!.system[1]!.text;
  expect(catalogue.match(/^\w+ — /gm)).toHaveLength(20);
  expect(catalogue).toContain("66 more prompts are not listed here: find_prompts finds them.");
  expect(catalogue).not.toContain("load_test_planner");
  expect(second!.system).toEqual(first!.system);
  const found = JSON.stringify(second!.messages);
  expect(found).toContain("load_test_planner — ");
  // A search finds it too, but no model may choose it.
  expect((await bench.deps.library.search("phase controller", 12)).hits[0]?.prompt.name).toBe("phase_controller");
  expect(found).not.toContain("phase_controller — ");
});
