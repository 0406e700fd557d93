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
          why: "They ran where nothing can be written, and without a network. Answer in any words, for example: the tests run with `make check`.",
          options: [
            "Go on, and count only new failures",
            "Use another command …",
            "Run them once in the workspace itself, where they may write",
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

test.skipIf(lacking)(`the best answer to what went wrong comes first${unlessLacking}`, async () => {
  const other = "Use another command …";
  const inWorkspace = "Run them once in the workspace itself, where they may write";
  const causes: [script: string, question: RegExp, first: string][] = [
    [
      "nyc sh quick.sh\n",
      /^No test ran with `sh check.sh`: .*nyc: (?:command )?not found\. How should it go on\?$/,
      other,
    ],
    ["echo > cache.tmp || exit 2\n", /^Before any change, the tests fail with `sh check.sh`\. /, inWorkspace],
    [
      `${tap("not ok 1 - adds", "not ok 2 - divides")}exit 1\n`,
      /2 of 2 tests fail with `sh check.sh`: adds, divides\./,
      other,
    ],
  ];
  for (const [script, question, first] of causes) {
    const { bench, run } = await tiny(script);
    const ending = await run();
    expect(ending).toMatchObject({ questions: [{ question: expect.stringMatching(question) as string }] });
    expect(ending.type === "needs_answers" && ending.questions[0]?.options?.[0]).toBe(first);
    await bench.chain.close();
  }
});

test.skipIf(lacking)(
  `the tests have run before the first call, and a task that is only a question asks nothing about them${unlessLacking}`,
  async () => {
    const { bench, run, runs } = await tiny(
      "echo pytest: not found; exit 127\n",
      [],
      {},
      {
        [Object.keys(tinyWay)[0]!]: report("It is a question.", {}, { type: "answer", text: "It adds." }),
      },
    );
    expect(await run()).toMatchObject({ type: "answered" });
    expect(runs()).toEqual([["broken", true]]);
    expect(bench.chain.context.evidence.runs[0]?.why).toBe("pytest: not found.");
    expect(JSON.stringify(bench.requests[0]?.messages)).toContain("recorded as broken");
    await bench.chain.close();
  },
);

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
