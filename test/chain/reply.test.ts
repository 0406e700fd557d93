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
    ["additionalProperties", "anyOf", "const", "enum", "items", "properties", "required", "type"].sort(),
  );
});

test("no object of the schema takes a key it does not name", () => {
  expect(objects.length).toBeGreaterThan(15);
  expect(objects.filter(({ additionalProperties }) => additionalProperties !== false)).toEqual([]);
});

test("the schema is the same to the byte each time it is made", () => {
  expect(JSON.stringify(replyJsonSchema())).toBe(JSON.stringify(replyJsonSchema()));
});

test("what is sent as required is kind, summary, say and do, and whatever a single item cannot do without", () => {
  const [action, report] = all.find(({ anyOf }) => anyOf)?.anyOf ?? [];
  expect([action?.required, report?.required]).toEqual([
    ["kind", "say", "do"],
    ["kind", "summary"],
  ]);
});

const asText = (reply: object) => JSON.stringify({ reply });
const bare = { kind: "report", summary: "Looked." };
const decide = (what: object) => ({ kind: "action", say: "I do it.", do: what });

test("a report needs its kind and a summary, an action its kind, a sentence and what to do", () => {
  expect(readReply(asText(bare), "report")).toEqual(bare);
  const action = decide({ type: "complete", summary: "Done." });
  expect(readReply(asText(action), "action")).toEqual(action);
  expect(readReply(asText({ kind: "report" }), "report")).toEqual({
    problems: ["reply.summary: Invalid input: expected string, received undefined"],
  });
  expect(readReply(asText({ kind: "action" }), "action")).toEqual({
    problems: [
      "reply.say: Invalid input: expected string, received undefined",
      "reply.do: Invalid input: expected object, received undefined",
    ],
  });
});

const full = {
  ...bare,
  findings: "## Found",
  discovered: [{ key: "stack", value: ["node"], evidence: [{ kind: "file", ref: "a:1" }] }],
  notes: [{ kind: "free", text: "x" }],
  uncertainties: [{ area: "x", confidence: 0.5, blocking: true, resolved: false, resolution: "y", question: "z?" }],
  confidence: [{ area: "requirements", score: 1, evidence: [] }],
  scores: [{ name: "ambiguity", value: 0.5, scale: "0..1" }],
  decisions: [{ key: "a", choice: "b", because: "c" }],
  questions: [{ id: "a_1", question: "?", why: "because", options: ["x"] }],
  artifacts: [{ kind: "k", name: "n", content: "c" }],
};

test("a full report is kept as it is, and any of its fields may be left out", () => {
  expect(readReply(asText(full), "report")).toEqual(full);
  const optional = Object.keys(full).filter((key) => !(key in bare)) as (keyof typeof full)[];
  fc.assert(
    fc.property(fc.subarray(optional), (left) => {
      const some = Object.fromEntries(Object.entries(full).filter(([key]) => !left.includes(key as keyof typeof full)));
      expect(readReply(asText(some), "report")).toEqual(some);
    }),
  );
});

test("what the schema asks for and forgives is filled in", () => {
  const report = { ...bare, uncertainties: [{ area: "x", confidence: 0.5 }], confidence: [{ area: "y", score: 1 }] };
  expect(readReply(asText(report), "report")).toEqual({
    ...bare,
    uncertainties: [{ area: "x", confidence: 0.5, blocking: false, resolved: false }],
    confidence: [{ area: "y", score: 1, evidence: [] }],
  });
  expect(readReply(asText(decide({ type: "run_prompts", prompts: [{ name: "stack_detector" }] })), "action")).toEqual(
    decide({ type: "run_prompts", prompts: [{ name: "stack_detector", inputs: [] }] }),
  );
  const artifact = {
    title: "t",
    architecture: "a",
    confidence: 0.9,
    files: [{ path: "a", role: "code" }],
    verification: { kind: "tests" },
  };
  expect(readReply(asText(decide({ type: "present_solution", artifact })), "action")).toEqual(
    decide({
      type: "present_solution",
      artifact: {
        ...artifact,
        decisions: [],
        tradeoffs: [],
        steps: [],
        risks: [],
        success_criteria: [],
        remaining_concerns: [],
        files: [{ path: "a", role: "code", change: "edit" }],
        verification: { kind: "tests", check: "" },
      },
    }),
  );
});

