import * as fc from "fast-check";
import type { Arbitrary } from "fast-check";
import { phases, type Body } from "../../src/chain/events.ts";
import type { Report } from "../../src/chain/reply.ts";
import { limits, presented, ran, started } from "./lines.ts";

/** Any line a journal may hold, from few names and keys, so that lines have to do with each other. */
const text = fc.constantFrom("", "one", "two", "__proto__", "constructor", "three (50% sure)");
const maybeText = fc.option(text);
const name = fc.constantFrom("phase_controller", "component_mapper", "code_reviewer", "simplicity_checker");
const area = fc.constantFrom("requirements", "technical_approach", "security", "overall", "__proto__");
const score = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);
const phase = fc.constantFrom(...phases);
const key = fc
  .tuple(phase, fc.integer({ min: 1, max: 3 }), fc.constantFrom("controller", "1-component_mapper", "2-code_reviewer"))
  .map((parts) => parts.join("/"));
const id = fc.constantFrom("first", "second", "constructor");
const call = fc.constantFrom("call_1", "call_2");
const path = fc.constantFrom("src/a.js", "test/a.test.js", "constructor");
const from = fc.option(fc.constantFrom("message-1", "message-2"), { nil: undefined });
const evidence = fc.array(fc.record({ kind: fc.constantFrom("file", "command", "user", "prompt"), ref: text }), {
  maxLength: 2,
});
const list = <Value>(of: Arbitrary<Value>) => fc.option(fc.array(of, { maxLength: 3 }), { nil: undefined });

const report = fc.record({
  kind: fc.constant("report"),
  summary: text,
  discovered: list(fc.record({ key: text, value: fc.oneof(text, fc.array(text, { maxLength: 2 })), evidence })),
  notes: list(
    fc.record({ kind: fc.constantFrom("assumption", "mistake_corrected", "pattern_identified", "free"), text }),
  ),
  uncertainties: list(
    fc.record({ area, confidence: score, blocking: fc.boolean(), resolved: fc.boolean(), resolution: text }),
  ),
  confidence: list(fc.record({ area, score, evidence })),
  scores: list(fc.record({ name: fc.oneof(text, fc.constantFrom("ambiguity", "simplicity")), value: fc.nat(10) })),
  decisions: list(fc.record({ key: text, choice: text })),
}) as Arbitrary<Report>;

const queued = fc.array(fc.record({ key, name, inputs: fc.dictionary(text, text, { maxKeys: 1 }) }), { maxLength: 3 });
const usage = fc.record({
  input: fc.nat(9),
  output: fc.nat(9),
  cacheRead: fc.nat(9),
  cacheWrite5m: fc.nat(9),
  cacheWrite1h: fc.nat(9),
});
const booked = fc.record({
  phase: text,
  prompt: name,
  model: text,
  usage,
  usd: fc.option(score),
  unknown: fc.boolean(),
});
const outcome = fc.oneof(
  fc.record({
    type: fc.constant("replied"),
    stop: fc.constantFrom("end_turn", "tool_use"),
    content: fc.constant([{ type: "text", text: "{}" }]),
    calls: fc.array(fc.record({ id: call, tool: fc.constant("read_file") }), { maxLength: 2 }),
  }),
  fc.record({ type: fc.constantFrom("cut", "cancelled", "failed"), reason: text, message: text }),
);
const source = fc.record({
  name,
  scope: text,
  sha256: text,
  route: fc.constant("default"),
  tools: fc.constant("none"),
});
const request = fc.record(
  {
    model: text,
    effort: fc.constant("medium"),
    max_tokens: fc.nat(),
    epoch: fc.nat(2),
    ledger: fc.nat(4),
    tail: text,
    note: text,
  },
  { requiredKeys: ["model", "effort", "max_tokens", "epoch", "ledger"] },
);
const run = fc.constant({ argv: ["x"], exit_code: 0, duration_ms: 1, timed_out: false, output: "", output_sha256: "" });
const seen = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("file"), ref: fc.constantFrom("src/a.js:1-9", "src/a.js", "__proto__:1-2") }),
    fc.record({ kind: fc.constant("search"), ref: text }),
  ),
  { maxLength: 3 },
);
const file = { path, role: fc.constantFrom("code", "test", "doc"), before: maybeText, after: text };
const edit = (path: string[], after: Arbitrary<unknown>) =>
  fc.record({ path: fc.constant(path), before: fc.constant(undefined), after });
const edits = fc.array(
  fc.oneof(
    edit(["goal"], text),
    edit(["discovered", "one"], fc.option(text, { nil: undefined })),
    edit(["confidence_scores", "security"], fc.option(score, { nil: undefined })),
    edit(["confidence_scores", "overall"], score),
    edit(["cost_tracking", "tokens_used"], fc.constant(0)),
  ),
  { maxLength: 3 },
);

