import { spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readJournal } from "../../src/store/journal.ts";
import type { Body, ChainLine } from "../../src/chain/events.ts";
import { UserError } from "../../src/util/errors.ts";
import { followed, journalLines, placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { recordingAt, wholeWay } from "../support/script.ts";
import { quickApp, task, tinyWay } from "../support/ways.ts";

const beginning = { task, trust: true, test_command: "sh check.sh", budget_usd: "none" };
/** `npm run test:long` kills at each of these moments, `npm test` at every fifth. */
const isEach = process.env["TEST_SUITE"] === "long";
const isTaken = (moment: number) => isEach || moment % 5 === 0;
const killer = join(import.meta.dirname, "..", "support", "killed.ts");

/** A finished run, and the disk as it was after each write of its journal. */
interface Lived {
  readonly place: Place;
  readonly input: Record<string, unknown>;
  readonly journal: Buffer;
  readonly lines: readonly ChainLine[];
  /** After a write that made the journal `lines` long, everything lay as in `folder`. */
  readonly moments: readonly { readonly lines: number; readonly folder: string }[];
  readonly end: unknown;
  readonly files: Record<string, string>;
}

async function live(replies: object, settings: object = {}): Promise<Lived> {
  const place = placeWith(quickApp);
  const replay = recordingAt(place.beside, replies as typeof wholeWay);
  const input = { replay, answers: place.answers, approve_policy: "auto" };
  const path = journalOf(place);
  const moments: { lines: number; folder: string }[] = [];
  let size = 0;
  const listen = () => {
    const now = statSync(path).size;
    if (now === size) return;
    size = now;
    const folder = join(place.beside, `moment-${moments.length}`);
    cpSync(place.workspace, folder, { recursive: true });
    moments.push({ lines: journalLines(path).length, folder });
  };
  const begin = { ...input, ...settings, ...beginning };
  const answer = await operate("new", begin, callerAt(place.workspace, place.env, { listen }));
  expect(answer.exit).toBe(0);
  const lines = place.journal();
  return { place, input, journal: readFileSync(path), lines, moments, end: comparable(place), files: filesOf(place) };
}

let known: Promise<Lived> | undefined;
/** Three tests put the disk back as it was at a moment of this one run. */
const wholeLife = () => (known ??= live(wholeWay));

test("a chain killed after any line of its journal, or in the middle of a write, comes to the same end", async () => {
  const lived = await wholeLife();
  expect(lived.lines.length).toBeGreaterThan(100);
  let before = 0;
  for (const { lines, folder } of lived.moments) {
    for (let n = before + 1; n <= lines; n++) {
      if (!isTaken(n)) continue;
      const killed = { folder, bytes: byteOfLine(lived, n), when: `after line ${n}` };
      expect(await resumed(lived, killed)).toEqual(sameEnd(lived, killed));
    }
    before = lines;
  }
});

test("a chain killed after an effect and before its result does not repeat it, and comes to the same end", async () => {
  const lived = await wholeLife();
  const effects = new Set<string>();
  for (const [index, { lines }] of lived.moments.entries()) {
    const line = lived.lines[lines - 1];
    const after = lived.moments[index + 1];
    if (line?.type !== "intent" || !after) continue;
    if (effects.has(line.effect) && !isTaken(index)) continue;
    effects.add(line.effect);
    const killed = { folder: after.folder, bytes: byteOfLine(lived, lines), when: `after the effect of line ${lines}` };
    expect(await resumed(lived, killed)).toEqual(sameEnd(lived, killed));
  }
  expect(effects).toEqual(new Set(["model", "change", "command"]));
});

test("a journal torn at any byte goes on from its last whole batch to the same end", async () => {
  const lived = await wholeLife();
  const { length } = lived.journal;
  const anyByte = fc.asyncProperty(fc.integer({ min: 1, max: length }), async (bytes) => {
    const lines = lived.journal.subarray(0, bytes).toString("latin1").split("\n").length - 1;
    const moment = lived.moments.find((known) => known.lines > lines) ?? lived.moments.at(-1);
    const killed = { folder: moment?.folder ?? "", bytes, when: `at byte ${bytes}` };
    expect(await resumed(lived, killed)).toEqual(sameEnd(lived, killed));
  });
  await fc.assert(anyByte, { numRuns: isEach ? 50 : 12, examples: [[length], [length - 1], [1]] });
  expect(lived.moments.length).toBeGreaterThan(50);
});

test("a chain killed by SIGKILL again and again, a few lines after each resume, comes to the same end", async () => {
  const { end, files, lines: whole } = await live(tinyWay, { size: "tiny" });
  const place = placeWith(quickApp);
  // What a killed life leaves in its temporary folder goes with the place.
  const variables = { ...place.env, TMPDIR: place.beside };
  const input = { replay: recordingAt(place.beside, tinyWay), approve_policy: "auto" };
  let lives = 0;
  const life = async (operation: string, settings: object) => {
    // By turns right after the first line that goes on, often a call in the air, and late enough to have come a step
    // further. The very first line says that the life before was killed.
    const lines = lives++ % 2 === 0 ? 2 : 10;
    const order = { operation, input: { ...input, ...settings }, cwd: place.workspace, env: variables, lines };
    const env = { ...process.env, ...variables, NODE_COMPILE_CACHE: place.env["XDG_CACHE_HOME"] };
    const child = spawn(process.execPath, [killer, JSON.stringify(order)], { env, stdio: ["ignore", "pipe", "pipe"] });
    return followed(child).ended;
  };
  let ran = await life("new", { ...beginning, size: "tiny" });
  while (ran.code === "SIGKILL") ran = await life("resume", { chain: "001" });
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(lives).toBeGreaterThan(8);
  expect(filesOf(place)).toEqual(files);
  expect(withoutPath(comparable(place))).toEqual(withoutPath(end));
  expect(answered(place.journal())).toEqual(answered(whole));
  const lost = modelIntents(place.journal()).length - modelIntents(whole).length;
  expect(lost).toBeGreaterThan(0);
  expect(place.context()["cost_tracking"]).toMatchObject({ unknown_calls: lost });
});

test("a program killed by SIGKILL while it waits for a model is resumed by the command line and sends the step once more", async () => {
  const place = placeWith(quickApp);
  const slow = recordingAt(place.beside, tinyWay, "slow.json");
  writeFileSync(slow, JSON.stringify({ ...(JSON.parse(readFileSync(slow, "utf8")) as object), delay_ms: 60_000 }));
  const begun = place.start([
    task,
    "--size=tiny",
    "--trust",
    "--test-command=sh check.sh",
    "--approve-policy=auto",
    "--stream-json",
    `--replay=${slow}`,
  ]);
  await new Promise<void>((resolve) =>
    begun.child.stdout?.on("data", (piece: Buffer) => piece.includes('"intent"') && resolve()),
  );
  begun.child.kill("SIGKILL");
  expect((await begun.ended).code).toBe("SIGKILL");
  const lost = "Lost with it: 1 model call, for \\$\\d\\.\\d+ at most\\. What was lost is asked again\\.";
  expect((await place.run(["status"])).stdout).toMatch(
    new RegExp(`\\nStopped: its process was killed or crashed\\.\\n${lost}\\nGo on: claude-exec resume 001\\n`),
  );
  const ran = await place.run(["resume", "1", place.replay(tinyWay), "--approve-policy=auto"]);
  expect(ran.code).toBe(0);
  expect(place.events("interrupted")).toMatchObject([{ why: "its process was killed or crashed" }]);
  expect((await place.run(["log", "1"])).stdout).toMatch(
    new RegExp(
      [
        "\n  ! 20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC: Stopped: its process was killed or crashed\\.",
        "  · 20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC: Went on\\.",
        "  ! The reply to a call of requirement_disambiguator was lost\\. It cost \\$\\d\\.\\d+ at most\\.\n",
      ].join("\n"),
    ),
  );
  expect(place.context()).toMatchObject({ status: { state: "completed" }, cost_tracking: { unknown_calls: 1 } });
});

test("tests that were cut short by a kill are run again, before the approval and after it, and nothing is paid for twice", async () => {
  const first = "test -e go || sleep 60\n";
  const later = "test ! -e test/product.test.js || test -e begun || { touch begun; sleep 60; }\n";
  const place = placeWith({ ...quickApp, "check.sh": first + later + quickApp["check.sh"] }, { sandbox: true });
  const flags = ["--approve-policy=auto", "--stream-json", place.replay(tinyWay)];
  const firstLife = place.start([task, "--size=tiny", "--trust", "--test-command=sh check.sh", ...flags]);
  let printed = "";
  firstLife.child.stdout?.on("data", (piece: Buffer) => {
    printed += piece.toString();
    if (printed.includes('"effect":"command"')) firstLife.child.kill("SIGKILL");
  });
  expect((await firstLife.ended).code).toBe("SIGKILL");
  writeFileSync(join(place.workspace, "go"), "");
  const begun = new Promise<void>((resolve) => {
    const watcher = watch(place.workspace, (_, name) => {
      if (name !== "begun") return;
      watcher.close();
      resolve();
    });
  });
  const second = place.start(["resume", "1", ...flags]);
  await Promise.race([begun, second.ended]);
  second.child.kill("SIGKILL");
  expect((await second.ended).code).toBe("SIGKILL");
  expect((await place.run(["resume", "1", place.replay(tinyWay), "--approve-policy=auto"])).code).toBe(0);
  expect(modelIntents(place.journal())).toHaveLength(4);
  const tests = place.journal().filter((line) => line.type === "intent" && line.effect === "command");
  expect(tests.map((line) => (line.type === "intent" ? line.key : ""))).toEqual([
    "requirements-clarification/baseline",
    "requirements-clarification/baseline",
    "implementation/1/1-tdd_flow_controller",
    "implementation/1/1-tdd_flow_controller",
    "implementation/1/1-tdd_flow_controller",
    "implementation/1/tests-6-without-code",
    "implementation/1/tests-6-without-code/with-code",
  ]);
});

/** Where a life ended: the disk lay as in `folder`, and the journal was so many bytes long. */
interface Killed {
  readonly folder: string;
  readonly bytes: number;
  readonly when: string;
}

/** Puts the disk back as it was, resumes, and tells all that must be as if nothing had happened. */
async function resumed({ place, input, journal, lines }: Lived, { folder, bytes, when }: Killed) {
  restore(place, folder, journal.subarray(0, bytes));
  const kept = readJournal<Body>(journalOf(place)).lines;
  const ending = await operate("resume", { ...input, chain: "001" }, callerAt(place.workspace, place.env)).then(
    ({ data }) => data["ending"],
    (error: unknown) => error,
  );
  if (kept.length === 0) return { when, ending };
  const now = place.journal();
  const { unknown_calls } = place.context()["cost_tracking"] as { unknown_calls: number };
  return {
    when,
    ending,
    kept: now.slice(0, kept.length),
    end: comparable(place),
    files: filesOf(place),
    answered: answered(now),
    sentAgain: modelIntents(now).length - modelIntents(lines).length,
    unknown_calls,
  };
}

function sameEnd({ end, files, lines, journal }: Lived, { bytes, when }: Killed): Awaited<ReturnType<typeof resumed>> {
  const whole = wholeLines(lines, journal, bytes);
  const last = whole.at(-1);
  const answers = whole.filter((line) => line.type === "result" && line.effect === "model");
  const lost = modelIntents(whole).length - answers.length;
  if (!last) return { when, ending: neverBegun };
  const ending = { type: "completed", summary: "product(a, b) is there, with a test." };
  return { when, ending, kept: whole, end, files, answered: answered(lines), sentAgain: lost, unknown_calls: lost };
}

const neverBegun = new UserError(
  "never_begun",
  "Chain 001 was stopped before its task was on disk. Nothing was asked of a model.",
  { operation: "new", input: { task: "…" }, why: "Begin it again" },
);

/** The lines that lie in the first `bytes`, without a batch that is torn. */
function wholeLines(lines: readonly ChainLine[], journal: Buffer, bytes: number): ChainLine[] {
  const count = journal.subarray(0, bytes).toString("latin1").split("\n").length - 1;
  const there = lines.slice(0, count);
  return there.slice(0, there.findLastIndex(({ more }) => !more) + 1);
}

function restore(place: Place, folder: string, journal: Uint8Array): void {
  for (const name of readdirSync(place.workspace)) rmSync(join(place.workspace, name), { recursive: true });
  cpSync(folder, place.workspace, { recursive: true });
  mkdirSync(join(place.home, "contexts", "journal"), { recursive: true });
  writeFileSync(journalOf(place), journal);
  truncateSync(journalOf(place), journal.length);
}

/** The context file without what may differ: when things happened, how long they took, and what a lost call was booked at. */
function comparable(place: Place): unknown {
  const { journal: _, seal: __, cost_tracking: costs, ...context } = place.context();
  const {
    estimated_cost: ___,
    unknown_calls: ____,
    unknown_cost: _____,
    unknown_tokens: _______,
    lost_calls: ________,
    by_phase: ______,
    by_prompt,
    ...counts
  } = costs as Record<string, unknown>;
  const tokens = Object.fromEntries(
    Object.entries(by_prompt as Record<string, { tokens: number }>).map(([name, cost]) => [name, cost.tokens]),
  );
  const { runs, ...evidence } = context["evidence"] as { runs: Record<string, unknown>[] };
  const tests = runs.map(({ verdict, exit_code, tree_sha256, output }) => ({
    verdict,
    exit_code,
    tree_sha256,
    output,
  }));
  const timeless = JSON.stringify({ ...context, evidence, tests, counts, tokens }, (key, value: unknown) =>
    ["started", "ended", "duration", "timestamp", "at"].includes(key) ? null : value,
  );
  return JSON.parse(timeless);
}

function withoutPath(end: unknown): unknown {
  const { workspace: _, ...rest } = end as { workspace: string };
  return rest;
}

/** Which reply answered which turn: each once. */
/** Those of one decision that were at work together in the order of their names: which was first is chance. */
function answered(lines: readonly ChainLine[]): string[] {
  const keys = lines.flatMap((line) =>
    line.type === "result" && line.effect === "model" && line.outcome.type === "replied"
      ? [`${line.key}/turn-${line.turn}`]
      : [],
  );
  const stem = (key: string) => key.split("/").slice(0, 2).join("/");
  return [...Map.groupBy(keys, stem).values()].flatMap((group) => group.sort());
}

function modelIntents(lines: readonly ChainLine[]): ChainLine[] {
  return lines.filter((line) => line.type === "intent" && line.effect === "model");
}

function filesOf(place: Place): Record<string, string> {
  const names = readdirSync(place.workspace, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = names.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !path.startsWith(place.home));
  return Object.fromEntries(
    paths.sort().map((path) => [path.slice(place.workspace.length), readFileSync(path, "utf8")]),
  );
}

function byteOfLine({ journal }: Lived, n: number): number {
  let at = 0;
  for (let line = 0; line < n; line++) at = journal.indexOf(10, at) + 1;
  return at;
}

function journalOf(place: Place): string {
  return join(place.home, "contexts", "journal", "001.jsonl");
}
