import { expect, test } from "vitest";
import type { z } from "zod";
import type { Context, Item } from "../../src/chain/context.ts";
import { event, type Body, type ChainEvent } from "../../src/chain/events.ts";
import { judge, reject, type Facts } from "../../src/chain/judge.ts";
import { actionSchema, type Action, type Reply, type Report, type Solution } from "../../src/chain/reply.ts";
import { pageOf, pageText } from "../../src/chain/page.ts";
import { solutionHash } from "../../src/chain/solution.ts";
import { openLibrary } from "../../src/library/library.ts";
import { after, approved, base, changed, fold, inEngine, phase, presented, ran, recorded, solution } from "./lines.ts";

const library = openLibrary([{ scope: "builtin", path: "prompts" }]);
const listed = (await library.all()).prompts;
const prompts = await Promise.all(listed.map(({ name }) => library.find(name)));
const facts: Facts = {
  unheard: undefined,
  prompts: new Map(prompts.map((prompt) => [prompt.name, prompt])),
  offered: [],
  known: new Set(prompts.map(({ name }) => name)),
  base,
  drafts: [],
};

const key = "requirements-clarification/1/controller";
const item: Item = {
  key,
  prompt: "phase_controller",
  inputs: {},
  expects: "action",
  tail: null,
  told: 1,
  fresh: false,
  source: null,
  model: null,
  turns: [],
  rejected: 0,
  note: null,
};

type Do = z.input<typeof actionSchema>["do"];
const actionOf = (what: Do, say = "I do it."): Action => actionSchema.parse({ say, do: what });
const replyOf = (parts: Partial<Reply>): Reply => ({
  report: null,
  action: null,
  problems: [],
  actionProblems: [],
  ...parts,
});

/** What follows from an action of the controller. A solution that it presents is in the report of the same reply. */
const decided = (context: Context, what: Do, known: Facts = facts, artifact?: Solution): ChainEvent[] => {
  const action = actionOf(what);
  const report = artifact ? { summary: "A solution.", solution: artifact } : null;
  const events = judge(context, item, replyOf({ action, report }), known);
  const [first, ...rest] = artifact ? events.slice(1) : events;
  expect(first).toEqual(event("decision_taken", { key, action }));
  return rest;
};
const problems = (what: Do, known: Facts = facts) =>
  judge(after(), item, replyOf({ action: actionOf(what, "") }), known);
const sentBack = (...problems: string[]) => [event("reply_rejected", { key, problems })];
const refused = (to: string, ...reasons: string[]) => event("gate_refused", { to, reasons });

const run = (name: string, inputs: Record<string, string> = {}): Do => ({
  type: "run_prompts",
  prompts: [{ name, inputs: Object.entries(inputs).map(([name, value]) => ({ name, value })) }],
});
const presents: Do = { type: "present_solution" };

test("a prompt or input that does not exist is sent back with what to do instead", () => {
  expect(problems(run("make_coffee"))).toEqual(
    sentBack('There is no prompt "make_coffee". Use a name from the catalogue.'),
  );
  expect(problems(run("stack_detector", { colour: "red" }))).toEqual(sentBack('stack_detector has no input "colour".'));
  expect(problems(run("uncertainty_resolver", { focus: "x", other: "y" }))).toEqual(
    sentBack('uncertainty_resolver has no input "other".', 'uncertainty_resolver needs the input "question".'),
  );
  expect(problems(run("stack_detector", { constructor: "x" }))).toEqual(
    sentBack('stack_detector has no input "constructor".'),
  );
});

test("only what stands in the catalogue can be run", () => {
  for (const name of ["phase_controller", "new_case"])
    expect(problems(run(name))).toEqual(sentBack(`There is no prompt "${name}". Use a name from the catalogue.`));
});

test("an action that says nothing is sent back", () => {
  expect(problems({ type: "run_prompts", prompts: [] })).toEqual(sentBack("run_prompts names no prompt."));
  expect(problems({ type: "ask_user", questions: [] })).toEqual(sentBack("ask_user asks nothing."));
  expect(problems(presents)).toEqual(sentBack("No report holds a solution yet. Report the solution first."));
  expect(problems({ type: "answer", text: " " })).toEqual(sentBack("The answer is empty."));
  const phases =
    "requirements-clarification, context-building, uncertainty-analysis, solution-approval, implementation";
  for (const type of ["advance", "go_back"] as const)
    expect(problems({ type, to: "deployment" })).toEqual(
      sentBack(`There is no phase "deployment". Phases: ${phases}.`),
    );
});

