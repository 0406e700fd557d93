import { afterEach, expect, test, vi } from "vitest";
import { event } from "../../src/chain/events.ts";
import { engineActor } from "../../src/chain/open.ts";
import { openAnthropic } from "../../src/models/anthropic.ts";
import type { Model } from "../../src/models/types.ts";
import { realWorld } from "../../src/util/world.ts";
import { startMessagesServer, type Script } from "../models/messages-server.ts";
import { firstKey, opening, report, says, uses, type Replies } from "../support/script.ts";
import { cutOff, present, refused } from "../support/ways.ts";
import { cleanUp } from "../support/folders.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const at = "requirements-clarification/2";
const both = (...names: string[]) =>
  opening("I look.", { type: "run_prompts", prompts: names.map((name) => ({ name, inputs: [] })) });
const looking = ["component_mapper", "dependency_analyzer"] as const;
const found = (key: string) => report(`Found ${key}.`, { discovered: [{ key, value: "1" }] });

const replies: Replies = {
  [`${firstKey}/turn-1`]: both(...looking),
  [`${at}/1-component_mapper/turn-1`]: uses(["read_file", { path: "src/sum.js" }]),
  [`${at}/1-component_mapper/turn-2`]: found("components"),
  [`${at}/2-dependency_analyzer/turn-1`]: found("dependencies"),
  "requirements-clarification/3/controller/turn-1": present,
};

/** Holds calls back until somebody lets them go, once their replies have begun, and knows how many were in the air at once. */
function held(model: Model, lets: (key: string) => Promise<void>) {
  const air = { now: 0, most: 0 };
  const ask: Model["ask"] = async function* (request, signal) {
    air.most = Math.max(air.most, ++air.now);
    yield { type: "progress", characters: 1 };
    await lets(request.key);
    air.now--;
    yield* model.ask(request, signal);
  };
  return { air, model: { ...model, ask } };
}

function order(bench: Awaited<ReturnType<typeof workbench>>): string[] {
  return bench.lines.flatMap((line) =>
    line.type === "result" && line.effect === "model"
      ? [`${line.key.split("/")[2] ?? ""} answered`]
      : line.type === "event" && line.event === "report_recorded"
        ? [`${line.prompt} taken in`]
        : [],
  );
}

test("prompts of one decision that only look run at the same time, and are taken in as they were named", async () => {
  const second = Promise.withResolvers<void>();
  const bench = await workbench(replies, { size: "tiny" });
  // The first can only answer once the second has: one after the other they would never end.
  const { air, model } = held(bench.deps.model, (key) => {
    if (key.includes("dependency_analyzer")) second.resolve();
    return key.includes("component_mapper") ? second.promise : Promise.resolve();
  });
  const ending = await bench.runWith({ model });
  await bench.chain.close();
  expect(ending.type).toBe("needs_approval");
  expect(air.most).toBe(2);
  expect(order(bench).slice(-4)).toEqual([
    "component_mapper taken in",
    "dependency_analyzer taken in",
    "controller answered",
    "phase_controller taken in",
  ]);
  expect(order(bench).slice(2, 5).sort()).toEqual([
    "1-component_mapper answered",
    "1-component_mapper answered",
    "2-dependency_analyzer answered",
  ]);
});

test("each sees the record as it was when they were chosen", async () => {
  const bench = await workbench(replies, { size: "tiny" });
  await bench.run();
  await bench.chain.close();
  const ledger = (name: string) =>
    bench.requests.findLast(({ key }) => key.includes(name))?.messages[0]?.content.slice(0, -1);
  expect(ledger("dependency_analyzer")).toEqual(ledger("component_mapper"));
  expect(JSON.stringify(ledger("dependency_analyzer"))).not.toContain("Found components");
  expect(JSON.stringify(bench.requests.at(-1)?.messages)).toContain("Found dependencies");
});

test("a prompt that may write runs alone, after those named before it and before those named after it", async () => {
  const bench = await workbench(
    {
      [`${firstKey}/turn-1`]: both("component_mapper", "test_generator", "dependency_analyzer"),
      [`${at}/1-component_mapper/turn-1`]: found("components"),
      [`${at}/2-test_generator/turn-1`]: report("None are needed."),
      [`${at}/3-dependency_analyzer/turn-1`]: found("dependencies"),
      "requirements-clarification/3/controller/turn-1": present,
    },
    { size: "tiny" },
  );
  const { air, model } = held(bench.deps.model, () => Promise.resolve());
  await bench.runWith({ model });
  await bench.chain.close();
  expect(air.most).toBe(1);
  expect(order(bench).filter((what) => what.endsWith("taken in"))).toEqual([
    "requirement_disambiguator taken in",
    "component_mapper taken in",
    "test_generator taken in",
    "dependency_analyzer taken in",
    "phase_controller taken in",
  ]);
});

test("one whose report cannot be used is asked again, and the others wait for it without being paid for twice", async () => {
  const bench = await workbench(
    {
      ...replies,
      [`${at}/1-component_mapper/turn-1`]: says({
        action: { say: "No report.", do: { type: "complete", summary: "" } },
      }),
      [`${at}/1-component_mapper/turn-2`]: found("components"),
    },
    { size: "tiny" },
  );
  expect((await bench.run()).type).toBe("needs_approval");
  await bench.chain.close();
  expect(bench.chain.context.discovered).toEqual({ components: "1", dependencies: "1" });
  expect(bench.requests.filter(({ key }) => key.includes("dependency_analyzer"))).toHaveLength(1);
});

