import { expect, test } from "vitest";
import { event, phases, type Body } from "../../src/chain/events.ts";
import { blocking, gate, isRepeatDue, percent, reviewsDue } from "../../src/chain/gates.ts";
import {
  after,
  approved,
  changed,
  fold,
  inEngine,
  offByOne,
  phase,
  presented,
  ran,
  recorded,
  solution,
} from "./lines.ts";

const scores = (of: Record<string, number>) =>
  recorded("uncertainty_analysis", {
    confidence: Object.entries(of).map(([area, score]) => ({ area, score, evidence: [] })),
  });
const ambiguity = (value: number) => recorded("requirement_disambiguator", { scores: [{ name: "ambiguity", value }] });
const asked = (...ids: string[]) =>
  event("questions_asked", { questions: ids.map((id) => ({ id, question: `${id}?` })) });
const waived = (area: string) => event("area_waived", { area, reason: "It may stay open." });
const doubt = (area: string, more: object = {}) =>
  recorded("component_mapper", {
    uncertainties: [{ area, confidence: 0.7, blocking: true, resolved: false, ...more }],
  });

test("the requirements are left at 90%", () => {
  const reasons = (score: number) => gate(after(scores({ requirements: score })), "context-building");
  expect(reasons(0.9)).toEqual([]);
  expect(reasons(0.89)).toEqual(["Confidence in the requirements is 89%; 90% is needed."]);
  expect(gate(after(), "context-building")).toEqual(["Confidence in the requirements is 0%; 90% is needed."]);
  expect(gate(after(waived("requirements")), "context-building")).toEqual([]);
});

test("ambiguity above 30% must first have led to a question", () => {
  const sure = scores({ requirements: 0.95 });
  const reason = "Ambiguity is 50%; above 30% the user must be asked first.";
  expect(gate(after(sure, ambiguity(0.5)), "context-building")).toEqual([reason]);
  expect(gate(after(sure, ambiguity(0.5), asked("a")), "context-building")).toEqual([]);
  expect(gate(after(sure, ambiguity(0.3)), "context-building")).toEqual([]);
  expect(gate(after(ambiguity(0.31)), "context-building")).toEqual([
    "Confidence in the requirements is 0%; 90% is needed.",
    "Ambiguity is 31%; above 30% the user must be asked first.",
  ]);
});

test("the exploration is left when the controller says so", () => {
  expect(gate(after(phase("context-building", "requirements-clarification")), "uncertainty-analysis")).toEqual([]);
});

const analysing = phase("uncertainty-analysis", "context-building");
const analysis = (...bodies: Body[]) => gate(after(analysing, ...bodies), "solution-approval");

test("the analysis is left at 80% overall with no open area below 60%", () => {
  const good = { requirements: 0.9, technical_approach: 0.9, implementation_details: 0.6 };
  expect(analysis(scores(good))).toEqual([]);
  expect(analysis(scores({ ...good, implementation_details: 0.59 }))).toEqual([
    "Confidence in implementation_details is 59%; every area needs 60%.",
  ]);
  expect(analysis(scores({ ...good, requirements: 0.86 }))).toEqual(["Overall confidence is 79%; 80% is needed."]);
  expect(analysis(scores({ requirements: 1, technical_approach: 1 }))).toEqual([
    "Overall confidence is 67%; 80% is needed.",
    "Confidence in implementation_details is 0%; every area needs 60%.",
  ]);
  expect(
    analysis(scores({ requirements: 1, technical_approach: 1, implementation_details: 1, security: 0.5 })),
  ).toEqual(["Confidence in security is 50%; every area needs 60%."]);
});

test("an area that was set aside holds nothing up", () => {
  expect(analysis(scores({ requirements: 0.9, technical_approach: 0.9 }), waived("implementation_details"))).toEqual(
    [],
  );
});

test("a blocking uncertainty holds the analysis up until it is resolved or set aside", () => {
  const good = scores({ requirements: 0.9, technical_approach: 0.9, implementation_details: 0.9 });
  expect(analysis(good, doubt("storage"))).toEqual(['The blocking uncertainty "storage" is open.']);
  expect(analysis(good, doubt("storage", { blocking: false }))).toEqual([]);
  expect(analysis(good, doubt("storage", { resolved: true }))).toEqual([]);
  expect(analysis(good, doubt("storage"), waived("storage"))).toEqual([]);
  expect(analysis(good, doubt("constructor"))).toEqual(['The blocking uncertainty "constructor" is open.']);
});

