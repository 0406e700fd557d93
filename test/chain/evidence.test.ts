import { expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { countScores, holds, isGrounded } from "../../src/chain/evidence.ts";
import type { Evidence, Report } from "../../src/chain/reply.ts";
import { after, inEngine, presented, ran, recorded } from "./lines.ts";

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

test("a search and a look into git are held by what was looked for, a command by its line, a test run by its number", () => {
  expect(held("search", "product", "nothing_like_it")).toEqual([true, false]);
  expect(held("command", "product", "run_tests", "npm test")).toEqual([false, false, false]);
  const looked = after(ran("baseline"));
  const more = inEngine(looked, { searched: ["git git_log src/a.js", "command npm test"] });
  const holding = (kind: Evidence["kind"], ...refs: string[]) => refs.map((ref) => holds(more, { kind, ref }));
  expect(holding("command", "run_tests", "tests 1", "tests 2", "npm test", "npm run x")).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
  const numbered = inEngine(looked, { searched: ["command try 2", "command command 3"] });
  const cites = (ref: string) => holds(numbered, { kind: "command", ref });
  expect(["try 2", "Try #2", "command 3", "try 3", "command 2"].map(cites)).toEqual([true, true, true, false, false]);
  expect(holding("git", "git_log src/a.js", "git_log")).toEqual([true, false]);
  const listed = inEngine(looked, { searched: ["list . **/*.php"] });
  expect(["**/*.php", "*.js"].map((ref) => holds(listed, { kind: "search", ref }))).toEqual([true, false]);
});

test("what a person wrote about a solution is held", () => {
  const said = event("changes_requested", { solution: "abc123abc123", request: "smaller" });
  const context = after(presented(), said);
  expect(["change_request", "question", "rejection"].map((ref) => holds(context, { kind: "user", ref }))).toEqual([
    true,
    false,
    false,
  ]);
});

test("a prompt whose work is not measuring scores an area once, and does not overwrite a score", () => {
  const areasOf = (prompt: string) => countScores(known, prompt, claim("requirements", 0.9)).map(({ area }) => area);
  const scored = after(recorded("requirement_validator", claim("requirements", 0.9)));
  const later = (prompt: string) => countScores(scored, prompt, claim("requirements", 0.2)).length;
  expect([areasOf("component_mapper"), areasOf("uncertainty_analysis")]).toEqual([["requirements"], ["requirements"]]);
  expect(
    ["component_mapper", "tdd_flow_controller", "uncertainty_analysis", "requirement_disambiguator"].map(later),
  ).toEqual([0, 0, 1, 1]);
});

test("a prompt is held where its report rests on something itself", () => {
  expect(held("prompt", "component_mapper", "dependency_analyzer", "code_reviewer")).toEqual([true, false, false]);
});

const claim = (area: string, score: number, ...evidence: Evidence[]): Report => ({
  summary: "",
  confidence: [{ area, score, evidence }],
});

const file = (ref: string): Evidence => ({ kind: "file", ref });
const goal: Evidence = { kind: "task", ref: "goal" };

test("a score counts in full with evidence that is held, at most 0.6 without", () => {
  const count = (report: Report) => countScores(known, "uncertainty_analysis", report)[0];
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
  expect(
    countScores(known, "uncertainty_analysis", claim("security", 0.9, file("src/b.js:1"), file("src/a.js:12"))),
  ).toEqual([{ area: "security", claimed: 0.9, score: 0.9, missing: [] }]);
});

test("the task's own words carry the requirements and nothing else", () => {
  const [requirements] = countScores(known, "uncertainty_analysis", claim("requirements", 0.95, goal));
  const [approach] = countScores(known, "uncertainty_analysis", claim("technical_approach", 0.95, goal));
  expect(requirements).toMatchObject({ score: 0.95, missing: [] });
  expect(approach).toMatchObject({ score: 0.6, missing: ["task goal"] });
});

test("what a score without evidence counts is the chain's own setting", () => {
  const strict = { ...known, engine: { ...known.engine, gates: { ...known.engine.gates, unproven: 0.2 } } };
  expect(countScores(strict, "uncertainty_analysis", claim("security", 0.9))).toMatchObject([{ score: 0.2 }]);
});

test("a report is grounded where anything it says rests on something held", () => {
  const found = (...evidence: Evidence[]): Report => ({
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
