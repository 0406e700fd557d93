import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Context } from "../../src/chain/context.ts";
import { event, type Body } from "../../src/chain/events.ts";
import { duration, durations, standing, statusOf, view, writeView } from "../../src/chain/view.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { after, approved, changed, fold, phase, presented, ran, recorded, solution, noon } from "./lines.ts";

afterEach(cleanUp);

/** The example of a context file in the project's first description, by its keys. */
const promised = {
  chain_id: "047",
  goal: "Add JWT authentication",
  current_phase: "uncertainty-analysis",
  phase_history: [
    { phase: "context-building", duration: "3 minutes", iterations: 2, prompts_executed: [""], clarifications: [""] },
  ],
  discovered: { stack: "node-express-mongo", routes: [""] },
  uncertainties: [{ area: "", confidence: 0.6, resolved: false, resolution: "", blocking: true }],
  confidence_scores: { overall: 0.82, requirements: 0.95, technical_approach: 0.85, implementation_details: 0.65 },
  decisions: { auth_strategy: "" },
  generated_prompts: [],
  approval_history: [{ phase: "solution-approval", presented: "", user_response: "approved", timestamp: "" }],
  session_memory: {
    files_modified: [""],
    tests_written: [""],
    mistakes_corrected: [""],
    patterns_identified: [""],
    context_health: null,
  },
  cost_tracking: { tokens_used: 1, estimated_cost: 0.37, by_phase: { requirements: 0.05 } },
};

const call: Body = {
  type: "result",
  effect: "model",
  key: "k",
  turn: 1,
  outcome: { type: "cancelled" },
  booked: {
    phase: "requirements",
    prompt: "phase_controller",
    model: "m",
    usage: { input: 1, output: 2, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 },
    usd: 0.123_456_7,
  },
};

const whole = after(
  call,
  event("questions_asked", { questions: [{ id: "a", question: "?" }] }),
  event("question_answered", { id: "a", answer: "yes" }),
  recorded("component_mapper", {
    discovered: [
      { key: "stack", value: "node" },
      { key: "routes", value: ["GET /"] },
    ],
    decisions: [{ key: "auth_strategy", choice: "JWT" }],
    uncertainties: [{ area: "storage", confidence: 0.6, blocking: true, resolved: false, resolution: "Redis" }],
    confidence: [
      { area: "requirements", score: 0.95, evidence: [] },
      { area: "technical_approach", score: 0.85, evidence: [] },
      { area: "implementation_details", score: 0.65, evidence: [] },
    ],
    notes: [
      { kind: "mistake_corrected", text: "x" },
      { kind: "pattern_identified", text: "y" },
    ],
  }),
  phase("context-building", "requirements-clarification"),
  presented(),
  approved,
  changed("test/product.test.js", "test"),
);

const journal = { n: 9, hash: "abc" };

/** What a value looks like: its keys and the kinds of its leaves. */
const shape = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.slice(0, 1).map(shape)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]))
      : value === null
        ? null
        : typeof value;

test("the context file has every key that was promised, in its order and shape", () => {
  const file = view(whole, journal);
  expect(shape(file)).toMatchObject(shape(promised) as object);
  const keys = Object.keys(file).filter((key) => key in promised);
  expect(keys).toEqual(Object.keys(promised));
  expect(file["confidence_scores"]).toEqual(promised.confidence_scores);
  expect(Object.keys(file["confidence_scores"] as object)[0]).toBe("overall");
  expect(file["cost_tracking"]).toMatchObject({
    tokens_used: 3,
    estimated_cost: 0.1235,
    by_phase: { requirements: 0.1235 },
  });
});

test("beside the promised keys stand ours, and nothing that only the engine needs", () => {
  const file = view(whole, journal);
  expect(
    Object.keys(file)
      .filter((key) => !(key in promised))
      .sort(),
  ).toEqual(
    (
      "evidence,findings,git_advice,journal,last_gap_detected,last_response,mode,not_checked,prompts_executed,questions,schema_version,scores,seal,size," +
      "solution,started,status,touched,waived,workspace,worktree"
    ).split(","),
  );
  expect(file).toMatchObject({ schema_version: 2, journal, started: noon, last_gap_detected: null });
});

