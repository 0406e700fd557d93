import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { emptyContext, type Context } from "../../../src/chain/context.ts";
import type { ChainLine } from "../../../src/chain/events.ts";
import { openLive, type Live } from "../../../src/clients/cli/progress.ts";
import type { Screen } from "../../../src/clients/cli/terminal.ts";

const open: Live[] = [];
beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => {
  for (const live of open.splice(0)) live.stop();
  vi.useRealTimers();
});

function follow(style: Screen["style"] = (_, text) => text) {
  const printed: string[] = [];
  let shown: readonly string[] = [];
  const screen: Screen = {
    columns: 100,
    style,
    print: (text) => printed.push(text),
    live: (lines) => (shown = lines),
    close: () => undefined,
  };
  const live = openLive(screen, Date.now, "/w");
  open.push(live);
  return {
    live,
    printed,
    /** Without the spinner, whose picture changes with every drawing. */
    shown: () => shown.map((line) => line.replace(/^ {2}\S /, "")),
  };
}

const stamp = { n: 1, at: "2026-11-20T12:00:00.000Z", by: { kind: "engine", name: "e", door: "d" }, hash: "" } as const;
const usage = { input: 1_000, output: 200, cacheRead: 30, cacheWrite5m: 4, cacheWrite1h: 0 };

function paid(usd: number | null): ChainLine {
  const booked = { phase: "p", prompt: "q", model: "m", usage, usd };
  return { ...stamp, type: "result", effect: "model", key: "k", turn: 1, outcome: { type: "cut" }, booked };
}

const thinking = { type: "thinking", key: "k", prompt: "code_reviewer", model: "claude" } as const;

/** A chain that has cost this much, also in its runs before this one. */
function having(usd: number, tokens: number, budget_usd: number | null, overall: number): Context {
  const { cost_tracking, engine } = emptyContext;
  return {
    ...emptyContext,
    cost_tracking: { ...cost_tracking, estimated_cost: usd, tokens_used: tokens },
    confidence_scores: { overall },
    engine: { ...engine, limits: { ...engine.limits, budget_usd } },
  };
}

test("how many files and searches a prompt looked at is known when it reports, each counted once", () => {
  const { live } = follow();
  const look = (key: string, kind: "file" | "search" | "list", ref: string): ChainLine => ({
    ...stamp,
    type: "result",
    effect: "tool",
    key,
    call: "c",
    tool: "t",
    is_error: false,
    content: { text: "" },
    seen: [{ kind, ref }],
  });
  const reported = { ...stamp, type: "event", event: "decision_taken", key: "k", action: { say: "", do: {} } };
  const looked = () => live.looked(reported as unknown as ChainLine);
  expect(looked()).toBe("");
  for (const line of [look("k", "list", "src"), look("other", "file", "b.js"), look("k", "file", "a.js:1-40")])
    live.line(line, emptyContext);
  expect(looked()).toBe(" (read 1 file)");
  for (const line of [look("k", "file", "a.js:41-80"), look("k", "search", "x"), look("k", "search", "y")])
    live.line(line, emptyContext);
  expect(looked()).toBe(" (read 1 file, 2 searches)");
});

test("what is being done, what the whole chain has cost and how sure it is stand in two lines", () => {
  const { live, shown } = follow();
  live.sign(thinking);
  expect(shown()).toEqual(["code_reviewer · claude"]);
  live.line(paid(0.5), having(1.75, 3_702, 10, 0.6));
  live.sign({ type: "using", key: "k", tool: "read_file", input: "src/a.js" });
  expect(shown()).toEqual(["read_file src/a.js", "    $1.75 of $10.00 · 3,702 tokens · confidence 60%"]);
  live.line(paid(0.25), having(2, 5_000, null, 0));
  live.sign(thinking);
  expect(shown()).toEqual(["code_reviewer · claude", "    $2.00 · 5,000 tokens"]);
});

test("the number and the file of a chain are told once, where it begins or goes on", () => {
  const { live, printed } = follow();
  const inside = { type: "chain", id: "047", context_file: "/w/contexts/chain-047-jwt.json" } as const;
  live.sign(inside);
  live.sign(inside);
  live.sign({ type: "chain", id: "001", context_file: "/elsewhere/chain-001-a.json" });
  expect(printed).toEqual(["  Chain 047: contexts/chain-047-jwt.json", "  Chain 001: /elsewhere/chain-001-a.json"]);
});

