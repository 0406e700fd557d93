import * as fc from "fast-check";
import { expect, test } from "vitest";
import { applyEdits, differences, isEditable, misfit } from "../../src/chain/edits.ts";
import { event, type Edit } from "../../src/chain/events.ts";
import type { Json } from "../../src/util/json.ts";
import { after, fold, frozen, recorded } from "./lines.ts";

const edit = (path: string, value: Json | undefined, before?: Json): Edit => ({
  path: path.split("."),
  before,
  after: value,
});

const known = after(
  recorded("component_mapper", {
    discovered: [{ key: "stack", value: "node" }],
    uncertainties: [{ area: "storage", confidence: 0.5, blocking: true, resolved: false }],
    confidence: [{ area: "requirements", score: 0.9, evidence: [] }],
  }),
);

test("differences are told down to the field, lists as a whole", () => {
  const before = { goal: "a", same: { x: [1] }, discovered: { stack: "node", gone: 1 }, list: [1, 2] };
  const now = {
    goal: "b",
    same: { x: [1] },
    discovered: { stack: "node", fresh: { deep: true } },
    list: [2, 1],
    more: null,
  };
  expect(differences(before, now)).toEqual([
    { path: ["goal"], before: "a", after: "b" },
    { path: ["discovered", "gone"], before: 1, after: undefined },
    { path: ["discovered", "fresh"], before: undefined, after: { deep: true } },
    { path: ["list"], before: [1, 2], after: [2, 1] },
    { path: ["more"], before: undefined, after: null },
  ]);
  expect(differences({ a: {} }, { a: { constructor: "x" } })).toEqual([
    { path: ["a", "constructor"], before: undefined, after: "x" },
  ]);
});

test("what did not change differs nowhere, in whatever order its keys stand", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<Json>), (value) => {
      expect(differences(value, Object.fromEntries(Object.entries(value).reverse()))).toEqual([]);
    }),
  );
});

test("knowledge may be edited; money, approvals, evidence and the overall confidence may not", () => {
  const paths = [
    "goal",
    "discovered.stack",
    "uncertainties",
    "confidence_scores.requirements",
    "decisions.x",
    "session_memory.notes",
    "scores.ambiguity",
    "confidence_scores.overall",
    "cost_tracking.tokens_used",
    "approval_history",
    "evidence.green",
    "current_phase",
    "solution.standing",
    "engine.limits",
    "constructor",
    "",
  ];
  expect(paths.filter((path) => isEditable(edit(path, 1)))).toEqual(paths.slice(0, 7));
});

test("an edit is taken over where it may be, and nothing else changes", () => {
  const edited = applyEdits(frozen(known), [
    edit("goal", "Add a quotient function"),
    edit("discovered.stack", undefined, "node"),
    edit("discovered.database", "postgres"),
    edit("cost_tracking.tokens_used", 0),
    edit("confidence_scores.overall", 1),
    edit("engine.limits.turns", 9999),
  ]);
  expect(edited).toEqual({ ...known, goal: "Add a quotient function", discovered: { database: "postgres" } });
});

test("an edited score changes the overall confidence as a reported one would", () => {
  const changes = [edit("confidence_scores.technical_approach", 0.9)];
  const edited = fold(known, event("context_edited", { changes }));
  expect(edited.confidence_scores).toEqual({ overall: 0.6, requirements: 0.9, technical_approach: 0.9 });
});

test("an edit after which no chain could go on is told with its place", () => {
  const said = [
    edit("confidence_scores.requirements", "high"),
    edit("confidence_scores.requirements", 95),
    edit("uncertainties", null),
    edit("uncertainties", [null]),
    edit("uncertainties", [{ area: "x" }]),
    edit("discovered", undefined),
    edit("goal", ""),
    edit("session_memory.notes", "text"),
    edit("decisions.a", ["b"]),
  ].map((one) => misfit(known, [one]));
  expect(said.map((problem) => problem?.split(":")[0])).toEqual([
    "confidence_scores.requirements",
    "confidence_scores.requirements",
    "uncertainties",
    "uncertainties.0",
    "uncertainties.0.confidence",
    "discovered",
    "goal",
    "session_memory.notes",
    "decisions.a",
  ]);
  expect(misfit(known, [edit("goal", "x"), edit("scores.ambiguity", 0.5)])).toBeUndefined();
});