test("an ended phase tells how long it took, the present one nothing yet", () => {
  const history = view(whole, journal)["phase_history"] as { duration: string | null }[];
  expect(history.map(({ duration }) => duration)).toEqual(["0 seconds", null]);
  const lasted = (seconds: number) => duration(noon, Date.parse(noon) + seconds * 1000);
  expect([0, 1, 59.4, 60, 89, 90, 180, 5399, 5400, 7200, -5].map(lasted)).toEqual([
    "0 seconds",
    "1 second",
    "59 seconds",
    "1 minute",
    "1 minute",
    "2 minutes",
    "3 minutes",
    "90 minutes",
    "2 hours",
    "2 hours",
    "0 seconds",
  ]);
});

const histories: Context[] = [after(), after(phase("context-building", "requirements-clarification")), whole];
const at = (n: number) => {
  const context = histories[n - 1];
  return context && { context, hash: `hash ${n}` };
};
const writtenAt = (n: number) => {
  const path = join(folderWith({}), "chain-047-x.json");
  writeView(path, histories[n - 1]!, { n, hash: `hash ${n}` }, true);
  return path;
};
const rewrite = (path: string, change: (file: Record<string, unknown>) => unknown) => {
  const file = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify(change(file)));
  return standing(path, { n: 3 }, at);
};

test("a chain waited for its person before each line that they wrote", () => {
  const line = (minute: number, kind: string) => ({ at: new Date(minute * 60_000).toISOString(), by: { kind } });
  const lines = [line(0, "person"), line(3, "engine"), line(10, "person"), line(11, "policy"), line(15, "person")];
  expect(durations({ phase_history: [] }, lines)).toEqual({ by_phase: {}, waiting: 11 * 60_000, total: null });
});

test("nobody is waited for while a chain is paused", () => {
  const line = (minute: number, kind: string, event = "") => ({
    at: new Date(minute * 60_000).toISOString(),
    by: { kind },
    event,
  });
  const lines = [line(0, "person"), line(3, "engine", "interrupted"), line(90, "person", "resumed"), line(95, "model")];
  const phase_history = [{ phase: "implementation", started: lines[0]!.at, ended: null, duration: null }];
  const { waiting, total } = durations({ phase_history } as unknown as Context, lines);
  expect([waiting / 60_000, total! / 60_000]).toEqual([0, 8]);
});

test("after an end or a rewind nobody is waited for, and what was rewound is no time of the phase that goes on", () => {
  const line = (minute: number, kind: string, more: object = {}) => ({ at: at(minute), by: { kind }, ...more });
  const at = (minute: number) => new Date(minute * 60_000).toISOString();
  const begun = [line(0, "person"), line(1, "engine"), line(3, "person"), line(4, "engine")];
  const ended = [...begun, line(9, "model", { event: "completed", more: 1 }), line(9, "engine")];
  const back = { event: "rewound", to: 2, files_only: false };
  const rewound = [...ended, line(20, "person", back)];
  const visits = [{ phase: "solution-approval", started: at(0), ended: null, duration: null }];
  const times = (lines: typeof ended) => {
    const { by_phase, waiting, total } = durations({ phase_history: visits } as unknown as Context, lines);
    return [by_phase["solution-approval"]! / 60_000, waiting / 60_000, total! / 60_000];
  };
  expect(times(ended)).toEqual([9, 2, 9]);
  // The phase lasted until the line that was gone back to; nobody waited from the end until the rewind, or after it.
  expect(times(rewound)).toEqual([3, 2, 9]);
  expect(times([...rewound, line(50, "person"), line(52, "engine")])).toEqual([5, 2, 11]);
  expect(times([...rewound, line(50, "person"), line(52, "model"), line(53, "person", back)])).toEqual([3, 3, 12]);
  expect(times([...rewound, line(50, "person", { ...back, to: rewound.length - 1 })])).toEqual([9, 2, 9]);
});

