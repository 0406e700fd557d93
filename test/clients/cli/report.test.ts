import { expect, test } from "vitest";
import { fit } from "../../../src/clients/cli/status_report.ts";
import { reportText, type Moment } from "../../../src/clients/cli/report.ts";
import type { Input } from "../../../src/util/next.ts";
import type { OperationName } from "../../../src/operations/operations.ts";
import { outcome } from "../../support/outcomes.ts";
import type { Json } from "../../../src/util/json.ts";

const say = (operation: OperationName, data: object, ...more: [flags?: Input, moment?: Moment]) =>
  reportText(outcome(operation, data), ...more);

function lines(...text: string[]): string {
  return text.join("\n");
}

const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 14, minute)).toISOString();
const visit = (phase: string, started: number, ended: number | null) => ({
  phase,
  started: at(started),
  ended: ended === null ? null : at(ended),
});

const finished = {
  chain_id: "047",
  goal: "Add JWT authentication to my app",
  current_phase: "implementation",
  phase_history: [
    visit("requirements-clarification", 0, 3),
    visit("context-building", 3, 8),
    visit("uncertainty-analysis", 8, 10),
    visit("context-building", 10, 13),
    visit("uncertainty-analysis", 13, 14),
    visit("solution-approval", 14, 18),
    visit("implementation", 18, 30),
  ],
  confidence_scores: { overall: 0.95, requirements: 0.97 },
  cost_tracking: { estimated_cost: 0.44 },
  status: { state: "completed", waiting_for: null, next: [] },
  context_file: "/w/contexts/chain-047-jwt.json",
};

test("the status of a finished chain: what was done, how long it took, what it cost, how sure it is", () => {
  expect(say("status", { schema_version: 2, all: false, chains: [finished] })).toBe(
    lines(
      "Chain 047: Add JWT authentication to my app",
      "✓ Requirements clarified (3 min)",
      "✓ Context built (8 min)",
      "✓ Uncertainty analysed (3 min)",
      "✓ Solution approved (4 min)",
      "✓ Implementation complete (12 min)",
      "Total time: 30 min",
      "Total cost: $0.44",
      "Confidence: 95%",
      "Ended: completed.",
      "Context: /w/contexts/chain-047-jwt.json",
    ),
  );
});

test("the status of a chain that waits says for what, and what to type", () => {
  const waiting = {
    ...finished,
    questions: [
      { id: "b", question: "Which?", answer: "this one" },
      { id: "a", question: "How long is an access token good?", answer: null },
    ],
    current_phase: "context-building",
    phase_history: [visit("requirements-clarification", 0, 3), visit("context-building", 3, null)],
    status: {
      state: "waiting",
      waiting_for: "answers to 1 question",
      next: [{ operation: "answer", input: { chain: "047", answers_given: ["a=…"] }, why: "Answer" }],
    },
  };
  expect(say("status", { all: false, chains: [waiting] })).toBe(
    lines(
      "Chain 047: Add JWT authentication to my app",
      "✓ Requirements clarified (3 min)",
      "→ Context building",
      "Total time: 3 min",
      "Total cost: $0.44",
      "Confidence: 95%",
      "Waiting for you: answers to 1 question.",
      "  a: How long is an access token good?",
      'Answer: claude-exec answer 047 a="…"',
      "Context: /w/contexts/chain-047-jwt.json",
    ),
  );
});

test.each([
  ["stopped", { state: "stopped", waiting_for: null }, undefined, "Stopped."],
  [
    "stopped for a reason",
    { state: "stopped", waiting_for: "The budget is used up." },
    undefined,
    "Stopped: The budget is used up.",
  ],
  ["at work", { state: "running" }, { what: "code_reviewer", since: at(1) }, "Running: code_reviewer, for 2 min."],
  ["waiting for approval", { state: "waiting", waiting_for: "approval" }, undefined, "Waiting for you: approval."],
])("the status of a chain that is %s says so in one line", (_, status, running, line) => {
  const chain = { ...finished, status, ...(running ? { running } : {}) };
  expect(say("status", { chains: [chain] }, {}, { now: Date.parse(at(3)) }).split("\n")).toContain(line);
});

test("the status of a running chain offers no command that prints the same again, and no confidence before it is measured", () => {
  const next = [{ operation: "status", input: { chain: "047" }, why: "Watch it" }];
  const running = { what: "code_reviewer", since: at(1) };
  const chain = { ...finished, confidence_scores: { overall: 0 }, status: { state: "running", next }, running };
  const shown = say("status", { chains: [chain] }, {}, { now: Date.parse(at(3)) });
  expect(shown).not.toContain("Watch it");
  expect(shown).toContain("\nConfidence: not measured yet\n");
  const measured = { ...chain, confidence_scores: { overall: 0, requirements: 0 } };
  expect(say("status", { chains: [measured] })).toContain("\nConfidence: 0%\n");
});

