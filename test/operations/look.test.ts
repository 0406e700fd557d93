import type { Proof } from "../../src/chain/context.ts";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { ChainLine } from "../../src/chain/events.ts";
import { tryLock } from "../../src/store/lock.ts";
import type { Booking } from "../../src/costs/books.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { recordingAt, wholeWay } from "../support/script.ts";
import { asksFirst, quickApp, quickTests, task } from "../support/ways.ts";

let place: Place;
const look = (name: string, input: object = {}) => operate(name, input, callerAt(place.workspace, place.env));

/** 001 is done, 002 waits, 003 is damaged beyond its context file, 004 has lost its context file. */
beforeAll(async () => {
  place = placeWith({
    ...quickApp,
    ".claude-exec/prompts/mine/note_taker.md": prompt,
    ".claude-exec/prompts/bad.md": "no",
  });
  const begin = (replies: object, goal: string) => {
    const replay = recordingAt(place.beside, replies as typeof wholeWay);
    const test_command = quickTests.split("=")[1];
    const input = { task: goal, replay, test_command, trust: true, approve_policy: "auto" };
    return look("new", { ...input, ...(replies === wholeWay ? { answers: place.answers } : {}) });
  };
  await begin(wholeWay, task);
  for (const goal of ["Wait for me", "Break me", "Lose me"]) await begin(asksFirst, goal);
  writeFileSync(place.contextFile("003"), "{torn");
  writeFileSync(journalOf("003"), "damaged\n");
  rmSync(place.contextFile("004"));
});

const prompt =
  "---\npurpose: Take notes\ncost_estimate: low\nphases: [implementation]\n---\nTake notes of {{ goal }}.\n";
const journalOf = (id: string) => join(place.home, "contexts", "journal", `${id}.jsonl`);

test("status shows the newest chain, also from its journal alone", async () => {
  const { exit, data } = await look("status");
  expect(exit).toBe(0);
  expect(data).toMatchObject({
    all: false,
    chains: [
      {
        chain_id: "004",
        goal: "Lose me",
        current_phase: "requirements-clarification",
        status: {
          state: "waiting",
          waiting_for: "answers to 2 questions",
          next: [
            {
              operation: "answer",
              input: { chain: "004", answers_given: ["api_name=…", "big_numbers=…"] },
              why: "Answer",
            },
          ],
        },
        context_file: null,
      },
    ],
  });
});

test("status all lists the good chains beside a damaged one, which says what to do", async () => {
  const { exit, data } = await look("status", { chain: "all" });
  const chains = data["chains"] as Record<string, unknown>[];
  expect(exit).toBe(0);
  expect(chains.map(({ chain_id, goal }) => [chain_id, goal])).toEqual([
    ["001", task],
    ["002", "Wait for me"],
    ["003", undefined],
    ["004", "Lose me"],
  ]);
  expect(chains[2]).toEqual({
    chain_id: "003",
    context_file: place.contextFile("003"),
    problem: `Chain 003 has no journal that is yours, and ${place.contextFile("003")} is not a context that could be taken up.`,
    foreign:
      "nothing proves that the first lines of its journal are yours, and anybody could have written its context file",
    next: [{ operation: "new", input: { task: "…" }, why: "Begin anew" }],
  });
});

test("status of a chain by its number is what its context file says", async () => {
  const { data } = await look("status", { chain: "1" });
  const context = place.context("001");
  const [chain] = data["chains"] as Record<string, unknown>[];
  const { runs } = context["evidence"] as Proof;
  expect(chain).toEqual({
    ...Object.fromEntries(Object.keys(chain ?? {}).map((key) => [key, context[key]])),
    chain_id: "001",
    needed: { overall: 0.8, requirements: 0.9, technical_approach: 0.6, implementation_details: 0.6 },
    evidence: { runs: runs.map(({ verdict, exit_code }) => ({ verdict, exit_code })) },
    durations: {
      total: expect.any(Number) as number,
      waiting: expect.any(Number) as number,
      by_phase: expect.any(Object) as object,
    },
    foreign: null,
    context_file: place.contextFile("001"),
    problem: null,
    next: [],
  });
  expect(chain).toMatchObject({ status: { state: "completed" }, confidence_scores: { overall: 0.92 } });
});