test("a reply that cannot be used three times parks the chain", () => {
  expect(reject({ ...item, rejected: 1 }, key, ["It is not JSON."])).toEqual(sentBack("It is not JSON."));
  expect(reject({ ...item, rejected: 2 }, key, ["It is not JSON.", "x"])).toEqual([
    ...sentBack("It is not JSON.", "x"),
    event("parked", {
      code: "reply_unusable",
      exit: 1,
      message: "The model's reply to phase_controller could not be used three times: It is not JSON.",
      next: [
        {
          operation: "resume",
          input: { model: "<model>" },
          why: "Everything before is kept. Try again, perhaps with another model",
        },
      ],
    }),
  ]);
});

test("prompts are queued under keys of their decision, with those that were weighed; a fourth is sent back", () => {
  const names = ["stack_detector", "component_mapper", "dependency_analyzer"];
  const context = after(phase("context-building", "requirements-clarification"));
  const prompts = names.map((name) => ({ name, inputs: [{ name: "focus", value: name }] }));
  const second = { ...item, key: "context-building/2/controller" };
  const action = actionOf({ type: "run_prompts", prompts });
  const offered = { ...facts, offered: ["stack_detector", "api_surface_mapper"] };
  const [, chosen] = judge(
    context,
    second,
    replyOf({ action: actionOf({ type: "run_prompts", prompts, considered: ["api_surface_mapper", "made_up"] }) }),
    offered,
  );
  expect(chosen).toEqual(expect.objectContaining({ considered: [...names, "api_surface_mapper"] }));
  const four = actionOf({ type: "run_prompts", prompts: [...prompts, prompts[0]!] });
  expect(judge(context, second, replyOf({ action: four }), offered)).toMatchObject([
    { event: "reply_rejected", problems: ["run_prompts takes at most three prompts, and this names 4."] },
  ]);
  expect(judge(context, second, replyOf({ action }), offered).slice(1)).toEqual([
    event("prompts_queued", {
      why: "I do it.",
      considered: [...names, "api_surface_mapper"],
      prompts: names.map((name, index) => ({
        key: `context-building/2/${index + 1}-${name}`,
        name,
        inputs: { focus: name },
        together: true,
      })),
    }),
  ]);
});

const queue = (name: string, inputs: Record<string, string> = {}) =>
  event("prompts_queued", {
    why: "",
    prompts: [{ key: `requirements-clarification/1/1-${name}`, name, inputs }],
  });
const stuckNext = [
  { operation: "ask", input: { question: "…" }, why: "Tell it what it cannot find out" },
  { operation: "waive", input: { area: "<area>", reason: "…" }, why: "Set an area aside" },
  { operation: "resume", why: "Or go on" },
];
const noMovement = (message: string) => event("parked", { code: "no_movement", exit: 11, message, next: stuckNext });

test("the same prompt asked for a third time, although nothing changed, parks the chain", () => {
  const twice = after(queue("stack_detector"), queue("stack_detector"));
  expect(decided(after(queue("stack_detector")), run("stack_detector"))[0]?.event).toBe("prompts_queued");
  expect(decided(twice, run("stack_detector"))).toEqual([
    noMovement("stack_detector was asked for 3 times although nothing had changed."),
  ]);
  expect(decided(twice, run("stack_detector", { focus: "tests" }))[0]?.event).toBe("prompts_queued");
});

test("what changed makes the same prompt a new one", () => {
  const twice = after(queue("stack_detector"), queue("stack_detector"));
  const news: Body[] = [
    recorded("component_mapper", {}, { moved: true }),
    event("question_answered", { id: "x", answer: "y" }),
    changed("a.js", "code"),
    event("resumed", {}),
  ];
  const answers = news.map((body) => decided(fold(twice, body), run("stack_detector"))[0]?.event);
  expect(answers).toEqual(Array(4).fill("prompts_queued"));
  const same = fold(twice, recorded("component_mapper", {}, { moved: false }));
  expect(decided(same, run("stack_detector"))[0]?.event).toBe("parked");
});

test("questions are asked once, at most five at a time", () => {
  const ask = (...ids: string[]): Do => ({
    type: "ask_user",
    questions: ids.map((id) => ({ id, question: `${id}?` })),
  });
  const known = after(event("questions_asked", { questions: [{ id: "a", question: "a?" }] }));
  expect(decided(known, ask("a", "b", "c", "d", "e"))).toEqual([
    event("questions_asked", { questions: ["b", "c", "d", "e"].map((id) => ({ id, question: `${id}?` })) }),
  ]);
  const six = actionOf(ask("a", "b", "c", "d", "e", "f"));
  expect(judge(known, item, replyOf({ action: six }), facts)).toMatchObject([
    { event: "reply_rejected", problems: ["ask_user asks at most five questions at once."] },
  ]);
  expect(decided(known, ask("a"))).toEqual([
    refused("answers", "These questions have been answered already: the answers are above."),
  ]);
});

