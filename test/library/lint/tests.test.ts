import { expect, test } from "vitest";
import { checkTests } from "../../../src/library/lint/tests.ts";

const line = { type: "line", description: "d" } as const;
const inputs = { focus: { ...line, required: true }, depth: { ...line, required: false, default: "" } };

const found = (text: string) =>
  checkTests(text, "x.tests.yaml", inputs).map(({ line, severity, what }) => `${line} ${severity} ${what}`);

const good = `- description: a
  vars: { focus: x }
  provider: p
  providers: [p]
  prompts: [p]
  providerOutput: out
  assertScoringFunction: file://x.js
  options: { repeat: 2 }
  threshold: 0.5
  metadata: { files: { a.js: x } }
  assert:
    - { type: is-json }
    - { type: not-icontains-any, value: "a,b", weight: 2, metric: m, transform: t }
    - { type: contains-all, value: [a, 1] }
    - { type: regex, value: "^a+$" }
    - { type: "similar:cosine", value: x, threshold: 0.8 }
    - { type: not-trajectory:tool-used, value: x }
    - { $ref: "#/assertionTemplates/x" }
    - type: assert-set
      threshold: 0.5
      assert: [{ type: contains, value: a }, { type: llm-rubric, value: b, provider: p, rubricPrompt: r }]
`;

test("a list of cases is in order, and so is a map that holds one among other settings", () => {
  expect(found(good)).toEqual([]);
  expect(found(`description: all\nproviders: [p]\ntests:\n${good.replaceAll(/^/gm, "  ").trimEnd()}`)).toEqual([]);
});

test("variables and assertions that all cases share count for each", () => {
  expect(found("defaultTest: { vars: { focus: x }, assert: [{ type: is-json }] }\ntests:\n  - description: a")).toEqual(
    [],
  );
});

test("what is written once and merged is in order", () => {
  expect(found(`- &first\n  ${good.slice(2)}- { <<: *first, description: b }\n`)).toEqual([]);
});

