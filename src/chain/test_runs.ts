import { mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { count } from "../util/count.ts";
import { exitCodes } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { quotedLine } from "../util/quoting.ts";
import type { Sandbox } from "../programs/sandbox/types.ts";
import { removeFolder } from "../programs/sandbox/session_folder.ts";
import { treeHashOf, type Snapshot } from "../workspace/snapshot.ts";
import { judgeCommand } from "../programs/permissions/judge.ts";
import { typed } from "../tools/test_command.ts";
import { readTestSetup, type TestSetup } from "../tools/test_setup.ts";
import { shortened, type CommandRun } from "../programs/run_command.ts";
import type { FileState, Touched } from "../workspace/file_states.ts";
import { answer, answerTo, type ToolStep } from "./answer.ts";
import { effectsText, ended, ending, run, runIn, touchedEvents, type Done } from "./command_run.ts";
import { isApproved, mayRun, notApproved } from "./commands.ts";
import { proposal, type Permitted } from "./consent.ts";
import type { Context } from "./context.ts";
import type { Deps, Work } from "./deps.ts";
import { event, park, type Body, type ChainEvent, type EventNamed, type Verdict } from "./events.ts";
import { productOf } from "./gates.ts";
import { refuse } from "./judge.ts";
import { engineActor, withLedger } from "./open.ts";
import {
  baselineOf,
  couldRun,
  driftOf,
  accepted,
  hasPassed,
  skippedTests,
  verdict,
  whyUnproven,
  type Drift,
} from "./proof.ts";
import { askAboutBaseline, reasonOf } from "./test_question.ts";
import { countsText, excerptOf, hasNoTests, readTestOutput, type TestOutput } from "./test_output.ts";
import { roleOf } from "./write.ts";

/** Runs the tests, for a model's call or because the engine wants to know, and records what it saw. */
export async function runTests(work: Work, key: string, step?: ToolStep, again = false): Promise<unknown> {
  const { chain, deps } = work;
  const argv = chain.context.engine.test_command ?? [];
  if (step && !isApproved(chain.context)) {
    return answer(work, step, notApproved, true);
  }
  if (step && argv.length === 0) return answer(work, step, noCommand, true);
  if (!step && !isApproved(chain.context) && !chain.context.engine.tests.in_workspace) return tryTests(work, key);
  const unchanged = step ? undefined : await unchangedSinceTried(work);
  if (unchanged) {
    const setup = await chain.blobs.put(JSON.stringify(setupOf(work, unchanged)));
    return chain.append(withLedger(engineActor, [event("tests_settled", { how: "baseline_holds", setup })]));
  }
  const known = step && !again ? await sameRun(work) : undefined;
  if (step && known !== undefined) return answer(work, step, known, false);
  const call = step?.call.id ?? null;
  const at = call === null ? key : `${key}/${call}`;
  const leave = await mayRun(work, at, typed(argv), "", { known: true });
  if (!leave) return undefined;
  if (leave.type === "refused") {
    if (step) return answer(work, step, leave.text, true);
    return chain.append({ by: engineActor, bodies: [untested(leave.text)] });
  }
  showRun(deps, key, typed(argv));
  const { context } = chain;
  const { root } = deps.workspace;
  let setup: TestSetup | undefined;
  const { renewIfChanged } = leave;
  const done = await run(work, { key, call, purpose: "tests", argv }, renewIfChanged, (mayStart, before) => {
    setup = setupOf(work, before);
    return runIn(work, root, argv, mayStart);
  });
  if (!done || !setup) return undefined;
  const { ran, printed, effects, after } = done;
  const read = readTestOutput(printed, root);
  const disturbed = effects.touched.some(({ path }) => roleOf(context, path) !== undefined);
  const first: Verdict = disturbed || effects.set_aside.length > 0 ? "broken" : verdict(context, ran, read);
  const { failing, skipped } = read;
  const drift = first === "green" ? drifted(work, [setup, setupOf(work, after)], skipped) : undefined;
  // What the run did is on disk before another run begins.
  const { bodies: did } = withLedger(engineActor, touchedEvents(key, argv, effects));
  await chain.append({ by: engineActor, bodies: [ended(key, call, ran), ...did] });
  const proof = drift && (await prove(work, `${key}/copy`, drift, effects.touched, renewIfChanged));
  if (drift && !proof) return undefined;
  const proved = proof?.why === undefined ? first : "unproven";
  const because =
    proof?.why ??
    (first === "failing"
      ? laterSteps(context, failing)
      : disturbed
        ? "The run changed approved files, so it proves nothing about them."
        : causeOf(first, ran, printed));
  const judged = event("tests_judged", {
    verdict: proved,
    ...(await recordOf(work, done, read, setup, baselineOf(context.evidence)?.failing)),
    run: context.evidence.runs.length + 1,
    commands: context.engine.commands,
    ...(proof?.repeated ? { failing: proof.repeated.failing } : first === "green" ? {} : { failing }),
    ...(effects.touched.length > 0 ? { touched: effects.touched } : {}),
    ...(because === undefined ? {} : { why: because }),
  });
  const why = because === undefined ? "" : `\n${because}`;
  const told = `Test run ${context.evidence.runs.length + 1} (${quotedLine(argv)}): ${ending(ran)}, recorded as ${proved}${why}\n${judged.output}${effectsText(effects)}`;
  const answers = step ? [await answerTo(work, step, told, false, [])] : [];
  const isFirst = Object.keys(context.engine.files).length === 0;
  const stop = isFirst && (expectsRed(context) || !isApproved(context)) ? askAboutBaseline(context, judged) : [];
  const events = [judged, ...(proof?.events ?? []), ...stop];
  const { bodies } = withLedger(engineActor, events, { isSaid: step !== undefined });
  return chain.append({ by: engineActor, bodies: [...answers, ...bodies] });
}

/** Why no test ran. */
function causeOf(first: Verdict, { exit_code }: Done["ran"], output: string): string | undefined {
  return (first === "broken" && reasonOf({ exit_code: exit_code ?? null, output })) || undefined;
}

/** A run that hangs is stopped; who waits for it sees when. */
function showRun({ progress, testTimeoutMs }: Deps, key: string, input: string): void {
  const minutes = testTimeoutMs / 60_000;
  const limit = minutes >= 1 ? `${Math.round(minutes)} min` : `${testTimeoutMs / 1000} s`;
  progress({ type: "using", key, tool: "run_tests", input: `${input}, stopped after ${limit}` });
}

/** What each run records of itself. `known`: the tests that failed before. */
async function recordOf(
  { chain }: Work,
  { ran, printed, before }: Pick<Done, "ran" | "printed" | "before">,
  read: TestOutput,
  setup: TestSetup,
  known?: readonly string[],
) {
  const { exit_code = null, duration_ms, output_sha256 } = ran;
  return {
    argv: chain.context.engine.test_command ?? [],
    exit_code,
    duration_ms,
    output_sha256,
    tree_sha256: treeHashOf(before),
    skipped: read.skipped,
    output: excerptOf(printed, read, { passed: exit_code === 0, before: known }),
    setup: await chain.blobs.put(JSON.stringify(setup)),
    ...(read.counts ? { in_words: countsText(read.counts), passed: read.counts.passed ?? 0 } : {}),
    printed: await chain.blobs.put(printed.slice(-keptOutput)),
  };
}

/** Whether tests can run before anything is approved: where nothing can be written, or where a person let them. */
export async function mayRunEarly({ chain, deps }: Work): Promise<boolean> {
  if (deps.permission.mode === "read") return false;
  const { tests, test_command } = chain.context.engine;
  if (tests.in_workspace) return true;
  if (judgeCommand(typed(test_command ?? []), deps.permission.rules).verdict === "deny") return false;
  return typeof deps.tries !== "string" && (await deps.tries.open()).on;
}

/** The first run, before anything is approved. It can change nothing, so nobody is asked for it. */
async function tryTests(work: Work, key: string): Promise<unknown> {
  const { chain, deps, signal } = work;
  const { context } = chain;
  const argv = context.engine.test_command ?? [];
  if (typeof deps.tries === "string") throw new Error("Tests are tried only where commands can be tried.");
  showRun(deps, key, typed(argv));
  const before = await deps.workspace.snapshot(chain.blobs.putBytes);
  const intent: Body = { type: "intent", effect: "command", key, call: null, purpose: "tests", argv };
  const mayStart = async () => {
    await chain.append({ by: engineActor, bodies: [intent] });
    return true;
  };
  const { root } = deps.workspace;
  const whole = await runIn(work, root, argv, mayStart, await deps.tries.open(), triedAtMost);
  if (signal.aborted) return undefined;
  const printed = deps.workspace.redact(whole.output);
  const ran = { ...whole, output: shortened(printed) };
  const read = readTestOutput(printed, root);
  const tried = verdict(context, ran, read);
  const because = causeOf(tried, ran, printed);
  const judged = event("tests_judged", {
    verdict: tried,
    ...(because === undefined ? {} : { why: because }),
    ...(await recordOf(work, { ran, printed, before }, read, setupOf(work, before))),
    failing: read.failing,
    tried: true,
  });
  // Nobody is asked before the model has read the task: it may be a question only.
  const asked = context.prompts_executed.length === 0 ? [] : askAboutBaseline(context, judged);
  const { bodies } = withLedger(engineActor, [judged, ...asked]);
  return chain.append({ by: engineActor, bodies: [ended(key, null, ran), ...bodies] });
}

const triedAtMost = 60_000;

/** The files as they are now, if the run before the approval was on the very same and says what the baseline would. */
async function unchangedSinceTried(work: Work): Promise<Snapshot | undefined> {
  const { evidence, engine } = work.chain.context;
  const last = evidence.runs.at(-1);
  if (!last?.tried || evidence.runs.length !== evidence.since || Object.keys(engine.files).length > 0) return undefined;
  const isSettled =
    last.verdict === "baseline" || (last.verdict === "failing at baseline" && engine.tests.known_failing);
  return isSettled ? unchangedSince(work, last) : undefined;
}

/** The files as they are now, if this run was on the very same and with the command of today. */
async function unchangedSince({ chain, deps }: Work, { argv, tree_sha256 }: EventNamed<"tests_judged">) {
  if (typed(argv) !== typed(chain.context.engine.test_command ?? [])) return undefined;
  const now = await deps.workspace.snapshot(chain.blobs.putBytes);
  return treeHashOf(now) === tree_sha256 ? now : undefined;
}

/** What the last run showed, if nothing changed since that could change how the tests end: files, command, runner. */
async function sameRun(work: Work): Promise<string | undefined> {
  const { evidence, engine } = work.chain.context;
  const last = evidence.runs.at(-1);
  if (!last || engine.untested || last.commands !== engine.commands) return undefined;
  const now = await unchangedSince(work, last);
  if (!now || (await work.chain.blobs.put(JSON.stringify(setupOf(work, now)))) !== last.setup) return undefined;
  return `Nothing changed since test run ${evidence.runs.length} (${quotedLine(last.argv)}): exit ${last.exit_code ?? "none"}, recorded as ${last.verdict}. Its result is told again; run_tests with \`again\` repeats it.\n${last.output}`;
}

/** Of what a test run printed, so many characters can be read later. */
const keptOutput = 1_000_000;

/** All that a test run printed, for a model that asks for it. */
export function printedBy({ chain: { context, blobs } }: Work, run: number): string | undefined {
  const hash = context.evidence.runs[run - 1]?.printed;
  return hash === undefined ? undefined : blobs.get(hash);
}

const noCommand =
  "No test command is known for this workspace. Propose one with the action set_test_command; the user is asked about it.";

/** Before a chain is done, its last green run is repeated without the new code, where it must fail. */
export async function repeatRed(work: Work, key: string): Promise<unknown> {
  const { chain, deps } = work;
  const { context } = chain;
  const argv = context.engine.test_command ?? [];
  const leave = await mayRun(work, key, typed(argv), "", { known: true });
  if (!leave) return undefined;
  if (leave.type === "refused") return chain.append({ by: engineActor, bodies: [untested(leave.text)] });
  showRun(deps, key, `${typed(argv)} (once more, without the new code)`);
  const last = context.evidence.runs.at(-1);
  const now = await deps.workspace.snapshot(chain.blobs.putBytes);
  const drift = drifted(work, [setupOf(work, now)], last?.skipped ?? 0);
  const proof = await prove(work, key, drift, last?.touched ?? [], leave.renewIfChanged, { always: true });
  if (!proof) return undefined;
  const refused = proof.why === undefined ? [] : refuse(context, "done", [proof.why]);
  return chain.append(withLedger(engineActor, [...proof.events, ...refused]));
}

function setupOf({ chain: { context }, deps: { workspace } }: Work, snapshot: Snapshot): TestSetup {
  const roles = new Map((context.solution?.solution.files ?? []).map(({ path, role }) => [path, role]));
  return readTestSetup(workspace.root, snapshot, context.engine.test_command ?? [], roles);
}

function drifted({ chain: { context, blobs } }: Work, setups: readonly TestSetup[], skipped: number): Drift {
  const drift = driftOf(context, setups, (setup) => JSON.parse(blobs.get(setup)) as TestSetup);
  const before = context.evidence.runs.findLast(({ verdict: word }) => word === "red" || word === "baseline")?.skipped;
  if (before === undefined || skipped <= before) return drift;
  // Nobody knows which tests these are. So a permission holds only for exactly these tests and this runner.
  const state = sha256(JSON.stringify(setups.at(-1))).slice(0, 8);
  return { ...drift, lost: [...drift.lost, skippedTests(skipped - before, state)] };
}

interface Proved {
  readonly why: string | undefined;
  readonly repeated?: EventNamed<"red_repeated">;
  readonly events: readonly ChainEvent[];
}

/** Whether a passing run counts. Undefined: it was interrupted before anybody could know. */
async function prove(
  work: Work,
  key: string,
  drift: Drift,
  touched: readonly Touched[],
  renewIfChanged: Permitted["renewIfChanged"],
  { always = false } = {},
): Promise<Proved | undefined> {
  const { context } = work.chain;
  const early = whyUnproven(context, drift, "not run");
  if (early !== undefined) return { why: early, events: askAboutLost(context, key, drift.lost) };
  const isNeeded = always || (drift.differs.length > 0 && productOf(context.engine).length > 0);
  if (!isNeeded) return { why: undefined, events: [] };
  const argv = context.engine.test_command ?? [];
  const runOnCopy = (at: string, code: Code) =>
    runCopy(work, at, renewIfChanged, (before) => [...undoChanges(touched), ...code(before)]);
  const copied = await runOnCopy(key, (before) => removeNewCode(context, before, drift));
  if (!copied) return undefined;
  const { ran, failing } = copied;
  const passes = (one: { ran: CommandRun } & TestOutput) => hasPassed(one.ran, one, accepted(context));
  const isPassed = passes(copied);
  const isKnown = drift.failing.length > 0 && failing.length > 0;
  let missing = isPassed || !isKnown ? [] : drift.failing.filter((name) => !failing.includes(name));
  // A test about a manifest that the solution changes passes with today's manifest, and fails with that of before.
  const isMixed = productOf(context.engine).some(({ path }) => drift.differs.includes(path));
  if (missing.length > 0 && isMixed) {
    const asBefore: Code = (before) => removeNewCode(context, before, { ...drift, differs: [] });
    const second = await runOnCopy(`${key}/as-before`, asBefore);
    if (!second) return undefined;
    missing = missing.filter((name) => !second.failing.includes(name));
  }
  const tests = Object.keys(context.engine.files).filter((path) => roleOf(context, path) === "test");
  const failsProperly = couldRun(ran, tests) && (drift.failing.length === 0 || failing.length > 0);
  const outcome = isPassed ? "passed" : failsProperly ? "failed" : "broken";
  const lost = [...drift.lost, ...missing];
  // Where nothing differs, that the copy cannot run says nothing against the tests.
  const isExcused = outcome === "broken" && drift.differs.length === 0;
  let why = isExcused ? undefined : whyUnproven(context, { ...drift, lost }, outcome);
  let control: CommandRun | undefined;
  if (outcome === "failed" && why === undefined) {
    const input = `${typed(argv)} (once more, with the new code)`;
    showRun(work.deps, key, input);
    const today: Code = ({ states }) => productOf(context.engine).map(({ path }) => [path, states.get(path) ?? null]);
    const withCode = await runOnCopy(`${key}/with-code`, today);
    if (!withCode) return undefined;
    control = withCode.ran;
    // Tests that need the project's own folder (its .git, for example) fail on each copy, and are no test of this code.
    const failToo = withCode.failing.every((name) => failing.includes(name) && !drift.failing.includes(name));
    const isOwnFolder = isKnown && withCode.failing.length > 0 && failToo;
    if (hasNoTests(control) || (!passes(withCode) && !isOwnFolder))
      why = whyUnproven(context, drift, "failed with the new code");
  }
  const repeated = event("red_repeated", {
    argv,
    exit_code: ran.exit_code ?? null,
    duration_ms: ran.duration_ms,
    output: ran.output.slice(-2_000),
    failing,
    differs: drift.differs,
    why: why ?? null,
    ...(isExcused
      ? {
          unrepeated: `We could not check that the tests fail without the new code: they could not run in a copy of the folder (${ending(ran)}).`,
        }
      : {}),
    ...(control ? { with_code: { exit_code: control.exit_code ?? null, output: control.output.slice(-2_000) } } : {}),
  });
  const asked = why === undefined ? [] : askAboutLost(context, key, lost);
  return { why, repeated, events: [repeated, ...asked] };
}

/** The files whose state on the copy is not that in the workspace, from what is in the workspace. */
type Code = (before: Snapshot) => [string, FileState | null][];

/** Runs the tests on a copy with this code, and records the end of the run at once. Undefined: it was interrupted. */
async function runCopy(work: Work, key: string, renewIfChanged: Permitted["renewIfChanged"], code: Code) {
  const { chain, deps } = work;
  const argv = chain.context.engine.test_command ?? [];
  let folder = "";
  const intent = { key, call: null, purpose: "tests", argv } as const;
  const done = await run(work, intent, renewIfChanged, async (mayStart, before) => {
    // What a killed process leaves under this name is cleared away with its sandbox.
    const base = realpathSync(mkdtempSync(join(tmpdir(), `claude-exec-sandbox-${process.pid}-copy-`)));
    let own: Sandbox | undefined;
    try {
      folder = deps.workspace.copyTo(base, before, new Map(code(before)), chain.blobs.getBytes);
      own = await (await deps.sandbox.open()).at?.(folder);
      const there = argv.map((word) => word.replaceAll(deps.workspace.root, folder));
      return await runIn(work, folder, withOwnPackages(folder, there, chain.context), mayStart, own);
    } finally {
      await own?.close();
      removeFolder(base);
    }
  });
  if (!done) return undefined;
  const { bodies } = withLedger(engineActor, touchedEvents(key, argv, done.effects));
  await chain.append({ by: engineActor, bodies: [ended(key, null, done.ran), ...bodies] });
  return { ran: done.ran, ...readTestOutput(done.printed, folder) };
}

/** `pip install --editable` makes Python import the workspace from everywhere: the copy must come before it. */
function withOwnPackages(folder: string, argv: readonly string[], { engine }: Context): readonly string[] {
  const isPython = productOf(engine).some(({ path }) => path.endsWith(".py"));
  return isPython ? ["env", `PYTHONPATH=${join(folder, "src")}:${folder}`, ...argv] : argv;
}

/** As it was before the run itself wrote: what counts how often it ran is to count the same again. */
function undoChanges(touched: readonly Touched[]): [string, FileState | null][] {
  return touched.map(({ path, before }) => [path, before]);
}

/** What is not a test, as it was at red. A part of the runner stays as it is where it differs. */
function removeNewCode({ engine }: Context, { states }: Snapshot, { differs }: Drift): [string, FileState | null][] {
  return productOf(engine).flatMap(({ path, before }): [string, FileState | null][] => {
    if (differs.includes(path)) return [];
    const now = states.get(path);
    const mode = now?.type === "file" ? now.mode : 0o644;
    return [[path, before === null ? null : { type: "file", sha256: before, mode, size: 0 }]];
  });
}

/** A person is asked once about each test that is gone. */
function askAboutLost({ evidence }: Context, key: string, lost: readonly string[]): ChainEvent[] {
  const open = lost.filter((name) => evidence.losses[name] === undefined);
  if (open.length === 0) return [];
  return [
    event("permission_asked", { request: proposal<"lost_tests">({ kind: "lost_tests", key, said: "", lost: open }) }),
  ];
}

/** Why tests may fail still: files of the solution are to be written, and no test fails that passed before. */
function laterSteps({ solution, engine, evidence, mode }: Context, failing: readonly string[]): string | undefined {
  const isWritten = solution?.solution.files.every(({ path }) => Object.hasOwn(engine.files, path)) ?? true;
  if (isWritten || (mode === "tdd" && !evidence.red)) return undefined;
  const known = engine.tests.known_failing ?? [];
  const red = evidence.runs.findLast(({ verdict: word }) => word === "red")?.failing ?? [];
  if (failing.length === 0 || red.length === 0) return "as expected until all steps are done";
  if (failing.some((name) => !red.includes(name) && !known.includes(name))) return undefined;
  const fresh = red.filter((name) => !known.includes(name));
  const passing = fresh.filter((name) => !failing.includes(name)).length;
  return `${passing} of ${count(fresh.length, "new test")} ${passing === 1 ? "passes" : "pass"}; the rest belong to later steps`;
}

/** Whether failures before any change matter: without new tests, the old ones may be what is to be repaired. */
function expectsRed({ mode, solution, evidence }: Context): boolean {
  const { files = [], verification } = solution?.solution ?? {};
  const hasTests = verification?.kind === "tests" && files.some(({ role }) => role === "test");
  return mode === "direct" || (hasTests && !evidence.red);
}

function untested(because: string): ChainEvent {
  const why = "Without them nothing is proved. Name another command";
  const next = { operation: "resume", input: { test_command: "…" }, why };
  return park("tests_refused", exitCodes.waiting, `The tests were not run. ${because}`, next);
}
