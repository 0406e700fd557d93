import { afterEach, expect, test } from "vitest";
import { openEpoch } from "../../src/chain/epoch.ts";
import { event } from "../../src/chain/events.ts";
import { replyJsonSchema } from "../../src/chain/reply.ts";
import { catalogueText, isListed } from "../../src/library/catalogue.ts";
import { definitions } from "../../src/tools/catalogue.ts";
import { action, report, uses, wholeWay, wholeWayAnswers } from "../support/script.ts";
import { cleanUp } from "../tools/folders.ts";
import { ada, changed, presented, ran, recorded } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

test("the first epoch freezes tools, rules and catalogue, and leaves the ledger as it is", async () => {
  const { chain, deps, lines } = workbench({});
  await openEpoch({ chain, deps, signal: new AbortController().signal }, "A new record begins.");
  chain.close();
  const { epoch, ledger } = chain.context.engine;
  const { prompts } = await deps.library.all();
  const [tools, ...system] = [epoch?.tools ?? "", ...(epoch?.system ?? [])].map(chain.blobs.get);
  expect(tools).toBe(JSON.stringify(definitions()));
  expect(system).toEqual([
    (await deps.library.find("new_case")).body.trim(),
    `# Catalogue of prompts\n\n${catalogueText(prompts.filter(isListed))}\n# Project rules\n\n# Rules\nPlain code.`,
  ]);
  expect(epoch?.number).toBe(1);
  expect(epoch?.bytes).toBe(Buffer.byteLength(tools + system.join("") + JSON.stringify(replyJsonSchema())));
  expect([lines.at(-1), ledger.length]).toMatchObject([{ event: "epoch_opened", digest: null }, 1]);
});

test("a later epoch begins its ledger with everything that later steps may need", async () => {
  const { chain, deps } = workbench({});
  const work = { chain, deps, signal: new AbortController().signal };
  await openEpoch(work, "A new record begins.");
  chain.append({
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
  chain.close();
  const { context } = chain;
  expect([context.engine.epoch?.number, context.engine.ledger.length]).toEqual([2, 1]);
  const [head, known, text] = (context.engine.ledger[0] ?? "").split(/\n(?=\{)|(?<=\})\n\n/);
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
  const { chain, deps } = workbench({});
  const work = { chain, deps, signal: new AbortController().signal };
  await openEpoch(work, "");
  const before = chain.context.engine.epoch?.system;
  const fewer = { ...deps, library: { ...deps.library, all: () => Promise.resolve({ prompts: [], problems: [] }) } };
  expect(chain.context.engine.epoch?.system).toEqual(before);
  await openEpoch({ ...work, deps: fewer }, "");
  chain.close();
  const after = chain.context.engine.epoch?.system ?? [];
  expect(after[0]).toBe(before?.[0]);
  expect(chain.blobs.get(after[1] ?? "")).toBe("# Catalogue of prompts\n\n\n# Project rules\n\n# Rules\nPlain code.");
});

test("a record that fills most of the window is begun anew before the next step, never inside a loop", async () => {
  const long = "x".repeat(60_000);
  const bench = workbench(
    {
      ...wholeWay,
      "context-building/1/2-dependency_analyzer/turn-1": report("No dependencies.", { findings: long }),
      "context-building/1/0-context_preservation/turn-1": report("One thing.", { findings: "The hinge is the name." }),
      "context-building/1/0-context_health_checker/turn-1": report("Nothing is lost.", {
        scores: [{ name: "health", value: 8.5 }],
      }),
    },
    { deps: { contextWindow: 30_000 } },
  );
  const ending = await bench.run({ answers: wholeWayAnswers, approve: "auto" });
  bench.chain.close();
  expect(ending.type).toBe("completed");
  const epochs = bench.events().flatMap((one) => (one.event === "epoch_opened" ? [one] : []));
  expect(epochs.map(({ number }) => number)).toEqual([1, 2]);
  const anew = bench.requests.find(({ key }) => key === "context-building/2/controller/turn-1");
  expect(anew?.messages[0]?.content[0]).toMatchObject({
    text: expect.stringMatching(/^## Task\n.*\n\n## What is known so far\nThe record had grown too long\./),
  });
  expect(JSON.stringify(anew?.messages)).not.toContain(long);
  expect(anew?.messages[0]?.content[0]).toMatchObject({ text: expect.stringContaining("The hinge is the name.") });
  expect(bench.chain.context.session_memory.context_health).toBe(8.5);
  const order = bench.requests.map(({ key }) => key.split("/").slice(0, 3).join("/"));
  const from = order.indexOf("context-building/1/0-context_preservation");
  expect(order.slice(from, from + 3)).toEqual([
    "context-building/1/0-context_preservation",
    "context-building/1/0-context_health_checker",
    "context-building/2/controller",
  ]);
});

test("a request that does not fit even after a fresh start parks the chain", async () => {
  const full = { outcome: "context_exceeded" };
  const bench = workbench({ "requirements-clarification/1/controller/turn-1": full });
  expect(await bench.run()).toEqual({
    type: "parked",
    code: "context_exceeded",
    exit: 1,
    message: "Even a fresh start of the context does not fit into the model's window.",
    hint: "Everything is kept. Use a model with a larger window: claude-exec resume {id} --model <model>",
  });
  bench.chain.close();
  expect(bench.requests).toHaveLength(1);
  const asks = action("I look.", { type: "run_prompts", prompts: [{ name: "stack_detector", inputs: [] }] });
  const later = workbench({
    "requirements-clarification/1/controller/turn-1": asks,
    "requirements-clarification/1/1-stack_detector/turn-1": full,
  });
  expect(await later.run()).toMatchObject({ code: "context_exceeded" });
  later.chain.close();
  expect(later.requests.map(({ key }) => key.split("/")[2])).toEqual([
    "controller",
    "1-stack_detector",
    "1-stack_detector",
  ]);
});

test("a catalogue beyond its core says how many more there are, and find_prompts finds them", async () => {
  const key = "requirements-clarification/1/controller";
  const looks = uses(["find_prompts", { query: "load test" }]);
  const bench = workbench(
    {
      [`${key}/turn-1`]: looks,
      [`${key}/turn-2`]: action("No.", { type: "give_up", reason: "x" }),
    },
    { deps: { catalogueCore: 20 } },
  );
  await bench.run();
  bench.chain.close();
  const [first, second] = bench.requests;
  const catalogue = first!.system[1]!.text;
  expect(catalogue.match(/^\w+ — /gm)).toHaveLength(20);
  expect(catalogue).toContain("66 more prompts are not listed here: find_prompts finds them.");
  expect(catalogue).not.toContain("load_test_planner");
  expect(second!.system).toEqual(first!.system);
  expect(JSON.stringify(second!.messages)).toContain("load_test_planner — ");
});