test("the list of chains has a line for each, the damaged ones too", () => {
  const damaged = { chain_id: "048", problem: "The journal of chain 048 is damaged at line 3: it carries no hash." };
  const running = { ...finished, chain_id: "049", goal: `${"long ".repeat(30)}\nmore`, status: { state: "stopped" } };
  expect(say("status", { all: true, chains: [finished, damaged, running] })).toBe(
    lines(
      "047  completed               95%    $0.44  Add JWT authentication to my app",
      "048  damaged    The journal of chain 048 is damaged at line 3: it carries no hash.",
      `049  stopped                 95%    $0.44  ${"long ".repeat(13).trimEnd()}…`,
    ),
  );
  expect(say("status", { all: false, chains: [{ ...damaged, next: [{ why: "Restore it." }] }] })).toBe(
    lines("Chain 048: The journal of chain 048 is damaged at line 3: it carries no hash.", "Restore it."),
  );
});

test("without chains it says how to begin one", () => {
  expect(say("status", { chains: [] })).toBe('No chains yet. Begin one: claude-exec "what is to be done"');
});

test.each([
  [0, "0 s"],
  [59, "59 s"],
  [60, "1 min"],
  [89 * 60, "89 min"],
  [90 * 60, "1.5 h"],
  [3 * 3600, "3.0 h"],
])("%i seconds are written as %s", (seconds, text) => {
  const started = at(0);
  const ended = new Date(Date.parse(started) + seconds * 1000).toISOString();
  const chain = { ...finished, phase_history: [{ phase: "context-building", started, ended }] };
  expect(say("status", { chains: [chain] })).toContain(`✓ Context built (${text})\nTotal time: ${text}\n`);
});

test.each([
  [0, "$0.00"],
  [0.0004, "$0.000"],
  [0.027, "$0.027"],
  [0.0999, "$0.100"],
  [0.1, "$0.10"],
  [12.345, "$12.35"],
])("%d dollars are written as %s", (usd, text) => {
  const chain = { ...finished, cost_tracking: { estimated_cost: usd } };
  expect(say("status", { chains: [chain] })).toContain(`\nTotal cost: ${text}\n`);
});

const costs = {
  chain_id: "047",
  goal: "jwt auth",
  duration_ms: 12 * 60_000,
  prompts_executed: 8,
  tokens: 12_450,
  usd: 0.22,
  calls: 9,
  usd_per_call: 0.0244,
  complete: true,
  unpriced_calls: 0,
  unknown_calls: 0,
  unknown_usd: 0,
  by_phase: { requirements: 0.02, implementation: 0.2 },
  by_prompt: [
    { name: "phase_controller", calls: 8, tokens: 12_000, usd: 0.2, share: 0.909 },
    { name: "code_reviewer", calls: 1, tokens: 450, usd: 0.02, share: 0.091 },
  ],
  by_kind: { input: 1_000, output: 450, cache_read: 10_000, cache_write: 1_000 },
  total: {
    usd: 0.22,
    saved_usd: 0.4,
    wasted_usd: 0.11,
    repairs: 1,
    repairs_usd: 0.11,
    abandoned: 0,
    abandoned_usd: 0,
    lost: 0,
    lost_usd: 0,
    fast: 6,
    fast_again: 1,
    fast_saved_usd: 0.12,
  },
  by_model: [{ name: "claude-opus-5-5", calls: 9, tokens: 12_450, usd: 0.22, share: 1 }],
};

test("what a chain cost, in all, by phase, by prompt and by model", () => {
  expect(say("chain-cost", costs)).toBe(
    lines(
      "Chain 047 (jwt auth):",
      "  - Total tokens: 12,450 (fresh 1,000, cache read 10,000, cache written 1,000, output 450)",
      "  - Estimated cost: $0.22",
      "  - Duration: 12 min",
      "  - Prompts executed: 8, calls: 9",
      "  - Cost per call: $0.024",
      "  - Saved by the provider's cache: $0.40, against the same tokens at the full input price",
      "  - The fast model saved $0.12; 1 of 6 calls was asked again",
      "  - Wasted: $0.11 (50%): 1 unusable reply $0.11, 0 calls taken back by rewind $0.00, 0 lost calls",
      "    $0.00",
      "",
      "By phase:",
      "  requirements      $0.020",
      "  implementation    $0.20",
      "",
      "By prompt:",
      "  phase_controller     $0.20   91%  8 calls, 12,000 tokens",
      "  code_reviewer       $0.020    9%  1 call, 450 tokens",
      "",
      "By model:",
      "  claude-opus-5-5      $0.22  100%  9 calls, 12,450 tokens",
    ),
  );
});