test("a phase is left through its gate alone, and never into the implementation", () => {
  const sure = recorded("requirement_validator", {
    confidence: [{ area: "requirements", score: 0.95, evidence: [] }],
  });
  expect(decided(after(), { type: "advance", to: "context-building" })).toEqual([
    refused("context-building", "Confidence in the requirements is 0%; 90% is needed."),
  ]);
  expect(decided(after(sure), { type: "advance", to: "context-building", reason: "It is clear." })).toEqual([
    event("phase_changed", {
      from: "requirements-clarification",
      to: "context-building",
      reason: "It is clear.",
      focus: "",
    }),
  ]);
  expect(decided(after(sure), { type: "advance", to: "context-building" })).toMatchObject([{ reason: "I do it." }]);
  const presenting = after(phase("solution-approval", "uncertainty-analysis"), presented(), approved);
  expect(decided(presenting, { type: "advance", to: "implementation" })).toEqual([
    refused("implementation", "Only a person's approval opens the implementation: present the solution."),
  ]);
});

test("a change of phase names the prompts that run first in the phase it opens", () => {
  const sure = after(
    recorded("requirement_validator", { confidence: [{ area: "requirements", score: 0.95, evidence: [] }] }),
  );
  const advance = (...names: string[]): Do => ({
    type: "advance",
    to: "context-building",
    prompts: names.map((name) => ({ name, inputs: [{ name: "focus", value: name }] })),
  });
  const both = ["component_mapper", "dependency_analyzer"];
  const queuedAt = (number: number) =>
    event("prompts_queued", {
      why: "I do it.",
      prompts: both.map((name, index) => ({
        key: `context-building/${number}/${index + 1}-${name}`,
        name,
        inputs: { focus: name },
        together: true,
      })),
      considered: both,
    });
  expect(decided(sure, advance(...both))).toMatchObject([{ event: "phase_changed" }, queuedAt(1)]);
  const measured = fold(sure, phase("context-building", "requirements-clarification"), queuedAt(1), forth);
  expect(decided(measured, { ...advance(...both), type: "go_back" } as Do)).toMatchObject([
    { event: "phase_changed", to: "context-building" },
    queuedAt(2),
  ]);
  expect(problems(advance("make_coffee"))).toEqual(
    sentBack('There is no prompt "make_coffee". Use a name from the catalogue.'),
  );
  expect(problems(advance(...both, ...both))).toEqual(
    sentBack("advance takes at most three prompts, and this names 4."),
  );
  expect(decided(after(), advance(...both))).toMatchObject([{ event: "gate_refused" }]);
});

test("whoever insists on what is refused is parked at the third time", () => {
  const reasons = ["Confidence in the requirements is 0%; 90% is needed."];
  const twice = after(refused("context-building", ...reasons), refused("context-building", ...reasons));
  expect(decided(twice, { type: "advance", to: "context-building" })).toEqual([
    refused("context-building", ...reasons),
    noMovement(`The model insists on "context building", which is refused: ${reasons[0]}`),
  ]);
});

test("a parked chain names what is open and blocking", () => {
  const blocked = after(
    queue("stack_detector"),
    queue("stack_detector"),
    recorded(
      "component_mapper",
      { uncertainties: [{ area: "token_storage", confidence: 0.5, blocking: true, resolved: false }] },
      { moved: false },
    ),
  );
  expect(decided(blocked, run("stack_detector"))).toEqual([
    noMovement("stack_detector was asked for 3 times although nothing had changed. Open and blocking: token storage."),
  ]);
});

const scores = (of: Record<string, number>) =>
  recorded("uncertainty_analysis", {
    confidence: Object.entries(of).map(([area, score]) => ({ area, score, evidence: [] })),
  });
const back: Do = { type: "go_back", to: "context-building", focus: "tokens", reason: "storage blocks" };
const forth = phase("uncertainty-analysis", "context-building");
const returned = phase("context-building", "uncertainty-analysis");

test("going back takes a focus along", () => {
  expect(decided(after(forth), back)).toEqual([
    event("phase_changed", {
      from: "uncertainty-analysis",
      to: "context-building",
      reason: "storage blocks",
      focus: "tokens",
    }),
  ]);
  expect(decided(after(forth), { type: "go_back", to: "solution-approval" })).toEqual([
    refused("solution-approval", "solution-approval does not lie behind uncertainty-analysis."),
  ]);
  expect(decided(after(forth), { type: "go_back", to: "uncertainty-analysis" })[0]?.event).toBe("gate_refused");
});