test("a doubt below 40% must be asked about before a solution is judged", () => {
  const good = scores({ requirements: 0.9, technical_approach: 0.9, implementation_details: 0.9 });
  const open = doubt("expiry", { blocking: false, confidence: 0.39 });
  expect(analysis(good, open)).toEqual(['"expiry" is only 39% certain: ask the user about it.']);
  expect(analysis(good, doubt("expiry", { blocking: false, confidence: 0.4 }))).toEqual([]);
  expect(analysis(good, open, waived("expiry"))).toEqual([]);
  expect(analysis(good, open, asked("expiry"))).toEqual([]);
  const other = event("questions_asked", { questions: [{ id: "how_long", question: "How long?", settles: "expiry" }] });
  expect(analysis(good, open, other)).toEqual([]);
});

test("what blocks is told with who found it", () => {
  expect(blocking(after(doubt("storage"), doubt("style", { blocking: false })))).toEqual([
    { area: "storage", confidence: 0.7, blocking: true, resolved: false, resolution: null, by: "component_mapper" },
  ]);
});

test("the approval is left when a person approved what is presented now", () => {
  const reasons = (...bodies: Body[]) =>
    gate(after(phase("solution-approval", "uncertainty-analysis"), ...bodies), "implementation");
  const nobody = ["Nobody has approved the presented solution."];
  expect(reasons()).toEqual(nobody);
  expect(reasons(presented())).toEqual(nobody);
  expect(reasons(presented(), approved)).toEqual([]);
  expect(reasons(presented(), approved, event("approval_voided", { reason: "changed" }))).toEqual(nobody);
  expect(reasons(presented(), approved, presented())).toEqual(nobody);
  expect(reasons(presented(), event("approval_refused", { solution: "", reason: "" }))).toEqual(nobody);
});

test("no phase is skipped, and none is entered backwards through a gate", () => {
  const refused = phases.flatMap((from, at) =>
    phases.flatMap((to, index) => (index === at + 1 ? [] : [gate({ ...after(), current_phase: from }, to).length])),
  );
  expect(refused).toEqual(Array(phases.length ** 2 - (phases.length - 1)).fill(1));
  expect(gate(after(), "implementation")).toEqual([
    "From requirements-clarification the way leads to context-building, not to implementation. To return, go back.",
  ]);
  expect(gate(after(phase("implementation", "solution-approval")), "context-building")).toEqual([
    "From implementation the way leads to completion, not to context-building. To return, go back.",
  ]);
  expect(gate(after(analysing), "done")).toEqual(["There is nothing built yet."]);
});

const building = [presented(), approved, phase("implementation", "solution-approval")];
const reviews = [
  recorded("code_reviewer"),
  recorded("security_scanner"),
  recorded("simplicity_checker", { scores: [{ name: "simplicity", value: 6 }] }),
];
const built = [changed("test/product.test.js", "test"), ran("red"), changed("src/product.js", "code"), ran("green")];
const whole = after(...building, ...built, ...reviews);

test("an implementation is done with red, green, a change, and every review after the last change", () => {
  expect(gate(whole, "done")).toEqual([]);
  expect(gate(after(...building), "done")).toEqual([
    "The tests were never seen to fail before the code was written.",
    "No file has been changed.",
    "The engine has still to run code_reviewer on the finished change.",
    "The engine has still to run security_scanner on the finished change.",
  ]);
});

test("without red an implementation is not done, unless no test was planned", () => {
  const tests = changed("test/product.test.js", "test");
  const code = [tests, changed("src/product.js", "code"), ran("green"), ...reviews];
  expect(gate(after(...building, ...code), "done")).toEqual([
    "The tests were never seen to fail before the code was written.",
  ]);
  const noTests = presented({ ...solution, files: solution.files.filter(({ role }) => role !== "test") });
  expect(gate(after(noTests, approved, building[2]!, ...code), "done")).toEqual([]);
});

