import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { Turn } from "../../src/chain/context.ts";
import { event, type Body } from "../../src/chain/events.ts";
import { runTurn } from "../../src/chain/run.ts";
import { transcriptOf } from "../../src/chain/transcript.ts";
import { toInput } from "../../src/models/anthropic-request.ts";
import { openAnthropic } from "../../src/models/anthropic.ts";
import { noUsage } from "../../src/costs/books.ts";
import type { Model, ReplyBlock } from "../../src/models/types.ts";
import type { Blobs } from "../../src/store/blobs.ts";
import { complaintAbout } from "../models/api-rules.ts";
import { requestFor, testWorld } from "../models/contract.ts";
import { startMessagesServer, type RequestBody, type Script, type WireBlock } from "../models/messages-server.ts";
import { firstKey, opening } from "../support/script.ts";
import { cleanUp } from "../support/folders.ts";
import { ada } from "./lines.ts";
import { workbench } from "./workbench.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  cleanUp();
});

const key = firstKey;
const giveUp = opening("No.", { type: "give_up", reason: "Enough." });
const giveUpText = (giveUp as unknown as { content: [WireBlock] }).content[0];

/** A chain in front of a provider on loopback that replies with these, and then gives up. */
async function chainBefore(...scripts: Script[]) {
  const server = await startMessagesServer(() => scripts.shift() ?? { type: "reply", content: [giveUpText] });
  closers.push(server.close);
  const world = testWorld();
  const model = openAnthropic({ apiKey: "sk-test", baseUrl: server.url, world });
  const bench = await workbench({}, { deps: { model } });
  return { ...bench, asked: () => server.requests.map(({ body }) => body) };
}

const call = (id: unknown, name: unknown = "read_file", input: object = { path: "src/sum.js" }): WireBlock => ({
  type: "tool_use",
  id,
  name,
  input,
});
const text = (words: string): WireBlock => ({ type: "text", text: words });
const thinking: WireBlock = { type: "thinking", thinking: "Where?", signature: "c2ln" };

describe("a reply that cannot be sent back", () => {
  test.for([
    ["without any block", [], "end_turn", "It was empty."],
    ["of an empty text", [text("")], "end_turn", "It was empty."],
    ["of a blank text", [text(" \n\t")], "end_turn", "It was empty."],
    ["of a text that only Python calls blank", [text("\u0085\u001F")], "end_turn", "It was empty."],
    ["of thoughts alone", [thinking], "end_turn", "It was empty."],
    [
      "that announces a call and makes none",
      [text("I look.")],
      "tool_use",
      "The reply said it would call a tool, but it contains no tool call.",
    ],
    ["with a call without an id", [call(undefined)], "tool_use", "The id of a tool call was not valid."],
    ["with an empty id", [call("")], "tool_use", "The id of a tool call was not valid."],
    ["with an id of other letters", [call("call:1")], "tool_use", "The id of a tool call was not valid."],
    ["with one id twice", [call("a"), call("a")], "tool_use", "Two of its tool calls had the same id."],
    ["with a tool without a name", [call("a", "")], "tool_use", "The name of a tool was not valid."],
    ["with a tool of another name", [call("a", "read file")], "tool_use", "The name of a tool was not valid."],
    ["with a tool of a long name", [call("a", "x".repeat(65))], "tool_use", "The name of a tool was not valid."],
  ] as const)(
    "is a failed attempt that is paid for, and asked for again without it: one %s",
    async ([, content, stop_reason, problem]) => {
      const usage = {
        input_tokens: 1000,
        output_tokens: 100,
        cache_read_input_tokens: 0,
        cache_creation_input_tokens: 0,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      };
      const bench = await chainBefore({ type: "reply", content, stop_reason, usage });
      const ending = await bench.run();
      await bench.chain.close();
      expect(ending).toMatchObject({ code: "gave_up" });
      const [first, second, ...more] = bench.asked();
      expect(more).toEqual([]);
      expect(second?.messages).toHaveLength(1);
      const said = (body: RequestBody | undefined) => String(body?.messages[0]?.content.at(-1)?.["text"]);
      expect(said(second)).toBe(`${said(first)}\n\nYour last reply could not be used:\n- ${problem}\nAnswer again.`);
      expect(bench.lines.find(({ type }) => type === "result")).toMatchObject({
        outcome: { type: "failed", reason: "unusable_reply", message: problem },
        booked: { usage: { input: 1000, output: 100 }, usd: 0.006 },
      });
    },
  );

  test("pauses the chain where the third is like the first two, and a resume asks again", async () => {
    const empty: Script = { type: "reply", content: [] };
    const bench = await chainBefore(empty, empty, empty);
    expect(await bench.run()).toEqual({
      type: "parked",
      code: "reply_unusable",
      exit: 1,
      message: "The model's reply to requirement_disambiguator could not be used three times: It was empty.",
      next: [
        {
          operation: "resume",
          input: { chain: "001", model: "<model>" },
          why: "Everything before is kept. Try again, perhaps with another model",
        },
      ],
    });
    await bench.chain.append({ by: ada, bodies: [event("resumed", {})] });
    expect(await bench.run()).toMatchObject({ code: "gave_up" });
    await bench.chain.close();
    expect(bench.asked()).toHaveLength(4);
  });

  test("in the middle of a tool loop leaves the loop as it was", async () => {
    const look: Script = { type: "reply", content: [thinking, call("call_1")], stop_reason: "tool_use" };
    const bench = await chainBefore(look, { type: "reply", content: [] });
    expect(await bench.run()).toMatchObject({ code: "gave_up" });
    await bench.chain.close();
    const [, second, third] = bench.asked();
    const plain = (body: RequestBody | undefined) =>
      body?.messages.map(({ content }) => content.map(({ cache_control: _, ...block }) => block));
    const note = "Your last reply could not be used:\n- It was empty.\nAnswer again.";
    const [first, said, answered] = plain(second) ?? [];
    expect(plain(third)).toEqual([first, said, [...(answered ?? []), text(note)]]);
  });
});