test("two rounds of exploration without movement park the chain with exit 11", () => {
  const even = { requirements: 0.6, technical_approach: 0.6, implementation_details: 0.6 };
  const once = after(forth, scores(even), returned, forth);
  expect(decided(once, back)[0]?.event).toBe("phase_changed");
  const twice = fold(once, returned, forth);
  expect(decided(twice, back)).toEqual([
    noMovement("Two rounds of exploration have not moved the confidence: it stays at 60%."),
  ]);
  expect(decided(fold(twice, scores({ requirements: 0.7 })), back)[0]?.event).toBe("phase_changed");
  expect(decided(fold(twice, event("resumed", {})), back)[0]?.event).toBe("phase_changed");
  const slower = after(forth, scores({ ...even, requirements: 0.5 }), returned, forth, scores(even), returned, forth);
  expect(decided(slower, back)[0]?.event).toBe("phase_changed");
});

test("the rounds of exploration are counted, and end", () => {
  const rounds = Array.from({ length: 3 }, (_, round) => [returned, forth, scores({ requirements: (round + 1) / 10 })]);
  const used = after(phase("context-building", "requirements-clarification"), forth, ...rounds.flat());
  expect(decided(used, back)).toEqual([noMovement("All 4 rounds of exploration are used up; the confidence is 10%.")]);
  const more = inEngine(used, { limits: { ...used.engine.limits, rounds: 5 } });
  expect(decided(more, back)[0]?.event).toBe("phase_changed");
});

test("going back from what was approved voids the approval", () => {
  const building = after(
    phase("solution-approval", "uncertainty-analysis"),
    presented(),
    approved,
    phase("implementation", "solution-approval"),
  );
  expect(decided(building, { type: "go_back", to: "solution-approval", reason: "one more file" })).toEqual([
    event("approval_voided", { reason: "The chain went back to solution-approval: one more file" }),
    event("phase_changed", { from: "implementation", to: "solution-approval", reason: "one more file", focus: "" }),
  ]);
});

const good = scores({ requirements: 0.95, technical_approach: 0.95, implementation_details: 0.95 });
const ready = after(forth, good);
const large: Solution = {
  ...solution,
  files: [...solution.files, { path: "src/more.js", role: "code", change: "edit", lines: 0 }],
};

const fourFiles: Solution = {
  ...large,
  files: [
    ...large.files,
    { path: "src/third.js", role: "code", change: "new", lines: 0 },
    { path: "src/fourth.js", role: "code", change: "new", lines: 0 },
  ],
};

test("a solution is presented with its text and a hash over it and the files as they are", () => {
  const page = pageOf(large, base, ready);
  const text = pageText(large.title, page);
  expect(decided(ready, presents, facts, large)).toEqual([
    event("phase_changed", {
      from: "uncertainty-analysis",
      to: "solution-approval",
      reason: "The solution is ready to be judged.",
      focus: "",
    }),
    event("solution_presented", {
      solution: large,
      text,
      page,
      id: solutionHash(text, base),
      base,
      of: "phase_controller",
      patched: [],
    }),
  ]);
  const again = fold(ready, phase("solution-approval", "uncertainty-analysis"));
  expect(decided(again, presents, facts, large).map((one) => one.event)).toEqual(["solution_presented"]);
});

test("a solution is not presented before the analysis has let it pass", () => {
  const clarifying = { ...after(), current_phase: "requirements-clarification" } as const;
  expect(decided(clarifying, presents, facts, fourFiles)).toEqual([
    refused(
      "solution-approval",
      "A solution is presented after the uncertainty analysis; this is requirements-clarification.",
    ),
  ]);
  expect(decided(after(forth, scores({ requirements: 0.95 })), presents, facts, large)).toEqual([
    refused(
      "solution-approval",
      "Overall confidence is 32%; 80% is needed.",
      "Confidence in technical_approach is 0%; every area needs 60%.",
      "Confidence in implementation_details is 0%; every area needs 60%.",
    ),
  ]);
  const [measured, ...more] = decided({ ...after(), current_phase: "context-building" }, presents, facts, fourFiles);
  expect([measured, more]).toMatchObject([{ event: "phase_changed", to: "uncertainty-analysis" }, []]);
  expect(decided({ ...ready, current_phase: "implementation" }, presents, facts, solution)).toEqual([
    refused("solution-approval", "To change an approved solution, go back to solution-approval first."),
  ]);
});

test("a path that may never be written is refused before anybody approves it", () => {
  const outside = { ...facts, base: { ...base, ".git/config": "refused", "../up.js": "refused" } };
  expect(decided(ready, presents, outside, solution)).toEqual([
    refused(
      "solution-approval",
      ".git/config cannot be written: it is protected or lies outside the workspace.",
      "../up.js cannot be written: it is protected or lies outside the workspace.",
    ),
  ]);
});

