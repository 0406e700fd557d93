import { expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { countScores, holds, isGrounded } from "../../src/chain/evidence.ts";
import type { Evidence, Report } from "../../src/chain/reply.ts";
import { after, ran, recorded } from "./lines.ts";

const read = (ref: string, kind: "file" | "search" = "file") =>
  ({
    type: "result",
    effect: "tool",
    key: "k",
    call: "c",
    tool: "read_file",
    is_error: false,
    content: { text: "" },
    seen: [{ kind, ref }],
  }) as const;

const known = after(
  read("src/a.js:10-20"),
  read("product", "search"),
  event("questions_asked", {
    questions: [
      { id: "answered", question: "?" },
      { id: "open", question: "?" },
    ],
  }),
  event("question_answered", { id: "answered", answer: "yes" }),
  recorded("component_mapper", {}, { grounded: true }),
  recorded("dependency_analyzer", {}, { grounded: false }),
);

const held = (kind: Evidence["kind"], ...refs: string[]) => refs.map((ref) => holds(known, { kind, ref }));

test("a file is held where some of its named lines were read", () => {
  expect(held("file", "src/a.js:10-20", "src/a.js:15", "src/a.js:1-10", "src/a.js:20-99", " ./src/a.js:12 ")).toEqual(
    Array(5).fill(true),
  );
  expect(held("file", "src/a.js", "./src/a.js")).toEqual([true, true]);
  expect(held("file", "src/a.js:1-9", "src/a.js:21", "src/b.js:10", "src/b.js", "a.js:12", "")).toEqual(
    Array(6).fill(false),
  );
  expect(held("file", "constructor", "__proto__", "toString:1-2")).toEqual([false, false, false]);
});

test("a file that was read as a whole is held wherever it is named", () => {
  const whole = after(read("README.md"));
  expect(["README.md", "README.md:1", "README.md:9999"].map((ref) => holds(whole, { kind: "file", ref }))).toEqual([
    true,
    true,
    true,
  ]);
});

test("an answer is held once it was given, and the task's own words always", () => {
  expect(held("user", "answered", "goal", "open", "never_asked")).toEqual([true, true, false, false]);
});

test("a command is held where it was run or searched for", () => {
  expect(held("command", "product", "run_tests", "npm test")).toEqual([true, false, false]);
  expect(holds(after(ran("baseline")), { kind: "command", ref: "run_tests" })).toBe(true);
});

test("a prompt is held where its report rests on something itself", () => {
  expect(held("prompt", "component_mapper", "dependency_analyzer", "code_reviewer")).toEqual([true, false, false]);
});

const claim = (area: string, score: number, ...evidence: Evidence[]): Report => ({
  kind: "report",
  summary: "",
  confidence: [{ area, score, evidence }],
});

const file = (ref: string): Evidence => ({ kind: "file", ref });
const goal: Evidence = { kind: "user", ref: "goal" };

test("a score counts in full with evidence that is held, at most 0.6 without", () => {
  const count = (report: Report) => countScores(known, report)[0];
  expect(count(claim("technical_approach", 0.95, file("src/a.js:12")))).toEqual({
    area: "technical_approach",
    claimed: 0.95,
    score: 0.95,
    missing: [],
  });
  expect(
    count(claim("technical_approach", 0.95, file("src/b.js:1"), { kind: "prompt", ref: "stack_detector" })),
  ).toEqual({
    area: "technical_approach",
    claimed: 0.95,
    score: 0.6,
    missing: ["file src/b.js:1", "prompt stack_detector"],
  });
  expect(count(claim("technical_approach", 0.95))).toMatchObject({ score: 0.6, missing: [] });
  expect(count(claim("technical_approach", 0.3))).toMatchObject({ score: 0.3, claimed: 0.3 });
});

test("one piece that is held carries a score, whatever stands beside it", () => {
  expect(countScores(known, claim("security", 0.9, file("src/b.js:1"), file("src/a.js:12")))).toEqual([
    { area: "security", claimed: 0.9, score: 0.9, missing: [] },
  ]);
});

test("the task's own words carry the requirements and nothing else", () => {
  const [requirements] = countScores(known, claim("requirements", 0.95, goal));
  const [approach] = countScores(known, claim("technical_approach", 0.95, goal));
  expect(requirements).toMatchObject({ score: 0.95, missing: [] });
  expect(approach).toMatchObject({ score: 0.6, missing: ["user goal"] });
});

test("what a score without evidence counts is the chain's own setting", () => {
  const strict = { ...known, engine: { ...known.engine, gates: { ...known.engine.gates, unproven: 0.2 } } };
  expect(countScores(strict, claim("security", 0.9))).toMatchObject([{ score: 0.2 }]);
});

test("a report is grounded where anything it says rests on something held", () => {
  const found = (...evidence: Evidence[]): Report => ({
    kind: "report",
    summary: "",
    discovered: [{ key: "stack", value: "node", evidence }],
  });
  const reports = [
    found(file("src/a.js:12")),
    claim("security", 0.9, { kind: "user", ref: "answered" }),
    found(file("src/b.js:12")),
    claim("security", 0.9),
    found(),
    claim("requirements", 0.9, goal),
  ];
  expect(reports.map((report) => isGrounded(known, report))).toEqual([true, true, false, false, false, false]);
});
