import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { compile } from "../../src/programs/permissions/judge.ts";
import { sandboxLine } from "../../src/programs/sandbox/sandbox.ts";
import { sandboxAt } from "../programs/sandbox/sandboxes.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { report, uses } from "../support/script.ts";
import { productTest, quickApp, tinyWay } from "../support/ways.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const tried = await sandboxAt(folderWith({}), { tries: true });
const lacking = tried.on ? null : sandboxLine(tried);
const unlessLacking = lacking === null ? "" : ` (skipped: ${lacking})`;

/** A tiny task on an app whose tests are this script, with a sandbox in which nothing can be written. */
async function tiny(script: string, deny: string[] = [], more: Parameters<typeof workbench>[1] = {}, replies = {}) {
  const files = { ...quickApp, "check.sh": script, ...more.files };
  const bench = await workbench({ ...tinyWay, ...replies }, { size: "tiny", ...more, files });
  const tries = { open: () => sandboxAt(bench.folder, { tries: true }), close: () => Promise.resolve() };
  const permission = { mode: "edits" as const, rules: compile({ allow: [], ask: [], deny }), unsandboxed: true };
  const run = () => bench.runWith({ tries, permission });
  const runs = () => bench.chain.context.evidence.runs.map((one) => [one.verdict, one.tried ?? false]);
  const answer = async (text: string, id = "test_command") => {
    await bench.say({ type: "answer", answers: { [id]: text } });
    return run();
  };
  const approve = async () => {
    await bench.say({ type: "approve", hash: bench.chain.context.solution!.hash });
    return run();
  };
  return { bench, run, runs, answer, approve };
}

const tap = (...lines: string[]) => `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")}\n`;
/** One test fails always; another as long as there is a test of the product and no product. */
const oneFails = `if test ! -e test/product.test.js; then ${tap("ok 1 - adds", "not ok 2 - flaky").trim()}
elif grep -q product src/product.js; then ${tap("ok 1 - adds", "not ok 2 - flaky", "ok 3 - multiplies").trim()}
else ${tap("ok 1 - adds", "not ok 2 - flaky", "not ok 3 - multiplies").trim()}; fi
exit 1
`;

test.skipIf(lacking)(
  `the tests have run before a person judges, and an unchanged folder needs no second run${unlessLacking}`,
  async () => {
    const { bench, run, runs, approve } = await tiny(quickApp["check.sh"]);
    expect(await run()).toMatchObject({ type: "needs_approval" });
    expect(runs()).toEqual([["baseline", true]]);
    expect(await approve()).toMatchObject({ type: "completed" });
    expect(runs()).toEqual([
      ["baseline", true],
      ["red", false],
      ["green", false],
    ]);
    await bench.chain.close();
  },
);

test.skipIf(lacking)(
  `code that the script of the tests names is no part of the tests, although nobody knew that when they first ran${unlessLacking}`,
  async () => {
    const script = "test ! -e test/product.test.js || grep -q product src/product.js\n";
    const files = { "src/product.js": "export const old = 1;\n" };
    const step = "implementation/1/1-tdd_flow_controller";
    const product = { path: "src/product.js", content: "export const product = (a, b) => a * b;\n" };
    const { run, runs, approve } = await tiny(
      script,
      [],
      { mode: "direct", files },
      {
        [`${step}/turn-1`]: uses(["write_file", productTest], ["write_file", product], ["run_tests", {}]),
        [`${step}/turn-2`]: report("It is written."),
      },
    );
    await run();
    expect(await approve()).toMatchObject({ type: "completed" });
    expect(runs()).toEqual([
      ["baseline", true],
      ["green", false],
    ]);
  },
);

test.skipIf(lacking)(`what changed since the first run makes a second one needed${unlessLacking}`, async () => {
  const { bench, run, runs, approve } = await tiny(quickApp["check.sh"]);
  await run();
  writeFileSync(join(bench.folder, "notes.txt"), "The user wrote this.\n");
  expect(await approve()).toMatchObject({ type: "completed" });
  expect(runs().slice(0, 2)).toEqual([
    ["baseline", true],
    ["baseline", false],
  ]);
  await bench.chain.close();
});