test("ids that begin anew with each reply are told apart, and each call keeps its answer", async () => {
  const bench = await chainBefore(
    { type: "reply", content: [call("0"), call("1", "list_files", {})], stop_reason: "tool_use" },
    { type: "reply", content: [call("0-2", "list_files", {}), call("0")], stop_reason: "tool_use" },
    { type: "reply", content: [call("0", "list_files", {})], stop_reason: "tool_use" },
  );
  expect(await bench.run()).toMatchObject({ code: "gave_up" });
  await bench.chain.close();
  const blocks =
    bench
      .asked()
      .at(-1)
      ?.messages.flatMap(({ content }) => content) ?? [];
  expect(blocks.flatMap(({ type, id }) => (type === "tool_use" ? [id] : []))).toEqual(["0", "1", "0-2", "0-3", "0-4"]);
  const results = blocks.flatMap((block) => (block.type === "tool_result" ? [block] : []));
  const tool = (block: WireBlock) =>
    /src\/sum\.js, lines/.test(String(block["content"])) ? "read_file" : "list_files";
  expect(results.map((block) => [block["tool_use_id"], tool(block)])).toEqual([
    ["0", "read_file"],
    ["1", "list_files"],
    ["0-2", "list_files"],
    ["0-3", "read_file"],
    ["0-4", "list_files"],
  ]);
});

/** What earlier versions wrote into a journal: each as the model's reply to the step that stands first. */
async function chainWithOld(...replies: { stop: "end_turn" | "tool_use"; content: readonly ReplyBlock[] }[]) {
  const bench = await chainBefore();
  const stopped = new AbortController();
  const before: Model = {
    name: "old",
    live: true,
    async *ask() {
      stopped.abort();
      yield { type: "outcome", outcome: { type: "cancelled", attempts: [] } };
    },
  };
  await runTurn(bench.chain, { ...bench.deps, model: before }, { answers: {}, approve: "ask" }, stopped.signal);
  const intent = bench.lines.find((line) => line.type === "intent");
  const booked = {
    phase: "requirements",
    prompt: "requirement_disambiguator",
    model: "claude-opus-5-5",
    usage: noUsage,
    usd: 0,
  };
  for (const [index, { stop, content }] of replies.entries()) {
    const turn = index + 1;
    const calls = content.flatMap((block) => (block.type === "tool_use" ? [{ id: block.id, tool: block.name }] : []));
    const outcome = { type: "replied" as const, stop, content, calls };
    const result: Body = { type: "result", effect: "model", key, turn, outcome, booked };
    const answers = calls.map(({ id, tool }): Body => ({
      type: "result",
      effect: "tool",
      key,
      call: id,
      tool,
      is_error: true,
      content: { text: `There is no tool ${tool}.` },
      seen: [],
    }));
    const problems = ["The reply is not one JSON object."];
    const rejected = stop === "end_turn" ? [event("reply_rejected", { key, problems })] : [];
    await bench.chain.append({
      by: ada,
      bodies: [{ ...(intent as Body), turn } as Body, result, ...answers, ...rejected],
    });
  }
  return bench;
}

