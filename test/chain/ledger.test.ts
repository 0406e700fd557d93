import { expect, test } from "vitest";
import { event, type ChainEvent } from "../../src/chain/events.ts";
import { ledgerText, newsText } from "../../src/chain/ledger.ts";
import { patchedSolution } from "../../src/chain/page.ts";
import { after, approved, changed, phase, presented, ran, recorded, solution, started } from "./lines.ts";

const told = (...events: ChainEvent[]) => ledgerText(events);

test("the ledger begins with the task", () => {
  expect(told(started)).toBe("## Task\nAdd a product function\nSize: normal. Mode: tdd. Tests run with: npm test.");
  expect(told({ ...started, test_command: null, size: "tiny" })).toBe(
    "## Task\nAdd a product function\nSize: tiny. Mode: tdd. Tests run with: no command found.",
  );
});

test("a report is told with what it found, and with what of its confidence did not count", () => {
  const report = recorded(
    "uncertainty_analysis",
    {
      summary: "Two things are open.",
      account: "See below.",
      findings: [
        { id: "leak", severity: "blocking", where: "a.js:1", what: "A file stays open.", trigger: "An empty file." },
      ],
      discovered: [
        { key: "stack", value: "node" },
        { key: "routes", value: ["GET /a", "GET /b"] },
      ],
      decisions: [
        { key: "module_system", choice: "ES modules", because: "package.json says so" },
        { key: "style", choice: "plain" },
      ],
      uncertainties: [
        { area: "storage", confidence: 0.5, blocking: true, resolved: false, resolution: "Redis" },
        { area: "names", confidence: 0.7, blocking: false, resolved: false },
        { area: "auth", confidence: 0.95, blocking: false, resolved: true },
      ],
      scores: [
        { name: "ambiguity", value: 0.2 },
        { name: "health", value: 8 },
      ],
      questions: [
        { id: "store", question: "Where do they live?" },
        { id: "limit", question: "How many?", why: "It bounds the table.", options: ["10", "100"] },
      ],
      notes: [{ kind: "assumption", text: "small numbers" }],
      artifacts: [{ kind: "text", name: "Draft", content: "# Draft" }],
    },
    {
      counted: [
        { area: "requirements", score: 0.95, claimed: 0.95, missing: [] },
        { area: "security", score: 0.6, claimed: 0.9, missing: ["file a.js:1", "user name"] },
        { area: "speed", score: 0.6, claimed: 0.7, missing: [] },
      ],
    },
  );
  expect(told(report)).toBe(`## Report of uncertainty_analysis (context-building/1/1-uncertainty_analysis)
Two things are open.
See below.
- finding leak (blocking) a.js:1: A file stays open. Trigger: An empty file.
- discovered stack: node
- discovered routes: GET /a, GET /b
- decided module_system: ES modules because package.json says so
- decided style: plain
- uncertain storage (50%, blocking): Redis
- uncertain names (70%, open)
- uncertain auth (95%, resolved)
- confidence requirements: 95%
- confidence security: 90%, counted 60%: not held as evidence: file a.js:1, user name
- confidence speed: 70%, counted 60%: not held as evidence: none was given
- score ambiguity: 0.2
- score health: 8
- question [store]: Where do they live?
- question [limit]: How many?
- note (assumption): small numbers
### Draft
# Draft`);
});

test("a batch is told in its order", () => {
  const questions = [
    { id: "name", question: "What is it called?" },
    { id: "big", question: "Big numbers?" },
  ];
  expect(
    told(
      event("decision_taken", {
        key: "k/1/controller",
        action: { say: "I ask.", do: { type: "ask_user", questions } },
      }),
      event("questions_asked", { questions }),
      event("question_answered", { id: "name", answer: "product" }),
      phase("context-building", "requirements-clarification", "tokens"),
      phase("uncertainty-analysis", "context-building"),
      event("gate_refused", { to: "done", reasons: ["one", "two"] }),
      event("area_waived", { area: "speed", reason: "one user" }),
      event("size_changed", { to: "tiny", reason: "One file." }),
      event("gap_reported", {
        gaps: [
          { description: "sessions", prompt_kind: "x" },
          { description: "tokens", prompt_kind: "x" },
        ],
      }),
    ).split("\n"),
  ).toEqual([
    "## Decision k/1/controller",
    "I ask.",
    "The user is asked: [name] What is it called? [big] Big numbers?",
    "The user answered (user name): product",
    "## Phase context-building",
    "It is time.",
    "Focus: tokens",
    "## Phase uncertainty-analysis",
    "It is time.",
    'The engine refused "done":',
    "- one",
    "- two",
    "The user set the area speed aside: one user",
    "This task now counts as tiny: One file.",
    "A gap is reported: sessions; tokens",
  ]);
});