test("status, chain-cost and the final report say the same time, and how much of it was waiting", () => {
  const [total, waiting] = [30 * 60_000, 12 * 60_000];
  const told = ["status", "chain-cost", "new"] as const;
  const data = {
    status: { chains: [{ ...finished, durations: { total, waiting, by_phase: {} } }] },
    "chain-cost": { ...costs, duration_ms: total, waiting_ms: waiting },
    new: { ...stands, ending: { type: "completed", summary: "It works." }, durations: { total, waiting } },
  };
  for (const operation of told)
    expect(say(operation, data[operation])).toMatch(/(?:[Tt]ime|Duration): 30 min, 12 min of it waiting for you\n/);
});

test("a cost that is not the whole cost says so", () => {
  const lost_calls = [{ calls: 1, usd: 0.05, most_usd: 1.14 }];
  const incomplete = { ...costs, complete: false, unpriced_calls: 2, lost_calls };
  const text = say("chain-cost", incomplete, { home: "my chains" });
  expect(text).toContain("\n  - Estimated cost: $0.22, without 2 calls whose price is not known\n");
  expect(text).toContain(
    lines(
      "",
      "  - This includes $0.050, our estimate for one call whose reply was lost. That call cost $1.14 at",
      "    most.",
      "  - Enter what the provider charged: claude-exec chain-cost 047 --lost <dollars> --home 'my chains'",
      "",
    ),
  );
  const unpriced = { calls: 2, usd: null, most_usd: null };
  expect(say("chain-cost", { ...costs, lost_calls: [unpriced] })).toContain(
    "\n  - This does not include 2 calls whose replies were lost, because no price is known.\n",
  );
});

const stands = {
  chain_id: "047",
  goal: "Add it",
  phase: "implementation",
  confidence: { overall: 0.5, requirements: 1 },
  cost: { usd: 0.44, tokens: 12_450, unpriced_calls: 0 },
  files: [] as Json[],
  test_runs: [] as Json[],
  context_file: "/w/c.json",
};
const cost = ["", "Cost: $0.44, 12,450 tokens. Details: claude-exec chain-cost 047", "Context: /w/c.json"];

const builtCost = [
  ...cost.slice(0, -1),
  "Look at the changes: claude-exec diff 047",
  "Take them back:      claude-exec rewind 047",
  "Context: /w/c.json",
];

test("a chain that is done names what it changed and how its tests went", () => {
  const done = {
    ...stands,
    ending: { type: "completed", summary: "It works." },
    files: [
      { path: "src/a.js", new: false, lines: { added: 12, removed: 3 } },
      { path: "test/a.test.js", new: true },
    ],
    test_runs: [{ verdict: "baseline" }, { verdict: "red" }, { verdict: "green" }],
  };
  expect(say("new", done)).toBe(
    lines(
      "Chain 047 is done. It works.",
      "",
      "Changed:",
      "  ~ src/a.js  +12 −3",
      "  + test/a.test.js",
      "Tests: before: the tests pass · the new tests failed first, as planned · now: all pass",
      ...builtCost,
    ),
  );
});

test("what a person reads wraps at words, and a summary of several sentences is a list", () => {
  const summary = "Clients log in. They need JWT_SECRET, e.g. from a file. Not checked: password guessing.";
  const text = say("new", { ...stands, ending: { type: "completed", summary } });
  expect(text).toContain(
    lines(
      "Chain 047 is done.",
      "  - Clients log in.",
      "  - They need JWT_SECRET, e.g. from a file.",
      "  - Not checked: password guessing.",
      "",
    ),
  );
  expect(say("new", { ...stands, ending: { type: "completed", summary: "One.\n\nTwo. Three." } })).toContain(
    "Chain 047 is done. One.\n\nTwo. Three.\n",
  );
  const long = "a long sentence goes on ".repeat(9).trim();
  const narrow = [
    say("chain-cost", { ...costs, goal: long }, {}, { columns: 60 }),
    say("new", { ...stands, ending: { type: "answered", text: long } }, {}, { columns: 60 }),
    say("new", { ...stands, ending: { type: "parked", message: long, next: [] } }, {}, { columns: 60 }),
    say(
      "new",
      { ...stands, ending: { type: "needs_answers", questions: [{ id: "q", question: long }] } },
      {},
      { columns: 60 },
    ),
  ].flatMap((shown) => shown.split("\n"));
  expect(narrow.filter((line) => line.length > 60 && !line.includes("claude-exec "))).toEqual([]);
});

