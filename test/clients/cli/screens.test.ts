import { expect, test } from "vitest";
import { reportText } from "../../../src/clients/cli/report.ts";
import { outcome } from "../../support/outcomes.ts";

/** What a person sees at the usual widths of a terminal, as files that can be looked at. */
const widths = [60, 100, 160];

const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 14, minute)).toISOString();
const visit = (phase: string, started: number, ended: number | null) => ({
  phase,
  started: at(started),
  ended: ended === null ? null : at(ended),
});

const waiting = {
  chain_id: "047",
  goal: "Add JWT authentication to my app, beside the sessions that the website uses today, for the clients of the mobile team",
  current_phase: "requirements-clarification",
  phase_history: [
    visit("requirements-clarification", 0, 3),
    visit("context-building", 3, 8),
    visit("requirements-clarification", 8, 9),
  ],
  confidence_scores: { overall: 0.42, requirements: 0.95, technical_approach: 0.3, implementation_details: 0 },
  needed: { overall: 0.8, requirements: 0.9, technical_approach: 0.6, implementation_details: 0.6 },
  cost_tracking: {
    estimated_cost: 0.31,
    lost_calls: [{ calls: 1, usd: 0.05, most_usd: 1.14 }],
  },
  questions: [
    {
      id: "refresh_tokens",
      question: "Shall clients stay logged in beyond one access token, by refresh tokens?",
      answer: null,
    },
    { id: "token_endpoint", question: "Where does a client get its tokens?", answer: null },
    { id: "lifetime", question: "How long is an access token good?", answer: "15 minutes" },
  ],
  status: {
    state: "waiting",
    waiting_for: "answers to 2 questions",
    next: [
      {
        operation: "answer",
        input: { chain: "047", answers_given: ["refresh_tokens=…", "token_endpoint=…"] },
        why: "Answer",
      },
    ],
  },
  context_file: "/w/contexts/chain-047-jwt-authentication-2026-11-20-14-00.json",
};

const finding = (id: string, severity: string) => ({
  id,
  severity,
  where: `src/${id}.js:41`,
  what: "The time of issue is rounded down to the second, so a token may end up to 999 ms early.",
  trigger: "A token that is bought in the middle of a second.",
  by: "code_reviewer",
});

const done = {
  chain_id: "047",
  phase: "implementation",
  confidence: { overall: 0.93 },
  cost: { usd: 0.55, tokens: 356_980, unpriced_calls: 1, lost_calls: [{ calls: 1, usd: 0.05, most_usd: 1.14 }] },
  ending: {
    type: "completed",
    summary:
      "Clients log in at POST /api/tokens with tokens of 15 minutes and refresh tokens that work once; logout ends both at once; sessions work as before. Before a release: set JWT_SECRET.",
  },
  files: Array.from({ length: 15 }, (_, index) => ({ path: `src/file_${index}.js`, new: index > 9, deleted: false })),
  touched: ["package-lock.json"],
  findings: ["minor", "minor", "major", "minor", "minor", "minor"].map((severity, index) =>
    finding(`tokens_${index}`, severity),
  ),
  not_checked: [
    "known vulnerabilities of Node itself: that needs a database of advisories",
    "password guessing at scale",
    "password guessing at scale",
  ],
  test_runs: ["baseline", "red", "failing", "green"].map((verdict) => ({ verdict })),
  context_file: "/w/contexts/chain-047-jwt-authentication-2026-11-20-14-00.json",
};

test.each(widths)("the status of a chain at %i columns", async (columns) => {
  const text = reportText(outcome("status", { chains: [waiting] }), {}, { columns });
  await expect(`${text}\n`).toMatchFileSnapshot(`screens/status-${columns}.txt`);
  expectToFit(text, columns);
});

test.each(widths)("the final report fits one screen at %i columns", async (columns) => {
  const text = reportText(outcome("new", done), {}, { columns });
  await expect(`${text}\n`).toMatchFileSnapshot(`screens/final-report-${columns}.txt`);
  expectToFit(text, columns);
  expect(text.split("\n").length).toBeLessThanOrEqual(columns < 100 ? 50 : 40);
});

/** Commands and paths stay on one line, so that they can be copied. */
function expectToFit(text: string, columns: number): void {
  const long = text.split("\n").filter((line) => line.length > columns && !/claude-exec |^Context: /.test(line));
  expect(long).toEqual([]);
}
