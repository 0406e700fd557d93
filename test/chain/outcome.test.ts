import { afterEach, expect, test } from "vitest";
import { lostCall } from "../../src/chain/lost.ts";
import { noUsage } from "../../src/costs/books.ts";
import { firstKey, opening } from "../support/script.ts";
import { cleanUp } from "../support/folders.ts";
import { workbench } from "./workbench.ts";
import { withPrinted } from "../support/printed.ts";

afterEach(cleanUp);

const key = `${firstKey}/turn-1`;
const usage = { input: 1_000, output: 100, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };

async function endOf(...outcomes: object[]) {
  const bench = await workbench({
    [key]: outcomes,
    [`${firstKey}/turn-2`]: opening("No.", { type: "give_up", reason: "x" }),
  });
  const ending = await bench.run();
  await bench.chain.close();
  return { ...bench, ending };
}

const again = "Everything before is kept, and nothing is paid twice. Go on: claude-exec resume 001";
const otherModel = "claude-exec resume 001 --model <model>";

test.each([
  ["authentication", 78, "The provider does not accept the key: said so", `Set a valid ANTHROPIC_API_KEY. ${again}`],
  ["permission", 78, "The provider does not accept the key: said so", `Set a valid ANTHROPIC_API_KEY. ${again}`],
  ["spend_limit", 12, "The provider's spend limit is reached: said so", `Raise it with the provider. ${again}`],
  ["unknown_model", 78, "The provider does not know this model: said so", `Name another: ${otherModel}`],
  [
    "invalid_request",
    1,
    "The provider rejected the request: said so",
    `Everything before is kept. Try another model: ${otherModel}`,
  ],
  ["rate_limited", 1, "The model could not be reached: said so", again],
  ["overloaded", 1, "The model could not be reached: said so", again],
  ["server_error", 1, "The model could not be reached: said so", again],
  ["network", 1, "The model could not be reached: said so", again],
  ["stalled", 1, "The model could not be reached: said so", again],
  ["bad_stream", 1, "The model could not be reached: said so", again],
] as const)("a call that fails by %s parks with %i and what to do", async (reason, exit, message, hint) => {
  const { ending, requests } = await endOf({ outcome: "failed", reason, message: "said so" });
  expect(withPrinted(ending)).toEqual({ type: "parked", code: reason, exit, message, hint });
  expect(requests).toHaveLength(1);
});

test.each([
  ["authentication", "Set a valid ANTHROPIC_API_KEY. Everything before is kept. Go on: claude-exec resume 001"],
  ["bad_stream", "Everything before is kept. Go on: claude-exec resume 001"],
] as const)(
  "a call that fails by %s after it may have cost money does not say that nothing is paid twice",
  async (reason, hint) => {
    for (const used of [usage, null]) {
      const { ending } = await endOf({ outcome: "failed", reason, message: "said so", usage: used });
      expect(withPrinted(ending)).toMatchObject({ code: reason, hint });
    }
  },
);

test("a lost call is booked at what was expected of it, beside the most it can have cost", async () => {
  const { chain, lines } = await endOf(opening("Done.", { type: "give_up", reason: "x" }));
  const call = lines.find((line) => line.type === "intent" && line.effect === "model") as Parameters<
    typeof lostCall
  >[1];
  expect(call.reserved.tokens).toBeGreaterThan(16_000);
  expect(lostCall(chain.context, call)).toMatchObject({
    outcome: { type: "failed", reason: "unknown", message: "The process ended while this call was in the air." },
    booked: {
      usage: noUsage,
      usd: call.expected.usd,
      lost: {
        calls: 1,
        usd: call.expected.usd,
        most_usd: call.reserved.usd,
        tokens: call.expected.tokens,
        most_tokens: call.reserved.tokens,
      },
    },
  });
  expect(call.reserved.usd).toBeGreaterThan(3 * (call.expected.usd ?? 1));
});