test("what is presented, said to it, and done after it is told", () => {
  expect(
    told(
      presented(),
      event("approval_refused", { solution: "x", reason: "" }),
      event("approval_refused", { solution: "x", reason: "too much" }),
      event("changes_requested", { solution: "x", request: "less" }),
      approved,
      event("approval_voided", { reason: "a.js changed" }),
      changed("a.js", "code"),
      changed("a.js", "code", "before"),
      { ...ran("red"), output: "x".repeat(2_001) },
      { ...ran("green"), exit_code: null, output: "ok" },
    ),
  ).toBe(
    [
      "## Presented to the user (abc123abc123)",
      "A product beside the sum",
      "The user rejected the solution and gave no reason.",
      "The user rejected the solution (user rejection): too much.",
      "The user wants changes (user change_request): less",
      "The user approved abc123abc123.",
      "The approval no longer holds: a.js changed",
      "Tests ran (npm test): exit 1, recorded as red.",
      "Tests ran (npm test): exit none, recorded as green.",
    ].join("\n"),
  );
});

test("a test run is one line in the ledger, and told with its output only to a conversation that goes on", () => {
  const long = { ...ran("red"), in_words: "2 of 9 tests fail", output: "x".repeat(2_001) };
  expect(told({ ...long, failing: ["adds", "multiplies"] })).toBe(
    "Tests ran (npm test): exit 1, recorded as red. 2 of 9 tests fail. Failing: adds, multiplies",
  );
  expect(told({ ...long, failing: Array.from({ length: 90 }, () => "a name") })).toHaveLength(300);
  expect(newsText([long], false)).toBe(
    `Tests ran (npm test): exit 1, recorded as red.\n<output kind="data">\n…${"x".repeat(2_000)}\n</output>`,
  );
  expect(newsText([long], true)).toBe("Tests ran (npm test): exit 1, recorded as red.");
});

test("a run before the approval is told in one line, as its command may still be corrected", () => {
  const output = `13 of 13 tests fail.\nFailing:\n${"- a: ImportError: No module named 'src'\n".repeat(13)}`;
  const of = { argv: ["npm", "test"], duration_ms: 1, output_sha256: "", tree_sha256: "", output };
  const judged = event("tests_judged", { ...of, verdict: "failing at baseline", exit_code: 1, run: 1, tried: true });
  expect(newsText([judged], false)).toBe(
    "Test run 1 (npm test): exit 1, recorded as failing at baseline. ImportError: No module named 'src'.",
  );
});

test("what a person changed or brought along is told as it now is", () => {
  const changes = [
    { path: ["discovered", "stack"], before: "node", after: "deno" },
    { path: ["decisions", "x"], before: "y", after: undefined },
  ];
  expect(told(event("context_edited", { changes }))).toBe(
    '## A person edited the context\n- discovered.stack is now "deno"\n- decisions.x is now removed',
  );
  const context = { goal: "x", cost_tracking: { tokens_used: 1 }, evidence: {}, solution: {}, journal: {}, seal: "s" };
  expect(told(event("imported", { context, parts: [] }))).toBe(
    '## Taken over from an earlier context file\n{"goal":"x"}',
  );
  expect(told(event("imported", { context, parts: ["approvals"] }))).toBe(
    '## Taken over from an earlier context file\n{"goal":"x"}\nApprovals named there are history: they permit nothing now.',
  );
});