test.each([
  ["", "1 error the file is neither a list of cases nor a map with a list as tests:"],
  ["just text", "1 error the file is neither a list of cases nor a map with a list as tests:"],
  ["a: 1\ntests:\n  file://x.yaml", "2 error the file is neither a list of cases nor a map with a list as tests:"],
  ["[]", "1 warning there is no case"],
  ["\n- 3", "2 error case 1: Invalid input: expected object, received number"],
  ["- file://more.yaml", "1 warning case 1 is in another file"],
  ["- a: [", "1 error Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ["- a: 1\n  b: 1\n  a: 2", "3 error the key a is there twice"],
  ["- {__proto__: 1}", "1 error the key __proto__ is not allowed"],
  ["- {? [a] : 1}", "1 error a key is not a plain word"],
  ["- &a [*a]", "1 error *a stands inside what it repeats"],
  ["- *a", "1 error Unresolved alias (the anchor must be set before the alias): a"],
  ["- {<<: 3}", "1 error Merge sources must be maps or map aliases"],
  ["a: 1\n---\nb: 1", "2 error Source contains multiple documents; please use YAML.parseAllDocuments()"],
  ["- !!js/function x", "1 error Unresolved tag: tag:yaml.org,2002:js/function"],
  [`\n- ${"[".repeat(200)}`, "2 error the nesting is too deep"],
  ["a".repeat(256 * 1024 + 1), "1 error the file is longer than 256 KB"],
])("%j is said", (text, said) => {
  expect(found(text)).toEqual([said]);
});

test("an alias that is repeated without measure is refused", () => {
  const rows = Array.from({ length: 8 }, (_, row) => `- &a${row + 1} [${Array(9).fill(`*a${row}`).join(", ")}]`);
  expect(found(`- &a0 [x]\n${rows.join("\n")}`)).toEqual([
    "1 error Excessive alias count indicates a resource exhaustion attack",
  ]);
});

const inCase = (rest: string) => found(`- description: a\n  vars: { focus: x }\n${rest}`);

test.each([
  ["  asert: []\n  assert: [{ type: is-json }]", ['3 error case 1: there is no key "asert"']],
  ["  assert: is-json", ["3 error case 1: assert: Invalid input: expected array, received string"]],
  [
    "  threshold: high\n  assert: [{ type: is-json }]",
    ["3 error case 1: threshold: Invalid input: expected number, received string"],
  ],
  [
    "  metadata: 3\n  assert: [{ type: is-json }]",
    ["3 error case 1: metadata: Invalid input: expected record, received number"],
  ],
  ["  assert: []", ["3 warning case 1 asserts nothing"]],
  ["", ["1 warning case 1 asserts nothing"]],
])("a case with %j is said at its line", (rest, said) => {
  expect(inCase(rest)).toEqual(said);
});

test.each([
  ["is-json", "Invalid input: expected object, received string"],
  ["{ value: a }", "type: is missing"],
  ["{ type: contans, value: a }", 'type: there is no assertion "contans"; contains is one'],
  ["{ type: no-such-thing }", 'type: there is no assertion "no-such-thing"'],
  ["{ type: not-not-equals }", 'type: there is no assertion "not-not-equals"'],
  ["{ type: is-json, valeu: 1, x: 1, y: 1, z: 1 }", 'there is no key "valeu", "x", "y" and 1 more'],
  ["{ type: is-json, weight: -1 }", "weight: Too small: expected number to be >=0"],
  ["{ type: is-json, threshold: a }", "threshold: Invalid input: expected number, received string"],
  ["{ type: regex, value: '(' }", 'value: "(" is no pattern (Unterminated group)'],
  ["{ type: not-regex }", "value: regex wants a pattern"],
  ["{ type: icontains-any, value: { a: 1 } }", "value: icontains-any wants a list of texts, or one text with commas"],
  ["{ type: not-contains-all, value: [] }", "value: contains-all wants a list of texts, or one text with commas"],
  ["{ type: icontains, value: [a] }", "value: icontains wants a text"],
  ["{ type: llm-rubric }", "value: llm-rubric wants a text"],
  ["{ type: equals }", "value: equals wants one"],
  ["{ type: assert-set, assert: [] }", "assert: is empty"],
  ["{ type: assert-set, assert: [{ type: is-json }], value: 1 }", 'there is no key "value"'],
  ["{ type: assert-set, assert: [{ type: is-json }, { type: icontains }] }", "2: value: icontains wants a text"],
])("the assertion %s is said at its line", (assertion, said) => {
  expect(inCase(`  assert:\n    - type: is-json\n    - ${assertion}`)).toEqual([
    expect.stringMatching(/^5 error case 1 assertion 2: /),
  ]);
  expect(
    inCase(`  assert:\n    - type: is-json\n    - ${assertion}`)[0]?.slice("5 error case 1 assertion 2: ".length),
  ).toBe(said);
});

test("variables are inputs, and what is required is given", () => {
  expect(
    found(
      "- description: a\n  vars:\n    depth: 1\n    fokus: 1\n  assert: [{ type: is-json }]\n- description: b\n  assert: [{ type: is-json }]",
    ),
  ).toEqual([
    '4 error case 1 sets "fokus", no input of the prompt',
    "2 error case 1 has no value for focus",
    "6 error case 2 has no value for focus",
  ]);
  expect(found("- vars: file://vars.yaml\n  assert: [{ type: is-json }]")).toEqual([
    "1 warning case 1 has its variables in another file",
  ]);
  expect(found("- vars: 3\n  assert: [{ type: is-json }]")).toEqual([
    "1 error case 1: vars: is neither a map nor a file://",
    "1 error case 1 has no value for focus",
  ]);
});

test("without known inputs variables are not judged", () => {
  expect(checkTests("- vars: { any: 1 }\n  assert: [{ type: is-json }]", "x", undefined)).toEqual([]);
});

test("two cases in the same words are said at the second, whole", () => {
  const one = "- description: same\n  vars: { focus: x }\n  assert: [{ type: is-json }]\n";
  expect(checkTests(one + one, "x.tests.yaml", inputs)).toStrictEqual([
    {
      file: "x.tests.yaml",
      line: 4,
      rule: "tests",
      severity: "warning",
      what: "case 2 is described in the same words as case 1",
      why: "A failure's report names the case by its description.",
      mend: "Say what tells this case from the other.",
    },
  ]);
});
