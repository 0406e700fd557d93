import { apply, replay } from "../../src/chain/apply.ts";
import type { Context } from "../../src/chain/context.ts";
import { event, type Body, type ChainLine, type EventNamed, type Gates, type Limits } from "../../src/chain/events.ts";
import type { Report, Solution } from "../../src/chain/reply.ts";
import type { Actor } from "../../src/store/journal.ts";

export const noon = "2026-11-20T12:00:00.000Z";
export const engine: Actor = { kind: "engine", name: "claude-exec", door: "engine" };
export const ada: Actor = { kind: "person", name: "ada", door: "cli" };

export const gates: Gates = {
  requirements: 0.9,
  ambiguity: 0.3,
  overall: 0.8,
  area: 0.6,
  unproven: 0.6,
  simplicity: 7,
  quality: ["code_reviewer", "security_scanner"],
};

export const limits: Limits = {
  budget_usd: 10,
  budget_tokens: null,
  cost_alert_usd: null,
  turns: 100,
  turns_per_prompt: 10,
  rounds: 4,
  repeats: 3,
};

export const started = event("chain_started", {
  goal: "Add a product function",
  slug: "product-function",
  size: "normal",
  mode: "tdd",
  workspace: "/home/ada/sum",
  gates,
  limits,
  test_command: ["npm", "test"],
});

export function line(body: Body, n = 1, { at = noon, by = engine }: { at?: string; by?: Actor } = {}): ChainLine {
  return { n, at, by, hash: "", ...body };
}

export function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}

/** The context after these, folded so that whatever changes its input fails. */
export function fold(from: Context, ...bodies: readonly Body[]): Context {
  return bodies.reduce((context, body) => frozen(apply(frozen(context), frozen(line(body)))), from);
}

/** A chain that has begun, and what became of it. */
export function after(...bodies: readonly Body[]): Context {
  return fold(
    replay([]),
    { type: "header", format: 1, chain_id: "047", engine: "0.1.0", parent: null },
    started,
    ...bodies,
  );
}

export function inEngine(context: Context, change: Partial<Context["engine"]>): Context {
  return { ...context, engine: { ...context.engine, ...change } };
}

export function phase(to: Context["current_phase"], from: Context["current_phase"], focus = "") {
  return event("phase_changed", { from, to, reason: "It is time.", focus });
}

export function recorded(
  prompt: string,
  fields: Partial<Report> = {},
  more: Partial<EventNamed<"report_recorded">> = {},
): EventNamed<"report_recorded"> {
  const report: Report = { summary: `${prompt} has looked.`, ...fields };
  return event("report_recorded", {
    key: `context-building/1/1-${prompt}`,
    prompt,
    report,
    counted: (report.confidence ?? []).map(({ area, score }) => ({ area, score, claimed: score, missing: [] })),
    assumptions: [],
    moved: true,
    grounded: false,
    ...more,
  });
}

export const solution: Solution = {
  title: "A product beside the sum",
  architecture: "One more pure function.",
  decisions: [{ choice: "a function of its own", because: "sum stays as it is", rejected: "" }],
  assumptions: [],
  tradeoffs: ["two functions instead of one with a mode"],
  steps: ["write the test", "write the function"],
  risks: [{ risk: "a wrong import", mitigation: "the test imports it" }],
  success_criteria: ["product(2, 3) is 6"],
  remaining_concerns: [],
  commands: [],
  dropped: [],
  files: [
    { path: "src/product.js", role: "code", change: "new", lines: 0 },
    { path: "test/product.test.js", role: "test", change: "new", lines: 0 },
  ],
  verification: { kind: "tests", check: "node --test", command: "" },
};

export const base = { "src/product.js": null, "test/product.test.js": null };

export function presented(what: Solution = solution) {
  return event("solution_presented", { solution: what, text: what.title, id: "abc123abc123", base });
}

export const approved = event("approval_given", { solution: "abc123abc123" });

export function ran(verdict: EventNamed<"tests_judged">["verdict"], exit_code = verdict === "green" ? 0 : 1) {
  return event("tests_judged", {
    verdict,
    argv: ["npm", "test"],
    exit_code,
    duration_ms: 10,
    output_sha256: `output of ${verdict}`,
    tree_sha256: "tree",
    output: "1 test",
  });
}

export function changed(path: string, role: "code" | "test" | "doc", before: string | null = null) {
  return event("file_changed", { path, role, before, after: `new ${path}` });
}

/** A finding that keeps a chain from completing. */
export const offByOne = {
  id: "off_by_one",
  severity: "blocking",
  where: "src/product.js:1",
  what: "It is one too many.",
  trigger: "product(0, 0)",
} as const;
