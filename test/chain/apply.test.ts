import * as fc from "fast-check";
import { expect, test } from "vitest";
import { apply, replay } from "../../src/chain/apply.ts";
import type { Context } from "../../src/chain/context.ts";
import { noUsage } from "../../src/costs/books.ts";
import { event, type Body } from "../../src/chain/events.ts";
import type { Report } from "../../src/chain/reply.ts";
import { bodies } from "./bodies.ts";
import {
  ada,
  after,
  approved,
  base,
  changed,
  fold,
  frozen,
  gates,
  limits,
  line,
  noon,
  phase,
  presented,
  ran,
  recorded,
  solution,
  started,
} from "./lines.ts";

test("folding a journal twice gives the same context, and changes neither a line nor a context on the way", () => {
  fc.assert(
    fc.property(fc.array(bodies, { maxLength: 25 }), (list) => {
      const lines = frozen(list.map((body, index) => line(body, index + 1)));
      let context = frozen(replay([]));
      for (const one of lines) context = frozen(apply(context, one));
      expect(replay(lines)).toEqual(context);
      expect(replay(structuredClone(lines))).toEqual(context);
    }),
    { numRuns: 300 },
  );
});

test("going on from any point of a journal leads where the whole journal leads", () => {
  fc.assert(
    fc.property(fc.array(bodies, { maxLength: 25 }), fc.nat(25), (list, cut) => {
      const lines = list.map((body, index) => line(body, index + 1));
      const before = JSON.parse(JSON.stringify(replay(lines.slice(0, cut)), keepInfinity), restoreInfinity) as never;
      expect(lines.slice(cut).reduce(apply, before as Context)).toEqual(replay(lines));
    }),
    { numRuns: 200 },
  );
});

const keepInfinity = (_: string, value: unknown) => (value === Infinity ? "Infinity" : value);
const restoreInfinity = (_: string, value: unknown) => (value === "Infinity" ? Infinity : value);

test("a chain begins with what it was given", () => {
  const context = after();
  expect(context).toEqual({
    ...replay([]),
    chain_id: "047",
    started: noon,
    goal: "Add a product function",
    workspace: "/home/ada/sum",
    phase_history: [
      {
        phase: "requirements-clarification",
        started: noon,
        ended: null,
        iterations: 0,
        prompts_executed: [],
        clarifications: [],
      },
    ],
    engine: { ...replay([]).engine, gates, limits, test_command: ["npm", "test"] },
  });
});

const scored = (scores: Record<string, number>) =>
  recorded("uncertainty_analysis", {
    confidence: Object.entries(scores).map(([area, score]) => ({ area, score, evidence: [] })),
  });

test("the overall confidence is the mean of the open areas, as in the seed's example", () => {
  const seed = { requirements: 0.95, technical_approach: 0.85, implementation_details: 0.65 };
  expect(after(scored(seed)).confidence_scores).toEqual({ overall: 0.82, ...seed });
});

test("the three areas that always count are zero until something is said of them; others open by a report", () => {
  expect(after(scored({ requirements: 0.9 })).confidence_scores).toEqual({ overall: 0.3, requirements: 0.9 });
  expect(after(scored({ requirements: 0.9, security: 0.5 })).confidence_scores["overall"]).toBe(0.35);
});

test("an area that was set aside does not count, and the reason is kept", () => {
  const seed = { requirements: 0.95, technical_approach: 0.85, implementation_details: 0.65 };
  const waived = event("area_waived", { area: "implementation_details", reason: "A spike." });
  const context = after(scored(seed), waived);
  expect(context.confidence_scores).toEqual({ overall: 0.9, ...seed });
  expect(context.waived).toEqual({ implementation_details: "A spike." });
  const all = ["requirements", "technical_approach"].map((area) => event("area_waived", { area, reason: "" }));
  expect(fold(context, ...all).confidence_scores["overall"]).toBe(1);
});

test("a report cannot set the overall confidence", () => {
  expect(after(scored({ overall: 1 })).confidence_scores).toEqual({ overall: 0 });
});

test("a score counts as it was judged, not as it was claimed", () => {
  const report = recorded(
    "uncertainty_analysis",
    { confidence: [{ area: "requirements", score: 0.95, evidence: [] }] },
    { counted: [{ area: "requirements", score: 0.6, claimed: 0.95, missing: [] }] },
  );
  expect(after(report).confidence_scores).toEqual({ overall: 0.2, requirements: 0.6 });
});