const happened = (event: string, fields: Record<string, Arbitrary<unknown>>) =>
  fc.record({ type: fc.constant("event"), event: fc.constant(event), ...fields });
const intent = (effect: string, fields: Record<string, Arbitrary<unknown>>) =>
  fc.record({ type: fc.constant("intent"), effect: fc.constant(effect), key, ...fields });
const spare = fc.constant({ usd: 1, tokens: 1 });
const result = (effect: string, fields: Record<string, Arbitrary<unknown>>) =>
  fc.record({ type: fc.constant("result"), effect: fc.constant(effect), key, ...fields });

export const bodies = fc.oneof(
  fc.record({
    type: fc.constant("header"),
    format: fc.constant(1),
    chain_id: text,
    engine: text,
    parent: fc.constant(null),
  }),
  fc.constant(started),
  fc.constant(presented()),
  fc.constantFrom("baseline", "red", "unproven", "failing", "green").map((verdict) => ran(verdict as "red")),
  intent("model", { turn: fc.nat(3), prompt: source, request, reserved: spare, expected: spare }),
  intent("change", { call, path, before: maybeText, after: text }),
  intent("command", { call: fc.option(call), purpose: fc.constant("tests"), argv: fc.constant(["x"]) }),
  result("model", { turn: fc.nat(3), outcome, booked }),
  result("tool", { call, tool: text, is_error: fc.boolean(), content: fc.record({ text }), seen }),
  result("command", { call: fc.option(call), run }),
  happened("imported", {
    context: fc.dictionary(
      fc.constantFrom("goal", "discovered", "approval_history", "cost_tracking", "current_phase", "phase_history"),
      fc.oneof(fc.jsonValue(), phase),
    ),
    parts: fc.subarray(["phase", "costs", "approvals", "generated_prompts"]),
  }),
  happened("context_edited", { changes: edits }),
  happened("epoch_opened", {
    number: fc.nat(3),
    tools: text,
    system: fc.array(text, { maxLength: 2 }),
    schema: maybeText,
    bytes: fc.nat(),
    digest: maybeText,
  }),
  happened("ledger_extended", { text }),
  happened("decision_taken", {
    key,
    action: fc.constant({ kind: "action", say: "", do: { type: "give_up", reason: "" } }),
  }),
  happened("prompts_queued", { why: text, prompts: queued, from }),
  happened("reply_rejected", { key, problems: fc.array(text, { maxLength: 2 }) }),
  happened("report_recorded", {
    key,
    prompt: name,
    report,
    counted: fc.array(fc.record({ area, score, claimed: score, missing: fc.constant([]) }), { maxLength: 3 }),
    assumptions: fc.array(text, { maxLength: 2 }),
    moved: fc.boolean(),
    grounded: fc.boolean(),
  }),
  happened("gap_reported", { gaps: fc.array(fc.record({ description: text, prompt_kind: text }), { maxLength: 2 }) }),
  happened("questions_asked", { questions: fc.array(fc.record({ id, question: text }), { maxLength: 2 }) }),
  happened("question_answered", { id, answer: text, from }),
  happened("phase_changed", { from: phase, to: phase, reason: text, focus: text }),
  happened("gate_refused", { to: phase, reasons: fc.array(text, { maxLength: 2 }) }),
  happened("area_waived", { area, reason: text, from }),
  happened("size_changed", { to: fc.constantFrom("normal", "tiny"), reason: text }),
  happened("approval_given", { solution: text, from }),
  happened("approval_refused", { solution: text, reason: text, from }),
  happened("more_info_asked", { solution: text, question: text, from }),
  happened("hint_given", { text, from }),
  happened("changes_requested", { solution: text, request: text, from }),
  happened("approval_voided", { reason: text }),
  happened("message_ignored", { reason: text, from: fc.constant("message-1") }),
  happened("file_changed", file),
  happened("lost_cost_entered", { usd: score, from }),
  happened("cost_alerted", { usd: score, threshold: score }),
  happened("parked", { code: text, exit: fc.nat(14), message: text, next: fc.array(fc.record({ why: text })) }),
  happened("resumed", {
    limits: fc.option(fc.constantFrom({}, limits, { turns: 7 }), { nil: undefined }),
    test_command: fc.option(fc.constant(["npm", "test"]), { nil: undefined }),
  }),
  happened("interrupted", { why: text }),
  happened("recovered", { lost_lines: fc.nat(3), kept_as: text }),
  happened("completed", { summary: text }),
) as Arbitrary<Body>;