test("attempts that broke off before anything was said of their usage are booked as lost, each once", async () => {
  const { chain, lines } = await endOf(
    { outcome: "failed", reason: "network", message: "The line went dead.", usage: null },
    opening("Done.", { type: "give_up", reason: "x" }),
  );
  const call = lines.find((line) => line.type === "intent") as Parameters<typeof lostCall>[1];
  expect(chain.context.cost_tracking).toMatchObject({
    estimated_cost: call.expected.usd,
    unknown_calls: 1,
    lost_calls: [{ calls: 1, usd: call.expected.usd, most_usd: call.reserved.usd }],
  });
});

test("a reply whose provider never tells its usage is not lost", async () => {
  const { chain } = await endOf({ ...opening("Done.", { type: "give_up", reason: "x" }), usage: null });
  expect(chain.context.cost_tracking).toMatchObject({ estimated_cost: 0, lost_calls: [] });
});

test("a step that was not recorded says so, and how a real run is made", async () => {
  const bench = await workbench({});
  expect(withPrinted(await bench.run(), { replay: "old.json" })).toEqual({
    type: "parked",
    code: "not_recorded",
    exit: 1,
    message: expect.stringMatching(
      /^The recording .*replies\.json has no reply for the step requirements-clarification\/1\/1-requirement_disambiguator\/turn-1\.$/,
    ),
    hint: "A recording only knows the way it was recorded.\nFor a real run set ANTHROPIC_API_KEY and go on without it: claude-exec resume 001",
  });
  await bench.chain.close();
});

test("a refusal parks with its reason", async () => {
  const hint = `Everything before is kept. Say what it should know: claude-exec ask 001 "…"\nOr use another model: ${otherModel}`;
  const { ending } = await endOf({ outcome: "refused", reason: "cyber", usage });
  expect(withPrinted(ending)).toEqual({
    type: "parked",
    code: "refused",
    exit: 1,
    message: "The model refused this step (cyber).",
    hint,
  });
  expect((await endOf({ outcome: "refused", reason: "", usage })).ending).toMatchObject({
    message: "The model refused this step.",
  });
});

test("what was cut or paused is never acted on, is paid for, and is asked for again with what was wrong", async () => {
  const done = opening("Done.", { type: "give_up", reason: "x" });
  const reply = { content: done.content, usage };
  const { ending, chain, lines, requests } = await endOf(
    { outcome: "cut", ...reply },
    { outcome: "paused", ...reply },
    done,
  );
  expect(ending).toMatchObject({ code: "gave_up" });
  const rejected = lines.flatMap((line) =>
    line.type === "event" && line.event === "reply_rejected" ? [line.problems] : [],
  );
  expect(rejected).toEqual([
    ["It was cut off at the limit of its length. There is more room now."],
    ["You paused. Go on and answer."],
  ]);
  expect(requests.map(({ maxTokens }) => maxTokens)).toEqual([16_000, 32_000, 32_000]);
  expect(chain.context.cost_tracking.by_prompt["requirement_disambiguator"]).toMatchObject({ calls: 3 });
  expect(chain.context.cost_tracking.by_kind.input).toBe(2_900);
});

test("a call is announced, answered and booked in the model's name, and followed by what the engine makes of it", async () => {
  const { lines } = await endOf(opening("Done.", { type: "give_up", reason: "x" }));
  const at = lines.findIndex((line) => line.type === "result");
  const said = lines
    .slice(at)
    .map((line) => [line.type === "event" ? line.event : line.type, line.by.kind, line.by.door]);
  expect(said).toEqual([
    ["result", "model", "recorded"],
    ["report_recorded", "engine", "engine"],
    ["decision_taken", "engine", "engine"],
    ["parked", "engine", "engine"],
    ["ledger_extended", "engine", "engine"],
  ]);
  expect(lines[at]).toMatchObject({
    effect: "model",
    key: firstKey,
    turn: 1,
    outcome: { type: "replied", stop: "end_turn", calls: [] },
    booked: { phase: "requirements", prompt: "requirement_disambiguator", model: "claude-opus-5-5", usd: 0.0124 },
  });
  expect(lines[at - 1]).toMatchObject({
    type: "intent",
    effect: "model",
    turn: 1,
    prompt: { name: "requirement_disambiguator", scope: "builtin", route: "default" },
    request: { model: "claude-opus-5-5", effort: "medium", max_tokens: 16_000, epoch: 1, ledger: 1 },
  });
});