test("what a report found is taken over; later words replace earlier ones", () => {
  const context = after(
    recorded("component_mapper", {
      discovered: [
        { key: "stack", value: "node" },
        { key: "routes", value: ["GET /"] },
      ],
      decisions: [{ key: "module_system", choice: "CommonJS" }],
      scores: [{ name: "coverage", value: 0.5 }],
      notes: [
        { kind: "assumption", text: "small numbers" },
        { kind: "mistake_corrected", text: "wrong path" },
        { kind: "pattern_identified", text: "pure functions" },
        { kind: "free", text: "nice code" },
      ],
    }),
    recorded("dependency_analyzer", {
      discovered: [{ key: "stack", value: "node-express" }],
      decisions: [{ key: "module_system", choice: "ES modules" }],
      scores: [
        { name: "coverage", value: 0.1 },
        { name: "ambiguity", value: 0 },
      ],
    }),
  );
  expect(context.discovered).toEqual({ stack: "node-express", routes: ["GET /"] });
  expect(context.decisions).toEqual({ module_system: "ES modules" });
  expect(context.scores).toEqual({ coverage: 0.1 });
  expect(context.session_memory).toEqual({
    files_modified: [],
    tests_written: [],
    mistakes_corrected: ["wrong path"],
    patterns_identified: ["pure functions"],
    assumptions: ["small numbers"],
    notes: ["nice code"],
    context_health: null,
  });
  expect(context.prompts_executed).toEqual(["component_mapper", "dependency_analyzer"]);
  expect(context.phase_history[0]?.prompts_executed).toEqual(["component_mapper", "dependency_analyzer"]);
  expect(context.last_response).toBe("dependency_analyzer has looked.");
});

const doubt = (area: string, confidence: number, more: object = {}) => ({
  uncertainties: [{ area, confidence, blocking: true, resolved: false, ...more }],
});

test("an uncertainty is replaced by the next word on its area, but a reviewer's only by its own", () => {
  const first = recorded("component_mapper", doubt("storage", 0.5));
  const own = fold(after(first), recorded("component_mapper", doubt("storage", 0.7, { blocking: false })));
  expect(own.uncertainties).toEqual([
    { area: "storage", confidence: 0.7, blocking: false, resolved: false, resolution: null, by: "component_mapper" },
  ]);
  const words = (of: Context) => of.uncertainties.map(({ confidence, by }) => [confidence, by]);
  const next = fold(after(first), recorded("dependency_analyzer", doubt("storage", 0.6)));
  expect(words(next)).toEqual([[0.6, "dependency_analyzer"]]);
  const both = fold(next, recorded("code_reviewer", doubt("storage", 0.9)));
  expect(words(both)).toEqual([
    [0.6, "dependency_analyzer"],
    [0.9, "code_reviewer"],
  ]);
  expect(words(fold(both, recorded("component_mapper", doubt("storage", 0.8))))).toEqual([
    [0.9, "code_reviewer"],
    [0.8, "component_mapper"],
  ]);
  const settled = recorded("uncertainty_resolver", doubt("storage", 0.95, { resolved: true, resolution: "Redis" }));
  expect(fold(next, settled).uncertainties).toEqual([
    {
      area: "storage",
      confidence: 0.95,
      blocking: false,
      resolved: true,
      resolution: "Redis",
      by: "uncertainty_resolver",
    },
  ]);
});

test("an approval closes what its solution assumes, and nothing that blocks or that only a person can tell", () => {
  const open = (area: string, confidence: number, blocking = false) =>
    ({ area, confidence, blocking, resolved: false, resolution: "as it is" }) as const;
  const uncertainties = [open("ties", 0.5), open("storage", 0.5, true), open("who", 0.3), open("size", 0.7)];
  const assumptions = [{ text: "Ties keep their order.", if_wrong: "They are sorted.", covers: ["ties"] }];
  const shown = presented({ ...solution, assumptions });
  const closed = after(recorded("uncertainty_analysis", { uncertainties }), shown, approved).uncertainties;
  expect(closed.filter(({ resolved }) => resolved).map(({ area }) => area)).toEqual(["ties"]);
});

