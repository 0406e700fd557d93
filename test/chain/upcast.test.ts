import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, expect, test } from "vitest";
import { event, type Body } from "../../src/chain/events.ts";
import { examineJournal, inspectChain } from "../../src/chain/inspect.ts";
import { lostCall } from "../../src/chain/lost.ts";
import { upcast } from "../../src/chain/upcast.ts";
import { standing } from "../../src/chain/view.ts";
import { noUsage, spent } from "../../src/costs/books.ts";
import { userSeal } from "../../src/session/key.ts";
import { after, line, solution, started } from "./lines.ts";
import { storeAt } from "../support/sealed.ts";

/** A journal and its context file from the version whose parked chains carried a hint in place of `next`. */
const journal = join(import.meta.dirname, "journals", "parked_with_hints.jsonl");
const contextFile = join(import.meta.dirname, "journals", "parked_with_hints.context.json");
const { seal } = userSeal({ CLAUDE_EXEC_KEY: "the key of an old journal, known to all who test" }, false);

function oldChain() {
  const contexts = mkdtempSync(join(tmpdir(), "claude-exec-test-"));
  onTestFinished(() => rmSync(contexts, { recursive: true }));
  mkdirSync(join(contexts, "journal"));
  copyFileSync(journal, join(contexts, "journal", "001.jsonl"));
  const file = join(contexts, "chain-001-product-function-2026-11-30-07-21.json");
  copyFileSync(contextFile, file);
  return { store: storeAt(contexts, seal), file };
}

test("a journal whose parked chains carry hints is proved byte by byte, and replays with what can be done", () => {
  const { store } = oldChain();
  const { reading, problem } = examineJournal(store, "001");
  expect([reading?.lines.length, reading?.damage, problem]).toEqual([13, undefined, undefined]);
  expect(reading?.lines.flatMap((one) => (one.type === "event" && one.event === "parked" ? one.next : []))).toEqual([
    { operation: "resume", input: { budget_usd: "0.22" }, why: "Everything is kept. Go on with more" },
    {
      operation: "resume",
      input: { budget_usd: "none", budget_tokens: "500000" },
      why: "Give its prices in config.json, or limit tokens instead",
    },
    { operation: "resume", why: "Everything found out is kept. Add what it lacks and go on" },
  ]);
  const why = "Everything found out is kept. Add what it lacks and go on";
  expect(inspectChain(store, "001").view["status"]).toEqual({
    state: "stopped",
    waiting_for: "The model gave up: The wind is against me.",
    next: [{ operation: "resume", input: { chain: "001" }, why }],
  });
});

test("its context file counts as written by the engine, and an edit of it as that edit alone", () => {
  const { store, file } = oldChain();
  const { context, lines } = inspectChain(store, "001");
  const at = () => ({ context, hash: lines.at(-1)?.hash ?? "" });
  expect(standing(file, { n: 13 }, at)).toEqual({ type: "current" });
  writeFileSync(file, readFileSync(file, "utf8").replace("Add a product function", "Add a sum function"));
  expect(standing(file, { n: 13 }, at)).toEqual({
    type: "edited",
    edits: [{ path: ["goal"], before: "Add a product function", after: "Add a sum function" }],
  });
});

test("what today's version writes is read in the order in which it was written", () => {
  const presented = line(event("solution_presented", { solution, text: "", id: "", base: {} }), 1);
  expect(JSON.stringify(upcast(presented))).toBe(JSON.stringify(presented));
});

test.each([
  ["Mend the file.", { why: "Mend the file." }],
  [
    "Raise it: claude-exec resume {id} --budget-usd 5",
    { operation: "resume", input: { budget_usd: "5" }, why: "Raise it" },
  ],
  ["Go on: claude-exec resume {id}", { operation: "resume", why: "Go on" }],
  [
    'Mend them, then: claude-exec resume {id} --test-command "…"',
    { operation: "resume", input: { test_command: "…" }, why: "Mend them, then" },
  ],
  [
    'Tell it what it lacks (claude-exec ask {id} "…"), set an area aside (claude-exec waive {id} <area> "why"), or go on: claude-exec resume {id}',
    { operation: "resume", why: "Tell it what it lacks, set an area aside, or go on" },
  ],
  ['Ask: claude-exec ask {id} "…"', { why: "Ask" }],
])("the hint %j becomes what can be done", (hint, next) => {
  const { next: _next, ...parked } = {
    type: "event",
    event: "parked",
    code: "x",
    exit: 1,
    message: "m",
    next: [],
  } as const;
  const old = line({ ...parked, hint } as never, 7);
  expect(upcast(old)).toEqual(line({ ...parked, next: [next] }, 7));
});

test("a line of today stays as it is", () => {
  const today = line({ type: "event", event: "parked", code: "x", exit: 1, message: "m", next: [{ why: "w" }] });
  expect(upcast(today)).toBe(today);
});

