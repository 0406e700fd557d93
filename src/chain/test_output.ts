/** What the output of a test run says about single tests. */
export interface TestOutput {
  /** Names of the tests that failed; of a test file where it failed as a whole. Empty where no name could be read. */
  readonly failing: readonly string[];
  /** How many tests were skipped, as far as the output says. */
  readonly skipped: number;
}

/** `root` is the folder in which the tests ran: the same tests have the same names in another folder. */
export function readTestOutput(output: string, root: string): TestOutput {
  const lines = output.replaceAll(`${root}/`, "").split("\n");
  const isMocha = /^\s*\d+ failing\b/m.test(output);
  const isPhpunit = /^There (?:was|were) \d+ (?:failure|error)/m.test(output);
  const failing = new Set<string>();
  for (const line of lines) {
    const numbered = isMocha || isPhpunit ? /^\s*\d+\) (.+?):?$/.exec(line) : null;
    const found = numbered ?? patterns.map((pattern) => pattern.exec(line)).find((match) => match !== null);
    const name = found?.[1]?.replace(endings, "").trim();
    if (name && !notNames.test(name)) failing.add(name.slice(0, 300));
  }
  const counts = [...output.matchAll(/^[ℹ#] (?:skipped|todo) (\d+)|(\d+) (?:skipped|pending|ignored|todo)\b/gm)];
  return {
    failing: [...failing].slice(0, 500),
    skipped: counts.reduce((sum, [, first, second]) => sum + Number(first ?? second), 0),
  };
}

const patterns = [
  /^\s*not ok \d+ (?:- )?(?!.*# (?:SKIP|TODO))(.+)$/, // TAP
  /^\s*✖ (.+)$/, // node --test
  /^\s*FAIL\s+(\S.*)$/, // vitest, jest, and packages of go test
  /^\s*● (.+)$/, // jest
  /^\s*--- FAIL: (\S+)/, // go test
  /^test (\S.*) \.\.\. FAILED$/, // cargo test
  /^(?:FAILED|ERROR) (\S+(?:\.py|::.+?))(?: - .*)?$/, // pytest
  /^(?:FAIL|ERROR): (.+)$/, // unittest
  /^rspec \S+ # (.+)$/, // rspec
];

/** How long it took, which differs from run to run, and what of a file could not be loaded. */
const endings = /\s+(?:\(?\d[\d.]* ?m?s\)?|\[[^\]]*\]|# .*)$/;
const notNames = /^(?:failing tests:|Console$|Test suite failed to run$)/;