test("tests are a proof where the solution names the command that it makes", () => {
  const noCommand = inEngine(ready, { test_command: null });
  const made = { ...solution, verification: { ...solution.verification, command: "node --test" } };
  const [, shown] = decided(noCommand, presents, facts, made);
  expect(shown).toMatchObject({ event: "solution_presented" });
  expect(shown?.event === "solution_presented" && shown.text).toContain("with: node --test (made by this solution)");
});

test("tests are not a proof where none can be run", () => {
  const noCommand = inEngine(ready, { test_command: null });
  expect(decided(noCommand, presents, facts, solution)).toEqual([
    refused(
      "solution-approval",
      "No test command was found in this workspace. Name in verification.command the command that will run the new tests before any code is there, such as `node --test`. Or propose one with set_test_command, or name a substitute check.",
    ),
  ]);
  const checked: Solution = { ...solution, verification: { kind: "substitute", check: "read it", command: "" } };
  expect(decided(noCommand, presents, facts, checked).map((one) => one.event)).toEqual([
    "phase_changed",
    "solution_presented",
  ]);
});

test("a small and certain solution makes a task tiny, a larger one ends it", () => {
  const clear = recorded("requirement_disambiguator", { scores: [{ name: "ambiguity", value: 0.1 }] });
  const measured = fold(after(clear), scores({ requirements: 0.95 }));
  const early = decided(measured, presents, facts, solution);
  expect(early.map((one) => one.event)).toEqual(["size_changed", "phase_changed", "solution_presented"]);
  expect(early[0]).toEqual(
    event("size_changed", {
      to: "tiny",
      reason: "One code file with its test and a document at most.",
    }),
  );
  expect(early[2]).toMatchObject({
    text: expect.stringContaining(
      "\nMode:\n- tiny: one code file with its test and a document at most, and no reviews",
    ) as string,
  });
  const unclear = after(recorded("requirement_disambiguator", { scores: [{ name: "ambiguity", value: 0.5 }] }));
  expect(decided(unclear, presents, facts, solution)[0]?.event).toBe("gate_refused");
  expect(decided(after(), presents, facts, { ...solution, steps: [] })[0]?.event).toBe("gate_refused");
  expect(decided(after(clear), presents, facts, solution)[0]?.event).toBe("gate_refused");
  const blocked = fold(
    measured,
    recorded("component_mapper", { uncertainties: [doubt("storage", 0.5, { blocking: true })] }),
  );
  expect(decided(blocked, presents, facts, solution)).toEqual([
    refused("solution-approval", 'The blocking uncertainty "storage" is open.'),
  ]);

  const tiny = after(event("size_changed", { to: "tiny", reason: "" }));
  const unsure = { ...solution, confidence: 0.5 };
  expect(decided(tiny, presents, facts, unsure).map((one) => one.event)).toEqual([
    "phase_changed",
    "solution_presented",
  ]);
  expect(decided(tiny, presents, facts, large)[0]?.event).toBe("gate_refused");
  const later = fold(tiny, forth, good);
  const [larger, , shown] = decided(later, presents, facts, large);
  expect(larger).toEqual(
    event("size_changed", {
      to: "normal",
      reason: "The solution needs more than one code file with its test and a document.",
    }),
  );
  expect(shown).toMatchObject({ text: expect.not.stringContaining("Size:") as string });

  const doubtful = recorded("component_mapper", { uncertainties: [doubt("storage", 0.5, { blocking: true })] });
  expect(decided(fold(tiny, doubtful), presents, facts, solution)).toEqual([
    refused("solution-approval", 'The blocking uncertainty "storage" is open.'),
  ]);
});

test("code does not pass for a test", () => {
  const files = [
    { path: "src/product.js", role: "code" as const, change: "new" as const, lines: 0 },
    { path: "src/latest.js", role: "test" as const, change: "new" as const, lines: 0 },
  ];
  const tiny = after(event("size_changed", { to: "tiny", reason: "" }));
  expect(decided(tiny, presents, facts, { ...solution, files })).toEqual([
    refused(
      "solution-approval",
      "src/latest.js does not look like a test: its name or folder must say so, or its role is code.",
    ),
  ]);
});

