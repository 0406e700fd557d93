import { differencesOf, type TestSetup } from "../tools/test_setup.ts";
import type { CommandRun } from "../programs/run_command.ts";
import type { Context } from "./context.ts";
import type { Verdict } from "./events.ts";
import { hasNoTests, saysThatNothingRan, type TestOutput } from "./test_output.ts";
import { looksLikeCode } from "./solution.ts";

/** What a run of the tests proves, from what had been changed when it ran. `read`: what its output says of single tests. */
export function verdict(
  { engine, evidence, mode }: Context,
  run: Proving,
  read: Pick<TestOutput, "failing" | "counts"> = { failing: [], counts: undefined },
): Verdict {
  const roles = new Set(Object.values(engine.files).map(({ role }) => role));
  const tests = Object.keys(engine.files).filter((path) => engine.files[path]?.role === "test");
  if (roles.size === 0) {
    if (run.exit_code === 0) return hasNoTests(run) ? "broken" : "baseline";
    return couldRun(run, tests) ? "failing at baseline" : "broken";
  }
  const onlyTests = roles.has("test") && !roles.has("code");
  const passed = hasPassed(run, read, accepted({ engine, evidence }));
  if (passed && hasNoTests(run)) return "broken";
  if (passed) return onlyTests && mode === "tdd" ? "unproven" : "green";
  if (!onlyTests) return "failing";
  const baseline = baselineOf(evidence);
  const known = engine.tests.known_failing ?? [];
  const isNew =
    baseline === undefined || baseline.exit_code === 0 || read.failing.some((name) => !known.includes(name));
  if (!isNew || (known.length === 0 && baseline && baseline.exit_code !== 0)) return "failing";
  return couldRun(run, tests) ? "red" : "broken";
}

/**
 * Whether all tests passed, but for those of which a person knows that they failed before anything was changed. At least
 * as many must pass as then: a runner that stops halfway names no other failures either.
 */
export function hasPassed(
  run: Proving,
  { failing, counts }: Pick<TestOutput, "failing" | "counts">,
  { known, least }: Accepted,
): boolean {
  if (run.exit_code === 0) return true;
  if (!known || failing.length === 0 || !counts || !couldRun(run, [])) return false;
  if ((counts.passed ?? 0) < least) return false;
  return failing.every((name) => known.includes(name)) && counts.failed <= known.length;
}

/** The failures that a person knows of, and how many tests passed beside them. */
export interface Accepted {
  readonly known: readonly string[] | null;
  readonly least: number;
}

export function accepted({ engine, evidence }: Pick<Context, "engine" | "evidence">): Accepted {
  return { known: engine.tests.known_failing, least: baselineOf(evidence)?.passed ?? 0 };
}

/** The run before anything was changed. Older chains call it a baseline also where it failed. */
export function baselineOf({ runs, since }: Context["evidence"]) {
  return runs.slice(since).findLast((run) => run.verdict === "baseline" || run.verdict === "failing at baseline");
}

/** The run that a passing one is compared with: the last that showed the tests fail without the code, or the baseline. */
function referenceOf({ evidence }: Context) {
  if (!evidence.red) return { run: baselineOf(evidence), name: "before anything was changed" };
  const run = evidence.runs.findLast(({ verdict, failing }) => verdict === "red" || (verdict === "green" && failing));
  return { run, name: "when the tests failed" };
}

/** What changed in the tests and the runner between the reference run and a passing run, and which tests are gone. */
export interface Drift {
  readonly differs: readonly string[];
  readonly lost: readonly string[];
  /** Names of tests that must fail on a copy without the code. */
  readonly failing: readonly string[];
  /** When its reference was taken, in words. */
  readonly since: string;
}

export function driftOf(context: Context, setups: readonly TestSetup[], read: (setup: string) => TestSetup): Drift {
  const { evidence } = context;
  const { run, name } = referenceOf(context);
  const { setup, failing = [] } = run ?? {};
  const then = setup === undefined ? undefined : read(setup);
  const all = then === undefined ? [] : setups.flatMap((now) => differencesOf(then, now));
  const first = baselineOf(evidence)?.setup;
  const known = [...(then ? [then] : []), ...(first === undefined ? [] : [read(first)])];
  const files = known.flatMap(({ tests }) => Object.keys(tests)).filter(looksLikeCode);
  const gone = files.filter((path) => setups.some(({ tests }) => !Object.hasOwn(tests, path)));
  const allowed = (path: string) => gone.includes(path) && evidence.losses[path] === true;
  const differs = [...new Set(all)].filter((path) => !allowed(path));
  return { differs, lost: [...new Set(gone)], failing, since: name };
}