test("a chain that is not there is named", async () => {
  await expect(look("status", { chain: "9" })).rejects.toMatchObject({
    code: "no_chain",
    message: "No chain 9.",
    next: [{ operation: "status", input: { chain: "all" }, why: "List chains with" }],
  });
});

test("without any chain there is nothing to show, and nothing is made", async () => {
  const { workspace, env } = placeWith({});
  expect(await operate("status", {}, callerAt(workspace, env))).toEqual({
    exit: 0,
    data: { all: false, chains: [] },
  });
});

test("what a chain cost is the sum of what its journal booked", async () => {
  const lines = place.journal("001");
  const bookings = lines.flatMap((line) => (line.type === "result" && line.effect === "model" ? [line.booked] : []));
  expect(bookings.length).toBe(20);
  const sum = (of: (booking: Booking) => number, among = bookings) =>
    among.reduce((sum, booking) => sum + of(booking), 0);
  const usd = (booking: Booking) => booking.usd ?? Number.NaN;
  const tokens = ({ usage }: Booking) => Object.values(usage).reduce((a, b) => a + b, 0);
  const { data } = await look("chain-cost", { chain: "1" });
  expect(data["usd"]).toBeCloseTo(sum(usd), 10);
  expect(data).toMatchObject({
    chain_id: "001",
    goal: task,
    tokens: sum(tokens),
    calls: bookings.length,
    complete: true,
    unpriced_calls: 0,
    unknown_calls: 0,
    by_kind: {
      input: sum(({ usage }) => usage.input),
      output: sum(({ usage }) => usage.output),
      cache_read: sum(({ usage }) => usage.cacheRead),
      cache_write: sum(({ usage }) => usage.cacheWrite5m + usage.cacheWrite1h),
    },
    duration_ms: Date.parse(lines.at(-1)?.at ?? "") - Date.parse(lines[1]?.at ?? ""),
    prompts_executed: (place.context("001")["prompts_executed"] as string[]).length,
  });
  const byPhase = data["by_phase"] as Record<string, number>;
  expect(Object.keys(byPhase).sort()).toEqual([...new Set(bookings.map(({ phase }) => phase))].sort());
  for (const [phase, paid] of Object.entries(byPhase)) {
    expect(paid).toBeCloseTo(
      sum(
        usd,
        bookings.filter((booking) => booking.phase === phase),
      ),
      10,
    );
  }
  const byPrompt = data["by_prompt"] as { name: string; calls: number; tokens: number; usd: number; share: number }[];
  for (const row of byPrompt) {
    const own = bookings.filter((booking) => booking.prompt === row.name);
    expect([row.calls, row.tokens]).toEqual([own.length, sum(tokens, own)]);
    expect(row.usd).toBeCloseTo(sum(usd, own), 10);
    expect(row.share).toBeCloseTo(row.usd / sum(usd), 10);
  }
  expect(byPrompt[0]?.name).toBe("phase_controller");
  expect(sum(() => 1)).toBe(byPrompt.reduce((calls, row) => calls + row.calls, 0));
});

test("the library lists shipped prompts and a trusted home's own, and names what cannot be read", async () => {
  const { data } = await look("prompts list");
  const prompts = data["prompts"] as { name: string }[];
  expect(prompts.length).toBeGreaterThan(20);
  expect(prompts.find(({ name }) => name === "note_taker")).toEqual({
    name: "note_taker",
    folder: "mine",
    scope: "workspace",
    purpose: "Take notes",
    cost_estimate: "low",
    tools: "none",
    model: "default",
    tags: [],
    phases: ["implementation"],
  });
  expect(data["problems"]).toEqual([
    expect.objectContaining({
      file: join(place.home, "prompts", "bad.md"),
      message: expect.stringContaining("bad.md:1"),
    }),
  ]);
  const names = async (input: object) =>
    ((await look("prompts list", input)).data["prompts"] as { name: string }[]).map(({ name }) => name);
  expect(await names({ folder: "mine" })).toEqual(["note_taker"]);
  expect(await names({ folder: "mine", phase: "context-building" })).toEqual([]);
  expect(await names({ phase: "implementation" })).toContain("note_taker");
});