test("a review withdraws what it no longer finds; another prompt's silence withdraws nothing", () => {
  const found = after(
    recorded("code_reviewer", doubt("off_by_one", 0.9)),
    recorded("component_mapper", doubt("x", 0.9)),
  );
  const mended = changed("src/product.js", "code");
  const again = fold(
    found,
    mended,
    recorded("code_reviewer"),
    recorded("component_mapper"),
    recorded("security_scanner"),
  );
  expect(again.uncertainties.map(({ area }) => area)).toEqual(["x"]);
});

test("an assumption is withdrawn once a report speaks about its area again", () => {
  const assumed = recorded("component_mapper", doubt("storage", 0.5), { assumptions: ["storage (50% sure): Redis"] });
  const other = recorded("dependency_analyzer", doubt("stor", 0.5), { assumptions: ["stor (50% sure)"] });
  const context = after(assumed, other);
  expect(context.session_memory.assumptions).toEqual(["storage (50% sure): Redis", "stor (50% sure)"]);
  const settled = recorded("uncertainty_resolver", doubt("storage", 0.95, { resolved: true }));
  expect(fold(context, settled).session_memory.assumptions).toEqual(["stor (50% sure)"]);
});

test("questions are asked once, and answered in the visit in which they were asked", () => {
  const asked = event("questions_asked", { questions: [{ id: "name", question: "What is it called?" }] });
  const again = event("questions_asked", { questions: [{ id: "name", question: "And now?" }] });
  const answered = event("question_answered", { id: "name", answer: "product" });
  const context = after(asked, again, answered);
  expect(context.questions).toEqual([{ id: "name", question: "What is it called?", answer: "product" }]);
  expect(context.phase_history[0]?.clarifications).toEqual(["What is it called? product"]);
});

test("a phase ends when the next begins, and its focus, queue and refusals do not outlive it", () => {
  const later = "2026-11-20T12:03:00.000Z";
  const begun = after(
    event("prompts_queued", {
      why: "",
      prompts: [
        { key: "requirements-clarification/1/1-requirement_validator", name: "requirement_validator", inputs: {} },
      ],
    }),
    event("gate_refused", { to: "context-building", reasons: ["no"] }),
  );
  expect([begun.engine.refusals, begun.engine.gate]).toEqual([1, { to: "context-building", reasons: ["no"] }]);
  const context = apply(
    begun,
    line(phase("context-building", "requirements-clarification", "the tokens"), 4, { at: later }),
  );
  expect(context.phase_history.map(({ phase, started, ended }) => [phase, started, ended])).toEqual([
    ["requirements-clarification", noon, later],
    ["context-building", later, null],
  ]);
  const { queue, item, focus, gate, refusals } = context.engine;
  expect({ queue, item, focus, gate, refusals }).toEqual({
    queue: [],
    item: null,
    focus: "the tokens",
    gate: null,
    refusals: 0,
  });
});

test("each return from the analysis to the exploration notes how sure the chain was", () => {
  const back = phase("context-building", "uncertainty-analysis");
  const forth = phase("uncertainty-analysis", "context-building");
  const context = after(forth, scored({ requirements: 0.9 }), back, forth, scored({ technical_approach: 0.9 }), back);
  expect(context.engine.rounds).toEqual([0.3, 0.6]);
});

test("what a person says to a solution is remembered with who said it and when", () => {
  const said = [
    event("approval_refused", { solution: "abc", reason: "" }),
    event("approval_refused", { solution: "abc", reason: "too much" }),
    event("more_info_asked", { solution: "abc", question: "Why Redis?" }),
    event("changes_requested", { solution: "abc", request: "use a file" }),
    event("approval_given", { solution: "abc" }),
  ];
  const answers = said.map((body) => {
    const { approval_history, solution: known } = apply(after(presented()), line(body, 4, { by: ada }));
    return [approval_history, known?.standing];
  });
  const entry = (user_response: string) => [
    { phase: "solution-approval", presented: solution.title, hash: "abc", user_response, by: "ada", timestamp: noon },
  ];
  expect(answers).toEqual([
    [entry("rejected"), "open"],
    [entry("rejected: too much"), "open"],
    [entry("more-info: Why Redis?"), "presented"],
    [entry("changes: use a file"), "open"],
    [entry("approved"), "approved"],
  ]);
});

