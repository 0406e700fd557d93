import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readTestOutput } from "../../src/chain/test_output.ts";
import { cleanUp, folderWith } from "../tools/folders.ts";

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
    ["multiplies", "sums"],
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

test.for(printed)("the names of failing tests are read from what %s prints", ([, output, failing, skipped]) => {
  expect(readTestOutput(output, "/w")).toEqual({ failing, skipped });
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
  expect(read("spec")).toEqual({ failing: ["multiplies", join("test", "b.test.js")], skipped: 1 });
  expect(read("tap")).toEqual(read("spec"));
});
