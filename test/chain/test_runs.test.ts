import { afterEach, expect, test } from "vitest";
import { compile } from "../../src/programs/permissions/judge.ts";
import { cleanUp } from "../support/folders.ts";
import { report, uses } from "../support/script.ts";
import { productCode, productTest, tinyWay } from "../support/ways.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const rules = compile({ allow: ["run true"], ask: [], deny: [] });
const step = "implementation/1/1-tdd_flow_controller";
const before = (code: string) => code.replace("=>", "  =>");

test("a test run that nothing changed since is told again instead of repeated, unless it is asked for", async () => {
  const bench = await workbench(
    {
      ...tinyWay,
      [`${step}/turn-1`]: uses(["run_tests", {}], ["write_file", productTest], ["run_tests", {}], ["run_tests", {}]),
      [`${step}/turn-2`]: uses(["write_file", productCode], ["run_tests", {}], ["run_tests", { again: true }]),
      [`${step}/turn-3`]: uses(["run_command", { command: "true" }], ["run_tests", {}], ["run_tests", {}]),
      [`${step}/turn-4`]: report("The test passes."),
    },
    { size: "tiny", deps: { permission: { mode: "edits", rules, unsandboxed: true } } },
  );
  expect((await bench.run({ approve: "auto" })).type).toBe("completed");
  await bench.chain.close();
  const runs = bench.events().flatMap((line) => (line.event === "tests_judged" ? [line.verdict] : []));
  expect(runs).toEqual(["baseline", "red", "green", "green", "green"]);
  const answers = bench.lines.flatMap((line) =>
    line.type === "result" && line.effect === "tool" && line.tool === "run_tests" && "text" in line.content
      ? [line.content.text.split("\n")[0]]
      : [],
  );
  const told = (run: number, exit: number, verdict: string) =>
    `Nothing changed since test run ${run} (sh check.sh): exit ${exit}, recorded as ${verdict}. Its result is told again; run_tests with \`again\` repeats it.`;
  expect(answers).toEqual([
    told(1, 0, "baseline"),
    "Test run 2 (sh check.sh): exit 2, recorded as red",
    told(2, 2, "red"),
    "Test run 3 (sh check.sh): exit 0, recorded as green",
    "Test run 4 (sh check.sh): exit 0, recorded as green",
    "Test run 5 (sh check.sh): exit 0, recorded as green",
    told(5, 0, "green"),
  ]);
});

test("tests run again where the files differ from those of the last run, whoever changed them", async () => {
  const bench = await workbench(
    {
      ...tinyWay,
      [`${step}/turn-3`]: uses(
        ["write_file", { ...productCode, content: before(productCode.content) }],
        ["run_tests", {}],
      ),
      [`${step}/turn-4`]: uses(["write_file", productCode], ["run_tests", {}]),
      [`${step}/turn-5`]: report("The test passes."),
    },
    { size: "tiny" },
  );
  expect((await bench.run({ approve: "auto" })).type).toBe("completed");
  await bench.chain.close();
  const runs = bench.events().flatMap((line) => (line.event === "tests_judged" ? [line.verdict] : []));
  expect(runs).toEqual(["baseline", "red", "green", "green", "green"]);
});