test("a change after the last run asks for green again, and for the reviews that found something", () => {
  const again = fold(whole, changed("src/product.js", "code"));
  expect(gate(again, "done")).toEqual(["The last test run recorded after the last change did not pass."]);
  expect(gate(fold(again, ran("green")), "done")).toEqual([]);
  expect(reviewsDue(fold(again, ran("green")))).toEqual([]);
  const found = fold(whole, recorded("code_reviewer", { findings: [offByOne] }));
  expect(gate(found, "done")).toEqual([
    "The blocking finding off_by_one of code_reviewer is open: It is one too many.",
  ]);
  expect(reviewsDue(found)).toEqual([]);
  const fixed = fold(found, changed("src/product.js", "code"), ran("green"));
  expect(reviewsDue(fixed)).toEqual(["code_reviewer"]);
  expect(gate(fold(fixed, recorded("code_reviewer")), "done")).toEqual([]);
});

test("a review counts only if it saw the finished change, and not for another solution", () => {
  const early = after(...building, built[0]!, ran("red"), ...reviews, built[2]!, ran("green"));
  expect(reviewsDue(early)).toEqual(["code_reviewer", "security_scanner"]);
  expect(reviewsDue(fold(whole, presented(), approved, ...built))).toEqual(["code_reviewer", "security_scanner"]);
});

test("a run that fails after green asks for green again", () => {
  expect(gate(fold(whole, ran("failing"), ...reviews), "done")).toEqual([
    "The last test run recorded after the last change did not pass.",
  ]);
  expect(gate(fold(whole, ran("unproven", 0), ...reviews), "done")).toHaveLength(1);
});

test("the simplicity score must stay below 7", () => {
  const score = (value: number) =>
    gate(fold(whole, recorded("simplicity_checker", { scores: [{ name: "simplicity", value }] })), "done");
  expect(score(6.9)).toEqual([]);
  expect(score(7)).toEqual(["The simplicity score is 7; it must be below 7."]);
});

test("where simplicity is checked, its score must be given, and by that check", () => {
  const strict = inEngine(after(...building, ...built), {
    gates: { ...whole.engine.gates, quality: ["simplicity_checker"] },
  });
  const missing = "simplicity_checker has given no simplicity score.";
  const plain = { scores: [{ name: "simplicity", value: 2 }] };
  expect(gate(fold(strict, recorded("simplicity_checker")), "done")).toEqual([missing]);
  expect(gate(fold(strict, recorded("code_reviewer", plain), recorded("simplicity_checker")), "done")).toEqual([
    missing,
  ]);
  expect(gate(fold(strict, recorded("simplicity_checker", plain)), "done")).toEqual([]);
  const bloated = fold(strict, recorded("simplicity_checker", { scores: [{ name: "simplicity", value: 8 }] }));
  expect(reviewsDue(bloated)).toEqual([]);
  expect(reviewsDue(fold(bloated, changed("src/product.js", "code"), ran("green")))).toEqual(["simplicity_checker"]);
});

test("a blocking finding of a review is resolved by that review, and by nobody's word for it", () => {
  const finding = (resolved: boolean) => ({
    uncertainties: [{ area: "injection", confidence: 0.9, blocking: !resolved, resolved }],
  });
  const found = fold(whole, recorded("security_scanner", finding(false)));
  const open = 'The blocking finding "injection" of security_scanner is open.';
  expect(gate(found, "done")).toEqual([open]);
  expect(gate(fold(found, recorded("tdd_flow_controller", finding(true))), "done")).toEqual([open]);
  const mended = fold(found, changed("src/product.js", "code"), recorded("security_scanner", finding(true)));
  expect(gate(mended, "done")).not.toContain(open);
});

test("a blocking finding must be mended or set aside, and asking again mends nothing", () => {
  const found = fold(
    whole,
    recorded("code_reviewer", {
      uncertainties: [{ area: "off_by_one", confidence: 0.9, blocking: true, resolved: false }],
    }),
  );
  const open = 'The blocking finding "off_by_one" of code_reviewer is open.';
  expect(gate(found, "done")).toEqual([open]);
  expect(gate(fold(found, waived("off_by_one")), "done")).toEqual([]);
  expect(gate(fold(found, recorded("code_reviewer")), "done")).toEqual([open]);
  const mended = fold(found, changed("src/product.js", "code"), recorded("code_reviewer"));
  expect(gate(mended, "done")).not.toContain(open);
});