test("what is found out after a solution was presented belongs into it", () => {
  const standing = (fields: Partial<Report>) =>
    fold(after(presented()), recorded("uncertainty_resolver", fields)).solution?.standing;
  const doubt = { area: "storage", confidence: 0.5, blocking: false, resolved: false };
  expect(standing({})).toBe("presented");
  expect(standing({ discovered: [{ key: "stack", value: "node" }] })).toBe("presented");
  expect(standing({ uncertainties: [{ ...doubt, resolved: true }] })).toBe("presented");
  expect(standing({ decisions: [{ key: "storage", choice: "a file" }] })).toBe("open");
  expect(standing({ uncertainties: [doubt] })).toBe("open");
});

test("a newly approved solution starts without proof", () => {
  const built = [approved, changed("test/product.test.js", "test"), ran("red"), changed("src/product.js", "code")];
  const done = after(presented(), ...built, ran("green"), recorded("code_reviewer"));
  const others = {
    ...solution,
    files: [{ path: "src/other.js", role: "code" as const, change: "new" as const, lines: 0 }],
  };
  const again = fold(done, presented(others), approved);
  expect(again.evidence).toMatchObject({ since: 2, red: false, green: false, reviewed: [] });
  expect(again.engine).toMatchObject({ files: {}, untested: false });
});

test("files that a new solution names again are kept as they are, and are measured and reviewed anew", () => {
  const red = after(presented(), approved, ran("baseline", 0), changed("test/product.test.js", "test"), ran("red"));
  const built = fold(red, changed("src/product.js", "code", "old"), ran("green"), recorded("code_reviewer"));
  const shown = event("change_shown", { files: { "src/product.js": "new src/product.js" }, text: "" });
  const byHand = { ...base, "src/product.js": "new src/product.js", "test/product.test.js": "edited by hand" };
  const again = fold(built, shown, { ...presented(), base: byHand }, approved);
  expect(again.evidence).toMatchObject({ since: 0, red: true, green: false, reviewed: [] });
  expect(again.engine).toMatchObject({ untested: true, shown: {} });
  expect(again.engine.files).toEqual({
    "src/product.js": { before: "old", after: "new src/product.js", role: "code", kept: true },
    "test/product.test.js": { before: null, after: "edited by hand", role: "test", kept: true },
  });
  // Deleted by hand, or with another role, a file counts as not written.
  const gone = fold(built, { ...presented(), base: { ...byHand, "src/product.js": null } }, approved);
  expect(Object.keys(gone.engine.files)).toEqual(["test/product.test.js"]);
});

test("red outlives a new approval where one of its tests still stands and belongs to the new solution", () => {
  const red = after(presented(), approved, ran("baseline", 0), changed("test/product.test.js", "test"), ran("red"));
  const code = changed("src/product.js", "code");
  const tested = (...paths: string[]) => ({
    ...solution,
    files: paths.map((path) => ({ path, role: "test" as const, change: "new" as const, lines: 0 })),
  });
  const now = { "src/product.js": "new src/product.js", "test/product.test.js": "new test/product.test.js" };
  const redAfter = (what: typeof solution, ...more: Body[]) =>
    fold(red, ...more, { ...presented(what), base: now }, approved).evidence.red;
  expect([
    redAfter(solution),
    redAfter(solution, code, ran("failing")),
    redAfter(solution, code, ran("green"), code),
    redAfter(tested("test/product.test.js", "test/more.test.js")),
  ]).toEqual([true, true, true, true]);
  expect([
    fold(red, presented(), approved).evidence.red,
    redAfter(tested("test/more.test.js")),
    redAfter({ ...solution, files: solution.files.slice(0, 1) }),
    after(presented(), approved).evidence.red,
  ]).toEqual([false, false, false, false]);
});

test("a resume with nothing written asks for the baseline again, perhaps by another command", () => {
  const based = after(presented(), approved, ran("baseline", 1));
  const resumed = fold(based, event("resumed", { test_command: ["sh", "check.sh"] }));
  expect([resumed.evidence.since, resumed.engine.test_command]).toEqual([1, ["sh", "check.sh"]]);
  const later = fold(based, changed("test/product.test.js", "test"), event("resumed", {}));
  expect([later.evidence.since, later.engine.test_command]).toEqual([0, ["npm", "test"]]);
});

test("a score that opens a gate is believed of the prompt whose work it is, and of no other", () => {
  const names = ["ambiguity", "simplicity", "substitute_check"];
  const believed = (prompt: string) =>
    Object.keys(after(recorded(prompt, { scores: names.map((name) => ({ name, value: 1 })) })).scores);
  expect(
    [
      "requirement_disambiguator",
      "requirement_validator",
      "simplicity_checker",
      "deployment_checker",
      "tdd_flow_controller",
    ].map(believed),
  ).toEqual([["ambiguity"], ["ambiguity"], ["simplicity"], ["substitute_check"], []]);
});