test("a command to be copied stays on one line, however narrow the terminal is", () => {
  const path = "/home/ada/a folder with a long name/replies.json";
  const typed = lines(
    `Approve:  claude-exec approve 001 --replay '${path}' abc`,
    `Move it away: mv '${path}' '${path}.away'`,
  );
  expect(fit(typed, 40)).toBe(typed);
});

test("a chain that waits for answers lists its questions and the command that answers", () => {
  const questions = [
    { id: "api_name", question: "What is it called?" },
    { id: "big", question: "Big integers?", options: ["yes", "no"] },
  ];
  expect(say("new", { ...stands, ending: { type: "needs_answers", questions } })).toBe(
    lines(
      "  Chain 047 · Implementation · Add it",
      "",
      "Chain 047 waits for answers:",
      "  Tests: npm test (found in package.json). If wrong, add: tests run with …",
      "  api_name: What is it called?",
      "  big: Big integers?  (yes | no)",
      "",
      'Answer: claude-exec answer 047 api_name="…" big="…"',
      ...cost,
    ),
  );
});

test("a chain that waits for approval shows what is to be approved, and every way to answer", () => {
  const solution = { title: "A product", assumptions: [{ text: "small numbers" }] };
  const presented = { text: "A product\n\n- one file", hash: "abc123", solution, standing: "presented" };
  const sections = [{ title: "Assumptions", items: [{ text: "A3 small numbers" }] }];
  const page = { sections, before: null, confirmed: [], asked: null, expected_usd: null };
  const waiting = {
    ...stands,
    phase: "solution-approval",
    goal: "Add it",
    ending: { type: "needs_approval", presented, page },
  };
  expect(say("new", waiting)).toBe(
    lines(
      "  Chain 047 · Solution approval · Add it",
      "",
      "  A product",
      "",
      "  - one file",
      "",
      "Chain 047 waits for approval of abc123.",
      'Assumed:  claude-exec answer 047 A3="no, …"',
      "Approve:  claude-exec approve 047 abc123",
      'Change:   claude-exec change 047 "what should be different"',
      'Ask:      claude-exec ask 047 "your question"',
      'Reject:   claude-exec reject 047 "why"',
      ...cost,
    ),
  );
  const approved = {
    ...waiting,
    ending: { type: "needs_approval", presented: { ...presented, standing: "approved" }, page },
  };
  expect(say("present-solution", approved)).toBe(
    lines(
      "  Chain 047 · Solution approval · Add it",
      "",
      "  A product",
      "",
      "  - one file",
      "",
      "It was approved. Go on: claude-exec resume 047",
      ...cost,
    ),
  );
});

const asked = {
  id: "abc123",
  key: "k",
  kind: "change",
  path: "src/a.js",
  role: "code",
  before: "g",
  after: "h",
  said: "I add it.",
};
const patch = "--- a/src/a.js\n+++ b/src/a.js\n@@ -1,1 +1,2 @@\n one\n+two \n";

test("a chain that waits for permission to change a file shows the change, and every way to answer", () => {
  const ending = { type: "needs_permission", request: asked, diff: patch, proposed: "one\ntwo \n" };
  expect(say("resume", { ...stands, ending }, { home: "/h" })).toBe(
    lines(
      "  Chain 047 · Implementation · Add it",
      "",
      "Chain 047 waits for permission:",
      "  │ I add it.",
      "",
      "  ~ src/a.js (code)  +1, under a minute to read",
      "  @@ -1,1 +1,2 @@",
      "   one",
      "  +two·",
      "",
      "Allow:   claude-exec allow 047 --home /h abc123",
      "Edit:    claude-exec allow 047 --home /h abc123 --edited mine.js",
      'Reject:  claude-exec reject 047 --home /h "why" --request abc123',
      'Ask:     claude-exec ask 047 --home /h "your question" --request abc123',
      "",
      "Cost: $0.44, 12,450 tokens. Details: claude-exec chain-cost 047 --home /h",
      "Context: /w/c.json",
    ),
  );
  const gone = {
    ...ending,
    request: { ...asked, said: "", after: null },
    diff: "--- a\n+++ b\n@@ -1,1 +0,0 @@\n-one\n",
  };
  const text = say("resume", { ...stands, ending: gone });
  expect(text).toContain("Chain 047 waits for permission:\n  - src/a.js (code)  −1, under a minute to read\n");
  expect(text).not.toContain("Edit:");
});

