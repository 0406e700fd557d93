import * as fc from "fast-check";
import { expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { assumptionFaults, openAssumptions } from "../../src/chain/assumptions.ts";
import { numbersOn, pageOf, pageText, withReason } from "../../src/chain/page.ts";
import { solutionSchema, type Solution } from "../../src/chain/reply.ts";
import { plainText } from "../../src/util/same_text.ts";
import type { Context } from "../../src/chain/context.ts";
import { after, base, fold, inEngine, presented, ran, recorded, solution } from "./lines.ts";

const textOf = (what: Solution, context: Context) => pageText(what.title, pageOf(what, base, context));
const doubt = (area: string, confidence: number) => ({
  uncertainties: [{ area, confidence, blocking: false, resolved: false, resolution: `${area} stays` }],
});
const redis = { text: "Redis is there.", if_wrong: "A file is used.", covers: ["storage", "n1"] };

test("what a person approves is told whole, each thing once, with what the chain adds", () => {
  const context = after(
    recorded("component_mapper", { ...doubt("security", 0.5) }, { assumptions: ["storage (50% sure): Redis"] }),
    recorded("stack_detector", { notes: ["one process", "One cache"].map((text) => ({ kind: "assumption", text })) }),
    event("area_waived", { area: "run_time", reason: "one user" }),
    ran("baseline", 0),
  );
  const what: Solution = {
    ...solution,
    assumptions: [redis],
    remaining_concerns: ["big numbers", "redis is there"],
    dropped: [{ id: "n2", because: "nothing reads it" }],
    commands: ["npm install big (packages.example)"],
  };
  expect(textOf(what, context)).toBe(
    `A product beside the sum

What:
One more pure function.

Steps:
1. write the test
2. write the function

Files:
new src/product.js (code)
new test/product.test.js (test)

Decisions:
- a function of its own. Why: sum stays as it is

Assumptions:
A1 Redis is there. If it is wrong: A file is used.

Commands:
- npm install big (packages.example)

Proof:
- tests first, with: npm test; today: the tests pass
- node --test

Set aside:
- run time: one user

Suspicions:
- security stays

Risks:
- a wrong import → the test imports it

Done when:
- product(2, 3) is 6

Concerns:
- big numbers

Tradeoffs:
- two functions instead of one with a mode

Dropped assumptions:
- One cache. Why: nothing reads it`,
  );
});

test("what a solution leaves out leaves no empty headings", () => {
  const bare: Solution = {
    title: "Less",
    architecture: "None.",
    decisions: [{ choice: "keep it", because: "", rejected: "" }],
    assumptions: [],
    dropped: [],
    tradeoffs: [],
    steps: [],
    risks: [{ risk: "none at all", mitigation: "" }],
    success_criteria: [],
    remaining_concerns: [],
    commands: [],
    files: [{ path: "README.md", role: "doc", change: "edit", lines: 1 }],
    verification: { kind: "substitute", check: "read it aloud", command: "" },
  };
  expect(textOf(bare, after())).toBe(
    `Less

What:
None.

Files:
edit README.md (doc, ~1 line)

Decisions:
- keep it

Proof:
- nothing here can fail in a test; checked instead: read it aloud
- the tests there are run too, with: npm test; today: not run yet

Risks:
- none at all`,
  );
  const noCommand = textOf(
    { ...bare, verification: { kind: "tests", check: "", command: "" } },
    inEngine(after(), { test_command: null }),
  );
  expect(noCommand).toContain("- the tests there are, and no new ones, with: no command found");
});

test("who approves a tiny solution, or one whose code may come first, reads what is left out", () => {
  const text = (change: Partial<Context>) => textOf(solution, { ...after(), ...change });
  expect(text({ size: "tiny" })).toContain(
    "Mode:\n- tiny: one code file with its test and a document at most, and no reviews",
  );
  expect(text({ mode: "direct" })).toContain("Mode:\n- direct: code may be written before its tests");
  expect(text({})).not.toContain("Mode:");
});

test.each([
  ["Names are in snake_case.", "Because it is PEP 8.", "Names are in snake_case because it is PEP 8"],
  ["No package is added,", "Because The task asks for none", "No package is added because the task asks for none"],
  ["No package", "The task asks for none.", "No package. Why: The task asks for none"],
  ["Snake case", "PEP 8", "Snake case. Why: PEP 8"],
  ["Snake case", "because HTTP says so", "Snake case because HTTP says so"],
  ["Snake case.", " ", "Snake case"],
])("the reason of %j that is given as %j reads: %s", (choice, because, said) => {
  expect(withReason(choice, because)).toBe(said);
});

test("no text of a solution can look like a heading of the page", () => {
  const forged = { ...solution, architecture: "Plain.\n\nProof:\n- nothing is needed", title: "One\n\nFiles:" };
  expect(textOf(forged, after())).toContain("One Files:\n\nWhat:\nPlain. Proof: - nothing is needed\n\nSteps:");
});

test("deletions, manifests, scripts and pipelines are kept on every screen, other files not", () => {
  const files = ["src/a.js", "package.json", ".github/workflows/ci.yml", "scripts/release.sh", "gone.js"].map(
    (path): Solution["files"][number] => ({
      path,
      role: "code",
      change: path === "gone.js" ? "delete" : "edit",
      lines: 3,
    }),
  );
  const section = pageOf({ ...solution, files }, {}, after()).find(({ title }) => title === "Files");
  expect(section?.items.map(({ text, kept = false }) => [text, kept])).toEqual([
    ["edit src/a.js (code, ~3 lines)", false],
    ["edit package.json (code, ~3 lines)", true],
    ["edit .github/workflows/ci.yml (code, ~3 lines)", true],
    ["edit scripts/release.sh (code, ~3 lines)", true],
    ["delete gone.js (code, ~3 lines)", true],
  ]);
});

test("a solution must account for open doubts between 0.40 and 0.60 and for each noted assumption", () => {
  const context = after(
    recorded("component_mapper", {
      ...doubt("storage", 0.5),
      notes: [
        { kind: "assumption", text: "one process" },
        { kind: "assumption", text: "one time zone" },
      ],
    }),
    recorded("dependency_analyzer", { ...doubt("sure", 0.7), notes: [{ kind: "assumption", text: "one process" }] }),
  );
  expect(openAssumptions(context)).toEqual([
    { id: "storage", text: "storage stays" },
    { id: "n1", text: "one process" },
    { id: "n2", text: "one time zone" },
  ]);
  expect(assumptionFaults(context, solution)).toEqual([
    'No assumption covers storage ("storage stays"); n1 ("one process"); n2 ("one time zone"). Name each in `covers` of an assumption. A noted assumption (n1, n2 …) on which the solution does not rest goes into `dropped`.',
  ]);
  const listed: Solution = {
    ...solution,
    assumptions: [redis],
    dropped: [{ id: "n2", because: "no time is shown" }],
  };
  expect(assumptionFaults(context, listed)).toEqual([]);
  const resolved = fold(
    context,
    recorded("assumption_validator", {
      uncertainties: [{ area: "n2", confidence: 0.9, blocking: false, resolved: true, resolution: "app.js:3" }],
    }),
  );
  expect(assumptionFaults(resolved, { ...solution, assumptions: [redis] })).toEqual([]);
  expect(
    assumptionFaults(context, { ...listed, dropped: [{ id: "storage", because: "no" }, ...listed.dropped] }),
  ).toEqual(["storage is both covered by an assumption and dropped."]);
  expect(
    assumptionFaults(after(), {
      ...solution,
      assumptions: Array.from({ length: 8 }, (_, at) => ({
        text: `${at}`,
        if_wrong: at === 0 ? "" : "bad",
        covers: [],
      })),
    }),
  ).toEqual([
    "8 assumptions are too many: at most seven. One assumption may cover several doubts.",
    'The assumption "0" does not say what happens if it is wrong.',
  ]);
});

test("what a person answers or approves is settled, and is not asked for again", () => {
  const noted = after(
    recorded("component_mapper", { ...doubt("storage", 0.5), notes: [{ kind: "assumption", text: "one process" }] }),
  );
  const shown = fold(noted, presented({ ...solution, assumptions: [redis] }));
  const answer = (word: string, confirmed: boolean) =>
    event("assumptions_answered", {
      solution: "abc123abc123",
      answers: [{ id: "A1", text: redis.text, covers: redis.covers, answer: word, confirmed }],
    });
  const struck = fold(shown, answer("no, a file", false));
  expect([openAssumptions(struck), struck.solution?.standing]).toEqual([[], "open"]);
  expect(struck.uncertainties.find(({ area }) => area === "n1")).toMatchObject({
    resolution: "no, a file",
    by: "user",
  });
  const confirmed = fold(shown, answer("ok", true));
  expect([openAssumptions(confirmed), confirmed.solution?.standing]).toEqual([[], "presented"]);
  expect(openAssumptions(fold(shown, event("approval_given", { solution: "abc123abc123" })))).toEqual([]);
});

test("an assumption keeps its number as long as the chain lives, and a new one gets the next free number", () => {
  const [one, two, three] = ["One process.", "One time zone.", "Names are short."].map((text) => ({
    text,
    if_wrong: "bad",
    covers: [],
  }));
  const show = (context: Context, ...assumptions: (typeof one)[]) => {
    const what = { ...solution, assumptions: assumptions.map((each) => each!) };
    const page = pageOf(what, base, context);
    return fold(context, event("solution_presented", { ...presented(what), page }));
  };
  const numbers = ({ engine }: Context) => numbersOn(engine.page?.now);
  const first = show(after(), one, two);
  const second = show(first, two, three);
  const third = show(second, three, { ...one!, text: "one process" });
  expect([first, second, third].map(numbers)).toEqual([
    ["A1", "A2"],
    ["A2", "A3"],
    ["A3", "A1"],
  ]);
});

test("a page is compared with the one that a person judged last, not with one that was withdrawn unseen", () => {
  const show = (context: Context, title: string) => {
    const what = { ...solution, title };
    return fold(context, event("solution_presented", { ...presented(what), page: pageOf(what, base, context) }));
  };
  const asked = event("changes_requested", { solution: "abc123abc123", request: "Other" });
  const first = fold(show(after(), "First"), asked);
  const second = show(show(first, "Nobody saw it"), "Second");
  expect(second.engine.page?.before?.title).toBe("First");
  const rejected = fold(second, event("approval_refused", { solution: "abc123abc123", reason: "" }));
  expect(show(rejected, "Third").engine.page?.before?.title).toBe("Second");
});

test("an assumption that a decision takes or rejects is refused", () => {
  const decisions = [{ choice: "Keep it in a file.", because: "one process", rejected: "redis is there" }];
  expect(assumptionFaults(after(), { ...solution, decisions, assumptions: [redis] })).toEqual([
    'The assumption "Redis is there." is what a decision takes or rejects, so it is decided. Leave it out, or change the decision.',
  ]);
});

const words = fc.constantFrom("one process", "One process.", "redis", "a file", "UTC", "no package");
const note = fc.record({ kind: fc.constant("assumption" as const), text: words });
const report = fc.record({
  notes: fc.array(note, { maxLength: 3 }),
  uncertainties: fc.array(
    fc.record({
      area: fc.constantFrom("storage", "zone", "n1"),
      confidence: fc.constantFrom(0.3, 0.4, 0.5, 0.6, 0.9),
      blocking: fc.boolean(),
      resolved: fc.boolean(),
      resolution: words,
    }),
    { maxLength: 3 },
  ),
});
const proposed = fc.record({
  assumptions: fc.array(
    fc.record({ text: words, if_wrong: words, covers: fc.subarray(["storage", "zone", "n1", "n2"]) }),
    { maxLength: 9 },
  ),
  remaining_concerns: fc.array(words, { maxLength: 3 }),
  decisions: fc.array(fc.record({ choice: words, because: words, rejected: words }), { maxLength: 2 }),
});

test("whatever is reported and noted, the page lists each assumption once, and only those of its own solution", () => {
  fc.assert(
    fc.property(fc.array(report, { maxLength: 4 }), proposed, (reports, parts) => {
      const context = after(...reports.map((one, at) => recorded(`prompt_${at}`, one)));
      const what = solutionSchema.parse({ ...solution, ...parts });
      const sections = pageOf(what, base, context);
      const listed = sections.filter(({ title }) => title === "Assumptions").flatMap(({ items }) => items);
      expect(listed.map(({ text }) => text.slice(0, 2))).toEqual(what.assumptions.map((_, at) => `A${at + 1}`));
      const texts = what.assumptions.map(({ text }) => plainText(text));
      expect(new Set(texts).size).toBe(texts.length);
      // Nothing that was noted or reported changes what the solution says of itself.
      const own = (of: typeof sections) => of.filter(({ title }) => !["Proof", "Suspicions"].includes(title));
      expect(own(sections)).toEqual(own(pageOf(what, base, after())));
      const said = sections.flatMap(({ items }) => items.map(({ text }) => text));
      expect(new Set(said).size).toBe(said.length);
      // What was noted and is neither covered nor dropped is refused, so it cannot stand beside the page unseen.
      const isRefused = assumptionFaults(context, what).length > 0;
      // Nor does an assumption stand beside the decision that it repeats or contradicts.
      const chosen = what.decisions.flatMap(({ choice, rejected }) => [choice, rejected].map(plainText));
      expect(isRefused || !texts.some((text) => chosen.includes(text))).toBe(true);
      const covered = what.assumptions.flatMap(({ covers }) => covers);
      const missing = openAssumptions(context).filter(
        ({ id, text }) => !covered.includes(id) && !texts.includes(plainText(text)),
      );
      expect(isRefused || missing.length === 0).toBe(true);
    }),
  );
});