test("a file of a solution is known by one path, however its beginning is written", () => {
  const paths = ["./src/a.js", ".//./src/a.js", "src/a.js", ".env", "../up.js"];
  const files = paths.map((path) => ({ path, role: "code", change: "new" }));
  const artifact = { title: "t", architecture: "a", confidence: 1, files, verification: { kind: "tests", check: "" } };
  const read = readReply(asText(decide({ type: "present_solution", artifact })), "action");
  expect(read).toMatchObject({
    do: { artifact: { files: ["src/a.js", "src/a.js", "src/a.js", ".env", "../up.js"].map((path) => ({ path })) } },
  });
});

test("JSON is found in a fence, in prose, and without its wrapping", () => {
  const texts = [
    `\`\`\`json\n${asText(bare)}\n\`\`\``,
    `Here is what I found:\n\n${asText(bare)}\n\nI hope this helps.`,
    JSON.stringify(bare),
    ` \n${JSON.stringify({ reply: bare }, null, 2)}\n`,
  ];
  expect(texts.map((text) => readReply(text, "report"))).toEqual(texts.map(() => bare));
});

test("a reply that is no JSON is told so in words that can be acted on", () => {
  const problems = ['The reply is not one JSON object. Answer with {"reply": …} and nothing around it.'];
  const texts = ["", "I could not find anything.", '{"reply": {', `${asText(bare)}${asText(bare)}`, "}{"];
  expect(texts.map((text) => readReply(text, "report"))).toEqual(texts.map(() => ({ problems })));
});

test("a reply of another kind is sent back with the kind that is wanted", () => {
  expect(readReply(asText(bare), "action")).toEqual({
    problems: ['This step answers with kind "action", not "report".'],
  });
  expect(readReply(asText(decide({ type: "give_up", reason: "x" })), "report")).toEqual({
    problems: ['This step answers with kind "report", not "action".'],
  });
  expect(readReply(asText({ kind: "poem", text: "x" }), "report")).toMatchObject({
    problems: [expect.stringMatching(/^reply\.kind: Invalid/)],
  });
  expect(readReply(asText(decide({ type: "dance" })), "action")).toMatchObject({
    problems: [expect.stringMatching(/^reply\.do\.type: Invalid/)],
  });
  expect(readReply("{}", "report")).toMatchObject({ problems: [expect.stringMatching(/^reply: Invalid/)] });
});

test("shares lie between 0 and 1, and ids are short snake_case names", () => {
  const problems = (fields: object) =>
    (readReply(asText({ ...bare, ...fields }), "report") as { problems: string[] }).problems;
  expect(problems({ confidence: [{ area: "x", score: 95 }] })).toEqual([
    "reply.confidence.0.score: must lie between 0 and 1",
  ]);
  expect(problems({ uncertainties: [{ area: "x", confidence: -0.1 }] })).toEqual([
    "reply.uncertainties.0.confidence: must lie between 0 and 1",
  ]);
  for (const id of ["With Spaces", "", "x".repeat(61), "ünder"])
    expect(problems({ questions: [{ id, question: "?" }] })).toEqual([
      "reply.questions.0.id: must be a short snake_case name",
    ]);
});

test("no more than six problems are told at once", () => {
  const scores = Array.from({ length: 20 }, () => ({ name: "x", value: "high" }));
  expect(readReply(asText({ ...bare, scores }), "report")).toMatchObject({
    problems: Array(6).fill(expect.any(String)),
  });
});

test("whatever a model says, reading it never throws", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify({ reply: value })),
        fc.json(),
      ),
      (text) => {
        const read = readReply(text, "report");
        expect("problems" in read ? read.problems.length > 0 : read.kind === "report").toBe(true);
      },
    ),
  );
});
