import { expect, test } from "vitest";
import { ended } from "../../src/chain/command_run.ts";

const run = { exit_code: 18, duration_ms: 9, timed_out: false, sandboxed: true, output: "", output_sha256: "" };

test("a person is told how many tests failed in a command, and of any other command its last line", () => {
  const told = (printed?: string) => ended("k", "c", { ...run, argv: ["npm", "test"] }, printed);
  expect(told("# pass 1256\n# fail 18\n# skipped 0\n# duration_ms 9\n")).toMatchObject({
    told: "18 of 1,274 tests fail",
  });
  expect(told("one\n3 problems \n\n")).toMatchObject({ told: "3 problems" });
  expect(told()).not.toHaveProperty("told");
});
