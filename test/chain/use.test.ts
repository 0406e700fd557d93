import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { event, type Body, type Verdict } from "../../src/chain/events.ts";
import type { Solution } from "../../src/chain/reply.ts";
import type { Deps } from "../../src/chain/deps.ts";
import { verdict } from "../../src/chain/proof.ts";
import { sha256 } from "../../src/util/hash.ts";
import { allows } from "../../src/tools/types.ts";
import { report, uses } from "../support/script.ts";
import { quickApp } from "../support/ways.ts";
import { cleanUp } from "../support/folders.ts";
import { ada, after, approved, changed, phase, presented, ran, solution } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

type Call = [name: string, input: object];
const building: Body[] = [presented(), approved, phase("implementation", "solution-approval")];

interface Circumstances {
  readonly before?: readonly Body[];
  readonly files?: Record<string, string>;
  readonly test_command?: readonly string[] | null;
  readonly deps?: Partial<Deps>;
}

/** What a prompt's calls are answered with, each turn a list of calls. */
async function answers(
  prompt: string,
  turns: readonly Call[][],
  { before = building, files = quickApp, test_command = ["sh", "check.sh"], deps = {} }: Circumstances = {},
) {
  const at = before.some((body) => body.type === "event" && body.event === "phase_changed")
    ? "implementation"
    : "requirements-clarification";
  const key = `${at}/1/1-${prompt}`;
  const bench = await workbench(
    {
      ...Object.fromEntries(turns.map((calls, index) => [`${key}/turn-${index + 1}`, uses(...calls)])),
      [`${key}/turn-${turns.length + 1}`]: report("Done."),
    },
    { files, test_command, deps },
  );
  const queued = event("prompts_queued", { why: "", prompts: [{ key, name: prompt, inputs: {} }] });
  await bench.chain.append({ by: ada, bodies: [...before, ran("baseline", 0), queued] });
  await bench.run();
  await bench.chain.close();
  const results = bench.lines.flatMap((line) => (line.type === "result" && line.effect === "tool" ? [line] : []));
  const said = results.map(({ content }) => ("text" in content ? content.text : bench.chain.blobs.get(content.blob)));
  return { ...bench, said, errors: results.map(({ is_error }) => is_error), context: bench.chain.context };
}

const testFile = "test/product.test.js";
const code = "src/product.js";
const write = (path: string, content = "export const product = 1;\n"): Call => ["write_file", { path, content }];

test("a prompt uses only tools it was given a right to, and is told so", async () => {
  const { said, errors } = await answers("component_mapper", [
    [write(code), ["run_tests", {}], ["make_coffee", {}], ["read_file", { path: "src/sum.js" }]],
  ]);
  expect([said.slice(0, 3), errors]).toEqual([
    [
      "component_mapper may only read; write_file is refused.",
      "component_mapper may only read; run_tests is refused.",
      "There is no tool make_coffee.",
    ],
    [true, true, true, false],
  ]);
  const generator = await answers("test_generator", [[["run_tests", {}]]]);
  expect(generator.said).toEqual(["Test run 2 (sh check.sh): exit 0, recorded as baseline\n"]);
});

test("reviewers, and who clarifies, proposes or writes tests, may try a command", async () => {
  const names = ["code_reviewer", "security_scanner", "simplicity_checker"];
  const others = ["solution_synthesizer", "requirement_disambiguator", "test_generator"];
  const { deps, chain } = await workbench({});
  for (const name of [...names, ...others]) expect(allows((await deps.library.find(name)).tools, "try")).toBe(true);
  await chain.close();
});

test("nothing is written or run before a person approved it", async () => {
  const { said, folder } = await answers("tdd_flow_controller", [[write(code), ["run_tests", {}]]], { before: [] });
  expect(said).toEqual([
    "Files are written only after a person approved the solution.",
    "Commands run only after a person approved the solution. Before that, try_command runs one that changes nothing.",
  ]);
  expect(existsSync(join(folder, code))).toBe(false);
});

test("only files of the approved solution are written", async () => {
  const { said, context, folder } = await answers("tdd_flow_controller", [
    [write("src/other.js"), write(`./${testFile}`)],
  ]);
  expect(said).toEqual([
    `src/other.js is not among the approved files: ${code}, ${testFile}. If it is needed, go back to solution-approval and present it. Beside them only documents may be changed, such as a README, if the user says yes.`,
    `Created ${testFile} (1 line).`,
  ]);
  expect([context.solution?.standing, existsSync(join(folder, "src/other.js"))]).toEqual(["approved", false]);
});