test("a change of any file drops the check that was carried out, and nothing else", () => {
  const measured = after(
    recorded("requirement_disambiguator", { scores: [{ name: "ambiguity", value: 0.2 }] }),
    recorded("simplicity_checker", { scores: [{ name: "simplicity", value: 2 }] }),
    recorded("deployment_checker", { scores: [{ name: "substitute_check", value: 1 }] }),
  );
  expect(measured.scores).toEqual({ ambiguity: 0.2, simplicity: 2, substitute_check: 1 });
  expect(fold(measured, changed("README.md", "doc")).scores).toEqual({ ambiguity: 0.2, simplicity: 2 });
});

test("a reviewer's blocking finding is replaced by that reviewer alone", () => {
  const found = after(recorded("code_reviewer", doubt("off_by_one", 0.9)));
  const settled = recorded("tdd_flow_controller", doubt("off_by_one", 0.95, { resolved: true }));
  const standing = (...reports: Body[]) =>
    fold(found, ...reports).uncertainties.map(({ by, blocking }) => [by, blocking]);
  expect(standing(settled)).toEqual([
    ["code_reviewer", true],
    ["tdd_flow_controller", false],
  ]);
  const resolved = recorded("code_reviewer", doubt("off_by_one", 0.95, { resolved: true }));
  expect(standing(changed("src/product.js", "code"), resolved)).toEqual([["code_reviewer", false]]);
});

test("a prompt of the user's own that the configuration names as a reviewer reviews like the shipped ones", () => {
  const gates = { ...started.gates, quality: ["house_rules"] };
  const chain = fold(after(), { ...started, gates }, recorded("house_rules", doubt("off_by_one", 0.9)));
  expect(fold(chain, recorded("house_rules")).uncertainties).toMatchObject([{ by: "house_rules", blocking: true }]);
  const changedSince = fold(chain, changed("src/product.js", "code"));
  expect(fold(changedSince, recorded("house_rules")).uncertainties).toEqual([]);
});

test("asked once more about the same code, a reviewer cannot take back what it found in the way", () => {
  const found = after(changed("src/product.js", "code"), recorded("code_reviewer", doubt("off_by_one", 0.9)));
  const resolved = recorded("code_reviewer", doubt("off_by_one", 0.95, { resolved: true }));
  for (const again of [resolved, recorded("code_reviewer")]) {
    expect(fold(found, again).uncertainties).toMatchObject([{ area: "off_by_one", blocking: true, resolved: false }]);
  }
});

test("a question or hint while something is built leaves the approval as it is", () => {
  const building = after(presented(), approved);
  const asked = fold(building, event("more_info_asked", { solution: "abc123abc123", question: "Try the other file." }));
  expect([asked.solution?.standing, asked.approval_history]).toEqual(["approved", building.approval_history]);
});

test("a voided approval holds no longer, and a new presentation starts afresh", () => {
  const voided = after(presented(), approved, event("approval_voided", { reason: "changed" }));
  expect(voided.solution?.standing).toBe("void");
  expect(fold(voided, presented()).solution).toEqual({
    solution,
    text: solution.title,
    hash: "abc123abc123",
    base: { "src/product.js": null, "test/product.test.js": null },
    standing: "presented",
  });
});

test("a change of a file makes earlier runs worthless; red stays seen, and so do reviews of the finished change", () => {
  const built = after(
    presented(),
    changed("test/product.test.js", "test"),
    ran("red"),
    changed("src/product.js", "code", "old"),
    ran("green"),
    recorded("code_reviewer"),
  );
  expect(built.session_memory.files_modified).toEqual(["test/product.test.js", "src/product.js"]);
  expect(built.session_memory.tests_written).toEqual(["test/product.test.js"]);
  expect([built.evidence.red, built.evidence.green, built.evidence.reviewed, built.engine.untested]).toEqual([
    true,
    true,
    ["code_reviewer"],
    false,
  ]);
  const again = fold(built, changed("src/product.js", "code", "new src/product.js"));
  expect([again.evidence.red, again.evidence.green, again.evidence.reviewed, again.engine.untested]).toEqual([
    true,
    false,
    ["code_reviewer"],
    true,
  ]);
  expect(again.engine.files["src/product.js"]).toEqual({ before: "old", after: "new src/product.js", role: "code" });
  expect(again.session_memory.files_modified).toEqual(["test/product.test.js", "src/product.js"]);
});