test("a file that is as it was written is current, or old where the journal went on", () => {
  expect(standing(writtenAt(3), { n: 3 }, at)).toEqual({ type: "current" });
  expect(standing(writtenAt(2), { n: 3 }, at)).toEqual({ type: "old" });
  expect(rewrite(writtenAt(3), (file) => file)).toEqual({ type: "current" });
});

test("an edit is told from an old file, and against what was written then", () => {
  expect(rewrite(writtenAt(3), (file) => ({ ...file, goal: "Something else" }))).toEqual({
    type: "edited",
    edits: [{ path: ["goal"], before: "Add a product function", after: "Something else" }],
  });
  expect(rewrite(writtenAt(1), (file) => ({ ...file, discovered: { stack: "deno" } }))).toEqual({
    type: "edited",
    edits: [{ path: ["discovered", "stack"], before: undefined, after: "deno" }],
  });
  const money = rewrite(writtenAt(3), (file) => ({ ...file, cost_tracking: {} }));
  expect(money.type === "edited" && money.edits.map(({ path }) => path[0])).toContain("cost_tracking");
});

test("another order of keys is no edit", () => {
  expect(rewrite(writtenAt(3), (file) => Object.fromEntries(Object.entries(file).reverse()))).toEqual({ type: "old" });
});

test("a file that is missing, torn, or of no known line is written anew", () => {
  expect(standing(join(folderWith({}), "none.json"), { n: 3 }, at)).toEqual({ type: "missing" });
  const torn = writtenAt(3);
  writeFileSync(torn, readFileSync(torn, "utf8").slice(0, 500));
  expect(standing(torn, { n: 3 }, at)).toEqual({ type: "torn" });
  expect(rewrite(writtenAt(3), () => [])).toEqual({ type: "torn" });
});

test("an edited file that no longer says when it was written is held against the newest line", () => {
  const edited = rewrite(writtenAt(3), (file) => ({ ...file, goal: "Another goal", journal: { n: 99, hash: "" } }));
  expect(edited).toMatchObject({ type: "edited" });
  expect(edited.type === "edited" && edited.edits.map(({ path }) => path.join("."))).toContain("goal");
});

test("in one word what a chain does, what it waits for, and what to type", () => {
  const epoch = event("epoch_opened", { number: 1, tools: "", system: [], schema: null, bytes: 0, digest: null });
  const begun = after(epoch);
  expect(statusOf(begun, true).state).toBe("running");
  expect(statusOf(begun)).toEqual({
    state: "stopped",
    waiting_for: null,
    next: [{ operation: "resume", input: { chain: "047" }, why: "Go on" }],
  });
  const asked = event("questions_asked", { questions: ["a", "b"].map((id) => ({ id, question: "?" })) });
  expect(statusOf(fold(begun, asked))).toEqual({
    state: "waiting",
    waiting_for: "answers to 2 questions",
    next: [{ operation: "answer", input: { chain: "047", answers_given: ["a=…", "b=…"] }, why: "Answer" }],
  });
  expect(statusOf(fold(begun, presented(solution)))).toEqual({
    state: "waiting",
    waiting_for: "approval",
    next: [
      { operation: "resume", input: { chain: "047" }, why: "See the solution and decide" },
      { operation: "approve", input: { chain: "047", hash: "abc123abc123" }, why: "Approve" },
    ],
  });
  const parked = event("parked", {
    code: "x",
    exit: 12,
    message: "No money.",
    next: [{ why: "Pay." }, { operation: "resume", why: "Go on" }],
  });
  expect(statusOf(fold(begun, parked))).toEqual({
    state: "stopped",
    waiting_for: "No money.",
    next: [{ why: "Pay." }, { operation: "resume", input: { chain: "047" }, why: "Go on" }],
  });
  expect(statusOf(fold(begun, event("completed", { summary: "" })))).toEqual({
    state: "completed",
    waiting_for: null,
    next: [],
  });
  expect(
    statusOf(fold(begun, presented(), approved, phase("implementation", "solution-approval"), ran("baseline"))).state,
  ).toBe("stopped");
});