test("the engine's own affairs are not told", () => {
  const silent: ChainEvent[] = [
    event("reply_rejected", { key: "k", problems: ["x"] }),
    event("prompts_queued", { why: "x", prompts: [] }),
    event("epoch_opened", { number: 1, tools: "", system: [], schema: null, bytes: 0, digest: null }),
    event("ledger_extended", { text: "x" }),
    event("message_ignored", { reason: "x", from: "y" }),
    event("cost_alerted", { usd: 5, threshold: 5 }),
    event("lost_cost_entered", { usd: 0.07 }),
    event("recovered", { lost_lines: 1, kept_as: "x" }),
    event("completed", { summary: "x" }),
  ];
  expect(silent.map((one) => told(one))).toEqual(silent.map(() => ""));
});

test("a stop, a resume, a changed setting and a refusal are told", () => {
  const limits = { turns: 800, budget_usd: null };
  const refused = { id: "x", reason: "not that file", question: false };
  expect(
    told(
      event("parked", { code: "budget", exit: 12, message: "The budget is used up.", next: [{ why: "More." }] }),
      event("resumed", { limits, test_command: ["npm", "test"], mode: "direct" }),
      event("resumed", {}),
      event("permission_refused", refused),
      event("permission_refused", { ...refused, question: true, reason: "Why there?" }),
    ),
  ).toBe(
    [
      "The chain stopped: The budget is used up.",
      "The chain was resumed. Changed settings: turns is now 800; budget_usd is now unlimited; tests run with: npm test; the mode is direct.",
      "The chain was resumed.",
      "The user refused a change or command: not that file",
      "The user asks about a change or command: Why there?",
    ].join("\n"),
  );
});

test("the conversation that holds a reply is told only what the engine made of it", () => {
  const evidence = [{ kind: "file" as const, ref: "a.js:1" }];
  const report = recorded(
    "component_mapper",
    {
      account: "A long account.",
      confidence: [
        { area: "security", score: 0.9, evidence },
        { area: "speed", score: 0.5, evidence },
        { area: "requirements", score: 0.9, evidence },
      ],
    },
    {
      counted: [
        { area: "security", claimed: 0.9, score: 0.6, missing: ["file a.js:1"] },
        { area: "speed", claimed: 0.5, score: 0.5, missing: [] },
      ],
    },
  );
  const action = { say: "On.", do: { type: "advance" as const, to: "uncertainty-analysis", reason: "", prompts: [] } };
  const events = [
    report,
    event("decision_taken", { key: "k", action }),
    phase("uncertainty-analysis", "context-building"),
  ];
  expect(newsText(events, true)).toBe(
    [
      "- confidence security: 90%, counted 60%: not held as evidence: file a.js:1",
      "- confidence requirements: 90% is not taken over, because a prompt that measures has scored this area",
      "## Phase uncertainty-analysis",
      "It is time.",
    ].join("\n"),
  );
});

test("a solution stands in the ledger once: presenting it names the parts that were replaced, and approving it tells it whole", () => {
  const shown = { ...presented(), of: "solution_synthesizer", patched: ["steps"] };
  const reported = recorded("solution_synthesizer", { solution });
  expect(told(reported)).toContain("1. write the test\n2. write the function");
  expect(told({ ...shown, earlier: { files: "111aaa111aaa" } })).toBe(
    "## Presented to the user (abc123abc123): the solution of solution_synthesizer, with other parts: steps, files",
  );
  expect(newsText([shown], true)).toBe(
    "The solution was presented to the user (abc123abc123) with these parts replaced: steps.",
  );
  const steps = ["write the test first"];
  const approval = (...before: ChainEvent[]) => ({
    ...phase("implementation", "solution-approval"),
    ...patchedSolution(after(...before)),
  });
  const patched = { ...presented({ ...solution, steps }), of: "solution_synthesizer", patched: ["steps"] };
  const whole = told(approval(reported, patched));
  expect(whole).toMatch(/^## Phase implementation\nIt is time\.\n### The solution as it was presented last\nA product/);
  expect(whole).toContain("1. write the test first\n");
  const again = { ...patched, patched: [], earlier: { steps: "abc123abc123" } };
  expect(told(approval(reported, patched, again))).toBe(whole);
  expect(told(approval(reported, { ...presented(), of: "solution_synthesizer" }))).toBe(
    "## Phase implementation\nIt is time.",
  );
});
