import { expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { expectCall } from "../../src/chain/expect.ts";
import type { Message } from "../../src/models/types.ts";
import { realWorld } from "../../src/util/world.ts";
import { requestFor } from "../models/contract.ts";
import { after, inEngine, noon } from "./lines.ts";

/** Each kind of token has a power of ten for its price, so that a cost names how many of each there were. */
const price = { input: 1, cache_read: 1e3, cache_write_5m: 1e6, cache_write_1h: 1e9, output: 0 };
const words = (tokens: number) => "x".repeat(tokens * 3);
const text = (tokens: number) => ({ type: "text" as const, text: words(tokens) });

/** Rules of 100 tokens, ledger blocks of 10 each, a text of its own of 7. */
function expected(
  minutes: number | null,
  messages: readonly Message[] = [],
  more: { epoch?: number; model?: string } = {},
) {
  const context = inEngine(
    after(event("epoch_opened", { number: 1, tools: "", system: [], schema: null, bytes: 300, digest: null })),
    {
      ledger: Array.from({ length: 3 }, () => ({ text: words(10), brief: words(10) })),
      ledger_bytes: 90,
      sent: minutes === null ? {} : { [more.model ?? "known"]: { at: noon, epoch: more.epoch ?? 1, ledger: 2 } },
      outputs: { a: [5, 900, 20] },
    },
  );
  const first: Message = { role: "user", content: [text(10), text(10), text(10), text(7)] };
  const request = requestFor("k/turn-1", { model: "known", messages: [first, ...messages] });
  const deps = {
    world: { ...realWorld({}), now: () => Date.parse(noon) + (minutes ?? 0) * 60_000 },
    prices: { known: { prices: [price] as [typeof price] } },
  };
  const most = { usd: 1e9, tokens: 1e9 };
  const { usd } = expectCall(context, "a", request, { epoch: 1, ledger: 3 }, most, deps);
  const digits = Math.round((usd ?? 0) * 1e6);
  const at = (unit: number) => Math.floor(digits / unit) % 1000;
  return { fresh: at(1), read: at(1e3), written5m: at(1e6), written1h: at(1e9) };
}

const turn = (said: number, answered: number): Message[] => [
  { role: "assistant", content: [text(said)] },
  { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: words(answered), is_error: false }] },
];

test.for([
  ["by the first call of a chain", null, {}, { fresh: 7, read: 0, written5m: 30, written1h: 100 }],
  ["by one soon after another", 4, {}, { fresh: 7, read: 120, written5m: 10, written1h: 0 }],
  ["after more than five minutes", 6, {}, { fresh: 7, read: 100, written5m: 30, written1h: 0 }],
  ["after more than an hour", 61, {}, { fresh: 7, read: 0, written5m: 30, written1h: 100 }],
  ["where only another model was asked", 1, { model: "b" }, { fresh: 7, read: 0, written5m: 30, written1h: 100 }],
  ["where the record was condensed since", 1, { epoch: 0 }, { fresh: 7, read: 0, written5m: 30, written1h: 100 }],
] as const)("as much is expected to be cached as the provider keeps: %s", ([, minutes, more, kinds]) => {
  expect(expected(minutes, [], more)).toEqual(kinds);
});

test("in a tool loop only what came since the last turn is expected to be written", () => {
  expect(expected(1, turn(2, 30))).toEqual({ fresh: 0, read: 120, written5m: 10 + 7 + 32, written1h: 0 });
  expect(expected(1, [...turn(2, 30), ...turn(3, 40)])).toEqual({
    fresh: 0,
    read: 120 + 7 + 32,
    written5m: 10 + 43,
    written1h: 0,
  });
  expect(expected(6, [...turn(2, 30), ...turn(3, 40)])).toEqual({
    fresh: 0,
    read: 100,
    written5m: 30 + 7 + 32 + 43,
    written1h: 0,
  });
});

test("the text of a later step of a phase is expected to be written to the cache with the end of the step before it", () => {
  const said: Message = { role: "assistant", content: [text(2)] };
  const later: Message = { role: "user", content: [text(20)] };
  expect(expected(1, [said, later])).toEqual({ fresh: 0, read: 120, written5m: 10 + 7 + 22, written1h: 0 });
  expect(expected(1, [...turn(2, 30), said, later])).toEqual({
    fresh: 0,
    read: 120 + 7 + 32,
    written5m: 10 + 22,
    written1h: 0,
  });
});

test.for([
  ["this prompt's own median", "a", { a: [5, 900, 20], b: [1, 1] }, 20],
  ["the median of all prompts where this one was not asked yet", "c", { a: [5, 900, 20], b: [30] }, 30],
  ["1,500 tokens where nothing was asked yet", "a", {}, 1_500],
  ["no more than the reply may have", "a", { a: [90_000] }, 16_000],
  ["a prompt of any name", "constructor", { a: [5] }, 5],
] as const)("as much output is expected as %s", ([, prompt, outputs, tokens]) => {
  const context = inEngine(after(), { outputs });
  const deps = {
    world: realWorld({}),
    prices: { known: { prices: [{ ...price, input: 0, output: 1e6 }] as [typeof price] } },
  };
  const request = requestFor("k/turn-1", { model: "known", messages: [{ role: "user", content: [] }] });
  const frozen = { epoch: 0, ledger: 0 };
  expect(expectCall(context, prompt, request, frozen, { usd: 1e9, tokens: 1e9 }, deps)).toEqual({
    usd: tokens,
    tokens,
  });
  expect(expectCall(context, prompt, request, frozen, { usd: 3, tokens: 2 }, deps)).toEqual({ usd: 3, tokens: 2 });
});

test("without a known price there is no expected cost", () => {
  const request = requestFor("k/turn-1", { model: "strange" });
  const deps = { world: realWorld({}), prices: {} };
  const { usd } = expectCall(after(), "a", request, { epoch: 0, ledger: 0 }, { usd: null, tokens: 9_000 }, deps);
  expect(usd).toBeNull();
});

test("the output of each reply is remembered by its prompt, and when each model was last asked", () => {
  const result = (prompt: string, output: number) =>
    ({
      type: "result",
      effect: "model",
      key: "k",
      turn: 1,
      outcome: { type: "cancelled" },
      booked: {
        phase: "requirements",
        prompt,
        model: "m",
        usage: { input: 1, output, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 },
        usd: 0,
      },
    }) as const;
  const intent = {
    type: "intent",
    effect: "model",
    key: "requirements-clarification/1/controller",
    turn: 1,
    prompt: { name: "a", scope: "builtin", sha256: "", route: "default", tools: "read" },
    request: { model: "m", effort: "low", max_tokens: 1, epoch: 3, ledger: 4 },
    expected: { usd: 1, tokens: 1 },
    reserved: { usd: 1, tokens: 1 },
  } as const;
  const { engine } = after(intent, result("a", 5), result("constructor", 7), result("a", 0), result("a", 6));
  expect(engine.outputs).toEqual({ a: [5, 6], constructor: [7] });
  expect(engine.sent).toEqual({ m: { at: noon, epoch: 3, ledger: 4 } });
});