test("a prompt is shown as it is, with its size", async () => {
  const { data } = await look("prompts show", { name: "note-taker" });
  expect(data).toMatchObject({
    name: "note_taker",
    scope: "workspace",
    file: join(place.home, "prompts", "mine", "note_taker.md"),
    phases: ["implementation"],
    body: "Take notes of {{ goal }}.\n",
  });
  expect(data["tokens"]).toBeGreaterThan(4);
  expect(data["tokens"]).toBeLessThan(30);
  await expect(look("prompts show", { name: "note_takr" })).rejects.toMatchObject({
    code: "unknown_prompt",
    message: 'No prompt is called "note_takr".',
  });
});

test("a chain that has more to do is running only while a process holds its lock", async () => {
  const other = placeWith(quickApp);
  const stop = new AbortController();
  const caller = callerAt(other.workspace, other.env, {
    signal: stop.signal,
    listen: (line) => line.type === "intent" && stop.abort("SIGINT"),
  });
  const replay = recordingAt(other.beside, asksFirst);
  await operate("new", { task: "Stop me", replay, trust: true }, caller);
  const status = async (chain?: string) => {
    const { data } = await operate("status", { chain }, callerAt(other.workspace, other.env));
    return (data["chains"] as Record<string, unknown>[])[0];
  };
  const stopped = { state: "stopped", waiting_for: "Ctrl+C.", next: [{ operation: "resume" }] };
  expect(await status()).toMatchObject({ status: stopped });
  expect(other.context()).toMatchObject({ status: { state: "stopped" } });
  const lock = tryLock(join(other.home, "contexts", "journal", "001.lock"));
  // A process that is killed leaves this file behind.
  writeFileSync(join(other.home, "contexts", "journal", "001.spare"), "");
  for (const chain of [undefined, "all"]) {
    const shown = await status(chain);
    expect(shown).toMatchObject({ status: { state: "running" }, running: { what: "requirement_disambiguator" } });
    expect(shown).toMatchObject({ running: { since: expect.stringMatching(/^20\d\d-/) as string } });
  }
  const later = callerAt(other.workspace, other.env);
  const inAYear = () => Date.now() + 365 * 24 * 3_600_000;
  const { data } = await operate("status", {}, { ...later, world: { ...later.world, now: inAYear } });
  const [{ durations }] = data["chains"] as [{ durations: { total: number; by_phase: Record<string, number> } }];
  // It was paused, and has done nothing since.
  expect(durations.total).toBeLessThan(24 * 3_600_000);
  expect(durations.by_phase).toEqual({ "requirements-clarification": durations.total });
  lock?.release();
  expect(await status("all")).toMatchObject({ status: stopped });
});

test("one duration and one sum everywhere, also of a chain that waits", async () => {
  for (const chain of ["001", "002"]) {
    const { data: of } = await look("status", { chain });
    const [shown] = of["chains"] as { durations: { total: number }; cost_tracking: { estimated_cost: number } }[];
    const { data } = await look("chain-cost", { chain });
    expect(data["duration_ms"]).toBe(shown?.durations.total);
    expect(Math.abs((data["usd"] as number) - (shown?.cost_tracking.estimated_cost ?? 0))).toBeLessThan(0.0001);
    const [first, last] = [place.journal(chain)[0], place.journal(chain).at(-1)];
    expect(data["duration_ms"]).toBeLessThanOrEqual(Date.parse(last?.at ?? "") - Date.parse(first?.at ?? ""));
  }
});

test("the log shows the lines of a chain, of one prompt, or of one step", async () => {
  const lines = async (input: object) => {
    const { data } = await look("log", input);
    return data["lines"] as unknown as ChainLine[];
  };
  expect((await lines({ chain: "1" })).length).toBe(place.journal("001").length);
  const reviewed = await lines({ chain: "001", prompt: "code_reviewer" });
  expect(reviewed.some((line) => line.type === "event" && line.event === "report_recorded")).toBe(true);
  expect(new Set(reviewed.map((line) => ("key" in line ? line.key.split("-").at(-1) : "")))).toEqual(
    new Set(["code_reviewer"]),
  );
  const step = "context-building";
  expect((await lines({ chain: "001", step })).every((line) => "key" in line && line.key.startsWith(`${step}/`))).toBe(
    true,
  );
  await expect(look("log", { chain: "001", prompt: "nobody" })).rejects.toMatchObject({
    code: "unknown_step",
    message: "Chain 001 has no prompt nobody.",
    exitCode: 64,
  });
});