test("how long it takes is counted from when it began, while nothing is heard", () => {
  const { live, shown } = follow();
  live.sign(thinking);
  vi.advanceTimersByTime(1_000);
  expect(shown()[0]).toBe("code_reviewer · claude");
  vi.advanceTimersByTime(60_000);
  live.sign({ type: "receiving", key: "k", characters: 5 });
  expect(shown()[0]).toBe("code_reviewer · claude  61 s");
  live.sign({ type: "using", key: "k", tool: "run_tests", input: "" });
  vi.advanceTimersByTime(5_000);
  expect(shown()[0]).toBe("run_tests  5 s");
});

test("another attempt is a line that stays, with what a provider said made harmless", () => {
  const { live, printed, shown } = follow();
  live.sign({ type: "retrying", key: "k", delay_ms: 1_200, reason: "Busy\x1b[2J.\u202e" });
  expect(printed).toEqual(["  ! Busy. Trying again in 2 s."]);
  expect(shown()[0]).toBe("waiting 2 s");
  live.sign({ type: "using", key: "k", tool: "search\x1b[31m", input: "\x07a\u202eb" });
  expect(shown()[0]).toBe("search ab");
});

test("a request that waits for its turn says how long and why, and prints no line", () => {
  const { live, printed, shown } = follow();
  live.sign({ type: "waiting", key: "k", delay_ms: 41_200 });
  expect(shown()[0]).toBe("limits.requests_per_minute: waiting 42 s for its turn");
  expect(printed).toEqual([]);
});

test("prompts that think at the same time stand below each other, three of them at most, each with its own time", () => {
  const { live, shown } = follow();
  live.line({ ...paid(0), key: "none" } as ChainLine, emptyContext);
  for (const prompt of ["one", "two", "three", "four", "five"]) {
    live.sign({ type: "thinking", key: prompt, prompt, model: "m" });
    vi.advanceTimersByTime(2_000);
  }
  live.sign({ type: "receiving", key: "two", characters: 1_234 });
  live.sign({ type: "receiving", key: "gone", characters: 5 });
  vi.advanceTimersByTime(1_000);
  expect(shown()).toEqual([
    "one · m  11 s",
    "two · m  9 s  1,234 characters",
    "three · m  7 s",
    "    and 2 more",
    "    $0.00 · 0 tokens",
  ]);
  live.line({ ...paid(0), key: "one" } as ChainLine, emptyContext);
  live.line({ ...paid(0), key: "two" } as ChainLine, emptyContext);
  live.sign({ type: "using", key: "three", tool: "search", input: "sum" });
  vi.advanceTimersByTime(120);
  expect(shown().slice(0, 3)).toEqual(["search sum", "four · m  5 s", "five · m  3 s"]);
  expect(shown()).toHaveLength(4);
});

test("when all have answered, nothing is left of them", () => {
  const { live, shown } = follow();
  live.sign(thinking);
  live.line(paid(0.5), emptyContext);
  vi.advanceTimersByTime(120);
  expect(shown()).toEqual([]);
});

test("how commands are fenced in is said once, and stands out where they are not", () => {
  const { live, printed } = follow((style, text) => `${style}(${text})`);
  const sandbox = (line: string) => live.sign({ type: "sandbox", line });
  sandbox("sandbox: on (bubblewrap\x1b[2J)");
  sandbox("sandbox: OFF – not installed");
  sandbox("sandbox: on (bubblewrap\x1b[2J)");
  expect(printed).toEqual(["dim(  sandbox: on (bubblewrap))", "yellow(  sandbox: OFF – not installed)"]);
});

test("after it was stopped it goes on with the next sign, and time is counted again", () => {
  const { live, shown } = follow();
  live.sign(thinking);
  live.stop();
  live.sign(thinking);
  vi.advanceTimersByTime(5_000);
  expect(shown()[0]).toBe("code_reviewer · claude  5 s");
});

test("when it stops, the lines are taken away", () => {
  const { live, shown } = follow();
  live.sign(thinking);
  live.stop();
  vi.advanceTimersByTime(5_000);
  expect(shown()).toEqual([]);
});