test("work is called complete when tests were red and are green; the reviews follow by themselves", () => {
  const begun = after(presented(), approved, phase("implementation", "solution-approval"));
  const complete: Do = { type: "complete", summary: "It is there." };
  const building = fold(begun, changed("test/product.test.js", "test"), ran("red"), changed("src/product.js", "code"));
  // The engine runs the tests that are due by itself.
  expect(decided(building, complete)).toEqual([]);
  const failing = fold(building, ran("failing"));
  expect(decided(failing, complete)).toEqual([
    refused("done", "The last test run recorded after the last change did not pass."),
  ]);
  expect(decided(fold(building, ran("green")), complete)).toEqual([]);
  const insists = fold(failing, refused("done", "x"), refused("done", "x"));
  expect(decided(insists, complete).at(-1)).toEqual(
    event("parked", {
      code: "not_verified",
      exit: 13,
      message:
        'The model insists on "done", which is refused: The last test run recorded after the last change did not pass.',
      next: [
        { why: "The files are as they are, nothing is reported as working." },
        { operation: "ask", input: { question: "…" }, why: "Help with a hint" },
        { operation: "resume", why: "Or go on" },
      ],
    }),
  );
});

test("a chain that gives up parks with what it lacks: 1 before the implementation, 13 in it", () => {
  const parked = (exit: number) =>
    event("parked", {
      code: "gave_up",
      exit,
      message: "The model gave up: The goal contradicts itself.",
      next: [
        { operation: "ask", input: { question: "…" }, why: "Everything found out is kept. Add what it lacks" },
        { operation: "resume", why: "Or go on" },
      ],
    });
  const giveUp: Do = { type: "give_up", reason: "The goal contradicts itself." };
  expect(decided(after(), giveUp)).toEqual([parked(1)]);
  expect(decided(after(phase("implementation", "solution-approval")), giveUp)).toEqual([parked(13)]);
});

test("a gap is noted and looked at, the same one once", () => {
  const gaps = [{ description: "sessions to tokens", prompt_kind: "discovery", key_questions: [], similar: [] }];
  const looks = event("prompts_queued", {
    why: "Prompts for it are looked for.",
    prompts: [
      {
        key: "requirements-clarification/0/0-prompt_gap_detector",
        name: "prompt_gap_detector",
        inputs: { gap: "sessions to tokens", considered: "" },
      },
    ],
  });
  const reported = event("gap_reported", { gaps });
  expect(decided(after(), { type: "report_gap", gaps })).toEqual([reported, looks]);
  expect(decided(after(reported, looks), { type: "report_gap", gaps })).toEqual([reported]);
});

const reporting: Item = {
  ...item,
  key: "context-building/1/1-component_mapper",
  prompt: "component_mapper",
  expects: "report",
};
const judged = (context: Context, fields: Partial<Report>) =>
  judge(context, reporting, replyOf({ report: { summary: "Looked.", ...fields } }), facts);
const doubt = (area: string, confidence: number, more: object = {}) => ({
  area,
  confidence,
  blocking: false,
  resolved: false,
  ...more,
});

test("a report is recorded with its scores as they count", () => {
  const report: Report = {
    summary: "Looked.",
    confidence: [{ area: "requirements", score: 0.95, evidence: [{ kind: "task", ref: "goal" }] }],
  };
  expect(judge(after(), reporting, replyOf({ report }), facts)).toEqual([
    event("report_recorded", {
      key: reporting.key,
      prompt: "component_mapper",
      report,
      counted: [{ area: "requirements", score: 0.95, claimed: 0.95, missing: [] }],
      assumptions: [],
      moved: true,
      grounded: false,
    }),
  ]);
});

test("a doubt between 40% and 60% is assumed; others are only noted", () => {
  const uncertainties = [
    doubt("token_storage", 0.39),
    doubt("expiry", 0.4, { resolution: "15 minutes" }),
    doubt("rotation", 0.59),
    doubt("naming", 0.6),
    doubt("settled", 0.5, { resolved: true }),
  ];
  const events = judged(after(), { uncertainties });
  expect(events).toMatchObject([{ assumptions: ["expiry (40% sure): 15 minutes", "rotation (59% sure)"] }]);
});

test("an assumption is recorded once, and is withdrawn when its area is settled", () => {
  const first = after(...judged(after(), { uncertainties: [doubt("expiry", 0.5)] }));
  expect(first.session_memory.assumptions).toEqual(["expiry (50% sure)"]);
  const settled = fold(first, ...judged(first, { uncertainties: [doubt("expiry", 0.95, { resolved: true })] }));
  expect(settled.session_memory.assumptions).toEqual([]);
  const other = fold(first, ...judged(first, { uncertainties: [doubt("expiry", 0.55)] }));
  expect(other.session_memory.assumptions).toEqual(["expiry (55% sure)"]);
  const again = fold(first, ...judged(first, { uncertainties: [doubt("expiry", 0.5)] }));
  expect(again.session_memory.assumptions).toEqual(["expiry (50% sure)"]);
});

