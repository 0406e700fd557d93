import { mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitCodes } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { quotedLine } from "../util/quoting.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { removeFolder } from "../sandbox/session_folder.ts";
import { treeHashOf, type Snapshot } from "../tools/snapshot.ts";
import { readTestSetup, type TestSetup } from "../tools/test_setup.ts";
import type { CommandRun, FileState, Touched } from "../tools/types.ts";
import { answer, answerTo, type ToolStep } from "./answer.ts";
import { effectsText, ended, ending, run, runIn, touchedEvents } from "./command_run.ts";
import { isApproved, mayRun } from "./commands.ts";
import { proposal, type Permitted } from "./consent.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import { event, park, type ChainEvent, type EventNamed, type Verdict } from "./events.ts";
import { productOf } from "./gates.ts";
import { refuse } from "./judge.ts";
import { engineActor, withLedger } from "./open.ts";
import { couldRun, driftOf, hasNoTests, skippedTests, verdict, whyUnproven, type Drift } from "./proof.ts";
import { readTestOutput } from "./test_output.ts";
import { roleOf } from "./write.ts";

/** Runs the tests, for a model's call or because the engine wants to know, and records what it saw. */
export async function runTests(work: Work, key: string, step?: ToolStep): Promise<void> {
  const { chain, deps } = work;
  const argv = chain.context.engine.test_command ?? [];
  if (step && !isApproved(chain.context)) {
    return answer(work, step, "Commands run only after a person approved the solution.", true);
  }
  if (step && argv.length === 0) return answer(work, step, "No test command is known for this workspace.", true);
  const call = step?.call.id ?? null;
  const at = call === null ? key : `${key}/${call}`;
  const leave = await mayRun(work, at, quotedLine(argv), "", { known: true });
  if (!leave) return;
  if (leave.type === "refused") {
    if (step) return answer(work, step, leave.text, true);
    return chain.append({ by: engineActor, bodies: [untested(leave.text)] });
  }
  deps.progress({ type: "using", key, tool: "run_tests", input: argv.join(" ") });
  const { context } = chain;
  const { root } = deps.workspace;
  let setup: TestSetup | undefined;
  const { renewIfChanged } = leave;
  const done = await run(work, { key, call, purpose: "tests", argv }, renewIfChanged, (mayStart, before) => {
    setup = setupOf(work, before);
    return runIn(work, root, argv, mayStart);
  });
  if (!done || !setup) return;
  const { ran, effects, before, after } = done;
  const disturbed = effects.touched.some(({ path }) => roleOf(context, path) !== undefined);
  const first: Verdict = disturbed || effects.set_aside.length > 0 ? "broken" : verdict(context, ran);
  const { failing, skipped } = readTestOutput(ran.output, root);
  const drift = first === "green" ? drifted(work, [setup, setupOf(work, after)], skipped) : undefined;
  // What the run did is on disk before another run begins.
  const { bodies: did } = withLedger(engineActor, touchedEvents(key, argv, effects));
  chain.append({ by: engineActor, bodies: [ended(key, call, ran), ...did] });
  const proof = drift && (await prove(work, `${key}/copy`, drift, effects.touched, renewIfChanged));
  if (drift && !proof) return;
  const proved = proof?.why === undefined ? first : "unproven";
  const judged = event("tests_judged", {
    verdict: proved,
    argv,
    exit_code: ran.exit_code ?? null,
    duration_ms: ran.duration_ms,
    output_sha256: ran.output_sha256,
    tree_sha256: treeHashOf(before),
    output: ran.output.slice(-3_000),
    setup: chain.blobs.put(JSON.stringify(setup)),
    ...(proof?.repeated ? { failing: proof.repeated.failing } : first === "green" ? {} : { failing }),
    skipped,
    ...(effects.touched.length > 0 ? { touched: effects.touched } : {}),
    ...(proof?.why === undefined ? {} : { why: proof.why }),
  });
  const disturbance = disturbed ? "\nThe run changed approved files, so it proves nothing about them." : "";
  const why = proof?.why === undefined ? disturbance : `\n${proof.why}`;
  const told = `${ending(ran)}, recorded as ${proved}${why}\n${ran.output}${effectsText(effects)}`;
  const answers = step ? [answerTo(work, step, told, false, [])] : [];
  const isFirst = Object.keys(context.engine.files).length === 0;
  const stop = isFirst && ran.exit_code !== 0 && !hasNoTests(ran) && expectsRed(context) ? [failingBefore(ran)] : [];
  const events = [judged, ...(proof?.events ?? []), ...stop];
  chain.append({ by: engineActor, bodies: [...answers, ...withLedger(engineActor, events).bodies] });
}