test("where nothing can go red, the approved check must have been reported", () => {
  const manual = presented({
    ...solution,
    files: [{ path: "README.md", role: "doc", change: "edit", lines: 0 }],
    verification: { kind: "substitute", check: "read it aloud", command: "" },
  });
  const doc = [manual, approved, building[2]!, changed("README.md", "doc"), ran("green"), ...reviews];
  expect(gate(after(...doc), "done")).toEqual([
    "deployment_checker has not reported substitute_check 1 since the last change: read it aloud",
  ]);
  const check = (value: number, prompt = "deployment_checker") =>
    recorded(prompt, { scores: [{ name: "substitute_check", value }] });
  expect(gate(after(...doc, check(1, "tdd_flow_controller")), "done")).toHaveLength(1);
  expect(gate(after(...doc, check(0)), "done")).toHaveLength(1);
  expect(gate(after(...doc, check(1)), "done")).toEqual([]);
});

test("the approved check must be younger than the last change, and a tiny task needs it too", () => {
  const files = [{ path: "src/product.js", role: "code" as const, change: "new" as const, lines: 0 }];
  const manual = presented({
    ...solution,
    files,
    verification: { kind: "substitute", check: "read it aloud", command: "" },
  });
  const change = [changed("src/product.js", "code"), ran("green")];
  const checked = recorded("deployment_checker", { scores: [{ name: "substitute_check", value: 1 }] });
  const tiny = after(
    event("size_changed", { to: "tiny", reason: "One file." }),
    manual,
    approved,
    building[2]!,
    ...change,
  );
  const missing = ["deployment_checker has not reported substitute_check 1 since the last change: read it aloud"];
  expect(gate(tiny, "done")).toEqual(missing);
  expect(gate(fold(tiny, checked), "done")).toEqual([]);
  expect(gate(fold(tiny, checked, ...change), "done")).toEqual(missing);
});

test("files that an earlier solution changed are no change of this one", () => {
  const again = fold(whole, presented(), approved);
  expect(again.session_memory.files_modified).toEqual(["test/product.test.js", "src/product.js"]);
  expect(gate(again, "done")).toContain("No file has been changed.");
});

test("without a test command nothing needs to be green", () => {
  const begun = inEngine(after(...building), { test_command: null });
  const noCommand = fold(begun, changed("test/product.test.js", "test"), changed("src/product.js", "code"), ...reviews);
  expect(gate(noCommand, "done")).toEqual(["The tests were never seen to fail before the code was written."]);
});

test("what was red is repeated without the new code before the end, and again after another command", () => {
  const measured = (verdict: "red" | "green") => ({ ...ran(verdict), setup: "hash of what it was measured with" });
  const [testChange, , codeChange] = built;
  const green = fold(after(...building, testChange!, measured("red"), codeChange!, measured("green")), ...reviews);
  const due = ["The last green run has not been repeated without the new code. The engine does this by itself."];
  const repeated = (why: string | null) =>
    event("red_repeated", { argv: [], exit_code: 1, duration_ms: 1, output: "", failing: [], differs: [], why });
  const command: Body = { type: "intent", effect: "command", key: "k", call: "c", purpose: "command", argv: ["make"] };
  expect([gate(green, "done"), isRepeatDue(green)]).toEqual([due, true]);
  const done = fold(green, repeated(null));
  expect([gate(done, "done"), isRepeatDue(done)]).toEqual([[], false]);
  expect([gate(fold(done, command), "done"), isRepeatDue(fold(done, command))]).toEqual([due, true]);
  expect(isRepeatDue(fold(done, { ...command, purpose: "try" }))).toBe(false);
  const vain = fold(green, repeated("They pass as well."));
  expect([vain.evidence.green, vain.evidence.runs.at(-1)?.verdict, isRepeatDue(vain)]).toEqual([
    false,
    "unproven",
    false,
  ]);
});

test("a tiny task needs red, green and a change, and no reviews", () => {
  const tiny = event("size_changed", { to: "tiny", reason: "One file." });
  expect(gate(after(tiny, ...building, ...built), "done")).toEqual([]);
  expect(gate(after(tiny, ...building, ...built, doubt("style")), "done")).toEqual([
    'The blocking finding "style" of component_mapper is open.',
  ]);
  expect(gate(after(tiny, ...building), "done")).toEqual([
    "The tests were never seen to fail before the code was written.",
    "No file has been changed.",
  ]);
});

test("shares are told as whole percents", () => {
  expect([0, 0.005, 0.824, 0.825, 1].map(percent)).toEqual(["0%", "1%", "82%", "83%", "100%"]);
});
