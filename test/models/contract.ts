import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type World, realWorld } from "../../src/util/world.ts";
import type { Message, Model, ModelEvent, ModelRequest } from "../../src/models/types.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** A world whose clock only moves when somebody sleeps, and whose dice always show the same. */
export function testWorld(start = Date.parse("2026-11-20T12:00:00Z")): World & { readonly slept: number[] } {
  let now = start;
  const slept: number[] = [];
  const sleep = async (ms: number, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    slept.push(ms);
    now += ms;
  };
  return { ...realWorld({}), now: () => now, random: () => 0.5, sleep, slept };
}

export function requestFor(key: string, more: Partial<ModelRequest> = {}): ModelRequest {
  const step = key.replace(/\/turn-\d+$/, "");
  return {
    key,
    model: "claude-opus-5-5",
    maxTokens: 16_000,
    effort: "medium",
    tools: [{ name: "read_file", description: "Reads a file.", input_schema: { type: "object", properties: {} } }],
    system: [{ type: "text", text: "Rules.", cache: "1h" }],
    messages: [{ role: "user", content: [{ type: "text", text: `# Step ${step}\nGo on.` }] }],
    schema: { type: "object", properties: { say: { type: "string" } }, additionalProperties: false },
    ...more,
  };
}

export async function eventsOf(model: Model, request: ModelRequest, signal = new AbortController().signal) {
  return Array.fromAsync(model.ask(request, signal));
}

const usage = { input: 120, output: 30, cacheRead: 900, cacheWrite5m: 40, cacheWrite1h: 60 };
const text = { type: "text", text: "I look at the session code first." } as const;
const thinking = {
  type: "thinking",
  value: { type: "thinking", thinking: "Where is the session made?", signature: "c2ln" },
} as const;
const call = {
  type: "tool_use",
  id: "toolu_1",
  name: "read_file",
  input: { path: "src/session.ts" },
} as const;
const other = { type: "other", value: { type: "container_upload", file_id: "file_1" } } as const;

const recording = {
  format: 1,
  model: "claude-opus-5-5",
  recorded_at: "2026-11-20T12:00:00.000Z",
  note: "",
  replies: {
    "look/1/turn-1": { outcome: "replied", stop: "tool_use", content: [thinking, text, call], usage },
    "look/1/turn-2": { outcome: "replied", stop: "end_turn", content: [text, other], usage },
    "cut/1/turn-1": { outcome: "cut", content: [text], usage },
    "pause/1/turn-1": { outcome: "paused", content: [text], usage },
    "refuse/1/turn-1": { outcome: "refused", reason: "It could do harm.", usage },
    "long/1/turn-1": { outcome: "context_exceeded", usage },
    "silent/1/turn-1": { outcome: "replied", stop: "end_turn", content: [text], usage: null },
    "again/1/turn-1": [
      { outcome: "replied", stop: "end_turn", content: [{ type: "text", text: "First." }], usage },
      { outcome: "replied", stop: "end_turn", content: [{ type: "text", text: "Second." }], usage },
    ],
  },
};

interface Opened {
  readonly model: Model;
  close(): Promise<void>;
}

/** What every model does alike: the same recording, asked the same, tells the same. */
export function modelContract(name: string, open: (recordingPath: string) => Promise<Opened>): void {
  describe(`${name} keeps the contract of a model`, async () => {
    const folder = temporaryFolder("model-contract-");
    const path = join(folder, "recording.json");
    writeFileSync(path, JSON.stringify(recording));
    const opened = await open(path);
    const { model } = opened;
    afterAll(async () => {
      await opened.close();
    });
    const attempts = [{ model: "claude-opus-5-5", usage, requestId: undefined, ms: 0 }];
    const ask = async (request: ModelRequest) => comparable(await eventsOf(model, request));

    test("a tool call comes with the thinking before it, word for word", async () => {
      expect(await ask(requestFor("look/1/turn-1"))).toEqual([
        { type: "started", attempt: 1 },
        { type: "progress", characters: 84 },
        {
          type: "outcome",
          outcome: { type: "replied", stop: "tool_use", content: [thinking, text, call], attempts },
        },
      ]);
    });

    test("the second turn of a tool loop is answered with a block of an unknown kind kept as it came", async () => {
      const first = requestFor("look/1/turn-2");
      const messages: Message[] = [
        ...first.messages,
        { role: "assistant", content: [thinking, text, call] },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "…", is_error: false }],
        },
      ];
      expect(await ask({ ...first, messages })).toEqual([
        { type: "started", attempt: 1 },
        { type: "progress", characters: 33 },
        { type: "outcome", outcome: { type: "replied", stop: "end_turn", content: [text, other], attempts } },
      ]);
    });

    test.for([
      ["cut/1/turn-1", { type: "cut", content: [text], attempts }],
      ["pause/1/turn-1", { type: "paused", content: [text], attempts }],
      ["refuse/1/turn-1", { type: "refused", reason: "It could do harm.", attempts }],
      ["long/1/turn-1", { type: "context_exceeded", attempts }],
      [
        "silent/1/turn-1",
        {
          type: "replied",
          stop: "end_turn",
          content: [text],
          attempts: [{ ...attempts[0], usage: undefined }],
        },
      ],
    ] as const)("%s ends as it did when it was recorded", async ([key, outcome]) => {
      expect((await ask(requestFor(key))).at(-1)).toEqual({ type: "outcome", outcome });
    });

    test("a step asked again gets the next reply of its list, and the last one from then on", async () => {
      const texts: string[] = [];
      for (let time = 0; time < 3; time++) {
        const last = (await ask(requestFor("again/1/turn-1"))).at(-1);
        texts.push(JSON.stringify(last?.type === "outcome" && "content" in last.outcome && last.outcome.content));
      }
      expect(texts).toEqual([
        '[{"type":"text","text":"First."}]',
        '[{"type":"text","text":"Second."}]',
        '[{"type":"text","text":"Second."}]',
      ]);
    });

    test("a signal given beforehand ends it before anything is asked", async () => {
      expect(await eventsOf(model, requestFor("look/1/turn-1"), AbortSignal.abort())).toEqual([
        { type: "outcome", outcome: { type: "cancelled", attempts: [] } },
      ]);
    });
  });
}

/** Without what differs from run to run: request ids, times, and how many progress events there were. */
function comparable(events: ModelEvent[]): ModelEvent[] {
  return events
    .filter((event, index) => event.type !== "progress" || events[index + 1]?.type !== "progress")
    .map((event) =>
      event.type === "outcome"
        ? {
            type: "outcome",
            outcome: {
              ...event.outcome,
              attempts: event.outcome.attempts.map((attempt) => ({
                ...attempt,
                requestId: undefined,
                ms: 0,
              })),
            },
          }
        : event,
    );
}