const oldReplies = {
  empty: { stop: "end_turn", content: [] },
  blank: { stop: "end_turn", content: [{ type: "text", text: " \n" }] },
  thoughts: { stop: "end_turn", content: [{ type: "thinking", value: thinking }] },
  noCall: { stop: "tool_use", content: [{ type: "text", text: "I look." }] },
  sameIds: {
    stop: "tool_use",
    content: [
      { type: "tool_use", id: "a", name: "no_such_tool", input: {} },
      { type: "tool_use", id: "a", name: "no_such_tool", input: {} },
    ],
  },
  wrongIds: { stop: "tool_use", content: [{ type: "tool_use", id: "call:1", name: "read file", input: "x" }] },
} as const;

test.for(Object.keys(oldReplies) as (keyof typeof oldReplies)[])(
  "a chain whose journal holds a reply of an earlier version that no provider takes back can be resumed: %s",
  async (name) => {
    const bench = await chainWithOld(oldReplies[name]);
    expect(await bench.run()).toMatchObject({ code: "gave_up" });
    await bench.chain.close();
    expect(bench.asked()).toHaveLength(1);
    expect(bench.asked()[0]?.messages).toHaveLength(3);
  },
);

test("whatever replies an old journal holds, its transcript is acceptable, and stays the same to the byte as it grows", async () => {
  const bench = await chainWithOld(...Object.values(oldReplies), oldReplies.sameIds, oldReplies.empty);
  const turns = bench.chain.context.engine.item?.turns ?? [];
  expect(turns).toHaveLength(8);
  const runOf = (some: readonly Turn[], note: string | null) =>
    transcriptOf([], { tail: "# Step", model: "m", turns: some, note }, "m", bench.chain.blobs);
  const whole = runOf(turns, null);
  for (const [index] of turns.entries()) {
    const part = runOf(turns.slice(0, index + 1), turns[index + 1]?.note ?? null);
    expect(JSON.stringify(part)).toBe(JSON.stringify(whole.slice(0, 2 * (index + 1) + 1)));
  }
  expect(await bench.run()).toMatchObject({ code: "gave_up" });
  await bench.chain.close();
});

const letters = fc.oneof(
  fc.constantFrom("", " ", "\n\t", "\u0085", "\uD83D", "a\uDE00b", "call_1", "read_file", "0", "0-2", "x".repeat(65)),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const input = fc.oneof(fc.dictionary(letters, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }), fc.jsonValue());

test("whatever replies a journal holds, the next request is one that the provider accepts", () => {
  const block: fc.Arbitrary<ReplyBlock> = fc.oneof(
    fc.record({ type: fc.constant("text" as const), text: letters }),
    fc.record({ type: fc.constant("tool_use" as const), id: letters, name: letters, input }),
    fc.record({
      type: fc.constant("thinking" as const),
      value: fc.record({ type: fc.constant("thinking"), thinking: letters, signature: fc.constantFrom("", "c2ln") }),
    }),
    fc.constant({ type: "redacted_thinking" as const, value: { type: "redacted_thinking", data: "x" } }),
  );
  const turn = fc
    .record({
      content: fc.array(block, { maxLength: 5 }),
      stop: fc.constantFrom("end_turn" as const, "tool_use" as const),
      note: fc.constantFrom(null, "Answer again."),
      answer: letters,
    })
    .map(({ content, stop, note, answer }): Turn => {
      const calls = content.flatMap((said) =>
        said.type === "tool_use"
          ? [{ id: said.id, tool: said.name, answer: { content: { text: answer }, is_error: false } }]
          : [],
      );
      return { content, stop, note, calls, settled: true };
    });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 5 }), fc.constantFrom(null, "Answer again."), (turns, note) => {
      const { messages: _messages, ...rest } = requestFor("step/1/turn-1");
      const runOf = (some: readonly Turn[], said: string | null) =>
        transcriptOf([], { tail: "# Step", model: "m", turns: some, note: said }, "m", noBlobs);
      const transcript = runOf(turns, note);
      const request = { ...rest, messages: transcript };
      const body = JSON.parse(JSON.stringify(toInput(request))) as RequestBody;
      expect(complaintAbout(body)).toBeUndefined();
      for (let length = 0; length < turns.length; length++) {
        const part = runOf(turns.slice(0, length), turns[length]?.note ?? null);
        expect(part.slice(1)).toEqual(transcript.slice(1, 2 * length + 1));
      }
    }),
    { numRuns: 500 },
  );
});

