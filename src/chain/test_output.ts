import { count } from "../util/count.ts";

/** How many tests there were, as far as the output says; `passed` null: only failures are named. */
export interface Counts {
  readonly passed: number | null;
  readonly failed: number;
  readonly skipped: number;
}

/** What the output of a test run says about single tests. */
export interface TestOutput {
  /** Names of the tests that failed; of a test file where it failed as a whole. Empty where no name could be read. */
  readonly failing: readonly string[];
  /** How many tests were skipped, as far as the output says. */
  readonly skipped: number;
  readonly counts: Counts | undefined;
}

/** `root` is the folder in which the tests ran: the same tests have the same names in another folder. */
export function readTestOutput(output: string, root: string): TestOutput {
  const lines = output.replaceAll(`${root}/`, "").split("\n");
  const counts = countsOf(output);
  const failing = new Set(isJunit(output) ? junitNames(output) : isMocha(output) ? mochaNames(lines) : []);
  if (failing.size === 0) {
    const isPhpunit = /^There (?:was|were) \d+ (?:failure|error)/m.test(output);
    for (const line of lines) {
      const numbered = isPhpunit ? /^\s*\d+\) (.+?):?$/.exec(line) : null;
      const found = numbered ?? patterns.map((pattern) => pattern.exec(line)).find((match) => match !== null);
      const name = found?.[1]?.replace(endings, "").trim();
      if (name && !notNames.test(name)) failing.add(name);
    }
  }
  const names = [...failing].map((name) => name.slice(0, 300)).slice(0, 500);
  return { failing: names, skipped: counts?.skipped ?? skippedIn(output), counts };
}

/**
 * What a model is told of a test run, in at most 2,000 bytes: the counts, the difference to the run before any change,
 * the names of failing tests with their first line, and the description of the first. Of an output in which no test
 * can be told apart, its begin and its end.
 */
export function excerptOf(
  printed: string,
  { failing, counts }: Pick<TestOutput, "failing" | "counts">,
  { passed, before }: { passed: boolean; before: readonly string[] | undefined },
): string {
  const end = printed.trimEnd();
  const summary = counts ? [`${countsText(counts)}.`] : [];
  if (passed) return [...summary, lastBytes(end, 400)].join("\n");
  if (failing.length === 0) {
    const isShort = Buffer.byteLength(end) <= 1_800;
    return [...summary, ...(isShort ? [end] : [firstBytes(end, 500), "[…]", lastBytes(end, 1_200)])].join("\n");
  }
  const reasonOf = whyOf(printed, failing);
  const listed = failing.slice(0, 12).map((name) => {
    const why = reasonOf(name);
    return `- ${firstBytes(name, 80)}${before && !before.includes(name) ? " (new)" : ""}${why ? `: ${firstBytes(why, 90)}` : ""}`;
  });
  const more = failing.length > listed.length ? [`- and ${failing.length - listed.length} more`] : [];
  const mended = before?.filter((name) => !failing.includes(name)) ?? [];
  const changed = before?.length
    ? [
        `${count(failing.length - (before.length - mended.length), "failure")} more and ${mended.length} fewer than before any change.`,
      ]
    : [];
  const told = firstBytes([...summary, ...changed, "Failing:", ...listed, ...more].join("\n"), 1_300);
  const left = 1_950 - Buffer.byteLength(told);
  const from = failuresBegin.exec(printed)?.index ?? 0;
  return `${told}\n\n${firstBytes(printed.slice(from).trim(), left)}`;
}

/** "18 of 1,274 tests fail", "all 12 tests pass, 1 is skipped". */
export function countsText({ passed, failed, skipped }: Counts): string {
  const known = (passed ?? 0) + failed;
  const many = (number: number) => number.toLocaleString("en");
  const left = skipped === 0 ? "" : `, ${many(skipped)} ${skipped === 1 ? "is" : "are"} skipped`;
  if (failed === 0) return `${many(known)} ${known === 1 ? "test passes" : "tests pass"}${left}`;
  const verb = failed === 1 ? "fails" : "fail";
  const of =
    passed === null
      ? `${many(failed)} ${failed === 1 ? "test" : "tests"}`
      : `${many(failed)} of ${count(known, "test").replace(/^\d+/, many(known))}`;
  return `${of} ${verb}${left}`;
}

export function countsOf(output: string): Counts | undefined {
  const runner = runners.find(([marker]) => marker.test(output));
  if (!runner) return undefined;
  const [marker, first, failing, skipping, how] = runner;
  const text = how === "in one line" ? marker.exec(output)![0] : output;
  const tally = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((sum, [, many]) => sum + Number(many ?? 1), 0);
  const [counted, failed, skipped] = [tally(first), tally(failing), tally(skipping)];
  if (how === "all") {
    const failing = failed - repeatedHeads(output);
    return { passed: counted - failing - skipped, failed: failing, skipped };
  }
  return { passed: how === "failures" && counted === 0 ? null : counted, failed, skipped };
}