/** A line as an earlier version wrote it. */
const old = (fields: object) => line(fields as Body);
const today = (fields: object): Body => {
  const { n: _n, at: _at, by: _by, hash: _hash, ...body } = upcast(old(fields));
  return body;
};

test("a header names no chain that began it where none could, and one that does keeps it", () => {
  const header = { type: "header", format: 2, chain_id: "001", engine: "0.1.0", key: "k", home: "/h" };
  expect(today(header)).toEqual({ ...header, parent: null });
  expect(today({ ...header, parent: "007" })).toEqual({ ...header, parent: "007" });
});

test("a chain from before there was a choice of modes writes tests first, and has no cost alert", () => {
  const { mode: _mode, limits, ...rest } = started;
  const { cost_alert_usd: _alert, ...before } = limits;
  expect(today({ ...rest, limits: before })).toEqual(started);
  expect(today({ ...started, mode: "direct" })).toEqual({ ...started, mode: "direct" });
});

test("of a context file that was taken over early nothing counts but its knowledge", () => {
  expect(today({ type: "event", event: "imported", context: { goal: "x" } })).toEqual(
    event("imported", { context: { goal: "x" }, parts: [] }),
  );
});

test("an epoch from before the form of replies was kept has none", () => {
  const opened = { number: 1, tools: "t", system: ["s"], bytes: 9, digest: null };
  expect(today({ type: "event", event: "epoch_opened", ...opened })).toEqual(
    event("epoch_opened", { ...opened, schema: null }),
  );
});

const call = {
  type: "intent",
  effect: "model",
  key: "requirements-clarification/1/controller",
  turn: 1,
  prompt: { name: "phase_controller", scope: "builtin", sha256: "x", route: "default" },
  request: { model: "m", effort: "medium", max_tokens: 9, epoch: 1, ledger: 2, tail: "# Step" },
  reserved: { usd: 1, tokens: 900 },
} as const;

test("a call of which only the most is known that it can cost was expected to cost that; its prompt had no rights", () => {
  const known = { ...call, prompt: { ...call.prompt, tools: "none" }, expected: call.reserved };
  expect(today(call)).toEqual(known);
  expect(lostCall(after(), today(call) as Parameters<typeof lostCall>[1])).toMatchObject({
    booked: { usage: noUsage, usd: 1, lost: { calls: 1, usd: 1, most_usd: 1, tokens: 900, most_tokens: 900 } },
  });
});

test("a lost call counts as it was booked once, which is the most it can have cost", () => {
  const usage = { input: 1, output: 2, cacheRead: 3, cacheWrite5m: 4, cacheWrite1h: 5 };
  const booked = { phase: "requirements", prompt: "a", model: "m", usage, usd: 0.5, unknown: true };
  const result = { type: "result", effect: "model", key: "k/1/a", turn: 1, outcome: { type: "failed" }, booked };
  const costs = after(today(result)).cost_tracking;
  expect(costs).toEqual({
    ...after().cost_tracking,
    estimated_cost: 0.5,
    by_phase: { requirements: 0.5 },
    by_prompt: { a: { calls: 1, tokens: 0, usd: 0.5 } },
    unknown_calls: 1,
    unknown_cost: 0.5,
    unknown_tokens: 15,
    lost_calls: [
      {
        phase: "requirements",
        prompt: "a",
        key: "k/1/a/turn-1",
        calls: 1,
        usd: 0.5,
        most_usd: 0.5,
        tokens: 15,
        most_tokens: 15,
      },
    ],
  });
  expect(spent(costs)).toEqual({ usd: 0.5, tokens: 15, reserved: 0 });
});

test("a command that was asked about before sandboxes counted is allowed in a sandbox only", () => {
  const request = { id: "i", key: "k", said: "", kind: "command", line: "make", why: "" };
  const asked = { type: "event", event: "permission_asked", request };
  expect(today(asked)).toEqual({ ...asked, request: { ...request, sandboxed: true } });
});

test("a worktree that has a line of its own is told in the ledger", () => {
  const opened = { event: "worktree_opened", path: "/w/sum", folder: "/w/sum/app", head: "abc", dirty: false };
  const text = "The chain works in the git worktree /w/sum.";
  expect(today({ type: "event", ...opened })).toMatchObject(event("ledger_extended", { text }));
});

test("lines of today stay what they are, and lines of a stranger stop nothing", () => {
  const lines = [started, event("resumed", {}), event("imported", { context: {}, parts: ["costs"] })];
  expect(lines.map(today)).toEqual(lines);
  const strange = [
    { type: "intent", effect: "model" },
    { type: "result", effect: "model" },
    { type: "event", event: "permission_asked" },
    { type: "event", event: "chain_started", limits: null },
    { type: "header", parent: 7 },
    { type: "nothing" },
    { type: "event", event: "nothing" },
    {},
  ];
  for (const fields of strange) expect(upcast(old(fields))).toMatchObject(fields);
});