test("a test that failed once more after its change counts as unchanged; one changed after the last red run does not", () => {
  const [one, two] = ["test/one.test.js", "test/two.test.js"];
  const [writesOne, writesTwo] = [changed(one, "test"), changed(two, "test")];
  const again = after(presented(), writesOne, ran("red"), writesOne, writesTwo, ran("red"));
  expect(again.evidence.changed_after_red).toEqual([]);
  const code = changed("src/product.js", "code", "old");
  expect(fold(again, code, ran("failing"), writesTwo, ran("green")).evidence.changed_after_red).toEqual([two]);
  expect(after(presented(), writesOne, ran("red"), writesOne, ran("broken")).evidence.changed_after_red).toEqual([one]);
});

test("prompts that ran alone go on in the conversation of their phase, reviewers and others beside each other do not", () => {
  const asked = (key: string, prompt: string) =>
    ({
      type: "intent",
      effect: "model",
      key,
      turn: 1,
      prompt: { name: prompt, scope: "builtin", sha256: "x", route: "default", tools: "none" },
      request: { model: "m", effort: "medium", max_tokens: 9, epoch: 1, ledger: 1, tail: `# Step ${key}` },
      expected: { usd: 1, tokens: 1 },
      reserved: { usd: 1, tokens: 1 },
    }) as const;
  const run = (key: string, name: string, together = false) => [
    event("prompts_queued", {
      why: "",
      prompts: [{ key, name, inputs: {}, ...(together ? { together: true as const } : {}) }],
    }),
    asked(key, name),
    { ...recorded(name), key },
  ];
  const alone = after(...run("context-building/1/1-component_mapper", "component_mapper"));
  const keys = ({ engine }: Context) => engine.conversation.map(({ key }) => key);
  expect(keys(alone)).toEqual(["context-building/1/1-component_mapper"]);
  const beside = fold(alone, ...run("context-building/2/1-stack_detector", "stack_detector", true));
  const reviewed = fold(beside, ...run("context-building/3/1-code_reviewer", "code_reviewer"));
  expect([keys(beside), keys(reviewed)]).toEqual([keys(alone), keys(alone)]);
  expect(keys(fold(reviewed, phase("uncertainty-analysis", "context-building")))).toEqual([]);
  const anew = event("epoch_opened", { number: 2, tools: "t", system: [], schema: null, bytes: 0, digest: "known" });
  expect(keys(fold(reviewed, anew))).toEqual([]);
});

test("a finding is replaced by its reviewer, closed when it is not repeated after a change, and stands until then", () => {
  const finding = (id: string, severity: "blocking" | "minor" = "blocking") =>
    ({ id, severity, where: "a.js:1", what: `${id}.`, trigger: "always" }) as const;
  const found = after(recorded("code_reviewer", { findings: [finding("leak"), finding("names", "minor")] }));
  const standing = ({ findings }: Context) => findings.map(({ id, by, standing }) => [id, by, standing].join(" "));
  expect(standing(found)).toEqual(["leak code_reviewer open", "names code_reviewer open"]);
  expect(standing(fold(found, recorded("code_reviewer")))).toEqual([
    "leak code_reviewer open",
    "names code_reviewer closed",
  ]);
  expect(standing(fold(found, changed("a.js", "code"), recorded("code_reviewer")))).toEqual([
    "leak code_reviewer closed",
    "names code_reviewer closed",
  ]);
  expect(standing(fold(found, recorded("security_scanner", { findings: [finding("leak")] })))).toEqual([
    "leak code_reviewer open",
    "names code_reviewer open",
    "security_scanner/leak security_scanner open",
  ]);
});

test("a reviewer that looks at a fix need not repeat what did not block and what it could not check", () => {
  const finding = (id: string, severity: "blocking" | "minor") =>
    ({ id, severity, where: "a.js:1", what: `${id}.`, trigger: "always" }) as const;
  const notes = [{ kind: "not_checked" as const, text: "the other repository" }];
  const findings = [finding("leak", "blocking"), finding("names", "minor")];
  const red = after(presented(), approved, changed("test/product.test.js", "test"), ran("red"));
  const finished = fold(red, changed("src/product.js", "code"), ran("green"));
  const first = fold(finished, recorded("code_reviewer", { findings, notes }));
  const second = fold(first, changed("src/product.js", "code"), recorded("code_reviewer"));
  expect(second.findings.map(({ id, standing }) => `${id} ${standing}`)).toEqual(["leak closed", "names open"]);
  expect(second.not_checked).toEqual(["code_reviewer: the other repository"]);
});