test("whatever a provider replies, it never refuses a later request for it, and the chain comes to its end", async () => {
  const block: fc.Arbitrary<WireBlock> = fc.oneof(
    fc.record({ type: fc.constant("text"), text: letters }),
    fc.record({ type: fc.constant("tool_use"), id: letters, name: letters, input: input as fc.Arbitrary<object> }),
    fc.record({ type: fc.constant("tool_use"), id: fc.constantFrom("0", "1"), name: fc.constant("list_files"), input }),
    fc.record({ type: fc.constant("thinking"), thinking: letters, signature: fc.constantFrom("", "c2ln") }),
  );
  const reply: fc.Arbitrary<Script> = fc.record({
    type: fc.constant("reply" as const),
    content: fc.array(block, { maxLength: 4 }),
    stop_reason: fc.constantFrom("end_turn", "tool_use", "max_tokens", "pause_turn"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(reply, { maxLength: 6 }), async (replies) => {
      const bench = await chainBefore(...replies);
      const codes: string[] = [];
      for (let runs = 0; runs < 8 && codes.at(-1) !== "gave_up"; runs++) {
        const ending = await bench.run();
        codes.push(ending.type === "parked" ? ending.code : ending.type);
        await bench.chain.append({ by: ada, bodies: [event("resumed", {})] });
      }
      await bench.chain.close();
      expect(codes.at(-1)).toBe("gave_up");
      expect(new Set(codes).difference(new Set(["gave_up", "reply_unusable"]))).toEqual(new Set());
      for (const close of closers.splice(0)) await close();
    }),
    { numRuns: 40 },
  );
});

const noBlobs: Blobs = { ...({} as Blobs), get: () => "" };

test("a later run goes on after those before it: without another model's thoughts, with ids of its own, the same each time", () => {
  const thought = { type: "thinking" as const, value: { type: "thinking", thinking: "Where?", signature: "c2ln" } };
  const looks: Turn = {
    note: null,
    stop: "tool_use",
    content: [thought, { type: "tool_use", id: "0", name: "read_file", input: {} }],
    calls: [{ id: "0", tool: "read_file", answer: { content: { text: "It is here." }, is_error: false } }],
    settled: true,
  };
  const says: Turn = {
    note: null,
    stop: "end_turn",
    content: [{ type: "text", text: "Found." }],
    calls: [],
    settled: true,
  };
  const ended = (tail: string, model: string) => ({ tail, model, turns: [looks, says], note: null });
  const [first, second] = [ended("# Step 1", "opus"), ended("# Step 2", "haiku")];
  const own = { tail: "# Step 3", model: null, turns: [], note: null };
  const roles = transcriptOf([first, second], own, "opus", noBlobs).map(({ role }) => role);
  expect(roles).toEqual(["user", "assistant", "user", "assistant", "user", "assistant", "user", "assistant", "user"]);
  const told = (model: string) => transcriptOf([first, second], own, model, noBlobs);
  const thoughts = (model: string) =>
    told(model).flatMap(({ content }, at) => (JSON.stringify(content).includes("Where?") ? [at] : []));
  expect([thoughts("opus"), thoughts("haiku")]).toEqual([[1], [5]]);
  const ids = told("opus").flatMap(({ content }) =>
    content.flatMap((block) => (block.type === "tool_use" ? [block.id] : [])),
  );
  expect(ids).toEqual(["0", "0-2"]);
  const before = transcriptOf([first], second, "opus", noBlobs);
  expect(told("opus").slice(0, 5)).toEqual(before.slice(0, 5));
});
