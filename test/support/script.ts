import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Replies of a recorded model, written for a test: by step key, in the shape of a recording. */
export type Replies = Record<string, unknown>;

const usage = { input: 900, output: 300, cacheRead: 4_000, cacheWrite5m: 400, cacheWrite1h: 0 };

export function says(reply: object) {
  return { outcome: "replied", stop: "end_turn", content: [{ type: "text", text: JSON.stringify({ reply }) }], usage };
}

export function action(say: string, what: object) {
  return says({ kind: "action", say, do: what });
}

export function report(summary: string, fields: object = {}) {
  return says({ kind: "report", summary, ...fields });
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
  const folder = mkdtempSync(join(tmpdir(), "claude-exec-test-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

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

/** The whole way of a task on `smallApp`: questions, exploration, one loop back, approval, red, green, gates. */
export const wholeWay: Replies = {
  "requirements-clarification/1/controller/turn-1": action("I look for what is unclear.", {
    type: "run_prompts",
    prompts: [{ name: "requirement_disambiguator", inputs: [] }],
  }),
  "requirements-clarification/1/1-requirement_disambiguator/turn-1": report("Three points are open.", {
    scores: [{ name: "ambiguity", value: 0.5 }],
    questions: [
      { id: "negative_numbers", question: "Must negative numbers work?", why: "It changes the tests." },
      { id: "big_numbers", question: "Must big integers work?", options: ["yes", "no"] },
      { id: "api_name", question: "What is it called?" },
    ],
  }),
  "requirements-clarification/2/controller/turn-1": action("I check the answers.", {
    type: "run_prompts",
    prompts: [{ name: "requirement_validator", inputs: [] }],
  }),
  "requirements-clarification/2/1-requirement_validator/turn-1": report("Everything is said.", {
    confidence: [sure(0.95)[0]],
  }),
  "requirements-clarification/3/controller/turn-1": action("On to the code.", {
    type: "advance",
    to: "context-building",
    reason: "The requirements are clear.",
  }),
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
  "uncertainty-analysis/1/controller/turn-1": action("I measure what is uncertain.", {
    type: "run_prompts",
    prompts: [{ name: "uncertainty_analysis", inputs: [] }],
  }),
  "uncertainty-analysis/1/1-uncertainty_analysis/turn-1": report("The module system is not certain.", {
    confidence: sure(0.7),
    uncertainties: [{ area: "module_system", confidence: 0.5, blocking: true, resolution: "ES modules" }],
  }),
  "uncertainty-analysis/2/controller/turn-1": action("One more look.", {
    type: "go_back",
    to: "context-building",
    focus: "module system",
    reason: "module_system blocks",
  }),
  "context-building/3/controller/turn-1": action("I look at package.json.", {
    type: "run_prompts",
    prompts: [{ name: "uncertainty_resolver", inputs: [{ name: "question", value: "Which module system?" }] }],
  }),
  "context-building/3/1-uncertainty_resolver/turn-1": uses(["read_file", { path: "package.json" }]),
  "context-building/3/1-uncertainty_resolver/turn-2": report("ES modules.", {
    uncertainties: [{ area: "module_system", confidence: 0.95, resolved: true, resolution: "type is module" }],
    decisions: [{ key: "module_system", choice: "ES modules", because: "package.json says so" }],
  }),
  "context-building/4/controller/turn-1": action("I measure again.", { type: "advance", to: "uncertainty-analysis" }),
  "uncertainty-analysis/3/controller/turn-1": action("I measure.", {
    type: "run_prompts",
    prompts: [{ name: "uncertainty_analysis", inputs: [] }],
  }),
  "uncertainty-analysis/3/1-uncertainty_analysis/turn-1": report("It is clear.", { confidence: sure(0.92) }),
  "uncertainty-analysis/4/controller/turn-1": action("I write down the solution.", {
    type: "present_solution",
    artifact: productSolution,
  }),
  "implementation/1/controller/turn-1": action("Tests first.", {
    type: "run_prompts",
    prompts: [{ name: "test_generator", inputs: [] }],
  }),
  "implementation/1/1-test_generator/turn-1": uses([
    "write_file",
    { path: "test/product.test.js", content: productTest },
  ]),
  "implementation/1/1-test_generator/turn-2": report("One test is written."),
  "implementation/2/controller/turn-1": action("Now the code.", {
    type: "run_prompts",
    prompts: [{ name: "tdd_flow_controller", inputs: [] }],
  }),
  "implementation/2/1-tdd_flow_controller/turn-1": uses(
    ["write_file", { path: "src/product.js", content: "export const product = (a, b) => a * b;\n" }],
    ["run_tests", {}],
  ),
  "implementation/2/1-tdd_flow_controller/turn-2": report("The test passes."),
  "implementation/3/controller/turn-1": action("I check quality.", {
    type: "run_prompts",
    prompts: [
      { name: "code_reviewer", inputs: [] },
      { name: "security_scanner", inputs: [] },
      { name: "simplicity_checker", inputs: [] },
    ],
  }),
  "implementation/3/1-code_reviewer/turn-1": report("Nothing to mend."),
  "implementation/3/2-security_scanner/turn-1": report("Nothing found; known vulnerabilities not checked."),
  "implementation/3/3-simplicity_checker/turn-1": report("Plain.", {
    scores: [{ name: "simplicity", value: 2, scale: "1 plain … 10 overbuilt" }],
  }),
  "implementation/4/controller/turn-1": action("Is it ready?", {
    type: "run_prompts",
    prompts: [{ name: "deployment_checker", inputs: [] }],
  }),
  "implementation/4/1-deployment_checker/turn-1": report("Ready."),
  "implementation/5/controller/turn-1": action("Done.", {
    type: "complete",
    summary: "product(a, b) is there, with a test.",
  }),
};

export const wholeWayAnswers = { negative_numbers: "yes", big_numbers: "no", api_name: "product" };
