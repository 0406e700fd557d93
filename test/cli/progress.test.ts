import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { event, type ChainLine } from "../../src/chain/events.ts";
import { openLive, type Live } from "../../src/cli/progress.ts";
import type { Screen } from "../../src/cli/terminal.ts";

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
  const live = openLive(screen, Date.now);
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

test("what is being done, what it has cost and what is known stand in two lines", () => {
  const { live, shown } = follow();
  live.sign(thinking);
  expect(shown()).toEqual(["code_reviewer · claude", "    $0.00 · 0 tokens"]);
  const limits = {
    budget_usd: 10,
    budget_tokens: null,
    cost_alert_usd: 5,
    turns: 4,
    turns_per_prompt: 4,
    rounds: 6,
    repeats: 3,
  };
  const gates = {
    requirements: 0.9,
    ambiguity: 0.3,
    overall: 0.8,
    area: 0.6,
    unproven: 0.6,
    simplicity: 7,
    quality: [],
  };
  const started = { goal: "g", slug: "g", size: "normal", workspace: "/", gates, limits, test_command: null } as const;
  live.line({ ...stamp, ...event("chain_started", started) });
  live.line(paid(0.5));
  live.line(paid(null));
  live.line(paid(1.25));
  const counted = [{ area: "requirements", score: 0.6, claimed: 0.9, missing: [] }];
  const report = { kind: "report", summary: "s" } as const;
  const recorded = { key: "k", prompt: "p", report, counted, assumptions: [], moved: true, grounded: true };
  live.line({ ...stamp, ...event("report_recorded", recorded) });
  live.sign({ type: "using", key: "k", tool: "read_file", input: "src/a.js" });
  expect(shown()).toEqual(["read_file src/a.js", "    $1.75 of $10.00 · 3,702 tokens · confidence requirements 60%"]);
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

test("prompts that think at the same time stand below each other, three of them at most, each with its own time", () => {
  const { live, shown } = follow();
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
  live.line({ ...paid(0), key: "one" } as ChainLine);
  live.line({ ...paid(0), key: "two" } as ChainLine);
  live.sign({ type: "using", key: "three", tool: "search", input: "sum" });
  vi.advanceTimersByTime(120);
  expect(shown().slice(0, 3)).toEqual(["search sum", "four · m  5 s", "five · m  3 s"]);
  expect(shown()).toHaveLength(4);
});

test("when all have answered, nothing is left of them", () => {
  const { live, shown } = follow();
  live.sign(thinking);
  live.line(paid(0.5));
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
