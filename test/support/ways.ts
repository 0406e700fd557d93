import { action, firstKey, opening, productSolution, report, uses, wholeWay, type Replies } from "./script.ts";

/** An app whose tests run in a few milliseconds: `wholeWay` goes its way on it with `--test-command "sh check.sh"`. */
export const quickApp = {
  "check.sh": "test ! -e test/product.test.js || grep -q product src/product.js\n",
  "package.json": '{ "name": "sum", "type": "module" }\n',
  "src/sum.js": "export const sum = (a, b) => a + b;\n",
};

export const quickTests = "--test-command=sh check.sh";

const file = (key: string) =>
  (wholeWay[key] as { content: { input: { path: string; content: string } }[] }).content[0]?.input;
export const productTest = file("implementation/1/1-test_generator/turn-1") ?? { path: "", content: "" };
export const productCode = file("implementation/2/1-tdd_flow_controller/turn-1") ?? { path: "", content: "" };

export const present = action("This is the solution.", { type: "present_solution", artifact: productSolution });

/** The whole way of a tiny task: presented at once, then test, red, code, green in one prompt. */
export const tinyWay: Replies = {
  [`${firstKey}/turn-1`]: present,
  "implementation/1/1-tdd_flow_controller/turn-1": uses(["write_file", productTest], ["run_tests", {}]),
  "implementation/1/1-tdd_flow_controller/turn-2": uses(["write_file", productCode], ["run_tests", {}]),
  "implementation/1/1-tdd_flow_controller/turn-3": report("The test passes."),
};

/** What the engine asks after a recovery, wherever that found the chain. */
export const afterRecovery: Replies = {
  ...Object.fromEntries(
    ["requirements-clarification", "solution-approval", "implementation"].flatMap((phase) =>
      [0, 1, 2].map((number) => [`${phase}/${number}/0-error_recovery/turn-1`, report("What is lost is known.")]),
    ),
  ),
  "requirements-clarification/1/controller/turn-1": present,
};

export const task = "Add a product function";
export const tiny = [task, "--size=tiny", "--trust", quickTests];

const questions = [
  { id: "api_name", question: "What is it called?" },
  { id: "big_numbers", question: "Must big integers work?", options: ["yes", "no"] },
];

/** Where only the beginning matters: a question right away. */
export const asksFirst: Replies = { [`${firstKey}/turn-1`]: report("I ask.", { questions }) };

/** The same questions, from the prompt that chooses what comes next. */
export const asks = action("I ask.", { type: "ask_user", questions });

/** Replies as a model gives them that holds to no form. */
export function prose(text: string) {
  return { outcome: "replied", stop: "end_turn", content: [{ type: "text", text }], usage: said };
}

const said = { input: 900, output: 300, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };
export const cutOff = { outcome: "cut", content: [{ type: "text", text: '{"report": {"summ' }], usage: said };
export const contextFull = { outcome: "context_exceeded", usage: said };
export const refused = { outcome: "refused", reason: "It could do harm.", usage: said };

/** Settings whose gates let a chain of normal size through at once, so that a test reaches the later phases in few steps. */
export const openGates = { gates: { requirements: 0, overall: 0, area: 0 }, limits: { turns_per_prompt: 5 } };

const go = (to: string) => report(`On to ${to}.`, {}, { type: "advance", to });

/** From the task to an approved solution of normal size in three steps; what is implemented is the test's affair. */
export const toImplementation: Replies = {
  [`${firstKey}/turn-1`]: go("context-building"),
  "context-building/1/controller/turn-1": go("uncertainty-analysis"),
  "uncertainty-analysis/1/1-uncertainty_analysis/turn-1": present,
};

export const runs = (name: string, inputs: { name: string; value: string }[] = []) =>
  opening(`I run ${name}.`, { type: "run_prompts", prompts: [{ name, inputs }] });
export const advances = go;
