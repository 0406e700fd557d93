import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./temporary.ts";

/** Replies of a recorded model, written for a test: by step key, in the shape of a recording. */
export type Replies = Record<string, unknown>;

const usage = { input: 900, output: 300, cacheRead: 4_000, cacheWrite5m: 400, cacheWrite1h: 0 };

/** One final reply, with its two parts. */
export function says({ report = null, action = null }: { report?: object | null; action?: object | null }) {
  const text = JSON.stringify({ report, action });
  return { outcome: "replied", stop: "end_turn", content: [{ type: "text", text }], usage };
}

/** What comes next, without a report. A solution can only be reported, so `artifact` becomes a report of its own. */
export function action(
  say: string,
  { artifact, ...what }: { type: string; artifact?: object; [key: string]: unknown },
) {
  const report = artifact === undefined ? null : { summary: say, solution: artifact };
  return says({ report, action: { say, do: what } });
}

/** The same from a prompt that has to report: the first step of a chain is one. */
export function opening(
  say: string,
  { artifact, ...what }: { type: string; artifact?: object; [key: string]: unknown },
) {
  return report(say, artifact === undefined ? {} : { solution: artifact }, what);
}

/** What was found, and perhaps what comes next. */
export function report(summary: string, fields: object = {}, next?: { type: string; [key: string]: unknown }) {
  const proposed = next ? { say: `${summary} I go on.`, do: next } : null;
  return says({ report: { summary, ...fields }, action: proposed });
}

export function uses(...calls: [name: string, input: object][]) {
  return {
    outcome: "replied",
    stop: "tool_use",
    content: calls.map(([name, input], index) => ({ type: "tool_use", id: `call_${index}_${name}`, name, input })),
    usage,
  };
}

export function recordingAt(folder: string, replies: Replies, name = "replies.json", more: object = {}): string {
  const path = join(folder, name);
  const recording = {
    format: 1,
    model: "claude-opus-5-5",
    recorded_at: "2026-11-20T10:00:00.000Z",
    note: "written for a test",
    replies,
    ...more,
  };
  writeFileSync(path, JSON.stringify(recording));
  return path;
}

