import { expect, test } from "vitest";
import { event, type ChainEvent, type ChainLine, type Result } from "../../../src/chain/events.ts";
import type { Report } from "../../../src/chain/reply.ts";
import { narrate, title } from "../../../src/clients/cli/narrate.ts";
import type { Screen } from "../../../src/clients/cli/terminal.ts";
import { percent } from "../../../src/clients/cli/values.ts";
import { productSolution } from "../../support/script.ts";

const person = { kind: "person", name: "ada", door: "cli" } as const;

function told(body: ChainEvent | Result, by: ChainLine["by"] = person, columns = 60): string {
  const printed: string[] = [];
  const screen: Screen = {
    columns,
    style: (_, text) => text,
    print: (text) => printed.push(text),
    live: () => undefined,
    close: () => undefined,
  };
  narrate({ n: 1, at: "2026-11-20T12:00:00.000Z", by, hash: "", ...body }, screen);
  return printed.join("\n");
}

/** Every event that is told, with `words` wherever a model, a person or a file has a say. */
function story(words: string): Record<string, [ChainEvent, string]> {
  const report: Report = { summary: words };
  const counted = [
    { area: "requirements", score: 0.6, claimed: 0.95, missing: ["src/a.js:1"] },
    { area: words, score: 0.7, claimed: 0.7, missing: [] },
  ];
  const limits = {
    budget_usd: 10,
    budget_tokens: null,
    cost_alert_usd: 5,
    turns: 4,
    turns_per_prompt: 4,
    rounds: 6,
    repeats: 3,
  };
  const gates = {
    requirements: 0.9,
    ambiguity: 0.3,
    overall: 0.8,
    area: 0.6,
    unproven: 0.6,
    simplicity: 7,
    quality: [],
  };
  const started = { goal: words, slug: "s", mode: "tdd" as const, workspace: "/w", gates, limits, test_command: null };
  const judged = { argv: ["npm", words], duration_ms: 1_240, output_sha256: "", tree_sha256: "", output: words };
  const repeated = { argv: ["npm"], exit_code: 1, duration_ms: 9, output: "", failing: [], differs: [], why: null };
  const recorded = { key: "k", prompt: "p", counted: [], assumptions: [], moved: true, grounded: true };
  const asked = { id: "i", key: "k", said: words };
  const finding = { id: words, severity: "minor" as const, where: words, what: words, trigger: words };
  const say = { say: words, do: { type: "complete" as const, summary: words } };
  return {
    "a task": [event("chain_started", { ...started, size: "normal" }), `${words}\n\nRequirements clarification`],
    "a tiny task": [
      event("chain_started", { ...started, size: "tiny" }),
      `${words}  (tiny)\n\nRequirements clarification`,
    ],
    "an import": [event("imported", { context: {}, parts: [] }), "  · What a context file knows is taken over."],
    "a decision": [event("decision_taken", { key: "implementation/2/controller", action: say }), `  → ${words}`],
    "a report": [
      event("report_recorded", {
        key: "k",
        prompt: "p",
        report,
        counted: [],
        assumptions: [],
        moved: true,
        grounded: true,
      }),
      `  ✓ p: ${words}`,
    ],
    "a report with scores": [
      event("report_recorded", {
        key: "k",
        prompt: "p",
        report,
        counted,
        assumptions: [],
        moved: true,
        grounded: true,
      }),
      `  ✓ p: requirements counts as 60%: the report says 95%\n    without evidence`,
    ],
    "a report of what could not be looked at": [
      event("report_recorded", {
        ...recorded,
        report: {
          ...report,
          notes: [
            { kind: "not_checked", text: words },
            { kind: "free", text: "Never told." },
            { kind: "not_checked", text: "the network" },
            { kind: "not_checked", text: "the network" },
          ],
        },
      }),
      `  ✓ p: ${words}\n  ! not checked: ${words}\n  ! not checked: the network`,
    ],
    "a review that could not look at all of it": [
      event("report_recorded", {
        ...recorded,
        key: "implementation/1/1-p",
        report: { ...report, notes: [{ kind: "not_checked", text: "the network" }] },
      }),
      `  ✓ p: ${words}\n  ! not checked: the network`,
    ],
    "a report of something that stands in the way": [
      event("report_recorded", {
        ...recorded,
        key: "implementation/1/1-p",
        report: {
          ...report,
          uncertainties: [{ area: "secrets", confidence: 0.1, blocking: true, resolved: false }],
          notes: [{ kind: "not_checked", text: "the network" }],
        },
      }),
      `  ✗ p: UNKNOWN, to be settled first: secrets · ${words}\n  ! not checked: the network`,
    ],
    "a review with a finding that must be fixed": [
      event("report_recorded", {
        ...recorded,
        key: "implementation/1/1-p",
        report: { ...report, findings: [finding, { ...finding, severity: "blocking" }] },
      }),
      `  ✗ p: ${words}\n  ! ${words}: ${words} Shows when: ${words} (minor, ${words})\n  ✗ ${words}: ${words} Shows when: ${words} (blocking, ${words})`,
    ],
    "a review that leaves a gate shut": [
      event("report_recorded", { ...recorded, key: "implementation/1/1-p", report, shut: true }),
      `  ✗ p: ${words}`,
    ],
    "a measurement that leaves a gate shut": [
      event("report_recorded", { ...recorded, key: "uncertainty-analysis/1/1-p", report, shut: true }),
      `  ✗ p: ${words}`,
    ],
    "a review whose findings stand in nobody's way": [
      event("report_recorded", {
        ...recorded,
        key: "implementation/1/1-p",
        report: { ...report, findings: [finding] },
      }),
      `  ✓ p: ${words}\n  ! ${words}: ${words} Shows when: ${words} (minor, ${words})`,
    ],
    "a prompt that no model chose": [event("prompts_queued", { why: words, prompts: [] }), `  · ${words}`],
    "a report of something that is resolved, and of a doubt that does not block": [
      event("report_recorded", {
        ...recorded,
        report: {
          ...report,
          uncertainties: [
            { area: "secrets", confidence: 0.1, blocking: true, resolved: true },
            { area: "speed", confidence: 0.1, blocking: false, resolved: false },
          ],
        },
      }),
      `  ✓ p: UNKNOWN: speed · ${words}`,
    ],
    "a report of what is not clear": [
      event("report_recorded", {
        ...recorded,
        report: {
          ...report,
          questions: [{ id: "keys", question: words, settles: "key_order" }],
          uncertainties: [
            { area: "key_order", confidence: 0.2, blocking: true, resolved: false },
            { area: "page_size", confidence: 0.5, blocking: false, resolved: false, resolution: "ten rows" },
          ],
        },
      }),
      `  ✓ p: NOT SPECIFIED: key order · UNCLEAR, so assumed: page\n    size`,
    ],
    "a discovery with its three main findings": [
      event("report_recorded", {
        ...recorded,
        report: {
          ...report,
          discovered: [
            { key: "entry_points", value: ["a.js", "b.js"] },
            { key: "stack", value: words },
            { key: "clock", value: "moved by tests" },
            { key: "more", value: "is in the log" },
          ],
        },
      }),
      `  ✓ p: entry points: a.js, b.js · stack: ${words} · clock:\n    moved by tests`,
    ],
    "a deployment check with its manual steps": [
      event("report_recorded", {
        ...recorded,
        report: { ...report, discovered: [{ key: "manual_steps", value: ["Set the key.", "2. Restart."] }] },
      }),
      `  ✓ p: ${words}\n  · Do by hand:\n    1. Set the key.\n    2. Restart.`,
    ],
    "a rejected reply": [
      event("reply_rejected", { key: "k", problems: [words] }),
      `  ! The reply could not be used: ${words}`,
    ],
    "a gap": [
      event("gap_reported", { gaps: [{ description: words, prompt_kind: "x" }] }),
      `  ! No prompt fits: ${words}`,
    ],
    questions: [
      event("questions_asked", {
        questions: [
          { id: "a", question: words },
          { id: "b", question: "And?" },
        ],
      }),
      `  ? ${words}\n    And?`,
    ],
    "an answer": [event("question_answered", { id: "a", answer: words }), `  · a: ${words}`],
    "a phase": [
      event("phase_changed", { from: "context-building", to: "implementation", reason: words, focus: "" }),
      `\nImplementation · ${words}`,
    ],
    "a phase with a focus": [
      event("phase_changed", { from: "uncertainty-analysis", to: "context-building", reason: "", focus: words }),
      `\nContext building · focus: ${words}`,
    ],
    "a refusal": [
      event("gate_refused", { to: "solution-approval", reasons: [words, `"token_age" is only 30% certain.`] }),
      `  ✗ Refused (solution approval): ${words} "token age" is only\n    30% certain.`,
    ],
    "a waiver": [event("area_waived", { area: "speed", reason: words }), `  · speed is set aside: ${words}`],
    "a size": [event("size_changed", { to: "normal", reason: words }), `  · This task now counts as normal: ${words}`],
    "a solution": [
      event("solution_presented", { solution: productSolution as never, text: `${words}\n- one`, id: "i", base: {} }),
      `\n  │ ${words}\n  │ - one\n`,
    ],
    "an approval": [event("approval_given", { solution: "abc" }), "  ✓ Approved abc by ada."],
    "a rejection": [event("approval_refused", { solution: "abc", reason: words }), `  ✗ Rejected: ${words}.`],
    "a rejection without a reason": [event("approval_refused", { solution: "abc", reason: "" }), "  ✗ Rejected."],
    "a wish": [event("changes_requested", { solution: "abc", request: words }), `  · Changes asked for: ${words}`],
    "a question back": [event("more_info_asked", { solution: "abc", question: words }), `  · Asked: ${words}`],
    "a voided approval": [event("approval_voided", { reason: words }), `  ! The approval no longer holds. ${words}`],
    "an ignored message": [event("message_ignored", { reason: words, from: "m" }), `  ! Not taken in: ${words}`],
    "a new file": [
      event("file_changed", { path: words, role: "test", before: null, after: "h" }),
      `  + ${words} (test)`,
    ],
    "a changed file": [
      event("file_changed", { path: words, role: "code", before: "g", after: "h" }),
      `  ~ ${words} (code)`,
    ],
    "a deleted file": [
      event("file_changed", { path: words, role: "code", before: "g", after: null }),
      `  - ${words} (code)`,
    ],
    "a changed file, and by how much": [
      event("file_changed", {
        path: words,
        role: "code",
        before: "g",
        after: "h",
        lines: { added: 12, removed: 3 },
      }),
      `  ~ ${words} (code)  +12 −3`,
    ],
    "a wait for permission to write": [
      event("permission_asked", {
        request: { ...asked, kind: "change", path: words, role: "code", before: null, after: "h" },
      }),
      `  ? Waits for permission to write ${words} (code)`,
    ],
    "a wait for permission to delete": [
      event("permission_asked", {
        request: { ...asked, kind: "change", path: words, role: "doc", before: "g", after: null },
      }),
      `  ? Waits for permission to delete ${words} (doc)`,
    ],
    "a wait for permission to run": [
      event("permission_asked", {
        request: { ...asked, kind: "command", line: `${words}\nb`, why: words, sandboxed: false },
      }),
      `  ? Waits for permission to run: ${words} (+1 line)`,
    ],
    "a permission": [event("permission_given", { id: "i", always: false }), "  ✓ Allowed by ada."],
    "a permission for good": [
      event("permission_given", { id: "i", always: true }),
      "  ✓ Allowed by ada, and what is like it.",
    ],
    "a permission with another text": [
      event("permission_given", { id: "i", always: false, edited: "h" }),
      "  ✓ Allowed by ada, with changes of their own.",
    ],
    "a refused permission": [
      event("permission_refused", { id: "i", reason: words, question: false }),
      `  ✗ Refused by ada: ${words}`,
    ],
    "a permission refused without a reason": [
      event("permission_refused", { id: "i", reason: "", question: false }),
      "  ✗ Refused by ada.",
    ],
    "a question in place of a permission": [
      event("permission_refused", { id: "i", reason: words, question: true }),
      `  · Asked: ${words}`,
    ],
    "files that a run changed": [
      event("files_touched", { key: "k", argv: ["npm", words], touched: touched("a.txt", words) }),
      `  ! npm ${words} also changed a.txt, ${words}`,
    ],
    "a closed path that appeared while a command ran": [
      event("files_touched", {
        key: "k",
        argv: ["sh", "-c", words],
        touched: [],
        set_aside: [{ path: ".vscode", to: "/home/ada/my app/contexts/set-aside/001/vscode-1" }],
      }),
      `  ! While ${words} ran, .vscode appeared. That name is closed,\n    so it was moved to /home/ada/my\n    app/contexts/set-aside/001/vscode-1. If you made it, put\n    it back:\n    mv '/home/ada/my app/contexts/set-aside/001/vscode-1' .vscode`,
    ],
    "many files that a command changed": [
      event("files_touched", {
        key: "k",
        argv: ["sh", "-c", words],
        touched: touched("a", "b", "c", "d", "e", "f", "g"),
      }),
      `  ! ${words} also changed a, b, c, d, e, and 2 more`,
    ],
    "a way back": [
      event("rewound", { to: 9, step: words, files: touched("a", "b"), files_only: false }),
      `  · Back to ${words}; 2 files are as before it.`,
    ],
    "a way back for the files": [
      event("rewound", { to: 9, step: words, files: touched("a"), files_only: true }),
      `  · 1 file is as before ${words}; what was thought since\n    stays.`,
    ],
    "a broken run": [
      event("tests_judged", { ...judged, verdict: "broken", exit_code: 1 }),
      `  ✗ broken: exit 1. The tests did not run as they should, so\n    they prove nothing (npm ${words}, 1.2 s)`,
    ],
    "a broken run with its cause": [
      event("tests_judged", { ...judged, verdict: "broken", exit_code: 127, why: "sh: 1: pytest: not found." }),
      `  ✗ broken: exit 127, sh: 1: pytest: not found. The tests\n    did not run as they should, so they prove nothing (npm\n    ${words}, 1.2 s)`,
    ],
    "a run before": [
      event("tests_judged", { ...judged, verdict: "baseline", exit_code: 0 }),
      `  · baseline: the tests pass, before any change (npm ${words},\n    1.2 s)`,
    ],
    "a red run": [
      event("tests_judged", { ...judged, verdict: "red", exit_code: 1, in_words: "18 of 1,274 tests fail" }),
      `  ● red: 18 of 1,274 tests fail, as planned (npm ${words}, 1.2\n    s)`,
    ],
    "a red run without the new function": [
      event("tests_judged", {
        ...judged,
        verdict: "red",
        exit_code: 1,
        output: "1 of 1 test fails.\nFailing:\n- adds: AttributeError: 'Sums' object has no attribute 'add'\n",
      }),
      `  ● red: exit 1, as planned: what they call does not exist\n    yet (npm ${words}, 1.2 s)`,
    ],
    "an unproven run": [
      event("tests_judged", { ...judged, verdict: "unproven", exit_code: 0 }),
      `  ✗ unproven: the tests pass before there is any code, so\n    the new tests prove nothing yet (npm ${words}, 1.2 s)`,
    ],
    "a run before that fails": [
      event("tests_judged", { ...judged, verdict: "failing at baseline", exit_code: 1 }),
      `  ✗ failing at baseline: exit 1, before any change (npm ${words.replace(" ", "\n    ")}, 1.2 s)`,
    ],
    "a run that is not proved": [
      event("tests_judged", { ...judged, verdict: "unproven", exit_code: 0, why: "They pass as well on a copy." }),
      `  ✗ unproven: They pass as well on a copy. (npm ${words}, 1.2\n    s)`,
    ],
    "red repeated": [
      event("red_repeated", repeated),
      "  ✓ Checked in copies of the folder: without the new code\n    the tests fail.",
    ],
    "red repeated, and how many tests fail there": [
      event("red_repeated", { ...repeated, failing: ["a", "b"] }),
      "  ✓ Checked in copies of the folder: without the new code\n    the tests fail (2 failing tests).",
    ],
    "red repeated, and the tests with the new code as well": [
      event("red_repeated", { ...repeated, with_code: { exit_code: 0, output: "" } }),
      "  ✓ Checked in copies of the folder: without the new code\n    the tests fail, and with it they pass.",
    ],
    "tests that fail on a copy with the new code": [
      event("red_repeated", {
        ...repeated,
        with_code: { exit_code: 1, output: "" },
        why: "They fail with it as well.",
      }),
      "  ! Ran the tests once more without the new code. They fail\n    with it as well.",
    ],
    "red repeated in vain": [
      event("red_repeated", { ...repeated, exit_code: 0, why: "They pass." }),
      "  ! Ran the tests once more without the new code. They pass.",
    ],
    "red not repeated": [
      event("red_repeated", { ...repeated, unrepeated: "x" }),
      "  ! The tests could not run once more without the new code,\n    in a copy of the folder.",
    ],
    "tests that are gone": [
      event("permission_asked", {
        request: { id: "abc", key: "k", said: "", kind: "lost_tests", lost: ["test/a.test.js", "adds"] },
      }),
      "  ? Waits for permission to go on without tests that no\n    longer run: test/a.test.js, adds",
    ],
    "a killed run": [
      event("tests_judged", { ...judged, verdict: "failing", exit_code: null }),
      `  ✗ failing: exit none (npm ${words}, 1.2 s)`,
    ],
    "a run with steps to come": [
      event("tests_judged", { ...judged, verdict: "failing", exit_code: 1, why: "3 of 5 new tests pass; the rest …" }),
      `  · failing: 3 of 5 new tests pass; the rest … (npm ${words},\n    1.2 s)`,
    ],
    "a green run": [
      event("tests_judged", { ...judged, verdict: "green", exit_code: 0 }),
      `  ✓ green: the tests pass (npm ${words}, 1.2 s)`,
    ],
    "a condensed record": [
      event("epoch_opened", { number: 2, tools: "", system: [], schema: null, bytes: 0, digest: words }),
      "  · The record had grown too long. It begins afresh, from\n    what is known.",
    ],
    "an edit": [
      event("context_edited", { changes: [{ path: ["decisions", words], before: 1, after: 2 }] }),
      `  · Taken over from the edited context file: decisions.run\n    it`,
    ],
    "a recovery": [
      event("recovered", { lost_lines: 3, kept_as: "k" }),
      "  · Went on from the last whole line; 3 lines were lost.",
    ],
    "texts frozen anew": [event("recovered", { lost_lines: 0, kept_as: null }), "  · Damaged texts are frozen anew."],
    "what lost calls cost": [event("lost_cost_entered", { usd: 0.07 }), "  · The lost calls cost $0.07 together."],
    "a cost alert": [
      event("cost_alerted", { usd: 5.012, threshold: 5 }),
      "  ! This chain has cost $5.01, more than the $5.00 you\n    wanted to hear of.",
    ],
  };
}

