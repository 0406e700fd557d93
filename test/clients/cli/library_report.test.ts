import { expect, test } from "vitest";
import { reportText } from "../../../src/clients/cli/report.ts";
import type { OperationName } from "../../../src/operations/operations.ts";
import { outcome } from "../../support/outcomes.ts";

/** Read as a person reads it: line by line. */
const told = (operation: OperationName, data: object) => reportText(outcome(operation, data)).split("\n");

const reviewer = { name: "code_reviewer", folder: "quality", scope: "builtin", purpose: "Review a change" };
const tide = { name: "tide_table", folder: "", scope: "user", purpose: "Read the tides" };

test("a list groups prompts by folder and says whose they are where they are not the shipped ones", () => {
  const problem = { file: "/p/bad.md", message: "/p/bad.md:1: purpose: is missing", next: [{ why: "Mend it." }] };
  expect(told("prompts list", { prompts: [reviewer, tide], problems: [problem], untrusted: "/w" })).toEqual([
    "(no folder)",
    "  tide_table     Read the tides  (user)",
    "quality/",
    "  code_reviewer  Review a change",
    "! /p/bad.md:1: purpose: is missing",
    "  Mend it.",
    "! /w is not trusted: its own prompts are left out",
    "  claude-exec trust",
  ]);
});

test("an empty list says how to see more", () => {
  expect(told("prompts list", { prompts: [], problems: [], untrusted: null })).toEqual([
    "No prompt is like that. All of them: claude-exec prompts list",
  ]);
});

test("a search shows each hit with the line that fits, and which word was taken for which", () => {
  const hits = [
    { ...tide, file: "/u/tide_table.md", line: 12, text: "The sill falls dry." },
    { ...reviewer, file: "/p/code_reviewer.md", line: 3, text: "purpose: Review a change" },
  ];
  expect(told("prompts search", { query: "sil", taken_for: { sil: "sill" }, hits })).toEqual([
    'No prompt says "sil"; looked for "sill".',
    "tide_table  Read the tides  (user)",
    "    12: The sill falls dry.",
    "code_reviewer  Review a change",
    "    3: purpose: Review a change",
  ]);
  expect(told("prompts search", { query: "zzz", taken_for: {}, hits: [] })).toEqual([
    'Nothing fits "zzz". All prompts: claude-exec prompts list',
  ]);
});

test("a prompt is shown with what it hides, its tags and its inputs", () => {
  const data = {
    ...tide,
    file: "/u/tide_table.md",
    hides: [{ scope: "builtin", file: "/p/tide_table.md" }],
    cost_estimate: "low",
    tokens: 120,
    tools: "read",
    model: "default",
    phases: ["context-building", "implementation"],
    tags: ["tides", "harbour"],
    inputs: {
      harbour: { type: "line", required: true, description: "Which harbour" },
      notes: { type: "text", required: false, description: "What is known" },
    },
    body: "\nRead it.\n",
  };
  expect(told("prompts show", data)).toEqual([
    "tide_table: Read the tides",
    "user, /u/tide_table.md",
    "  hides builtin, /p/tide_table.md",
    "cost low, about 120 tokens; tools read; model default; phases context-building, implementation",
    "tags tides, harbour",
    "input harbour (line, required): Which harbour",
    "input notes (text): What is known",
    "",
    "Read it.",
  ]);
});

const next = (file: string, name = "tide_table") => [
  `Check it: claude-exec prompts lint ${file}`,
  `Try it:   claude-exec prompts run ${name}`,
];

test("a prompt that was begun, copied or opened says what it is and what comes next", () => {
  const file = "/u/tide_table.md";
  expect(told("prompts new", { name: "tide_table", file })).toEqual([
    `A new prompt; write yours over the example in it: ${file}`,
    ...next(file),
  ]);
  expect(told("prompts edit", { name: "tide_table", file, copied_from: "/p/tide_table.md" })).toEqual([
    `A copy of your own, which now stands for the shipped one: ${file}`,
    ...next(file),
  ]);
  const spaced = "/my prompts/tide's.md";
  expect(told("prompts edit", { name: "tide_table", file: spaced, copied_from: null })).toEqual([
    spaced,
    ...next("'/my prompts/tide'\\''s.md'"),
  ]);
});

test("a generated prompt says what it cost", () => {
  const generated = { summary: "Reads tides.", cost: { usd: 0.0124 } };
  expect(told("prompts new", { name: "tide_table", file: "/c/tide_table.md", generated })).toEqual([
    "Reads tides.",
    "Written by a model, for you to judge: /c/tide_table.md",
    ...next("/c/tide_table.md"),
    "Cost: $0.012",
  ]);
});

test("findings stand with their place, their reason and their remedy, and are counted", () => {
  const finding = {
    file: "prompts/a.md",
    line: 3,
    severity: "error",
    rule: "schema",
    what: "purpose: is missing",
    why: "Nobody can choose it.",
    mend: "Write one.",
  };
  expect(told("prompts lint", { files: 2, errors: 1, warnings: 0, findings: [finding] })).toEqual([
    "prompts/a.md:3  error  schema  purpose: is missing",
    "    why:  Nobody can choose it.",
    "    mend: Write one.",
    "2 files: 1 error, 0 warnings.",
  ]);
  expect(told("prompts lint", { files: 1, errors: 0, warnings: 1, findings: [] })).toEqual([
    "1 file: 0 errors, 1 warning.",
  ]);
});

test("a rendered prompt is followed by its tokens", () => {
  expect(told("prompts render", { name: "tide_table", text: "Read it.", tokens: 1234 })).toEqual([
    "Read it.",
    "",
    "(about 1,234 tokens)",
  ]);
});