test("a chain that waits for permission to go on without tests names each, and every way to answer", () => {
  const request = { id: "abc123", key: "k", kind: "lost_tests", said: "", lost: ["test/a.test.js", "adds\u202e"] };
  expect(say("new", { ...stands, ending: { type: "needs_permission", request, diff: null, proposed: null } })).toBe(
    lines(
      "  Chain 047 · Implementation · Add it",
      "",
      "Chain 047 waits for permission:",
      "  These tests were there and no longer run:",
      "  - test/a.test.js",
      "  - adds<U+202E>",
      "",
      "Allow:   claude-exec allow 047 abc123",
      'Reject:  claude-exec reject 047 "why" --request abc123',
      'Ask:     claude-exec ask 047 "your question" --request abc123',
      ...cost,
    ),
  );
});

test("the tests are told as a story of one line", () => {
  const told = (...test_runs: object[]) =>
    say("new", { ...stands, test_runs, ending: { type: "completed", summary: "It works." } }, {}, { columns: 200 })
      .split("\n")
      .find((line) => line.startsWith("Tests: "));
  const before = { verdict: "failing at baseline", exit_code: 1, in_words: "18 of 1,274 tests fail" };
  const red = { verdict: "red", exit_code: 1 };
  const green = { verdict: "green", exit_code: 1, in_words: "18 of 1,292 tests fail" };
  expect(told(before, red, { verdict: "failing", exit_code: 1 }, green)).toBe(
    "Tests: before: 18 of 1,274 tests fail · the new tests failed first, as planned · now: all 1,292 pass but the 18 that failed before",
  );
  expect(told(before, red)).toBe("Tests: before: 18 of 1,274 tests fail · the new tests failed first, as planned");
  expect(told(before, { verdict: "broken", in_words: "20 of 1,280 tests fail" }, red)).toContain("before: 18 of 1,274");
  expect(told({ verdict: "broken" })).toBe("Tests: before: no test ran");
  expect(told({ verdict: "failing", in_words: "2 of 3 tests fail" })).toBe("Tests: now: 2 of 3 tests fail");
});

test("a paused chain and its status say why its last run of the tests proves nothing", () => {
  const test_runs = [{ verdict: "red" }, { verdict: "unproven", why: "The tests pass as well on a copy." }];
  const told =
    "\nTests: the new tests failed first, as planned · now: the tests pass, but that proves nothing yet\n  The tests pass as well on a copy.\n";
  const ending = { type: "parked", message: "It is refused.", next: [{ why: "Go on." }] };
  expect(say("resume", { ...stands, test_runs, ending })).toContain(`Go on.\n${told}`);
  const chain = { chain_id: "047", goal: "g", phase_history: [], evidence: { runs: test_runs } };
  expect(say("status", { chains: [chain] })).toContain(told);
});

test("a chain that waits for permission to run something shows the whole command", () => {
  const request = { id: "abc123", key: "k", kind: "command", said: "", line: "make\nmake b\u202e", why: "No sandbox." };
  expect(say("new", { ...stands, ending: { type: "needs_permission", request, diff: null, proposed: null } })).toBe(
    lines(
      "  Chain 047 · Implementation · Add it",
      "",
      "Chain 047 waits for permission:",
      "  $ make",
      "    make b<U+202E>",
      "    No sandbox.",
      "",
      "Allow:   claude-exec allow 047 abc123",
      'Reject:  claude-exec reject 047 "why" --request abc123',
      'Ask:     claude-exec ask 047 "your question" --request abc123',
      ...cost,
    ),
  );
});

test("the end of a chain names what was not checked, what commands changed, and where its changes lie", () => {
  const done = {
    ...stands,
    ending: { type: "completed", summary: "It works." },
    files: [{ path: "src/a.js", new: false }],
    touched: ["package-lock.json", "b\nc"],
    test_runs: [{ verdict: "green" }],
    not_checked: ["no list of known holes without a network.", "a real browser"],
    worktree: { path: "/s/w-001", commands: ["git -C /s/w-001 status", "git worktree remove /s/w-001"] },
  };
  expect(say("new", done)).toBe(
    lines(
      "Chain 047 is done. It works.",
      "",
      "Changed:",
      "  ~ src/a.js",
      "Changed by commands:",
      "  ! package-lock.json",
      "  ! b\\nc",
      "Tests: now: all pass",
      "",
      "Open:",
      "  ! not checked: no list of known holes without a network; a real browser",
      "",
      "Its changes lie uncommitted in a git worktree: /s/w-001",
      "  git -C /s/w-001 status",
      "  git worktree remove /s/w-001",
      ...builtCost,
    ),
  );
  const rewritten = "Test files that changed after the last red run, in which they failed before the code was written:";
  expect(say("new", { ...done, tests_changed: ["test/a.test.js"] })).toContain(`\n${rewritten}\n  ! test/a.test.js\n`);
  expect(say("new", done)).not.toContain("red run");
  const many = Array.from({ length: 23 }, (_, index) => `f${index}`);
  expect(say("new", { ...done, touched: many })).toContain("\n  ! f4\n  and 18 more: claude-exec diff 047\n");
  const none = { ...done, touched: [], not_checked: [], worktree: null };
  expect(say("new", none)).not.toMatch(/not checked|by commands|worktree/);
  expect(say("new", { ...none, mode: "plan-only" })).toContain("Build it: claude-exec resume 047 --mode tdd\n");
});