test("of a report's questions none is asked twice, none that is known, and at most five", () => {
  const known = after(event("questions_asked", { questions: [{ id: "known", question: "?" }] }));
  const questions = ["known", "a", "b", "a", "c", "d", "e", "f"].map((id) => ({ id, question: `${id}?` }));
  const [, asked] = judged(known, { questions });
  expect(asked?.event === "questions_asked" && asked.questions.map(({ id }) => id)).toEqual(["a", "b", "c", "d", "e"]);
});

const advance: Do = { type: "advance", to: "context-building", reason: "It is clear." };
const clearly: Report = {
  summary: "It is clear.",
  confidence: [{ area: "requirements", score: 0.95, evidence: [{ kind: "task", ref: "goal" }] }],
};

test("an action is judged with what its report made known, and a usable report survives an action that is not", () => {
  const both = (parts: Partial<Reply>) =>
    judge(after(), { ...reporting, prompt: "requirement_validator" }, replyOf(parts), facts);
  const moved = both({ report: clearly, action: actionOf(advance) });
  expect(moved.map((one) => one.event)).toEqual(["report_recorded", "decision_taken", "phase_changed"]);
  const unclear = both({ report: { summary: "Hm." }, action: actionOf(advance) });
  expect(unclear.map((one) => one.event)).toEqual(["report_recorded", "decision_taken", "gate_refused"]);
  const unknown = both({ report: clearly, action: actionOf(run("make_coffee")) });
  expect(unknown).toMatchObject([
    { event: "report_recorded" },
    {
      event: "gate_refused",
      to: "run_prompts",
      reasons: ['There is no prompt "make_coffee". Use a name from the catalogue.'],
    },
  ]);
  expect(both({ report: clearly, actionProblems: ["action.do: is missing"] })).toMatchObject([
    { event: "report_recorded" },
    { event: "gate_refused", to: "a reply without an action", reasons: ["action.do: is missing"] },
  ]);
});

test("a report that asks questions drops its action, and so does a prompt beside others", () => {
  const asking = { ...clearly, questions: [{ id: "a", question: "a?" }] };
  const reply = replyOf({ report: asking, action: actionOf(advance) });
  expect(judge(after(), reporting, reply, facts).map((one) => one.event)).toEqual([
    "report_recorded",
    "questions_asked",
  ]);
  const beside = inEngine(after(), { group: [reporting] });
  const clear = replyOf({ report: clearly, action: actionOf(advance) });
  expect(judge(beside, reporting, clear, facts).map((one) => one.event)).toEqual(["report_recorded"]);
});

test("a solution is presented as a report holds it, or with some of its parts replaced", () => {
  const byName = fold(
    ready,
    recorded("solution_synthesizer", { solution: large }),
    recorded("solution_designer", { solution }),
  );
  const shown = (what: Do) => decided(byName, what).at(-1);
  expect(shown(presents)).toMatchObject({ solution, of: "solution_designer", patched: [] });
  expect(shown({ ...presents, report: "solution_synthesizer" })).toMatchObject({
    solution: large,
    of: "solution_synthesizer",
  });
  const steps = ["only one"];
  const patched = shown({ ...presents, patch: [{ part: "steps", value: steps }] });
  expect(patched).toMatchObject({ solution: { ...solution, steps }, of: "solution_designer", patched: ["steps"] });
  const twice = decided(fold(byName, patched!), { ...presents, patch: [{ part: "tradeoffs", value: [] }] }).at(-1);
  expect(twice).toMatchObject({
    solution: { ...solution, steps, tradeoffs: [] },
    patched: ["tradeoffs"],
    earlier: { steps: (patched as { id?: string }).id },
  });
  const wrong = (what: Do) => judge(byName, item, replyOf({ action: actionOf(what) }), facts);
  expect(wrong({ ...presents, report: "made_up" })).toMatchObject([
    { problems: ['No report of "made_up" holds a solution. These hold one: solution_designer, solution_synthesizer.'] },
  ]);
  expect(wrong({ ...presents, patch: [{ part: "files", value: "src/a.js" }] })).toMatchObject([
    { problems: [expect.stringContaining("The patched solution is not valid: files") as string] },
  ]);
});

test("the report that proposes a small change may measure it; a larger one or a migration is measured on its own", () => {
  const exploring = fold(ready, phase("context-building", "uncertainty-analysis"));
  const three = large;
  expect(decided(exploring, presents, facts, three).map((one) => one.event)).toEqual([
    "phase_changed",
    "solution_presented",
  ]);
  const add = (path: string) => ({
    ...three,
    files: [...three.files.slice(1), { path, role: "code" as const, change: "new" as const, lines: 0 }],
  });
  const measured = { event: "phase_changed", to: "uncertainty-analysis" };
  expect(decided(exploring, presents, facts, fourFiles)).toMatchObject([measured]);
  expect(decided(exploring, presents, facts, add("db/migrations/1.js"))).toMatchObject([measured]);
  const unsure = after(phase("context-building", "requirements-clarification"));
  expect(decided(unsure, presents, facts, three)).toMatchObject([
    {
      event: "gate_refused",
      reasons: expect.arrayContaining(["Overall confidence is 0%; 80% is needed."]) as string[],
    },
  ]);
});