test("a definite answer resolves its uncertainty; one that leaves it open makes it an assumption", () => {
  const doubt = { area: "token_storage", confidence: 0.3, blocking: true, resolved: false };
  const question = { id: "where", question: "Where do tokens go?", settles: "token_storage" };
  const open = after(
    recorded("requirement_disambiguator", { uncertainties: [doubt] }),
    event("questions_asked", { questions: [question] }),
  );
  const answered = (answer: string) => fold(open, event("question_answered", { id: "where", answer }));
  expect(answered("into a cookie").uncertainties).toMatchObject([{ resolved: true, resolution: "into a cookie" }]);
  for (const answer of ["You choose", "up to you.", "I don't know", "no preference"]) {
    const left = answered(answer);
    expect(left.uncertainties).toMatchObject([{ resolved: false, blocking: false }]);
    expect(left.session_memory.assumptions).toEqual(["The user left this to the model: Where do tokens go?"]);
  }
  expect(answered("any cookie, but only with httpOnly").uncertainties[0]?.resolved).toBe(true);
});

test("what was read, searched and listed is what evidence can rest on", () => {
  const looked = (kind: "file" | "search" | "list", ref: string) =>
    ({
      type: "result",
      effect: "tool",
      key: "k",
      call: "c",
      tool: "t",
      is_error: false,
      content: { text: "" },
      seen: [{ kind, ref }],
    }) as const;
  const { engine } = after(
    looked("file", "src/a.js:1-20"),
    looked("file", "src/a.js:40-50"),
    looked("file", "README.md"),
    looked("search", "product"),
    looked("list", "src/*"),
  );
  expect(engine.seen).toEqual({
    "src/a.js": [
      [1, 20],
      [40, 50],
    ],
    "README.md": [[1, Infinity]],
  });
  expect(engine.searched).toEqual(["search product", "list src/*"]);
});

test("an inbox message counts once: its name is remembered, however many there are", () => {
  const waive = (from: string) => event("area_waived", { area: "x", reason: "", from });
  const many = Array.from({ length: 130 }, (_, index) => waive(`message-${index}`));
  expect(after(waive("one"), phase("context-building", "requirements-clarification")).engine.taken).toEqual(["one"]);
  expect(after(...many).engine.taken).toEqual(many.map(({ from }) => from));
});

test("a chain that parked runs again with other limits; a completed one has ended its phase", () => {
  const parked = after(event("parked", { code: "budget", exit: 12, message: "No money.", next: [{ why: "More." }] }));
  expect(parked.state).toEqual({
    type: "parked",
    code: "budget",
    exit: 12,
    message: "No money.",
    next: [{ why: "More." }],
  });
  const resumed = fold(parked, event("resumed", { limits: { budget_usd: 20 } }));
  expect([resumed.state, resumed.engine.limits]).toEqual([{ type: "running" }, { ...limits, budget_usd: 20 }]);
  const done = after(event("completed", { summary: "It is there." }));
  expect(done.state).toEqual({
    type: "completed",
    ending: "completed",
    unproved: [],
    summary: "It is there.",
    at: noon,
  });
  expect(done.phase_history.at(-1)?.ended).toBe(noon);
});

test("every call is booked by phase, by prompt and by kind, the unknown ones apart", () => {
  const lost = { calls: 1, usd: 0.25, most_usd: 0.25, tokens: 15, most_tokens: 15 };
  const call = (prompt: string, usd: number | null, isLost = false) =>
    ({
      type: "result",
      effect: "model",
      key: "k",
      turn: 1,
      outcome: { type: "cancelled" },
      booked: {
        phase: "requirements",
        prompt,
        model: "m",
        usage: isLost ? noUsage : { input: 1, output: 2, cacheRead: 3, cacheWrite5m: 4, cacheWrite1h: 5 },
        usd,
        ...(isLost ? { lost } : {}),
      },
    }) as const;
  expect(after(call("a", 0.5), call("b", null), call("a", 0.25, true)).cost_tracking).toEqual({
    tokens_used: 30,
    estimated_cost: 0.75,
    unpriced_calls: 1,
    by_phase: { requirements: 0.75 },
    by_prompt: { a: { calls: 2, tokens: 15, usd: 0.75 }, b: { calls: 1, tokens: 15, usd: 0 } },
    by_kind: { input: 2, output: 4, cache_read: 6, cache_write: 18 },
    unknown_calls: 1,
    unknown_cost: 0.25,
    unknown_tokens: 15,
    lost_calls: [
      {
        phase: "requirements",
        prompt: "a",
        key: "k/turn-1",
        calls: 1,
        usd: 0.25,
        most_usd: 0.25,
        tokens: 15,
        most_tokens: 15,
      },
    ],
  });
});

