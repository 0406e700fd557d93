import { expect, test } from "vitest";
import { patternSchema } from "../../src/library/pattern.ts";
import { offeredFrom, rowOf, similarPatterns } from "../../src/library/similar.ts";

const took = [{ chain: "001", calls: 9, questions: 2, approval_rounds: 1, minutes: 4, usd: 0.2, tokens: 9_000 }];
const pattern = (goal: string, title: string, strategy = title, stack: string[] = ["node", ".js"]) =>
  rowOf(title, patternSchema.parse({ goal, title, strategy, stack, took }));

const kept = [
  pattern(
    "Add JWT authentication to my Express app, and keep the sessions that users have",
    "Legacy Auth Migration",
    "Sessions and tokens run side by side for thirty days; a middleware takes either, and login gives both.",
    ["node", "express", "express-session", ".js"],
  ),
  pattern(
    "Add a --json flag to the report command",
    "A report as JSON",
    "The command prints the rows as one document.",
  ),
  pattern("Fix the crash when the cache is empty", "Guard for an empty cache"),
  pattern("Add a method Cache.peek(key, default=None) that returns a value without counting as a use", "Cache.peek"),
  pattern("Replace moment by date-fns", "Dates without moment"),
  pattern("Translate the README into German", "A German README"),
];
const likest = (goal: string, stack: string[] = ["node", ".js"]) =>
  similarPatterns({ goal, stack, prompts: [] }, kept)[0]!;

test.each([
  ["Add OAuth authentication to the existing session-based Express app", "Legacy Auth Migration"],
  ["Add JWT authentication to the admin app, and keep its sessions", "Legacy Auth Migration"],
  ["Add a --csv flag to the report command", "A report as JSON"],
  ["Report command: support --yaml as well", "A report as JSON"],
  ["Fix the crash when the queue is empty", "Guard for an empty cache"],
  ["Replace lodash by date-fns and plain functions", "Dates without moment"],
  ["Translate the README into French", "A German README"],
  [
    "Add a method TTLCache.remaining(key, default=None) that returns how many seconds an item still lives, without counting as a use",
    "Cache.peek",
  ],
])("%s is like %s", (goal, title) => {
  const { row, likeness } = likest(goal, ["node", "express", ".js"]);
  expect([row.title, likeness >= offeredFrom]).toEqual([title, true]);
});

test.each([
  "Add a dark mode to the settings page",
  "Speed up the search over many files",
  "Add pagination to the list of orders",
  "Remove the deprecated callback of open()",
  "Write a changelog for the next release",
  "Show a progress bar while files are copied",
  "Add rate limiting to the public API",
  "Why does the build fail on Windows?",
  "Add a command that deletes old logs",
  "Support Postgres next to SQLite",
])("nothing is like: %s", (goal) => {
  expect(likest(goal).likeness).toBeLessThan(offeredFrom);
});

test("the reasons say which words, stack and form are shared", () => {
  expect(likest("Add a --csv flag to the report command").why).toEqual([
    "words: flag, report, command",
    "stack: node, .js",
    "form: add",
  ]);
});

test("the same task counts as wholly alike, an empty one as nothing, and no pattern gives no match", () => {
  expect(likest("Add a --json flag to the report command").likeness).toBeGreaterThan(0.9);
  expect(likest("do it").likeness).toBe(0);
  expect(similarPatterns({ goal: "Add a flag", stack: [], prompts: [] }, [])).toEqual([]);
  const many = Array.from({ length: 10_000 }, (_, at) => ({ ...kept[at % kept.length]!, name: `n${at}` }));
  const goal = "Fix the crash when the cache is empty";
  expect(similarPatterns({ goal, stack: [], prompts: [] }, many)[0]?.row.title).toBe("Guard for an empty cache");
});