test("a question ends with its answer, but not after a solution was presented", () => {
  const answer: Do = { type: "answer", text: "It retries three times: src/retry.js:12." };
  expect(decided(after(), answer)).toEqual([event("completed", { summary: answer.text, ending: "answered" })]);
  const shown = after(phase("solution-approval", "uncertainty-analysis"), presented());
  expect(decided(shown, answer)).toEqual([
    refused("answer", "A solution was presented: this task is not only a question."),
  ]);
});

test("only text is proved by a person's eyes", () => {
  const byEye = { kind: "person" as const, check: "", command: "" };
  const readme = {
    ...solution,
    files: [{ path: "README.md", role: "doc" as const, change: "edit" as const, lines: 0 }],
    verification: byEye,
  };
  expect(decided(ready, presents, facts, readme).map((one) => one.event)).toEqual([
    "phase_changed",
    "solution_presented",
  ]);
  expect(decided(ready, presents, facts, { ...solution, verification: byEye })).toEqual([
    refused(
      "solution-approval",
      "Only documentation is proved by a person's eyes. Name a test or a substitute check for the code.",
    ),
  ]);
});

test("a report moves the chain where it says what was not known", () => {
  const known = after(
    recorded("stack_detector", {
      discovered: [{ key: "stack", value: ["node"] }],
      decisions: [{ key: "style", choice: "plain" }],
      confidence: [{ area: "requirements", score: 0.6, evidence: [] }],
      uncertainties: [doubt("storage", 0.5)],
    }),
  );
  const moved = (fields: Partial<Report>) => (judged(known, fields)[0] as { moved: boolean }).moved;
  const stale: Partial<Report>[] = [
    {},
    { account: "Many words." },
    { discovered: [{ key: "stack", value: ["node"] }] },
    { decisions: [{ key: "style", choice: "plain" }] },
    { confidence: [{ area: "requirements", score: 0.9, evidence: [] }] },
    { uncertainties: [doubt("storage", 0.55)] },
  ];
  const fresh: Partial<Report>[] = [
    { discovered: [{ key: "stack", value: ["deno"] }] },
    { decisions: [{ key: "style", choice: "fancy" }] },
    { confidence: [{ area: "speed", score: 0.5, evidence: [] }] },
    { uncertainties: [doubt("storage", 0.5, { blocking: true })] },
    { uncertainties: [doubt("storage", 0.9, { resolved: true })] },
    { uncertainties: [doubt("speed", 0.9)] },
  ];
  expect([stale.map(moved), fresh.map(moved)]).toEqual([stale.map(() => false), fresh.map(() => true)]);
});

test("a report says whether it leaves a gate shut that its prompt answers for", () => {
  const at = (prompt: string, phaseKey: string): Item => ({ ...item, key: phaseKey, prompt, expects: "report" });
  const isShut = (by: Item, report: Partial<Report>) => {
    const [first] = judge(after(), by, replyOf({ report: { summary: "s", ...report } }), facts);
    return first?.event === "report_recorded" && first.shut === true;
  };
  const simplicity = (value: number) => ({ scores: [{ name: "simplicity", value }] });
  const checker = at("simplicity_checker", "implementation/1/1-simplicity_checker");
  expect([isShut(checker, simplicity(8)), isShut(checker, simplicity(3))]).toEqual([true, false]);
  expect(isShut(at("uncertainty_analysis", "uncertainty-analysis/1/1-uncertainty_analysis"), {})).toBe(true);
  expect(isShut(at("stack_detector", "context-building/1/1-stack_detector"), {})).toBe(false);
});

test("an action that was proposed before the user spoke does not count; the controller is asked again, twice at most", () => {
  const told = { ...facts, unheard: "Use BigInt." };
  const action = actionOf(run("stack_detector"));
  const again = event("reply_rejected", { key, problems: ["The user has said something since: Use BigInt."] });
  expect(judge(after(), item, replyOf({ action }), told)).toEqual([again]);
  const names = judge(after(), { ...item, rejected: 2 }, replyOf({ action }), told).map((one) => one.event);
  expect(names).toEqual(["decision_taken", "prompts_queued"]);
  const prompt = { ...item, expects: "report" as const, prompt: "stack_detector" };
  const reply = replyOf({ report: { summary: "Found." }, action });
  expect(judge(after(), prompt, reply, told).map((one) => one.event)).toEqual(["report_recorded"]);
});