test("an effect is open from its announcement to its result", () => {
  const intent = { type: "intent", effect: "command", key: "k", call: null, purpose: "tests", argv: ["npm"] } as const;
  const run = {
    argv: ["npm"],
    exit_code: 0,
    duration_ms: 1,
    timed_out: false,
    sandboxed: false,
    output: "",
    output_sha256: "",
  };
  const begun = after(intent);
  expect([begun.engine.open, begun.engine.runs]).toEqual([{ k: line(intent) }, 1]);
  expect(fold(begun, { type: "result", effect: "command", key: "k", call: null, run }).engine.open).toEqual({});
});

test("a new epoch begins with its digest, and a prompt at work begins anew on it", () => {
  const epoch = (number: number, digest: string | null) =>
    event("epoch_opened", { number, tools: "t", system: ["s"], schema: null, bytes: 9, digest });
  const first = after(
    event("ledger_extended", { text: "## Task" }),
    epoch(1, null),
    event("ledger_extended", { text: "ä" }),
  );
  expect([first.engine.ledger, first.engine.ledger_bytes]).toEqual([
    ["## Task", "ä"].map((text) => ({ text, brief: text })),
    9,
  ]);
  const asked = {
    type: "intent",
    effect: "model",
    key: "requirements-clarification/1/controller",
    turn: 1,
    prompt: { name: "phase_controller", scope: "builtin", sha256: "x", route: "default", tools: "none" },
    request: { model: "m", effort: "medium", max_tokens: 9, epoch: 1, ledger: 2, tail: "# Step" },
    expected: { usd: 1, tokens: 1 },
    reserved: { usd: 1, tokens: 1 },
  } as const;
  const replied = {
    type: "result",
    effect: "model",
    key: asked.key,
    turn: 1,
    outcome: { type: "replied", stop: "end_turn", content: [], calls: [] },
    booked: {
      phase: "requirements",
      prompt: "p",
      model: "m",
      usage: { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 },
      usd: 0,
    },
  } as const;
  const second = fold(first, asked, replied, epoch(2, "what is known"));
  expect([second.engine.ledger, second.engine.ledger_bytes, second.engine.epoch?.number]).toEqual([
    [{ text: "what is known", brief: "what is known" }],
    13,
    2,
  ]);
  const { tail, turns, note, told } = second.engine.item ?? {};
  expect({ tail, turns, note, told }).toEqual({ tail: null, turns: [], note: null, told: 1 });
});

test("a cost alert is said once", () => {
  expect([after().engine.alerted, after(event("cost_alerted", { usd: 6, threshold: 5 })).engine.alerted]).toEqual([
    false,
    true,
  ]);
  expect(started.limits.cost_alert_usd).toBeNull();
});

/** The request that asks a person whether a.js may be written. */
const asksForChange = {
  id: "r",
  key: "k",
  said: "",
  kind: "change",
  path: "a.js",
  role: "code",
  before: null,
  after: "h",
} as const;

test("what was allowed for all changes ends with the approval it was given for", () => {
  const all = after(
    presented(),
    approved,
    event("permission_asked", { request: asksForChange }),
    event("permission_given", { id: "r", always: true }),
  );
  expect(all.engine.permits.changes).toBe(true);
  expect(fold(all, presented(), approved).engine.permits.changes).toBe(false);
  expect(fold(all, event("approval_voided", { reason: "It changed." })).engine.permits.changes).toBe(false);
});

test("the version that a person turned down is remembered until they turn down another", () => {
  const asked = after(event("permission_asked", { request: asksForChange }));
  const refused = fold(asked, event("permission_refused", { id: "r", reason: "Why?", question: true }));
  expect(refused.engine.turned_down).toEqual({ "a.js": "h" });
});