test("code is written only once its tests were seen to fail, however often it was tried before", async () => {
  const { said, context } = await answers("tdd_flow_controller", [
    [write(code), write(testFile)],
    [write(code)],
    [["run_tests", {}], write(code), ["run_tests", {}]],
  ]);
  const first = "Tests come first: write the tests of the solution and see them fail, then write code.";
  expect(said).toEqual([
    first,
    `Created ${testFile} (1 line).`,
    first,
    expect.stringMatching(/^Test run \d \(sh check\.sh\): exit 2, recorded as red\n/),
    `Created ${code} (1 line).`,
    expect.stringMatching(/^Test run \d \(sh check\.sh\): exit 0, recorded as green\n/),
  ]);
  expect(context.evidence).toMatchObject({ red: true, green: true });
});

test("where no test was planned, or none can be run, code is written at once", async () => {
  const files: Solution["files"] = [{ path: code, role: "code", change: "new", lines: 0 }];
  const noTest = [presented({ ...solution, files }), ...building.slice(1)];
  expect((await answers("tdd_flow_controller", [[write(code)]], { before: noTest })).said).toEqual([
    `Created ${code} (1 line).`,
  ]);
  const { said } = await answers("tdd_flow_controller", [[write(code), ["run_tests", {}]]], { test_command: null });
  expect(said).toEqual([
    `Created ${code} (1 line).`,
    "No test command is known for this workspace. Propose one with the action set_test_command; the user is asked about it.",
  ]);
});

test("a file that somebody else changed since the approval is not overwritten, and the approval is void", async () => {
  const { said, context, file } = await answers("tdd_flow_controller", [[write(testFile)]], {
    files: { ...quickApp, [testFile]: "somebody else's\n" },
  });
  const reason = `${testFile} was changed by somebody else since it was approved.`;
  expect(said).toEqual([`${reason} Nothing was written; the solution must be presented again.`]);
  expect([context.solution?.standing, context.current_phase, context.engine.focus, file(testFile)]).toEqual([
    "void",
    "solution-approval",
    testFile,
    "somebody else's\n",
  ]);
});

test("a file is changed again on top of its own earlier change", async () => {
  const { said, context, file } = await answers("test_generator", [
    [write(testFile, "one\n")],
    [["edit_file", { path: testFile, old: "one", new: "two" }]],
  ]);
  expect(said[1]).toBe(`Changed ${testFile} (1 line).`);
  expect([file(testFile), context.engine.files[testFile]]).toEqual([
    "two\n",
    { before: null, after: sha256("two\n"), role: "test" },
  ]);
});

test("what a change replaces is kept beside the journal", async () => {
  const text = "the old text\n";
  const base = { [testFile]: sha256(text), [code]: null };
  const { chain } = await answers("test_generator", [[["read_file", { path: testFile }]], [write(testFile)]], {
    before: [{ ...presented(), base }, ...building.slice(1)],
    files: { ...quickApp, [testFile]: text },
  });
  expect(chain.blobs.get(sha256(text))).toBe(text);
});

test("the same look a third time running is refused; tests may be run again", async () => {
  const look: Call = ["read_file", { path: "src/sum.js" }];
  const { said, errors } = await answers("tdd_flow_controller", [
    [look],
    [look],
    [look],
    [["read_file", { path: "package.json" }]],
    [look],
  ]);
  expect(errors).toEqual([false, false, true, false, false]);
  expect(said[2]).toBe("The same call was made just before: its result is above. Do something else.");
  const tests: Call = ["run_tests", {}];
  expect((await answers("tdd_flow_controller", [[tests], [tests], [tests]])).errors).toEqual([false, false, false]);
});