/** unittest counts each part of a test (subTest) that fails: how often the same test is told again. */
function repeatedHeads(output: string): number {
  const heads = [...output.matchAll(/^(?:FAIL|ERROR): (\S+ \(\S+\))/gm)].map(([, head]) => head);
  return heads.length - new Set(heads).size;
}

/**
 * How a runner is known, and what says how many tests passed ("all": how many there were), failed and were skipped.
 * "in one line": only the line by which it is known counts. "failures": some print nothing of what passed.
 */
const runners: [RegExp, RegExp, RegExp, RegExp, how?: "all" | "in one line" | "failures"][] = [
  [/<testcase\b/, /<testcase\b/g, /<(?:failure|error)\b/g, /<skipped\b/g, "all"], // JUnit XML
  [/^[ℹ#] pass \d+/m, /^[ℹ#] pass (\d+)/gm, /^[ℹ#] (?:fail|cancelled) (\d+)/gm, /^[ℹ#] (?:skipped|todo) (\d+)/gm],
  [/^test result: /m, /^test result: .*?(\d+) passed/gm, /(\d+) failed;/g, /(\d+) ignored/g], // cargo
  [
    /^Ran \d+ tests? in |^(?:OK \(|Tests: )[1-9]\d*(?: tests?)?, /m, // unittest, phpunit
    /^(?:Ran |OK \(|Tests: )(\d+)(?: tests?)?(?: in|,) /gm,
    /(?:failures|errors|Failures|Errors)[=:] ?(\d+)/g,
    /(?:skipped|Skipped|Incomplete|Risky)[=:] ?(\d+)/g,
    "all",
  ],
  [
    /^ *Tests:? +\d+ .*$|^=* *(?:\d+ [a-z]+,? ?)+ ?in [\d.]+s.*$/m, // jest, vitest, pytest
    /(\d+) (?:passed|xpassed)/g,
    /(\d+) (?:failed|errors?|failures?)\b/g,
    /(\d+) (?:skipped|todo|pending|xfailed)/g,
    "in one line",
  ],
  [/^\d+ examples?, /m, /^(\d+) examples?, /gm, /(\d+) failures?\b/g, /(\d+) pending/g, "all"], // rspec
  [/^ *\d+ passing\b/m, /^ *(\d+) passing\b/gm, /^ *(\d+) failing\b/gm, /^ *(\d+) pending\b/gm], // mocha
  [/^--- (?:PASS|FAIL)/m, /^ *--- PASS: /gm, /^ *--- FAIL: /gm, /^ *--- SKIP: /gm, "failures"], // go test
  [
    /^(?:not )?ok \d+/m, // TAP
    /^ok \d+(?!.*# (?:SKIP|TODO|skip|todo))/gm,
    /^not ok \d+(?!.*# (?:SKIP|TODO|skip|todo))/gm,
    /^(?:not )?ok \d+.*# (?:SKIP|TODO|skip|todo)/gm,
  ],
];

function skippedIn(output: string): number {
  const all = output.matchAll(/(\d+) (?:skipped|pending|ignored|todo)\b/gm);
  return [...all].reduce((sum, [, number]) => sum + Number(number), 0);
}

const isJunit = (output: string) => /<testcase\b/.test(output);
const isMocha = (output: string) => /^ *\d+ failing\b/m.test(output);

function junitNames(output: string): string[] {
  return output
    .split(/<testcase\b/)
    .slice(1)
    .flatMap((rest) => {
      const part = rest.split("</testcase>")[0]!;
      if (!/<(?:failure|error)\b/.test(part)) return [];
      const of = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(part)?.[1] ?? "";
      return `${of("classname")} ${of("name")}`.trim();
    });
}

/** Below "2 failing" each test has a number, and its groups and its name stand one below the other. */
function mochaNames(lines: readonly string[]): string[] {
  const below = lines.slice(lines.findIndex((line) => /^ *\d+ failing\b/.test(line)));
  return below.flatMap((line, at) => {
    const first = /^\s*\d+\) (.+)$/.exec(line)?.[1];
    if (first === undefined) return [];
    const rest = below.slice(at, at + 8).findIndex((part) => part.endsWith(":"));
    return [[first, ...below.slice(at + 1, at + rest + 1)].map((part) => part.trim().replace(/:$/, "")).join(" ")];
  });
}

/** The first line that says why a test failed. Two classes can hold tests of the same name. */
function whyOf(printed: string, failing: readonly string[]): (name: string) => string | undefined {
  const lines = printed.split("\n").filter((line) => !/ (?:ok|PASS)$|^\s*(?:✓|✔|ok \d)/.test(line));
  const partsOf = (name: string) => name.split(/ › | > |::| - /);
  const shortOf = (name: string) =>
    /\S*$/.exec(
      partsOf(name)
        .at(-1)!
        .replace(/ \(.*$/, ""),
    )![0];
  const shorts = failing.map(shortOf);
  return (name) => {
    const short = shortOf(name);
    const isOne = shorts.indexOf(short) === shorts.lastIndexOf(short);
    // pytest heads "test_a.py::Sums::test_x" with "Sums.test_x".
    const words = [name, partsOf(name).slice(1).join("."), isOne ? short : ""];
    return words.flatMap((word) => (word === "" ? [] : (reasonAt(lines, word) ?? [])))[0];
  };
}

function reasonAt(lines: readonly string[], name: string): string | undefined {
  for (const [at, line] of lines.entries()) {
    if (!line.includes(name)) continue;
    const summed = / - (.+)$/.exec(/^(?:FAILED|ERROR) /.test(line) ? line : "")?.[1];
    const why = summed ?? reasonBelow(lines, at, name);
    if (why !== undefined) return why;
  }
  return undefined;
}

function reasonBelow(lines: readonly string[], at: number, name: string): string | undefined {
  for (let next = at + 1; next < Math.min(lines.length, at + 20); next += 1) {
    const line = lines[next]!.trim();
    if (startsAnother.test(line) && !line.includes(name)) return undefined;
    if (/panicked at/.test(line)) return lines[next + 1]?.trim();
    const why = reason.exec(line);
    if (why) return (why[1] ?? why[2] ?? why[3] ?? why[0]).replace(/^'(.*)'$/, "$1");
  }
  return undefined;
}

const reason =
  /^error: (.+)$|^E\s+(.+)$|^(?:\[?[\w.]*(?:Error|Exception)\b(?!\w).*|assert\S*[ (].*|expect\(.*|Failed asserting.*|panic: .*|\S+\.go:\d+: .*)$|message="([^"]*)"/;
const startsAnother = /^(?:✖|●|not ok|--- FAIL|---- |\d+\) |FAIL |FAIL: |ERROR: |_{5,} |<testcase)/;

function firstBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return `${Buffer.from(text)
    .subarray(0, Math.max(0, bytes - 3))
    .toString()
    .replace(/\uFFFD+$/, "")}…`;
}

function lastBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return `…${Buffer.from(text)
    .subarray(3 - bytes)
    .toString()
    .replace(/^\uFFFD+/, "")}`;
}

/** The line after which runners describe their failures. */
const failuresBegin =
  /^(?:\s*\d+ failing\b|✖ failing tests:|=+ (?:FAILURES|ERRORS) =+|\s*● |(?:FAIL|ERROR): | FAIL |There (?:was|were) \d+ |--- FAIL|failures:|not ok |\s*<failure)/m;

const patterns = [
  /^\s*not ok \d+ (?:- )?(?!.*# (?:SKIP|TODO))(.+)$/, // TAP
  /^\s*✖ (.+)$/, // node --test
  /^\s*FAIL\s+(\S.*)$/, // vitest, jest, and packages of go test
  /^\s*● (.+)$/, // jest
  /^\s*--- FAIL: (\S+)/, // go test
  /^test (\S.*) \.\.\. FAILED$/, // cargo test
  /^(?:FAILED|ERROR) (\S+(?:\.py|::.+?))(?: - .*)?$/, // pytest
  /^(?:FAIL|ERROR): (\S+ \(\S+\)|.+)/, // unittest
  /^rspec \S+ # (.+)$/, // rspec
];

/** How long it took, which differs from run to run, and what of a file could not be loaded. */
const endings = /\s+(?:\(?\d[\d.]* ?m?s\)?|\[[^\]]*\]|# .*)$/;
const notNames = /^(?:failing tests:|Console$|Test suite failed to run$)/;

/** Whether a run says that there are no tests at all. */
export function hasNoTests({ output = "" }: { readonly output?: string | undefined }): boolean {
  return saysThatNothingRan(output) && !/\b[1-9]\d* pass|\bpass [1-9]|^ok\s/m.test(output);
}

export function saysThatNothingRan(output: string): boolean {
  return nothingRan.test(output) && !somethingFailed.test(output);
}

const nothingRan = /\bno tests? (?:ran|found|files? found)|\bno test files\b|^\S*python\S*: No module named /im;
const somethingFailed = /\bfail(?:ed|ing|ures?)?\b|\bnot ok\b|✖|✗/i;