test("one that fails stops the chain, what the others brought is kept, and going on asks only for what is missing", async () => {
  const answers = { [`${at}/1-component_mapper/turn-1`]: found("components") };
  const failures = { [`${at}/2-dependency_analyzer/turn-1`]: refused };
  const failing = await workbench({ ...replies, ...answers, ...failures }, { size: "tiny" });
  expect(await failing.run()).toMatchObject({ type: "parked", code: "refused" });
  const asked = failing.requests.length;
  expect(Object.keys(failing.chain.context.discovered)).toEqual([]);
  expect(failing.chain.context.engine.group.map(({ prompt }) => prompt).sort()).toEqual([...looking]);
  expect(asked).toBe(3);
  await failing.chain.close();
});

test("a reply that was cut off is asked for again beside the others", async () => {
  const bench = await workbench(
    { ...replies, [`${at}/2-dependency_analyzer/turn-1`]: [cutOff, found("dependencies")] },
    { size: "tiny" },
  );
  const ending = await bench.run();
  await bench.chain.close();
  expect(ending.type).toBe("needs_approval");
});

test("together they never pass a budget: who finds no room waits until the others have ended", async () => {
  const bench = await workbench(replies, { size: "tiny", limits: { budget_tokens: 60_000 } });
  const { air, model } = held(bench.deps.model, () => Promise.resolve());
  const ending = await bench.runWith({ model });
  await bench.chain.close();
  expect([ending.type, air.most]).toEqual(["needs_approval", 1]);
});

/** Prompts that look side by side at a provider on loopback, each for 8,000 tokens of reply. `reply` is what it says. */
async function sideBySide(many: number, budget_tokens: number | null, reply: (server: Server) => Promise<Script>) {
  const server: Server = await startMessagesServer(() => reply(server));
  const model = openAnthropic({ apiKey: "sk-test", baseUrl: server.url, world: realWorld({}) });
  const bench = await workbench({}, { limits: { budget_tokens, budget_usd: null }, deps: { model, maxTokens: 8_000 } });
  const prompts = Array.from({ length: many }, (_, index) => ({
    key: `${at}/${index + 1}-component_mapper`,
    name: "component_mapper",
    inputs: {},
    together: true as const,
  }));
  await bench.chain.append({ by: engineActor, bodies: [event("prompts_queued", { why: "All at once.", prompts })] });
  const ending = await bench.run();
  await bench.chain.close();
  await server.close();
  const asked = (path: string) => server.requests.filter((request) => request.path === path).length;
  const reserved = bench.lines.flatMap((line) =>
    line.type === "intent" && line.effect === "model" ? [line.reserved.tokens] : [],
  );
  return { bench, ending, reserved, called: asked("/v1/messages"), counted: asked("/v1/messages/count_tokens") };
}

type Server = Awaited<ReturnType<typeof startMessagesServer>>;

test("with a budget for three of twenty prompts side by side three are called, and the others say that it is used up", async () => {
  const denied = { type: "status", status: 401, error: { type: "authentication_error", message: "No." } } as const;
  const alone = await sideBySide(1, null, async () => denied);
  const each = alone.reserved[0] ?? 0;
  const all = await sideBySide(20, 3 * each + 500, async (server) => {
    // Two are held until each of the others has had its input counted and found no room; they begin after the first.
    if (server.requests.length > 1) await vi.waitUntil(() => server.requests.length >= 20, { timeout: 30_000 });
    const cached = { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 };
    const input = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0, cache_creation: cached };
    const usage = { input_tokens: each - 8_000, ...input, output_tokens: 8_000 };
    const text = JSON.stringify({ reply: { kind: "report", summary: "Seen." } });
    return { type: "reply", content: [{ type: "text", text }], usage };
  });
  expect([all.called, all.counted >= 17, all.reserved.length]).toEqual([3, true, 3]);
  expect(all.ending).toMatchObject({ type: "parked", code: "budget" });
  expect(all.bench.events().filter((one) => one.event === "parked")).toHaveLength(1);
  expect(all.bench.chain.context.cost_tracking.tokens_used).toBe(3 * each);
});

test("before eight prompts run side by side, one call warms the cache: the others read what it wrote", async () => {
  const text = JSON.stringify({ reply: { kind: "report", summary: "Seen." } });
  const { bench } = await sideBySide(8, null, async () => ({ type: "reply", content: [{ type: "text", text }] }));
  const usages = bench.lines.flatMap((line) =>
    line.type === "result" && line.effect === "model" && line.key.startsWith(`${at}/`) ? [line.booked.usage] : [],
  );
  expect(usages).toHaveLength(8);
  const [first, ...others] = usages.map((usage) => (usage?.cacheWrite1h ?? 0) + (usage?.cacheWrite5m ?? 0));
  expect(first).toBeGreaterThan(5_000);
  expect(others.every((written) => written === 0)).toBe(true);
});