test("what a tool read is freed of secrets before the journal and the model see it", async () => {
  const token = `ghp_${"a1B2c3D4e5".repeat(4)}`;
  const { said, chain, contexts } = await answers("component_mapper", [[["read_file", { path: "config.txt" }]]], {
    files: { ...quickApp, "config.txt": `key = ${token}\n`, "check.sh": `echo ${token}; exit 1` },
  });
  expect(said[0]).toContain("[redacted GitHub token]");
  expect(readFileSync(join(contexts, "journal", `${chain.id}.jsonl`), "utf8")).not.toContain(token);
  const ranTests = await answers("tdd_flow_controller", [[["run_tests", {}]]], {
    files: { ...quickApp, "check.sh": `echo ${token}; exit 1` },
  });
  expect(ranTests.said[0]).toBe(
    "Test run 2 (sh check.sh): exit 1, recorded as failing at baseline\n[redacted GitHub token]",
  );
  expect(readFileSync(join(ranTests.contexts, "journal", "001.jsonl"), "utf8")).not.toContain(token);
});

test("a long text lies beside the journal, a short one in it", async () => {
  const { lines, said } = await answers(
    "component_mapper",
    [
      [
        ["read_file", { path: "long.txt" }],
        ["read_file", { path: "src/sum.js" }],
      ],
    ],
    {
      files: { ...quickApp, "long.txt": "a line of text\n".repeat(400) },
    },
  );
  const contents = lines.flatMap((line) =>
    line.type === "result" && line.effect === "tool" ? [Object.keys(line.content)] : [],
  );
  expect(contents).toEqual([["blob"], ["text"]]);
  expect(said[0]?.length).toBeGreaterThan(4096);
});

test("a run proves what had been changed when it ran", () => {
  const judged = (exit_code: number | undefined, ...before: Body[]): Verdict =>
    verdict(after(...before), { exit_code });
  const tests = changed(testFile, "test");
  const both = [tests, changed(code, "code")];
  expect([
    judged(0),
    judged(1),
    judged(1, tests),
    judged(0, tests),
    judged(undefined, tests),
    judged(0, ...both),
    judged(1, ...both),
    judged(0, changed("README.md", "doc")),
    judged(1, changed("README.md", "doc")),
    judged(1, ran("baseline", 1), tests),
    judged(1, ran("baseline", 0), tests),
    judged(1, ran("baseline", 1), ran("baseline", 0), tests),
    judged(1, ran("baseline", 0), ran("baseline", 1), tests),
    judged(0, ...both, presented(), approved),
    judged(1, ran("baseline", 1), presented(), approved, ran("baseline", 0), tests),
    judged(1, ...both, presented(), approved, ran("baseline", 0), tests),
  ]).toEqual([
    "baseline",
    "failing at baseline",
    "red",
    "unproven",
    "broken",
    "green",
    "failing",
    "green",
    "failing",
    "failing",
    "red",
    "red",
    "failing",
    "baseline",
    "red",
    "red",
  ]);
});

test("signs of life tell which tool is used on what", async () => {
  const { signs } = await answers("component_mapper", [[["search_files", { pattern: "sum\nmore" }]]]);
  expect(signs.filter(({ type }) => type === "using")).toEqual([
    { type: "using", key: "implementation/1/1-component_mapper", tool: "search_files", input: "sum" },
  ]);
});

test("a person who asks about a change is answered in words before they are asked again", async () => {
  const question = event("permission_refused", { id: "r", reason: "Why there?", question: true });
  const { said, context } = await answers("test_generator", [[write(testFile)]], {
    before: [...building, question],
    deps: { permission: { mode: "ask", rules: { allow: [], ask: [], deny: [], hidden: [] }, unsandboxed: true } },
  });
  expect(said).toEqual([
    "Before deciding, a person asks: Why there?\nNothing was done yet. Answer in words, and along with them make the call again, as it was or better.",
  ]);
  expect(context.engine.request).toBe(null);
});

test("a file that was approved to be changed is not deleted", async () => {
  const edited: Solution = {
    ...solution,
    files: [{ path: "src/sum.js", role: "code", change: "edit", lines: 1 }],
  };
  const hash = sha256(quickApp["src/sum.js"]);
  const shown = event("solution_presented", {
    solution: edited,
    text: "",
    id: "abc123abc123",
    base: { "src/sum.js": hash },
  });
  const before: Body[] = [shown, approved, phase("implementation", "solution-approval")];
  const { said } = await answers("tdd_flow_controller", [[["delete_file", { path: "src/sum.js" }]]], { before });
  expect(said).toEqual([
    "src/sum.js was approved to be changed, not to be deleted. Present the solution with its deletion.",
  ]);
});