/** Before a chain is done, its last green run is repeated without the new code, where it must fail. */
export async function repeatRed(work: Work, key: string): Promise<void> {
  const { chain, deps } = work;
  const { context } = chain;
  const argv = context.engine.test_command ?? [];
  const leave = await mayRun(work, key, quotedLine(argv), "", { known: true });
  if (!leave) return;
  if (leave.type === "refused") return chain.append({ by: engineActor, bodies: [untested(leave.text)] });
  deps.progress({ type: "using", key, tool: "run_tests", input: `${argv.join(" ")} (without the new code)` });
  const last = context.evidence.runs.at(-1);
  const now = await deps.workspace.snapshot(chain.blobs.putBytes);
  const drift = drifted(work, [setupOf(work, now)], last?.skipped ?? 0);
  const proof = await prove(work, key, drift, last?.touched ?? [], leave.renewIfChanged, { always: true });
  if (!proof) return;
  const refused = proof.why === undefined ? [] : refuse(context, "done", [proof.why]);
  chain.append(withLedger(engineActor, [...proof.events, ...refused]));
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
  const isKnown = drift.failing.length > 0 && failing.length > 0;
  const missing = ran.exit_code === 0 || !isKnown ? [] : drift.failing.filter((name) => !failing.includes(name));
  const tests = Object.keys(context.engine.files).filter((path) => roleOf(context, path) === "test");
  const failsProperly = couldRun(ran, tests) && (drift.failing.length === 0 || failing.length > 0);
  const outcome = ran.exit_code === 0 ? "passed" : failsProperly ? "failed" : "broken";
  const lost = [...drift.lost, ...missing];
  // Where nothing differs, that the copy cannot run says nothing against the tests.
  const isExcused = outcome === "broken" && drift.differs.length === 0;
  let why = isExcused ? undefined : whyUnproven(context, { ...drift, lost }, outcome);
  let control: CommandRun | undefined;
  if (outcome === "failed" && why === undefined) {
    const input = `${argv.join(" ")} (on a copy with the new code)`;
    work.deps.progress({ type: "using", key, tool: "run_tests", input });
    const today: Code = ({ states }) => productOf(context.engine).map(({ path }) => [path, states.get(path) ?? null]);
    const withCode = await runOnCopy(`${key}/with-code`, today);
    if (!withCode) return undefined;
    control = withCode.ran;
    // Tests that need the project's own folder (its .git, for example) fail on each copy, and are no test of this code.
    const failToo = withCode.failing.every((name) => failing.includes(name) && !drift.failing.includes(name));
    const isOwnFolder = isKnown && withCode.failing.length > 0 && failToo;
    if (hasNoTests(control) || (control.exit_code !== 0 && !isOwnFolder))
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
          unrepeated: `We could not check that the tests fail without the new code: they could not run on a copy (${ending(ran)}).`,
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
      return await runIn(work, folder, there, mayStart, own);
    } finally {
      await own?.close();
      removeFolder(base);
    }
  });
  if (!done) return undefined;
  const { bodies } = withLedger(engineActor, touchedEvents(key, argv, done.effects));
  chain.append({ by: engineActor, bodies: [ended(key, null, done.ran), ...bodies] });
  return { ran: done.ran, failing: readTestOutput(done.ran.output, folder).failing };
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

/** Whether new tests are to fail first; where the old ones fail already, nobody could tell. */
function expectsRed({ mode, solution, evidence }: Context): boolean {
  const { files = [], verification } = solution?.solution ?? {};
  return mode === "tdd" && !evidence.red && verification?.kind === "tests" && files.some(({ role }) => role === "test");
}

function failingBefore({ exit_code }: CommandRun): ChainEvent {
  const message = `The tests fail before anything was changed (exit ${exit_code ?? "none"}), so new ones could not be told from old ones. Nothing was written.`;
  const hint = 'Mend them, or name a command that passes, then: claude-exec resume {id} --test-command "…"';
  return park("baseline_failing", exitCodes.verification, message, hint);
}

function untested(why: string): ChainEvent {
  const hint = 'Without them nothing is proved. Name another command: claude-exec resume {id} --test-command "…"';
  return park("tests_refused", exitCodes.waiting, `The tests were not run. ${why}`, hint);
}
