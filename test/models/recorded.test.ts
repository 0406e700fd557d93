import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { UserError } from "../../src/util/errors.ts";
import { openRecorded, recordTo } from "../../src/models/recorded.ts";
import type { Model, Outcome } from "../../src/models/types.ts";
import { eventsOf, modelContract, requestFor, testWorld } from "./contract.ts";
import { printed } from "../support/printed.ts";
import { temporaryFolder } from "../support/temporary.ts";

modelContract("the recorded model", async (path) => ({
  model: openRecorded(path, testWorld()),
  close: async () => {},
}));

let folder: string;
beforeEach(() => {
  folder = temporaryFolder("recorded-");
});

const usage = { input: 1, output: 2, cacheRead: 3, cacheWrite5m: 4, cacheWrite1h: 5 };
const header = { format: 1, model: "claude-opus-5-5", recorded_at: "2026-11-20T12:00:00.000Z", note: "" };

function write(content: unknown): string {
  const path = join(folder, "recording.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function complaintOf(act: () => unknown): { code: string; message: string; hint: string } {
  try {
    act();
  } catch (error) {
    if (error instanceof UserError) return { code: error.code, message: error.message, hint: printed(error.next) };
    throw error;
  }
  throw new Error("It did not complain.");
}

test("a step that was not recorded fails and names the step and the file", async () => {
  const path = write({ ...header, replies: {} });
  expect((await eventsOf(openRecorded(path, testWorld()), requestFor("nobody/1/turn-1"))).at(-1)).toEqual({
    type: "outcome",
    outcome: {
      type: "failed",
      reason: "not_recorded",
      message: `The recording ${path} has no reply for the step nobody/1/turn-1.`,
      attempts: [],
    },
  });
});

test("a malformed recording is refused with the file and the place", () => {
  const path = write({
    ...header,
    replies: { "a/turn-1": { outcome: "cut", content: [{ type: "text" }], usage } },
  });
  expect(complaintOf(() => openRecorded(path, testWorld()))).toEqual({
    code: "bad_recording",
    message: `The recording ${path} is wrong at replies > a/turn-1 > 0 > content > 0 > text: Invalid input: expected string, received undefined.`,
    hint: "Nothing was changed. Mend the file at that place, or record it again.",
  });
});

test("a recording that is not JSON, or not there, is refused", () => {
  const path = write("{ no");
  expect(complaintOf(() => openRecorded(path, testWorld())).message).toContain(`The recording ${path} is not JSON: `);
  expect(complaintOf(() => openRecorded(join(folder, "none.json"), testWorld()))).toEqual({
    code: "no_recording",
    message: `There is no recording ${join(folder, "none.json")}.`,
    hint: "Name one that exists.",
  });
});

test("a recording plays at the speed it asks for, and can be interrupted meanwhile", async () => {
  const reply = { outcome: "replied", stop: "end_turn", content: [], usage };
  const path = write({ ...header, delay_ms: 800, replies: { "a/turn-1": reply } });
  const world = testWorld();
  await eventsOf(openRecorded(path, world), requestFor("a/turn-1"));
  expect(world.slept).toEqual([800]);

  const interrupt = new AbortController();
  const sleep = async () => {
    interrupt.abort();
    throw interrupt.signal.reason;
  };
  const events = await eventsOf(openRecorded(path, { ...world, sleep }), requestFor("a/turn-1"), interrupt.signal);
  expect(events.at(-1)).toEqual({ type: "outcome", outcome: { type: "cancelled", attempts: [] } });
});

/** A live model that ends each asking with the next of these. */
function scripted(...outcomes: Outcome[]): Model {
  return {
    name: "scripted",
    live: true,
    async *ask() {
      yield { type: "started", attempt: 1 };
      const outcome = outcomes.shift();
      if (outcome) yield { type: "outcome", outcome };
    },
  };
}

const attempt = { model: "claude-opus-5-5", usage, requestId: "req_1", ms: 12 };
const played = { ...attempt, requestId: undefined, ms: 0 };
const thinking = {
  type: "thinking",
  value: { type: "thinking", thinking: "Hm.", signature: "c2ln" },
} as const;

test("what was recorded plays back the same", async () => {
  const outcomes: Outcome[] = [
    {
      type: "replied",
      stop: "end_turn",
      content: [thinking, { type: "text", text: "Yes." }],
      attempts: [attempt],
    },
    { type: "replied", stop: "end_turn", content: [], attempts: [{ ...attempt, model: "claude-haiku-5-5" }] },
    { type: "cut", content: [], attempts: [{ ...attempt, usage: undefined }] },
    { type: "paused", content: [], attempts: [attempt] },
    { type: "refused", reason: "No.", attempts: [attempt] },
    { type: "context_exceeded", attempts: [] },
    { type: "failed", reason: "overloaded", message: "Busy.", attempts: [] },
  ];
  const path = join(folder, "new-recording.json");
  const live = recordTo(scripted(...outcomes), path, testWorld());
  expect(live.live).toBe(true);
  const keys = outcomes.map((_, index) => `step/${index}/turn-1`);
  for (const key of keys) await eventsOf(live, requestFor(key));

  const model = openRecorded(path, testWorld());
  const back = await Promise.all(keys.map(async (key) => (await eventsOf(model, requestFor(key))).at(-1)));
  const expected = outcomes.map((outcome) => ({
    type: "outcome",
    outcome: {
      ...outcome,
      attempts: outcome.attempts.map((one) => ({ ...one, requestId: undefined, ms: 0 })),
    },
  }));
  expect(back).toEqual(expected);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a step asked twice is recorded as a list, and a new recording replaces an older one", async () => {
  const path = join(folder, "recording.json");
  const reply = (text: string): Outcome => {
    return { type: "replied", stop: "end_turn", content: [{ type: "text", text }], attempts: [attempt] };
  };
  await eventsOf(recordTo(scripted(reply("old")), path, testWorld()), requestFor("a/turn-1"));
  const live = recordTo(scripted(reply("one"), reply("two"), { type: "cancelled", attempts: [] }), path, testWorld());
  for (let time = 0; time < 3; time++) await eventsOf(live, requestFor("a/turn-1"));
  const recorded = (text: string) => {
    return { outcome: "replied", stop: "end_turn", content: [{ type: "text", text }], usage };
  };
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
    ...header,
    replies: { "a/turn-1": [recorded("one"), recorded("two")] },
  });
});

test("a reply of another model than the recording's is priced as that model's", async () => {
  const path = write({
    ...header,
    replies: { "a/turn-1": { outcome: "cut", content: [], usage, model: "claude-haiku-5-5" } },
  });
  expect((await eventsOf(openRecorded(path, testWorld()), requestFor("a/turn-1"))).at(-1)).toEqual({
    type: "outcome",
    outcome: { type: "cut", content: [], attempts: [{ ...played, model: "claude-haiku-5-5" }] },
  });
});