/** Why tests that pass prove nothing: what a model is told, and a person sees. Undefined: they count. */
export function whyUnproven(
  context: Context,
  { differs, lost, since }: Pick<Drift, "differs" | "lost" | "since">,
  copy: "passed" | "failed" | "failed with the new code" | "broken" | "not run",
): string | undefined {
  const open = lost.filter((name) => context.evidence.losses[name] !== true);
  const changed = differs.length === 0 ? "" : ` These are not as they were ${since}: ${listed(differs)}.`;
  const back = differs.length === 0 ? "" : " Or put them back as they were.";
  if (open.length > 0) {
    const refused = open.some((name) => context.evidence.losses[name] === false);
    const skipped = open.filter((name) => isSkippedTests.test(name)).map(lossText);
    const gone = open.filter((name) => !isSkippedTests.test(name));
    const what = [...(gone.length > 0 ? [`These tests no longer run: ${listed(gone)}`] : []), ...skipped].join(". ");
    const them = gone.length === 0 && skipped.every((text) => text.startsWith("1 ")) ? "it" : "them";
    return `${what}. ${refused ? `A person did not allow that. Run ${them} again.` : `Run ${them} again, or ask a person to allow it.`}`;
  }
  if (copy === "passed")
    return `The tests pass as well on a copy without the new code, so they prove nothing about it.${changed} Make the tests fail where the new code is missing.${back}`;
  if (copy === "failed with the new code")
    return "On a fresh copy the tests fail with the new code as well, so they depend on something other than the code. Make them pass there: without caches, with an empty temporary folder, and in another folder without .git.";
  if (copy === "broken")
    return `No test could run on a copy without the new code, so nobody saw them fail there.${changed} Make the tests fail there for the missing code.${back}`;
  return undefined;
}

/** The name under which a person allows that tests are skipped, in this state of the tests and the runner only. */
export function skippedTests(count: number, state: string): string {
  const what = count === 1 ? "1 test that ran before is" : `${count} tests that ran before are`;
  return `${what} skipped now (state ${state})`;
}

/** What is lost, for people and models: without the state that a permission is bound to. */
export function lossText(name: string): string {
  return name.replace(isSkippedTests, "$1");
}

const isSkippedTests = /^(\d+ tests? that ran before (?:is|are) skipped now) \(state \w+\)$/;

export function listed(names: readonly string[]): string {
  const more = names.length > 10 ? `, and ${names.length - 10} more` : "";
  return `${names.slice(0, 10).join(", ")}${more}`;
}

type Proving = Pick<CommandRun, "exit_code"> & Partial<Pick<CommandRun, "output">>;

/**
 * Tests must fail because what they ask for is missing. A runner that cannot be found, that was killed, or a test
 * file that cannot even be parsed fails for another reason.
 */
export function couldRun({ exit_code: code, output = "" }: Proving, tests: readonly string[]): boolean {
  if (code === undefined || code === 126 || code === 127 || code > 128) return false;
  if (saysThatNothingRan(output)) return false;
  const lines = output.split("\n");
  return !lines.some((line, at) => {
    if (!syntaxError.test(line) || importError.test(line)) return false;
    // A test that ran into such an error while it ran stands among the calls that led there; one that cannot be
    // parsed is named by itself.
    const around = lines
      .slice(Math.max(0, at - 8), at + 5)
      .filter((near) => !/^\W*at /.test(near))
      .join("\n");
    return tests.some((path) => around.includes(path));
  });
}

/** As the common runners print that a file cannot be parsed: node, python, php, go, rust, esbuild, tsc. */
const syntaxError =
  /^[\s#|>E]*(?:\w+: )?(?:Syntax|Indentation|Tab|Parse)Error:|\b(?:parse|syntax) error\b|Transform failed|\berror TS1\d{3}\b|^error: expected/i;
/** A name that is not there yet is what a test before its code should fail for, whatever the error is called. */
const importError = /does not provide an export|Cannot use import|has no exported member/;