function touched(...paths: string[]) {
  return paths.map((path) => ({ path, before: null, after: null }));
}

test.each(Object.entries(story("run it")))("%s is told in one plain line or block", (_, [body, line]) => {
  expect(told(body)).toBe(line);
});

test("what a command printed is told in one line that is never cut in the middle of a word", () => {
  const ran = { exit_code: 1, duration_ms: 9, timed_out: false, sandboxed: true, output: "", output_sha256: "" };
  const result = { type: "result", effect: "command", key: "k", call: "c" } as const;
  const argv = ["sh", "-c", "npm run lint"];
  expect(told({ ...result, run: { ...ran, argv }, told: "3 problems" })).toBe("  $ exit 1: npm run lint · 3 problems");
  expect(told({ ...result, run: { ...ran, argv }, told: "word ".repeat(30) })).toBe(
    "  $ exit 1: npm run lint · word word word word word word…",
  );
  const killed = { ...ran, argv, exit_code: undefined, timed_out: true };
  expect(told({ ...result, run: killed, told: "" })).toBe("  $ timed out: npm run lint");
  // The tests are told with their verdict.
  expect(told({ ...result, run: { ...ran, argv: ["npm", "test"] } })).toBe("");
});

test("an answer from a file says so", () => {
  const policy = { kind: "policy", name: "the answers file", door: "cli" } as const;
  expect(told(event("question_answered", { id: "a", answer: "yes" }), policy)).toBe(
    "  · a: yes  (from the answers file)",
  );
});