test("open findings stand in the final report and in status, each with its name, and one command has them fixed", () => {
  const found = ["minor", "major"].map((severity, at) => {
    const id = `edge_${at}`;
    return { id, severity, where: `src/${at}.js`, what: "It rounds down.", trigger: "t", by: "r" };
  });
  const open = ["  ! src/1.js: It rounds down. (major, edge_1)", "  ! src/0.js: It rounds down. (minor, edge_0)"];
  const fix = "  Fix them: claude-exec change 047 'Fix edge_0, edge_1' --home /h";
  const done = { ...stands, ending: { type: "completed", summary: "It works." }, findings: found };
  expect(say("new", done, { home: "/h" })).toContain(lines("Open:", ...open, fix, ""));
  const status = (state: string) =>
    say("status", { chains: [{ ...finished, status: { state }, findings: found }] }, { home: "/h" });
  expect(status("completed")).toContain(lines("Confidence: 95%", ...open, "Ended: completed.", fix, ""));
  expect(status("stopped")).toContain(lines(...open, "Stopped.", ""));
  expect(status("stopped")).not.toContain("Fix them");
});

test("diff shows what is asked for, and all that was changed", () => {
  const changes = [
    { path: "src/a.js", added: 1, removed: 0, diff: patch },
    { path: "logo.png", added: 0, removed: 0, diff: "Binary file logo.png differs\n" },
  ];
  const data = { chain_id: "047", waiting: { request: asked, diff: patch }, changes };
  expect(say("diff", data, { home: "/h" })).toBe(
    lines(
      "Chain 047 waits for permission (abc123):",
      "  ~ src/a.js (code)  +1, under a minute to read",
      "  @@ -1,1 +1,2 @@",
      "   one",
      "  +two·",
      "",
      "Allow:   claude-exec allow 047 --home /h abc123",
      "Edit:    claude-exec allow 047 --home /h abc123 --edited mine.js",
      'Reject:  claude-exec reject 047 --home /h "why" --request abc123',
      'Ask:     claude-exec ask 047 --home /h "your question" --request abc123',
      "",
      "Changed by chain 047:",
      "  src/a.js  +1 −0",
      "  @@ -1,1 +1,2 @@",
      "   one",
      "  +two·",
      "",
      "  logo.png  +0 −0",
      "  Binary file logo.png differs",
      "",
      "Take it back: claude-exec rewind 047 --home /h",
    ),
  );
  expect(say("diff", { ...data, waiting: null, changes: [] })).toBe("Chain 047 has changed no file.");
});

test("rewind tells what became of every file, and what comes next", () => {
  const went = {
    chain_id: "047",
    to: "the approval",
    files_only: false,
    files: [
      { path: "src/a.js", done: "written" },
      { path: "b\nc", done: "removed" },
      { path: "d", done: "as it was" },
    ],
    not_kept: [],
    next: [{ operation: "status", input: { chain: "047" }, why: "See where it stands" }],
  };
  expect(say("rewind", went)).toBe(
    lines(
      "Chain 047 stands before the approval again.",
      "  put back   src/a.js",
      "  removed    b\\nc",
      "  as it was  d",
      "See where it stands: claude-exec status 047",
    ),
  );
  expect(say("rewind", { ...went, files_only: true, files: [], not_kept: ["huge.bin"] })).toBe(
    lines(
      "The files of chain 047 are as they were before the approval; its history stays.",
      "Not put back, as what was in them was not kept:",
      "  huge.bin",
      "See where it stands: claude-exec status 047",
    ),
  );
});

test("a chain that paused says why, and what to type next", () => {
  const parked = {
    type: "parked",
    code: "turns",
    message: "It used its 4 calls.",
    next: [{ operation: "resume", input: { chain: "047" }, why: "Go on" }],
  };
  expect(say("resume", { ...stands, ending: parked })).toBe(
    lines("Chain 047 is paused. It used its 4 calls.", "Go on: claude-exec resume 047", ...cost),
  );
  expect(say("resume", { ...stands, ending: { type: "interrupted" } })).toBe(
    lines(
      "Paused. Everything up to here is kept, and nothing is paid twice.",
      "Resume: claude-exec resume 047",
      ...cost,
    ),
  );
  const unpriced = { usd: 0, tokens: 5, unpriced_calls: 2 };
  expect(say("resume", { ...stands, cost: unpriced, ending: parked })).toContain(
    "\nCost: $0.00, 5 tokens (the price of 2 calls is not known). Details:",
  );
});