test("a run tells all its report says, what it cost and where it is kept", () => {
  const report = {
    summary: "The sill falls dry at 5.",
    account: "\n## Way\n- table.ts:4\n",
    findings: [{ id: "tide", severity: "minor", where: "table.ts:4", what: "It is late.", trigger: "Spring." }],
    discovered: [
      { key: "sills", value: ["north", "south"] },
      { key: "zone", value: "UTC" },
    ],
    uncertainties: [
      { area: "summer_time", confidence: 0.5, blocking: true },
      { area: "wind", confidence: 0.75, blocking: false },
    ],
    decisions: [
      { key: "unit", choice: "metres", because: "the table says so" },
      { key: "step", choice: "hours" },
    ],
    notes: [{ kind: "assumption", text: "The table is of this year." }],
    scores: [{ name: "health", value: 4 }],
    confidence: [{ area: "requirements", score: 0.9 }],
    questions: [{ id: "boat", question: "Which boat?" }],
    artifacts: [{ kind: "doc", name: "tides.md", content: "# Tides\n" }],
  };
  expect(
    told("prompts run", { prompt: "tide_table", report, cost: { usd: 0.0248, tokens: 11_200 }, record: "/r.json" }),
  ).toEqual([
    "tide_table: The sill falls dry at 5.",
    "",
    "## Way",
    "- table.ts:4",
    "! tide (minor) table.ts:4: It is late. Spring.",
    "- sills: north, south",
    "- zone: UTC",
    "? summer time (50%, blocking)",
    "? wind (75%)",
    "→ unit: metres. Why: the table says so",
    "→ step: hours",
    "  The table is of this year.",
    "= health: 4",
    "= requirements: 90%",
    "? Which boat?",
    "",
    "--- tides.md",
    "# Tides",
    "",
    "Cost: $0.025, 11,200 tokens. Record: /r.json",
  ]);
});

test("statistics are a table, and name the chains that could not be read", () => {
  const measured = {
    reduction: { mean: 0.354, low: 0.23, high: 0.478, measured: 9 },
    rating: { mean: 4.25, chains: 4 },
  };
  const row = { prompt: "tide_table", runs: 12, tokens_per_run: 5_600, ms_per_run: 61_000, usd: 1.5, repairs: 1 };
  const none = { reduction: null, rating: null, last_used: "2026-11-03" };
  const other = { prompt: "ebb", runs: 1, tokens_per_run: 10, ms_per_run: 900, usd: 0.004, repairs: 0, ...none };
  const rows = [{ ...row, ...measured, last_used: "2026-11-20" }, other];
  expect(told("prompts stats", { chains: 2, prompts: rows, unread: ["Chain 003 is damaged."] })).toEqual([
    "2 chains",
    "prompt      runs  uncertainty  tokens a run  time a run    cost  rating  repairs   last used",
    "tide_table    12   −35 % ± 12         5,600       1 min   $1.50     4.3        1  2026-11-20",
    "ebb            1            –            10         1 s  $0.004       –        0  2026-11-03",
    "! Chain 003 is damaged.",
  ]);
  expect(told("prompts stats", { chains: 1, prompts: rows, unread: [] })[0]).toBe("1 chain");
});

test("where nothing ran, statistics say so, of all prompts or of one", () => {
  const none = { chains: 0, prompts: [], unread: ["Chain 003 is damaged."] };
  expect(told("prompts stats", { ...none, name: null })).toEqual([
    "No prompt has run in a chain of this home yet.",
    "! Chain 003 is damaged.",
  ]);
  expect(told("prompts stats", { ...none, name: "tide_table" })[0]).toBe(
    "tide_table has not run in a chain of this home yet.",
  );
});

test("an import says what became what, what it wanted to do, and how much is new", () => {
  const one = {
    file: "commands/tide.md",
    to: "tide.md",
    format: "claude-commands",
    asked_for: ["Bash", "Write"],
    unchanged: false,
  };
  const data = {
    to: "/u/imported",
    dry_run: false,
    imported: [one, { ...one, file: "commands/ebb.md", to: "ebb.md", asked_for: [], unchanged: true }],
    skipped: [{ file: "README.md", why: "a README tells of a folder and is no prompt" }],
  };
  expect(told("prompts import", data)).toEqual([
    "commands/tide.md → tide.md  claude-commands  (asked for Bash, Write; may read at most)",
    "commands/ebb.md → ebb.md  claude-commands, unchanged",
    "- README.md: a README tells of a folder and is no prompt",
    "1 written below /u/imported, 1 there already, 1 left out.",
  ]);
  expect(told("prompts import", { ...data, dry_run: true }).at(-1)).toBe(
    "1 would be written below /u/imported, 1 there already, 1 left out.",
  );
});

test("an export says what could not go back as it came, and how it can go at all", () => {
  const one = {
    file: "/u/tide.md",
    files: ["tides/SKILL.md", "tides/a.png"],
    format: "claude-skills",
    lost: ["phases", "tags"],
    unchanged: false,
  };
  const skipped = [{ file: "/u/ebb.md", why: "it was never imported" }];
  expect(told("prompts export", { to: "/out", dry_run: false, exported: [one], skipped })).toEqual([
    "/u/tide.md → tides/SKILL.md, tides/a.png  claude-skills, without your phases, tags",
    "- /u/ebb.md: it was never imported",
    "1 written below /out, 1 left out.",
    "What was never imported has no original: name a format to write it in, such as --format ours",
  ]);
});
