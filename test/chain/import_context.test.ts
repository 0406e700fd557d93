import * as fc from "fast-check";
import { expect, test } from "vitest";
import { misfit } from "../../src/chain/edits.ts";
import { event, phases } from "../../src/chain/events.ts";
import { allParts, importContext } from "../../src/chain/import_context.ts";
import { view } from "../../src/chain/view.ts";
import type { Json } from "../../src/util/json.ts";
import { after, approved, noon, phase, presented, recorded } from "./lines.ts";

/** As the specification of the chain system prints it. */
const file: Record<string, Json> = {
  chain_id: "047",
  goal: "Add JWT authentication",
  current_phase: "uncertainty-analysis",
  phase_history: [
    { phase: "requirements-clarification", duration: "3 minutes", clarifications: ["Redis vs MongoDB for tokens"] },
    { phase: "context-building", iterations: 2, prompts_executed: ["trace_existing_flow", "dependency_analyzer"] },
  ],
  discovered: { stack: "node-express-mongo", routes: ["POST /api/login"] },
  uncertainties: [
    { area: "token_storage", confidence: 0.85, resolved: true, resolution: "Redis" },
    { area: "compatibility", confidence: 0.6, resolved: false, blocking: true },
  ],
  confidence_scores: { overall: 1, requirements: 0.95, technical_approach: 0.85, implementation_details: 0.65 },
  decisions: { expiry: "15min" },
  generated_prompts: [{ name: "session_jwt_migrator", reason: "dual auth", effectiveness: 0.89 }],
  approval_history: [
    {
      phase: "solution-approval",
      presented: "JWT with Redis and parallel migration",
      user_response: "approved",
      timestamp: "2024-01-16-14:35:22",
    },
  ],
  session_memory: { files_modified: ["routes/auth.js"], tests_written: [], context_health: 8.5 },
  cost_tracking: {
    tokens_used: 12_450,
    estimated_cost: 0.37,
    by_phase: { requirements: 0.05, context_building: 0.18 },
  },
};

const before = after();
const knowledge = {
  goal: "Add JWT authentication",
  discovered: file["discovered"],
  uncertainties: [
    { area: "token_storage", confidence: 0.85, resolved: true, blocking: false, resolution: "Redis", by: "person" },
    { area: "compatibility", confidence: 0.6, resolved: false, blocking: true, resolution: null, by: "person" },
  ],
  confidence_scores: { overall: 0.82, requirements: 0.95, technical_approach: 0.85, implementation_details: 0.65 },
  decisions: { expiry: "15min" },
  session_memory: { ...before.session_memory, files_modified: ["routes/auth.js"], context_health: 8.5 },
};

test("an older chain that took over a context file is still what it was: with the file's knowledge alone", () => {
  expect(after(event("imported", { context: file, parts: [] }))).toEqual({ ...before, ...knowledge });
});

test("a context file is taken over with its phase, its costs, its generated prompts and its approvals as history", () => {
  const visit = { started: null, ended: null, iterations: 0, prompts_executed: [], clarifications: [] };
  const context = after(event("imported", { context: file, parts: allParts }));
  expect(context).toEqual({
    ...before,
    ...knowledge,
    current_phase: "uncertainty-analysis",
    phase_history: [
      {
        ...visit,
        phase: "requirements-clarification",
        clarifications: ["Redis vs MongoDB for tokens"],
        duration: "3 minutes",
      },
      {
        ...visit,
        phase: "context-building",
        iterations: 2,
        prompts_executed: ["trace_existing_flow", "dependency_analyzer"],
      },
      { ...visit, phase: "uncertainty-analysis", started: noon },
    ],
    prompts_executed: ["trace_existing_flow", "dependency_analyzer"],
    generated_prompts: file["generated_prompts"],
    approval_history: [
      {
        phase: "solution-approval",
        presented: "JWT with Redis and parallel migration",
        hash: "",
        user_response: "approved",
        by: "unknown",
        timestamp: "2024-01-16-14:35:22",
      },
    ],
    cost_tracking: {
      ...before.cost_tracking,
      tokens_used: 12_450,
      estimated_cost: 0.37,
      by_phase: { requirements: 0.05, context_building: 0.18 },
    },
  });
  const shown = view(context, { n: 4, hash: "" })["phase_history"] as Record<string, Json>[];
  expect(shown.map(({ duration }) => duration)).toEqual(["3 minutes", null, null]);
});

test("only the named parts of its history count", () => {
  const { cost_tracking, ...rest } = after(event("imported", { context: file, parts: ["costs"] }));
  const { cost_tracking: _, ...untouched } = before;
  expect(rest).toEqual({ ...untouched, ...knowledge });
  expect(cost_tracking.estimated_cost).toBe(0.37);
});

test("a chain that was building waits for an approval again, whatever approvals its file names", () => {
  const built = after(presented(), approved, phase("implementation", "solution-approval"));
  const again = after(event("imported", { context: view(built, { n: 9, hash: "" }), parts: allParts }));
  expect([built.current_phase, built.approval_history.length]).toEqual(["implementation", 1]);
  expect(again).toMatchObject({
    current_phase: "solution-approval",
    solution: null,
    approval_history: built.approval_history,
    evidence: before.evidence,
    engine: { permits: before.engine.permits },
  });
});

test("fields of the wrong shape are skipped, one by one", () => {
  const wrong = {
    goal: 7,
    discovered: [],
    uncertainties: [null],
    decisions: { a: 1 },
    scores: null,
    session_memory: "x",
    current_phase: "testing",
    phase_history: [{ phase: "testing" }],
    prompts_executed: "x",
    generated_prompts: {},
    approval_history: [{ phase: "solution-approval" }],
    cost_tracking: { tokens_used: -1, estimated_cost: "1", by_phase: { a: null }, by_prompt: { a: { calls: 1 } } },
  };
  const known = after(recorded("component_mapper", { discovered: [{ key: "stack", value: "node" }] }));
  const { phase_history, prompts_executed, ...rest } = importContext(known, wrong, allParts, noon);
  const { phase_history: _history, prompts_executed: _prompts, ...expected } = known;
  expect([rest, phase_history.length, prompts_executed]).toEqual([expected, 1, []]);
  expect(
    importContext(known, { cost_tracking: { tokens_used: 5, estimated_cost: "1" } }, ["costs"], noon).cost_tracking,
  ).toEqual({ ...known.cost_tracking, tokens_used: 5 });
});

test("no file that is taken over leaves a context that could not be gone on with", () => {
  const keys = fc.constantFrom(
    "goal",
    "discovered",
    "uncertainties",
    "confidence_scores",
    "decisions",
    "session_memory",
    "current_phase",
    "phase_history",
    "cost_tracking",
    "approval_history",
    "generated_prompts",
    "prompts_executed",
  );
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue() as fc.Arbitrary<Json>), (anything) => {
      const context = importContext(before, anything, allParts, noon);
      expect(misfit(context, [])).toBeUndefined();
      expect(phases).toContain(context.current_phase);
      expect(context.phase_history.at(-1)?.phase).toBe(context.current_phase);
      expect(Number.isFinite(context.cost_tracking.estimated_cost + context.cost_tracking.tokens_used)).toBe(true);
      expect(view(context, { n: 1, hash: "" })).toBeDefined();
    }),
  );
});