test("a measurement lists what is open in words, and says how much is settled", () => {
  const open = [
    { area: "logout_of_tokens", confidence: 0.4, blocking: true },
    { area: "technical_approach", confidence: 0.7, blocking: false },
  ];
  const measured = (doubts: object) => say("uncertainty-check", { ...stands, ending: { type: "reached" }, doubts });
  expect(measured({ open, settled: 1 })).toBe(
    lines(
      "Chain 047 stands at implementation.",
      "Confidence: 50%. Open:",
      "  ? logout of tokens (40%, blocks the solution)",
      "  ? technical approach (70%)",
      "1 more area is settled.",
      ...cost,
    ),
  );
  expect(measured({ open: [], settled: 3 })).toContain("\nConfidence: 50%. Nothing is open: 3 areas are settled.\n");
});

test("the final report names what was decided while building, beside what was approved", () => {
  const ending = { type: "completed", summary: "Done." };
  expect(say("new", { ...stands, ending, decided: ["Dates stay in UTC. Why: the API has no zone"] })).toContain(
    "\nDecided while building, not part of what you approved:\n  → Dates stay in UTC. Why: the API has no zone\n",
  );
});

test("prompts are listed by folder, and broken ones named below", () => {
  const prompt = { name: "code_reviewer", folder: "quality", scope: "builtin", purpose: "Review" };
  expect(
    say("prompts list", {
      prompts: [prompt, { ...prompt, name: "tdd", folder: "design", scope: "workspace", purpose: "Build" }],
      problems: [{ file: "/p/bad.md", message: "/p/bad.md:1: no front matter", next: [{ why: "Mend it." }] }],
    }),
  ).toBe(
    lines(
      "design/",
      "  tdd            Build  (workspace)",
      "quality/",
      "  code_reviewer  Review",
      "! /p/bad.md:1: no front matter",
      "  Mend it.",
    ),
  );
});

test("a prompt is shown with where it lies, what it takes and what it costs", () => {
  const text = say("prompts show", {
    name: "tdd",
    purpose: "Build",
    scope: "builtin",
    file: "/p/tdd.md",
    cost_estimate: "low",
    tokens: 12,
    tools: "run",
    model: "smart",
    phases: [],
    inputs: {
      focus: { type: "line", description: "Where to look", required: true },
      hint: { type: "text", description: "More" },
    },
    body: "\nDo it.\n",
  });
  expect(text).toBe(
    lines(
      "tdd: Build",
      "builtin, /p/tdd.md",
      "cost low, about 12 tokens; tools run; model smart; phases any",
      "input focus (line, required): Where to look",
      "input hint (text): More",
      "",
      "Do it.",
    ),
  );
});

test("doctor, trust and a delivered message are told in a line each", () => {
  const checks = [
    { what: "Node", ok: "yes", found: "v24.15.0", next: [] },
    { what: "model", ok: "no", found: "no key", next: [{ why: "export ANTHROPIC_API_KEY=…" }] },
    { what: "rg", ok: "optional", found: "not installed", next: [] },
  ];
  expect(say("doctor", { version: "1.2.3", checks })).toBe(
    lines(
      "claude-exec 1.2.3",
      "✓ Node     v24.15.0",
      "✗ model    no key",
      "           export ANTHROPIC_API_KEY=…",
      "· rg       not installed",
    ),
  );
  expect(say("trust", { trusted: "/w" })).toBe("Trusted: /w");
  expect(say("answer", { chain_id: "047", delivered: true })).toBe(
    "Delivered. Another process is at work on chain 047 and takes it in.",
  );
});