test.skipIf(lacking)(
  `tests that fail before anything is proposed are asked about once, and then only new failures count${unlessLacking}`,
  async () => {
    const { bench, run, runs, answer, approve } = await tiny(oneFails);
    expect(await run()).toMatchObject({
      type: "needs_answers",
      questions: [
        {
          id: "test_command",
          question: "Before any change, 1 of 2 tests fails with `sh check.sh`: flaky. How should it go on?",
          options: [
            "Run them once in the workspace itself, where they may write",
            "Go on, and count only new failures",
          ],
        },
      ],
    });
    expect(await answer("Go on, and count only new failures")).toMatchObject({ type: "needs_approval" });
    expect(await approve()).toMatchObject({ type: "completed" });
    expect(runs()).toEqual([
      ["failing at baseline", true],
      ["red", false],
      ["green", false],
    ]);
    await bench.chain.close();
  },
);

test.skipIf(lacking)(
  `a runner that stops halfway proves nothing by failures that were known${unlessLacking}`,
  async () => {
    const dies = oneFails.replace(
      `elif grep -q product src/product.js; then ${tap("ok 1 - adds", "not ok 2 - flaky", "ok 3 - multiplies").trim()}`,
      `elif grep -q product src/product.js; then ${tap("not ok 2 - flaky").trim()}`,
    );
    expect(dies).not.toBe(oneFails);
    const { bench, run, runs, answer, approve } = await tiny(dies);
    await run();
    await answer("Go on, and count only new failures");
    expect(await approve()).not.toMatchObject({ type: "completed" });
    expect(runs().slice(0, 3)).toEqual([
      ["failing at baseline", true],
      ["red", false],
      ["failing", false],
    ]);
    await bench.chain.close();
  },
);

test.skipIf(lacking)(
  `tests that must write run in the workspace itself, once a person says so${unlessLacking}`,
  async () => {
    const { bench, run, runs, answer, approve } = await tiny(`echo > cache.tmp || exit 127\n${quickApp["check.sh"]}`);
    expect(await run()).toMatchObject({ type: "needs_answers", questions: [{ id: "test_command" }] });
    expect(await answer("Run them once in the workspace itself, where they may write")).toMatchObject({
      type: "needs_approval",
    });
    expect(runs()).toEqual([
      ["broken", true],
      ["baseline", false],
    ]);
    expect(await approve()).toMatchObject({ type: "completed" });
    await bench.chain.close();
  },
);

test.skipIf(lacking)(`a question about tests that cannot run says why${unlessLacking}`, async () => {
  const { bench, run } = await tiny("nyc sh quick.sh\n");
  expect(await run()).toMatchObject({
    questions: [{ why: expect.stringMatching(/nyc: (?:command )?not found/) as string }],
  });
  await bench.chain.close();
});

test.skipIf(lacking)(`another command is run at once${unlessLacking}`, async () => {
  const { bench, run, runs, answer } = await tiny("exit 127\n");
  writeFileSync(join(bench.folder, "quick.sh"), quickApp["check.sh"]);
  expect(await run()).toMatchObject({ type: "needs_answers", questions: [{ id: "test_command" }] });
  expect(await answer("no, use sh quick.sh")).toMatchObject({ type: "needs_approval" });
  expect(runs()).toEqual([
    ["broken", true],
    ["baseline", true],
  ]);
  await bench.chain.close();
});

test.skipIf(lacking)(`a command that a rule denies is not run before the approval either${unlessLacking}`, async () => {
  const { bench, run, runs } = await tiny(quickApp["check.sh"], ["run sh check.sh"]);
  expect(await run()).toMatchObject({ type: "needs_approval" });
  expect(runs()).toEqual([]);
  await bench.chain.close();
});
