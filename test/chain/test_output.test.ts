import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { countsText, excerptOf, readTestOutput } from "../../src/chain/test_output.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

const printed: [runner: string, output: string, failing: string[], skipped: number][] = [
  [
    "TAP",
    "ok 1 - adds\nnot ok 2 - multiplies\n    not ok 1 - inner\nok 3 - later # SKIP\nnot ok 4 - some day # TODO\n# skipped 1\n# todo 1",
    ["multiplies", "inner"],
    2,
  ],
  [
    "vitest",
    " ❯ test/a.test.js (2 tests | 1 failed)\n FAIL  test/a.test.js > sums > multiplies\n FAIL  test/b.test.js [ test/b.test.js ]\n Tests  1 failed | 2 skipped (3)",
    ["test/a.test.js > sums > multiplies", "test/b.test.js"],
    2,
  ],
  [
    "jest",
    "FAIL test/a.test.js (5.2 s)\n  ● sums › multiplies\n  ● Test suite failed to run\nTests: 1 failed, 1 skipped, 2 total",
    ["test/a.test.js", "sums › multiplies"],
    1,
  ],
  [
    "mocha",
    "  sums\n    1) multiplies\n  1 pending\n  1 failing\n  1) sums\n       multiplies:\n",
    ["sums multiplies"],
    1,
  ],
  [
    "pytest",
    "FAILED tests/test_a.py::test_product[2-3] - assert 5 == 6\nERROR tests/test_b.py - ImportError\n1 failed, 3 skipped",
    ["tests/test_a.py::test_product[2-3]", "tests/test_b.py"],
    3,
  ],
  [
    "unittest",
    "FAIL: test_product (test_a.Sums.test_product)\nFAILED (failures=1)",
    ["test_product (test_a.Sums.test_product)"],
    0,
  ],
  [
    "go test",
    "--- FAIL: TestProduct (0.00s)\n    --- FAIL: TestProduct/two (0.00s)\nFAIL\nFAIL\texample.com/sum\t0.012s\nFAIL\texample.com/b [build failed]",
    ["TestProduct", "TestProduct/two", "example.com/sum", "example.com/b"],
    0,
  ],
  [
    "cargo test",
    "test sums::product ... FAILED\ntest sums::sum ... ok\ntest result: FAILED. 1 passed; 1 failed; 2 ignored",
    ["sums::product"],
    2,
  ],
  ["phpunit", "There was 1 failure:\n\n1) SumTest::testProduct\nFailed asserting", ["SumTest::testProduct"], 0],
  ["rspec", "rspec ./spec/sum_spec.rb:3 # Sum multiplies\n2 examples, 1 failure, 1 pending", ["Sum multiplies"], 1],
  ["a script that names nothing", "1) is a number in a list\ngrep: src/product.js: No such file", [], 0],
];

test("a test of unittest that fails in several parts is one test", () => {
  const part = (i: number) =>
    `FAIL: test_parts (test_a.Sums.test_parts) (i=${i})\n-----\nTraceback (most recent call last):\nAssertionError: ${i} != 7\n`;
  const output = `${part(0)}${part(1)}${part(2)}\nRan 3 tests in 0.001s\n\nFAILED (failures=3, skipped=1)\n`;
  expect(readTestOutput(output, "/w")).toMatchObject({
    failing: ["test_parts (test_a.Sums.test_parts)"],
    counts: { passed: 1, failed: 1, skipped: 1 },
  });
});

test.for(printed)("the names of failing tests are read from what %s prints", ([, output, failing, skipped]) => {
  expect(readTestOutput(output, "/w")).toMatchObject({ failing, skipped });
});

test("node's own runner names the same tests in every folder, whether they fail or their file does", () => {
  const files = {
    "test/a.test.js":
      'import test from "node:test";\ntest("multiplies", () => { throw new Error("no"); });\ntest("later", { skip: true }, () => {});\n',
    "test/b.test.js": 'import "../src/missing.js";\n',
  };
  const read = (reporter: string) => {
    const folder = folderWith({ "package.json": '{ "type": "module" }', ...files });
    try {
      const argv = ["--test", `--test-reporter=${reporter}`];
      return readTestOutput(execFileSync(process.execPath, argv, { cwd: folder, env: {}, encoding: "utf8" }), folder);
    } catch (error) {
      return readTestOutput((error as { stdout: string }).stdout, folder);
    }
  };
  expect(read("spec")).toMatchObject({ failing: ["multiplies", join("test", "b.test.js")], skipped: 1 });
  expect(read("tap")).toEqual(read("spec"));
});