test("what the end says anyway, and what only the engine needs, is not told", () => {
  const silent: ChainEvent[] = [
    event("completed", { summary: "done" }),
    event("parked", { code: "c", exit: 1, message: "m", next: [{ why: "h" }] }),
    event("resumed", {}),
    event("prompts_queued", { why: "w", prompts: [], considered: [] }),
    event("change_shown", { files: {}, text: "t" }),
    event("ledger_extended", { text: "t" }),
    event("epoch_opened", { number: 1, tools: "", system: [], schema: null, bytes: 0, digest: null }),
  ];
  for (const body of silent) expect(told(body)).toBe("");
});

// oxlint-disable-next-line no-control-regex
const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test("whatever a model, a person or a file says, nothing a terminal acts on is printed", () => {
  const hostile = "\x1b]0;t\x07\x1b[2Jx\u009b31m\u202ey\u2066\r\b\x1b";
  for (const [body] of Object.values(story(hostile))) {
    expect(told(body, { ...person, name: hostile })).not.toMatch(dangerous);
  }
});

test("phases are written as words, shares as whole percents", () => {
  expect(title("requirements-clarification")).toBe("Requirements clarification");
  expect([0, 0.005, 0.825, 1].map(percent)).toEqual(["0%", "1%", "83%", "100%"]);
});

test("the line of a review ends where a sentence ends, if one ends within two rows", () => {
  const review = (summary: string, key = "implementation/3/1-p") =>
    told(
      event("report_recorded", {
        key,
        prompt: "p",
        report: { summary },
        counted: [],
        assumptions: [],
        moved: true,
        grounded: true,
      }),
    );
  const long = "The change does what was approved, and each of its branches is reached by a test; no finding.";
  expect(review(`It is right. ${long}`)).toBe("  ✓ p: It is right.");
  expect(review(`${long} ${long}`)).toBe(
    "  ✓ p: The change does what was approved, and each of its\n    branches is reached by a test; no finding.",
  );
  expect(review("It is right")).toBe("  ✓ p: It is right");
  expect(review("word ".repeat(40))).toMatch(/^ {2}✓ p: .{40,50}…$/);
  expect(review(`It is right. ${long}`, "context-building/1/1-p")).toMatch(/^ {2}✓ p: It is right. The .*…$/);
});