/** A folder with the files given, and nothing else. */
export function folderWith(files: Record<string, string>): string {
  const folder = temporaryFolder("claude-exec-test-");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** The step that every chain begins with. */
export const firstKey = "requirements-clarification/1/1-requirement_disambiguator";

/** The smallest app with a test of its own. */
export const smallApp = {
  "package.json": JSON.stringify({ name: "sum", type: "module", scripts: { test: "node --test" } }),
  "src/sum.js": "export const sum = (a, b) => a + b;\n",
  "test/sum.test.js":
    'import test from "node:test";\nimport assert from "node:assert";\nimport { sum } from "../src/sum.js";\ntest("adds", () => assert.equal(sum(1, 2), 3));\n',
};

export const productSolution = {
  title: "A product beside the sum",
  architecture: "One more pure function.",
  decisions: [{ choice: "a function of its own", because: "sum stays as it is" }],
  tradeoffs: ["two functions instead of one with a mode"],
  steps: ["write the test", "write the function"],
  risks: [{ risk: "a wrong import", mitigation: "the test imports it" }],
  success_criteria: ["product(2, 3) is 6"],
  confidence: 0.95,
  remaining_concerns: [],
  files: [
    { path: "src/product.js", role: "code", change: "new" },
    { path: "test/product.test.js", role: "test", change: "new" },
  ],
  verification: { kind: "tests", check: "node --test" },
};

const productTest =
  'import test from "node:test";\nimport assert from "node:assert";\nimport { product } from "../src/product.js";\ntest("multiplies", () => assert.equal(product(2, 3), 6));\n';

const sure = (score: number) => [
  { area: "requirements", score, evidence: [{ kind: "user", ref: "negative_numbers" }] },
  { area: "technical_approach", score, evidence: [{ kind: "file", ref: "src/sum.js:1" }] },
  { area: "implementation_details", score, evidence: [{ kind: "file", ref: "src/sum.js:1" }] },
];

/** The whole way of a task on `smallApp`: questions, exploration, one loop back, approval, red, green, reviews. */
export const wholeWay: Replies = {
  "requirements-clarification/1/1-requirement_disambiguator/turn-1": report("Three points are open.", {
    scores: [{ name: "ambiguity", value: 0.5 }],
    questions: [
      { id: "negative_numbers", question: "Must negative numbers work?", why: "It changes the tests." },
      { id: "big_numbers", question: "Must big integers work?", options: ["yes", "no"] },
      { id: "api_name", question: "What is it called?" },
    ],
  }),
  "requirements-clarification/2/controller/turn-1": report(
    "Everything is said.",
    { confidence: [sure(0.95)[0]] },
    { type: "advance", to: "context-building", reason: "The requirements are clear." },
  ),
  "context-building/1/controller/turn-1": action("I read the code.", {
    type: "run_prompts",
    prompts: [
      { name: "component_mapper", inputs: [] },
      { name: "dependency_analyzer", inputs: [] },
    ],
  }),
  "context-building/1/1-component_mapper/turn-1": uses(["list_files", {}], ["read_file", { path: "src/sum.js" }]),
  "context-building/1/1-component_mapper/turn-2": report("One module.", {
    discovered: [{ key: "components", value: ["src/sum.js"], evidence: [{ kind: "file", ref: "src/sum.js:1" }] }],
  }),
  "context-building/1/2-dependency_analyzer/turn-1": report("No dependencies.", {
    discovered: [{ key: "dependencies", value: "none" }],
  }),
  "context-building/2/controller/turn-1": action("I measure.", { type: "advance", to: "uncertainty-analysis" }),
  "uncertainty-analysis/1/1-uncertainty_analysis/turn-1": report(
    "The module system is not certain.",
    {
      confidence: sure(0.7),
      uncertainties: [{ area: "module_system", confidence: 0.5, blocking: true, resolution: "ES modules" }],
    },
    { type: "go_back", to: "context-building", focus: "module system", reason: "module_system blocks" },
  ),
  "context-building/3/controller/turn-1": action("I look at package.json.", {
    type: "run_prompts",
    prompts: [{ name: "uncertainty_resolver", inputs: [{ name: "question", value: "Which module system?" }] }],
  }),
  "context-building/3/1-uncertainty_resolver/turn-1": uses(["read_file", { path: "package.json" }]),
  "context-building/3/1-uncertainty_resolver/turn-2": report(
    "ES modules.",
    {
      uncertainties: [{ area: "module_system", confidence: 0.95, resolved: true, resolution: "type is module" }],
      decisions: [{ key: "module_system", choice: "ES modules", because: "package.json says so" }],
    },
    { type: "advance", to: "uncertainty-analysis" },
  ),
  "uncertainty-analysis/2/1-assumption_validator/turn-1": report("Every assumption holds."),
  "uncertainty-analysis/2/1-uncertainty_analysis/turn-1": report("It is clear.", { confidence: sure(0.92) }),
  "uncertainty-analysis/3/1-uncertainty_analysis/turn-1": report("It is clear.", { confidence: sure(0.92) }),
  "uncertainty-analysis/3/controller/turn-1": action("I write down the solution.", {
    type: "present_solution",
    artifact: productSolution,
  }),
  "implementation/1/1-test_generator/turn-1": uses([
    "write_file",
    { path: "test/product.test.js", content: productTest },
  ]),
  "implementation/1/1-test_generator/turn-2": report("One test is written."),
  "implementation/2/1-tdd_flow_controller/turn-1": uses(
    ["write_file", { path: "src/product.js", content: "export const product = (a, b) => a * b;\n" }],
    ["run_tests", {}],
  ),
  "implementation/2/1-tdd_flow_controller/turn-2": report(
    "The test passes.",
    {},
    { type: "complete", summary: "product(a, b) is there, with a test." },
  ),
  "implementation/3/1-code_reviewer/turn-1": report("Nothing to fix."),
  "implementation/3/2-security_scanner/turn-1": report("Nothing found; known vulnerabilities not checked."),
  "implementation/3/3-simplicity_checker/turn-1": report("Plain.", { scores: [{ name: "simplicity", value: 2 }] }),
  "implementation/4/1-deployment_checker/turn-1": report("Ready."),
};

export const wholeWayAnswers = { negative_numbers: "yes", big_numbers: "no", api_name: "product" };