test("whatever stands in the data, nothing a terminal acts on is printed", () => {
  const hostile = "a\x1b[2J\x1b]0;t\x07b\u202ec\u009bm\rd";
  const poisoned = (value: Json): Json => {
    if (typeof value === "string") return Number.isNaN(Date.parse(value)) ? `${value}${hostile}` : value;
    if (Array.isArray(value)) return value.map(poisoned);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poisoned(inner)]));
  };
  const all: [OperationName, object][] = [
    ["status", { all: false, chains: [finished] }],
    ["status", { all: true, chains: [finished, { chain_id: "1", problem: "p", next: [{ why: "h" }] }] }],
    ["chain-cost", costs],
    ["prompts show", { name: "n", purpose: "p", body: "b" }],
    [
      "prompts list",
      { prompts: [{ name: "n", folder: "f", purpose: "p" }], problems: [{ message: "m", next: [{ why: "h" }] }] },
    ],
    ["doctor", { checks: [{ what: "w", found: "f", next: [{ why: "h" }] }] }],
    ["new", { ...stands, ending: { type: "needs_permission", request: asked, diff: patch } }],
    ["diff", { waiting: { request: asked, diff: patch }, changes: [{ path: "p", diff: patch }] }],
    ["rewind", { to: "t", files: [{ path: "p", done: "d" }], not_kept: ["k"], next: [{ why: "n" }] }],
  ];
  for (const [operation, data] of all) {
    const { data: said } = outcome(operation, data);
    const text = say(operation, poisoned(said as unknown as Json) as object);
    expect(text).toContain("a");
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  }
  const ending = { type: "completed", summary: hostile };
  expect(say("new", { ...stands, ending })).toContain("Chain 047 is done. abcd\n");
});

test("the log tells what was refused and why, what was looked at, and each stop with the going on after it", () => {
  const at = "2026-11-20T12:00:00.000Z";
  const key = "implementation/1/1-tdd_flow_controller";
  const looked = (kind: string, ref: string, rest = {}) => ({
    type: "result",
    effect: "tool",
    key,
    tool: "read_file",
    is_error: false,
    content: { text: "text" },
    seen: [{ kind, ref }],
    ...rest,
  });
  const refused = {
    is_error: true,
    tool: "write_file",
    content: { text: "Tests come first: write them.\nSo." },
    seen: [],
  };
  const happened = (event: string, fields: object) => ({ type: "event", event, ...fields });
  const told = [
    looked("file", "src/a.js:1-40"),
    looked("file", "src/a.js:1-40"),
    looked("search", "guard"),
    looked("file", "", refused),
    happened("interrupted", { why: "Ctrl+C" }),
    happened("parked", { message: "The budget is used up." }),
    happened("resumed", { limits: { budget_usd: 20 }, mode: "direct" }),
    happened("report_recorded", { key, prompt: "tdd_flow_controller", report: { summary: "Done." }, counted: [] }),
    happened("completed", { summary: "Good enough.", ending: "accepted" }),
  ].map((line, index) => ({ n: index + 1, at, ...line }));
  expect(say("log", { chain_id: "047", goal: "Add it", foreign: null, problem: null, next: [], lines: told })).toBe(
    lines(
      "Chain 047: Add it",
      "  ✗ write_file was refused: Tests come first: write them. So.",
      "  ! 2026-11-20 12:00 UTC: Stopped: Ctrl+C.",
      "  · 2026-11-20 12:00 UTC: Went on.",
      "  ! 2026-11-20 12:00 UTC: Stopped: The budget is used up.",
      "  · 2026-11-20 12:00 UTC: Went on: budget usd 20, mode direct.",
      "",
      `  ${key}`,
      "    tdd_flow_controller: Done.",
      "    Looked at: file src/a.js:1-40, search guard",
      "",
      "  ✓ 2026-11-20 12:00 UTC: accepted: Good enough.",
    ),
  );
});

test("the log tells every report in full below the name of its step", () => {
  const at = "2026-11-20T12:00:00.000Z";
  const line = { n: 2, at, type: "event", key: "context-building/1/1-stack_detector", prompt: "stack_detector" };
  const report = {
    summary: "Plain Node.",
    account: "No lock file.",
    discovered: [1, 2, 3, 4].map((number) => ({ key: `fact_${number}`, value: "known" })),
    uncertainties: [{ area: "token_lifetime", confidence: 0.5, blocking: true, resolved: false }],
    notes: [{ kind: "free", text: "The clock is moved by tests." }],
    scores: [{ name: "substitute_check", value: 1 }],
    confidence: [{ area: "technical_approach", score: 0.7, evidence: [] }],
  };
  const told = [
    { n: 1, at, type: "event", event: "decision_taken", key: "k", action: { say: "One look.", do: {} } },
    { ...line, event: "report_recorded", report, counted: [] },
  ];
  expect(say("log", { chain_id: "047", goal: "Add it", foreign: null, problem: null, next: [], lines: told })).toBe(
    lines(
      "Chain 047: Add it",
      "  → One look.",
      "",
      "  context-building/1/1-stack_detector",
      "    stack_detector: Plain Node.",
      "",
      "    No lock file.",
      "    - fact 1: known",
      "    - fact 2: known",
      "    - fact 3: known",
      "    - fact 4: known",
      "    ? token lifetime (50%, blocking)",
      "      The clock is moved by tests.",
      "    = substitute check: 1",
      "    = technical approach: 70%",
      "",
    ),
  );
});