/** What today's runners print of the same four tests: one passes, one is skipped, one compares wrongly, one throws. */
const real: [file: string, passed: number | null, skipped: number, told: string[]][] = [
  [
    "node-spec",
    1,
    1,
    ["multiplies: AssertionError [ERR_ASSERTION]: 6 == 5", "throws: TypeError: no such thing", "group"],
  ],
  ["node-tap", 1, 1, ["multiplies: 6 == 5", "throws: no such thing", "group: 1 subtest failed"]],
  ["junit", 1, 1, ["test multiplies: 6 == 5", "group throws: no such thing"]],
  ["mocha", 1, 1, ["sums multiplies: AssertionError [ERR_ASSERTION]: 6 == 5", "sums throws: TypeError: no such thing"]],
  [
    "jest",
    1,
    1,
    [
      "./a.test.js",
      "sums › multiplies: expect(received).toBe(expected) // Object.is equality",
      "sums › throws: TypeError: no such thing",
    ],
  ],
  [
    "vitest",
    1,
    1,
    [
      "a.test.js > sums > multiplies: AssertionError: expected 6 to be 5 // Object.is equality",
      "a.test.js > sums > throws: TypeError: no such thing",
    ],
  ],
  [
    "pytest",
    1,
    1,
    ["test_a.py::test_multiplies: assert (2 * 3) == 5", "test_a.py::test_throws: TypeError: no such thing"],
  ],
  [
    "unittest",
    1,
    1,
    [
      "test_throws (test_a.Sums.test_throws): TypeError: no such thing",
      "test_multiplies (test_a.Sums.test_multiplies): AssertionError: 6 != 5",
    ],
  ],
  [
    "phpunit",
    1,
    1,
    [
      "ATest::testThrows: TypeError: no such thing",
      "ATest::testMultiplies: Failed asserting that 5 is identical to 6.",
    ],
  ],
  [
    "go",
    null,
    0,
    ["TestMultiplies: a_test.go:4: got 6, want 5", "TestThrows: panic: no such thing [recovered]", "example.com/sum"],
  ],
  [
    "go-v",
    1,
    1,
    ["TestMultiplies: a_test.go:4: got 6, want 5", "TestThrows: panic: no such thing [recovered]", "example.com/sum"],
  ],
  ["cargo", 1, 1, ["multiplies: assertion `left == right` failed", "throws: no such thing"]],
];

test.for(real)("of what %s prints the counts, names and first lines are told", ([file, passed, skipped, told]) => {
  const output = readFileSync(join("test/chain/test_outputs", `${file}.txt`), "utf8");
  const read = readTestOutput(output, "/w");
  expect(read.counts).toEqual({ passed, failed: 2, skipped });
  const excerpt = excerptOf(output, read, { passed: false, before: undefined });
  const [counts, title, ...lines] = excerpt.split("\n\n")[0]!.split("\n");
  expect([counts, title]).toEqual([`${countsText(read.counts!)}.`, "Failing:"]);
  expect(lines).toEqual(told.map((line) => `- ${line}`));
  expect(Buffer.byteLength(excerpt)).toBeLessThanOrEqual(2_000);
});

test("the counts are said in words that a person reads at once", () => {
  const words = (passed: number | null, failed: number, skipped = 0) => countsText({ passed, failed, skipped });
  expect([words(1_256, 18), words(0, 1), words(1, 0), words(1_276, 0, 2), words(null, 2), words(4, 1, 1)]).toEqual([
    "18 of 1,274 tests fail",
    "1 of 1 test fails",
    "1 test passes",
    "1,276 tests pass, 2 are skipped",
    "2 tests fail",
    "1 of 5 tests fails, 1 is skipped",
  ]);
});

test("what is new since the run before any change is marked, and what fails no longer is counted", () => {
  const output = "not ok 1 - a\nnot ok 2 - c\n# pass 1\n# fail 2\n";
  const read = readTestOutput(output, "/w");
  expect(
    excerptOf(output, read, { passed: false, before: ["a", "b"] })
      .split("\n")
      .slice(0, 5),
  ).toEqual([
    "2 of 3 tests fail.",
    "1 failure more and 1 fewer than before any change.",
    "Failing:",
    "- a",
    "- c (new)",
  ]);
});

test("an output of any length and kind is told in 2,000 bytes, with its begin and its end", () => {
  const printed = `begin ${"ä".repeat(50_000)} end`;
  const told = excerptOf(printed, readTestOutput(printed, "/w"), { passed: false, before: undefined });
  expect(told).toMatch(/^begin ä+…\n\[…\]\n…ä+ end$/);
  expect(Buffer.byteLength(told)).toBeLessThanOrEqual(2_000);
  const many = Array.from({ length: 5_000 }, (_, at) => `not ok ${at} - ${"ü".repeat(200)}${at}`).join("\n");
  const listed = excerptOf(many, readTestOutput(many, "/w"), { passed: false, before: [] });
  expect(Buffer.byteLength(listed)).toBeLessThanOrEqual(2_000);
  expect(listed.isWellFormed()).toBe(true);
});

test("two classes with tests of the same name each have their own reason", () => {
  const unittest = (of: string, why: string) =>
    `ERROR: test_x (test_a.${of}.test_x)\n-----\nTraceback (most recent call last):\n  File "/w/test_a.py", line 7, in test_x\n${why}\n`;
  const pytest = (of: string, why: string) => `_____ ${of}.test_x _____\n\n    def test_x(self):\nE   ${why}\n`;
  const summed = "FAILED test_a.py::A::test_x\nFAILED test_a.py::B::test_x\n";
  const outputs = [
    `${unittest("A", "")}\n${unittest("B", "KeyError: 'b'")}`,
    `${pytest("A", "")}\n${pytest("B", "KeyError: 'b'")}\n${summed}`,
  ];
  const told = outputs.map((printed) =>
    excerptOf(printed, readTestOutput(printed, "/w"), { passed: false, before: undefined }).split("\n").slice(1, 3),
  );
  expect(told).toEqual([
    ["- test_x (test_a.A.test_x)", "- test_x (test_a.B.test_x): KeyError: 'b'"],
    ["- test_a.py::A::test_x", "- test_a.py::B::test_x: KeyError: 'b'"],
  ]);
});
