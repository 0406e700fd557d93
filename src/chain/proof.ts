import type { CommandRun } from "../tools/types.ts";
import type { Context } from "./context.ts";
import type { Verdict } from "./events.ts";

/** What a run of the tests proves, from what had been changed when it ran. */
export function verdict({ engine, evidence, mode }: Context, run: Proving): Verdict {
  const roles = new Set(Object.values(engine.files).map(({ role }) => role));
  const passed = run.exit_code === 0;
  if (roles.size === 0) return "baseline";
  const onlyTests = roles.has("test") && !roles.has("code");
  if (passed) return onlyTests && mode === "tdd" ? "unproven" : "green";
  if (!onlyTests) return "failing";
  const baseline = evidence.runs.slice(evidence.since).findLast((earlier) => earlier.verdict === "baseline");
  const passedBefore = baseline === undefined || baseline.exit_code === 0;
  if (!passedBefore) return "failing";
  const tests = Object.keys(engine.files).filter((path) => engine.files[path]?.role === "test");
  return couldRun(run, tests) ? "red" : "broken";
}

type Proving = Pick<CommandRun, "exit_code"> & Partial<Pick<CommandRun, "output">>;

/**
 * Tests must fail because what they ask for is missing. A runner that cannot be found, that was killed, or a test
 * file that cannot even be parsed fails for another reason.
 */
function couldRun({ exit_code: code, output = "" }: Proving, tests: readonly string[]): boolean {
  if (code === undefined || code === 126 || code === 127 || code > 128) return false;
  if (nothingRan.test(output) && !somethingFailed.test(output)) return false;
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
const nothingRan = /\bno tests? (?:ran|found|files? found)|\bno test files\b/i;
const somethingFailed = /\bfail(?:ed|ing|ures?)?\b|\bnot ok\b|✖|✗/i;
