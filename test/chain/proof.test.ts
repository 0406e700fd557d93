import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { verdict, hasPassed } from "../../src/chain/proof.ts";
import { event } from "../../src/chain/events.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { after, approved, changed, presented, ran } from "./lines.ts";

afterEach(cleanUp);

const testFile = "test/product.test.js";
const begun = [presented(), approved, ran("baseline", 0), changed(testFile, "test")];
const judged = (exit_code: number | undefined, output: string) => verdict(after(...begun), { exit_code, output });

/** What Node's own runner prints of this test, as it is on this machine. */
function printed(text: string): { exit_code: number; output: string } {
  const folder = folderWith({
    "package.json": '{ "type": "module" }',
    "src/sum.js": "export const sum = 1;\n",
    "test/x": "",
  });
  writeFileSync(join(folder, testFile), text);
  try {
    const env = { PATH: process.env["PATH"] };
    return { exit_code: 0, output: execFileSync(process.execPath, ["--test"], { cwd: folder, env, encoding: "utf8" }) };
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    return { exit_code: status, output: stdout };
  }
}

test.for([
  [
    "an assertion that fails",
    'import test from "node:test";\nimport assert from "node:assert";\ntest("a", () => assert.equal(1, 2));\n',
    "red",
  ],
  ["code that is not there yet", 'import "../src/product.js";\n', "red"],
  ["a name that is not exported yet", 'import { product } from "../src/sum.js";\nproduct();\n', "red"],
  ["a test that cannot be parsed", 'import test from "node:test";\ntest("a", () => {\n', "broken"],
] as const)("tests must fail for the right reason: %s", ([, text, expected]) => {
  const { exit_code, output } = printed(text);
  expect(exit_code).not.toBe(0);
  expect([judged(exit_code, output), output]).toEqual([expected, output]);
});

test.for([
  [127, "sh: 1: vitest: not found", "broken"],
  [126, "permission denied", "broken"],
  [137, "Killed", "broken"],
  [undefined, "[stopped after 600 s]", "broken"],
  [1, "No test files found, exiting with code 1", "broken"],
  [5, "collected 0 items\n\n===== no tests ran in 0.01s =====", "broken"],
  [1, "no tests ran\n1 failed", "red"],
  [1, "/usr/bin/python3: No module named pytest", "broken"],
  [1, `  File "/w/${testFile}", line 3\n    assert x ==\n               ^\nSyntaxError: invalid syntax`, "broken"],
  [2, '  File "/w/src/product.py", line 3\nSyntaxError: invalid syntax\n\n\n\n\n\n\n\n\n\n1 failed', "red"],
  [255, `PHP Parse error:  syntax error, unexpected end of file in /w/${testFile} on line 9`, "broken"],
  [1, `ERROR Transform failed with 1 error:\n/w/${testFile}:3:1: ERROR: Unexpected "}"`, "broken"],
  [1, "TypeError: product is not a function\n    at test/product.test.js:4:3", "red"],
] as const)("by exit code %s and its words: %s is %s", ([code, output, expected]) => {
  expect(judged(code, output)).toBe(expected);
});

test("directly, nothing has to fail first: tests that pass are green", () => {
  const direct = after(event("resumed", { mode: "direct" }), ...begun);
  expect([verdict(direct, { exit_code: 0 }), verdict(after(...begun), { exit_code: 0 })]).toEqual([
    "green",
    "unproven",
  ]);
});

test("before anything is changed, no tests are no baseline, and tests that fail are told from those that pass", () => {
  const first = after(presented(), approved);
  const words = [
    [0, "1 passed"],
    [1, "not ok 1 - adds"],
    [127, "sh: 1: vitest: not found"],
    [5, "no tests ran in 0.01s"],
    [0, "No test files found, exiting with code 0"],
    [0, "?   example.com/a [no test files]\nok  example.com/b 0.01s"],
  ] as const;
  expect(words.map(([exit_code, output]) => verdict(first, { exit_code, output }))).toEqual([
    "baseline",
    "failing at baseline",
    "broken",
    "broken",
    "broken",
    "baseline",
  ]);
});

test("a run in which no test ran is never green", () => {
  const built = after(...begun, ran("red"), changed("src/product.js", "code"));
  expect(verdict(built, { exit_code: 0, output: "No test files found" })).toBe("broken");
});

test("a run passes although tests fail that a person knows of, and no other", () => {
  const run = (failing: string[], failed: number, known: string[] | null) =>
    hasPassed({ exit_code: 1 }, { failing, counts: { passed: 3, failed, skipped: 0 } }, { known, least: 3 });
  expect(run(["flaky"], 1, ["flaky"])).toBe(true);
  expect(run(["flaky"], 1, null)).toBe(false);
  expect(run(["flaky", "adds"], 2, ["flaky"])).toBe(false);
  expect(run(["flaky"], 2, ["flaky"])).toBe(false);
  expect(run([], 1, ["flaky"])).toBe(false);
  expect(hasPassed({ exit_code: 1 }, { failing: ["flaky"], counts: undefined }, { known: ["flaky"], least: 0 })).toBe(
    false,
  );
  const counts = { passed: 3, failed: 1, skipped: 0 };
  expect(hasPassed({ exit_code: 137 }, { failing: ["flaky"], counts }, { known: ["flaky"], least: 3 })).toBe(false);
  expect(hasPassed({ exit_code: 1 }, { failing: ["flaky"], counts }, { known: ["flaky"], least: 4 })).toBe(false);
});
