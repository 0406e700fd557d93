import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readReply, replyJsonSchema } from "../../src/chain/reply.ts";

interface Schema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Every schema inside a schema, itself included. */
function within(schema: Schema): Schema[] {
  const { properties = {}, items, anyOf = [] } = schema;
  return [schema, ...[...Object.values(properties), ...(items ? [items] : []), ...anyOf].flatMap(within)];
}

const all = within(replyJsonSchema());
const objects = all.filter(({ type }) => type === "object");

test("the schema that is sent stays within what providers allow", () => {
  const optional = objects.flatMap(({ properties, required }) =>
    Object.keys(properties ?? {}).filter((name) => !required?.includes(name)),
  );
  expect(optional.length).toBeLessThanOrEqual(24);
  expect(optional.length).toBeGreaterThan(10);
  expect(all.filter(({ anyOf }) => anyOf).length).toBeLessThanOrEqual(16);
  const keywords = new Set(all.flatMap(Object.keys));
  expect([...keywords].sort()).toEqual(
    ["additionalProperties", "anyOf", "const", "description", "enum", "items", "properties", "required", "type"].sort(),
  );
});

test("no object of the schema takes a key it does not name", () => {
  expect(objects.length).toBeGreaterThan(15);
  expect(objects.filter(({ additionalProperties }) => additionalProperties !== false)).toEqual([]);
});

test("the schema is the same to the byte each time it is made", () => {
  expect(JSON.stringify(replyJsonSchema())).toBe(JSON.stringify(replyJsonSchema()));
});

test("both parts are required and may be null; of their fields only those that nothing can do without", () => {
  const { properties = {}, required } = replyJsonSchema() as Schema;
  const part = (name: string) => properties[name]?.anyOf?.find(({ type }) => type === "object")?.required;
  expect([required, part("report"), part("action")]).toEqual([["report", "action"], ["summary"], ["say", "do"]]);
  expect(Object.values(properties).map(({ anyOf }) => anyOf?.some(({ type }) => type === "null"))).toEqual([
    true,
    true,
  ]);
});

const asText = (parts: { report?: object | null; action?: object | null }) =>
  JSON.stringify({ report: null, action: null, ...parts });
const bare = { summary: "Looked." };
const decide = (what: object) => ({ say: "I do it.", do: what });
const complete = decide({ type: "complete", summary: "Done." });
const usable = { report: null, action: null, problems: [], actionProblems: [] };
const unusable = (...problems: string[]) => ({ ...usable, problems });

test("a report needs a summary, an action a sentence and what to do, and one reply can hold both", () => {
  expect(readReply(asText({ report: bare }), "report")).toEqual({ ...usable, report: bare });
  expect(readReply(asText({ action: complete }), "action")).toEqual({ ...usable, action: complete });
  const both = { report: bare, action: complete };
  expect([readReply(asText(both), "report"), readReply(asText(both), "action")]).toEqual([
    { ...usable, ...both },
    { ...usable, ...both },
  ]);
  expect(readReply(asText({ report: {} }), "report")).toEqual(
    unusable("report.summary: Invalid input: expected string, received undefined"),
  );
  expect(readReply(asText({ action: {} }), "action")).toEqual(
    unusable(
      "action.say: Invalid input: expected string, received undefined",
      "action.do: Invalid input: expected object, received undefined",
    ),
  );
});

test("a step gets the part that it needs, or the reply is sent back", () => {
  expect(readReply(asText({ report: bare }), "report")).toMatchObject({
    report: bare,
    action: null,
    actionProblems: [],
  });
  expect(readReply(asText({ report: bare }), "action")).toMatchObject({
    report: bare,
    action: null,
    actionProblems: ["This step needs an action. Its report may be null."],
  });
  expect(readReply(asText({ action: complete }), "report")).toEqual(
    unusable("This step needs a report. Its action may be null."),
  );
  expect(readReply(asText({}), "action")).toEqual(unusable("This step needs an action. Its report may be null."));
});

test("a usable report survives an action that cannot be used", () => {
  const read = readReply(asText({ report: bare, action: decide({ type: "dance" }) }), "report");
  expect(read).toMatchObject({ report: bare, action: null, problems: [], named: "dance" });
  expect(read.actionProblems).toEqual([expect.stringMatching(/^action\.do\.type: Invalid/)]);
  expect(readReply(asText({ report: { summary: 1 }, action: complete }), "report").report).toBeNull();
});

const full = {
  ...bare,
  account: "## Found",
  findings: [{ id: "leak", severity: "major", where: "a.js:1", what: "It leaks.", trigger: "An empty file." }],
  discovered: [{ key: "stack", value: ["node"], evidence: [{ kind: "file", ref: "a:1" }] }],
  notes: [{ kind: "free", text: "x" }],
  uncertainties: [{ area: "x", confidence: 0.5, blocking: true, resolved: false, resolution: "y" }],
  confidence: [{ area: "requirements", score: 1, evidence: [{ kind: "task", ref: "goal" }] }],
  scores: [{ name: "ambiguity", value: 0.5 }],
  decisions: [{ key: "a", choice: "b", because: "c" }],
  questions: [{ id: "a_1", question: "?", why: "because", options: ["x"], settles: "x" }],
  artifacts: [{ kind: "k", name: "n", content: "c" }],
};

test("a full report is kept as it is, and any of its fields may be left out", () => {
  expect(readReply(asText({ report: full }), "report").report).toEqual(full);
  const optional = Object.keys(full).filter((key) => !(key in bare)) as (keyof typeof full)[];
  fc.assert(
    fc.property(fc.subarray(optional), (left) => {
      const some = Object.fromEntries(Object.entries(full).filter(([key]) => !left.includes(key as keyof typeof full)));
      expect(readReply(asText({ report: some }), "report").report).toEqual(some);
    }),
  );
});

const solution = {
  title: "t",
  architecture: "a",
  files: [{ path: "a", role: "code" }],
  verification: { kind: "tests" },
};

test("what the schema asks for and forgives is filled in", () => {
  const report = { ...bare, uncertainties: [{ area: "x", confidence: 0.5 }], confidence: [{ area: "y", score: 1 }] };
  expect(readReply(asText({ report }), "report").report).toEqual({
    ...bare,
    uncertainties: [{ area: "x", confidence: 0.5, blocking: false, resolved: false }],
    confidence: [{ area: "y", score: 1, evidence: [] }],
  });
  const run = decide({ type: "run_prompts", prompts: [{ name: "stack_detector" }] });
  expect(readReply(asText({ action: run }), "action").action).toEqual(
    decide({ type: "run_prompts", prompts: [{ name: "stack_detector", inputs: [] }] }),
  );
  expect(readReply(asText({ report: { ...bare, solution } }), "report").report?.solution).toEqual({
    ...solution,
    decisions: [],
    tradeoffs: [],
    steps: [],
    risks: [],
    assumptions: [],
    dropped: [],
    success_criteria: [],
    remaining_concerns: [],
    commands: [],
    files: [{ path: "a", role: "code", change: "edit", lines: 0 }],
    verification: { kind: "tests", check: "", command: "" },
  });
});

test("a file of a solution is known by one path, however its beginning is written", () => {
  const paths = ["./src/a.js", ".//./src/a.js", "src/a.js", ".env", "../up.js"];
  const files = paths.map((path) => ({ path, role: "code", change: "new", lines: 0 }));
  const read = readReply(asText({ report: { ...bare, solution: { ...solution, files } } }), "report");
  expect(read.report?.solution?.files.map(({ path }) => path)).toEqual([
    "src/a.js",
    "src/a.js",
    "src/a.js",
    ".env",
    "../up.js",
  ]);
});

test("a reply of an earlier version, which had one part, is still read", () => {
  const old = (reply: object) => JSON.stringify({ reply });
  expect(readReply(old({ kind: "report", ...bare, findings: "## Found" }), "report").report).toEqual({
    ...bare,
    account: "## Found",
  });
  expect(readReply(old({ kind: "action", ...complete }), "action").action).toEqual(complete);
  const present = decide({ type: "present_solution", artifact: solution });
  const read = readReply(old({ kind: "action", ...present }), "action");
  expect(read.report).toMatchObject({ summary: "I do it.", solution: { title: "t" } });
  expect(read.action?.do).toEqual({ type: "present_solution", report: "", patch: [] });
});

test("JSON is found in a fence and in prose", () => {
  const text = asText({ report: bare });
  const texts = [
    `\`\`\`json\n${text}\n\`\`\``,
    `Here is what I found:\n\n${text}\n\nI hope this helps.`,
    ` \n${JSON.stringify({ report: bare }, null, 2)}\n`,
  ];
  expect(texts.map((one) => readReply(one, "report").report)).toEqual(texts.map(() => bare));
});

test("a reply that is no JSON is told so in words that can be acted on", () => {
  const problem = 'The reply is not one JSON object. Answer with {"report": …, "action": …} and nothing around it.';
  const text = asText({ report: bare });
  const texts = ["", "I could not find anything.", '{"report": {', `${text}${text}`, "}{"];
  expect(texts.map((one) => readReply(one, "report"))).toEqual(texts.map(() => unusable(problem)));
});

test("shares lie between 0 and 1, and ids are short snake_case names", () => {
  const problems = (fields: object) => readReply(asText({ report: { ...bare, ...fields } }), "report").problems;
  expect(problems({ confidence: [{ area: "x", score: 95 }] })).toEqual([
    "report.confidence.0.score: must lie between 0 and 1",
  ]);
  expect(problems({ uncertainties: [{ area: "x", confidence: -0.1 }] })).toEqual([
    "report.uncertainties.0.confidence: must lie between 0 and 1",
  ]);
  for (const id of ["With Spaces", "", "x".repeat(61), "ünder"])
    expect(problems({ questions: [{ id, question: "?" }] })).toEqual([
      "report.questions.0.id: must be a short snake_case name",
    ]);
});

test("no more than six problems are told at once", () => {
  const scores = Array.from({ length: 20 }, () => ({ name: "x", value: "high" }));
  expect(readReply(asText({ report: { ...bare, scores } }), "report").problems).toHaveLength(6);
});

test("whatever a model says, reading it never throws", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify({ reply: value })),
        fc.jsonValue().map((value) => JSON.stringify({ report: value, action: value })),
        fc.json(),
      ),
      (text) => {
        const read = readReply(text, "report");
        expect(read.problems.length > 0).toBe(read.report === null);
      },
    ),
  );
});
