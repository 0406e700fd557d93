import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { reportSchema } from "../../../src/chain/reply.ts";
import { lintPrompts } from "../../../src/library/lint/lint.ts";
import type { Finding } from "../../../src/library/lint/finding.ts";
import { lintPlaces } from "../../../src/library/lint/places.ts";
import { engineWords } from "../../../src/library/lint/references.ts";
import { tools } from "../../../src/tools/catalogue.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const root = temporaryFolder("lint-");

let count = 0;
function write(files: Record<string, string | Uint8Array>): string {
  const folder = join(root, String(count++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const words = (text: string) => Promise.resolve(text.split(/\s+/).length);
const known = new Set(["trace_flow", "code_reviewer", "dependency_analyzer", "new_case", "pack_b_one", "pack_a_one"]);

async function lint(folder: string, tokens: (text: string) => Promise<number> = words): Promise<Finding[]> {
  const found = await lintPrompts(lintPlaces([folder]), known, tokens);
  return found.map((one) => ({ ...one, file: one.file.replace(`${folder}/`, "") }));
}

const brief = ({ file, line, rule, severity, what }: Finding) => `${file}:${line} ${severity} ${rule}: ${what}`;

const filler = Array.from({ length: 160 }, (_, index) => `w${index}`).join(" ");

function prompt({ front = "", body = "", cost = "medium" }): string {
  return `---\npurpose: Follow it\ncost_estimate: ${cost}\n${front}---\n${body}\n\n${filler}\n`;
}

async function lintOne(parts: Parameters<typeof prompt>[0], tokens?: number): Promise<string[]> {
  const folder = write({ "trace_flow.md": prompt(parts) });
  const found = await lint(folder, tokens === undefined ? words : () => Promise.resolve(tokens));
  return found.map((finding) => brief(finding).replace(/^trace_flow\.md:/, ""));
}

test("a prompt that is in order has no findings", async () => {
  const front =
    "inputs:\n  focus: { type: line, description: a, required: true }\n  log: { description: b, default: '' }\n";
  const body = "Follow {{ focus }}.\n\n```data log\n{{ log }}\n```\n\n## Not for\nReviews (code_reviewer).";
  expect(await lintOne({ front, body })).toEqual([]);
});

test("a variable must be declared and an input used, each said at its own line", async () => {
  const front =
    "inputs:\n  focus: { type: line, description: a, default: '' }\n  'depth': { type: number, description: b }\n";
  expect(
    await lintOne({ front, body: "See {{ fokus }}\nand {{ other }}, {{fokus}}, {{ not a word }}, {{ focus }}" }),
  ).toEqual([
    "6 warning variables: the input depth is declared and not used",
    "8 error variables: {{ fokus }} is used and not declared",
    "9 error variables: {{ other }} is used and not declared",
  ]);
});

test("an input called like a key of the front matter is found below inputs", async () => {
  const front = "inputs:\n  purpose: { type: line, description: a }\n";
  expect(await lintOne({ front })).toEqual(["5 warning variables: the input purpose is declared and not used"]);
});

test("inputs called like what every object has are inputs all the same", async () => {
  expect(await lintOne({ body: "{{ constructor }}" })).toEqual([
    "5 error variables: {{ constructor }} is used and not declared",
  ]);
});

test("a text stands in a fence that is named as data; a line, path, number or boolean may stand anywhere", async () => {
  const inputs = ["text", "line", "path", "number", "boolean"].map(
    (type) => `  a_${type}: { type: ${type}, description: d, required: true }\n`,
  );
  const body = `{{ a_text }} {{ a_line }} {{ a_path }} {{ a_number }} {{ a_boolean }}
\`\`\`
{{ a_text }}
\`\`\`
~~~~data it
{{ a_text }}
~~~~
\`\`\`data {{ a_text }}
\`\`\`
\`\`\`database
{{ a_text }}
\`\`\``;
  expect(await lintOne({ front: `inputs:\n${inputs.join("")}`, body })).toEqual([
    "11 warning untrusted-input: the text {{ a_text }} stands outside of a fence",
    "13 warning untrusted-input: the fence around the text {{ a_text }} is not named as data",
    "18 warning untrusted-input: the text {{ a_text }} stands outside of a fence",
    "21 warning untrusted-input: the fence around the text {{ a_text }} is not named as data",
  ]);
});

test.each([
  ["minimal", 125, undefined],
  ["minimal", 126, "minimal (under 100 tokens); measured are 826 tokens: 126 of text and 700 for a usual report"],
  ["low", 1250, undefined],
  ["low", 1251, "low (100 to 1,000 tokens); measured are 1,951 tokens: 1,251 of text and 700 for a usual report"],
  ["medium", 49, "medium (1,000 to 5,000 tokens); measured are 749 tokens: 49 of text and 700 for a usual report"],
  ["medium", 50, undefined],
  ["medium", 5550, undefined],
  [
    "medium",
    5551,
    "medium (1,000 to 5,000 tokens); measured are 6,251 tokens: 5,551 of text and 700 for a usual report",
  ],
  ["high", 549, "high (more than 5,000 tokens); measured are 1,249 tokens: 549 of text and 700 for a usual report"],
  ["high", 550, undefined],
])("the class %s with %i tokens of text", async (cost, tokens, what) => {
  expect(await lintOne({ cost, body: "" }, tokens)).toEqual(
    what === undefined ? [] : [`3 warning cost-class: cost_estimate is ${what}`],
  );
});

test("the class to write instead is the nearest one that fits", async () => {
  const mends = async (cost: string, tokens: number) => {
    const folder = write({ "trace_flow.md": prompt({ cost }) });
    return (await lint(folder, () => Promise.resolve(tokens))).map(({ mend }) => mend);
  };
  const mend = (name: string) => [`Write cost_estimate: ${name}, or change the text's length.`];
  expect(await mends("minimal", 200)).toEqual(mend("low"));
  expect(await mends("minimal", 2000)).toEqual(mend("medium"));
  expect(await mends("medium", 20)).toEqual(mend("low"));
  expect(await mends("medium", 9000)).toEqual(mend("high"));
  expect(await mends("high", 500)).toEqual(mend("medium"));
});

test("only the text is counted, without its front matter", async () => {
  const seen: string[] = [];
  const folder = write({ "trace_flow.md": prompt({ body: "Go" }) });
  await lint(folder, (text) => Promise.resolve(seen.push(text)));
  expect(seen).toEqual([`Go\n\n${filler}\n`]);
});

test("too few words, too many, and a purpose too long are said", async () => {
  const long = Array.from({ length: 601 }, (_, index) => `v${index}`).join(" ");
  const head = (purpose: string) => `---\nname: x\npurpose: ${purpose}\ncost_estimate: medium\n---\n`;
  const folder = write({
    "brief_one.md": `${head("p".repeat(120))}${filler.split(" ").slice(0, 149).join(" ")}`.replace(
      "x\n",
      "brief_one\n",
    ),
    "empty_one.md": head("p".repeat(121)).replace("x\n", "empty_one\n"),
    "exact_one.md": `${head("p")}${filler.split(" ").slice(0, 150).join(" ")}`
      .replace("x\n", "exact_one\n")
      .replaceAll(/w(\d)/g, "u$1"),
    "large_one.md": `${head("p")}${long}`.replace("x\n", "large_one\n"),
  });
  expect((await lint(folder, () => Promise.resolve(500))).map(brief)).toEqual([
    "brief_one.md:6 warning length: the text has 149 words, fewer than 150",
    "empty_one.md:3 warning length: purpose has 121 characters, more than 120",
    "empty_one.md:6 warning length: the text has 0 words, fewer than 150",
    "large_one.md:6 warning length: the text has 601 words, more than 600",
  ]);
});

test('below "Not for" every name must be a prompt, an input, a word of the front matter or of the engine', async () => {
  const front = "inputs:\n  the_focus: { type: line, description: a, default: '' }\nproduces: [own_word]\n";
  const body = `{{ the_focus }} some_thing_else

## When it is NOT FOR you
code_reviewer, the_focus, own_word, technical_approach, run_tests; other_thing (also other_thing)
\`lost_prompt\`, table.some_column, call_me(), read_me.txt, UPPER_case
### Deeper
deep_word
## After
free_word

\`\`\`text
# Not for
fenced_word
\`\`\``;
  expect(await lintOne({ front, body })).toEqual([
    "11 warning dead-reference: no prompt is called other_thing",
    "12 warning dead-reference: no prompt is called lost_prompt",
    "14 warning dead-reference: no prompt is called deep_word",
  ]);
});

test("a name that misses a prompt by a letter or two is said anywhere, with the right one", async () => {
  const body =
    "Ask code_reviwer, dependency_analyser, code_reader, new_cases, nw_case, nw_cse, tracq_flyw, pack_c_one.";
  expect(await lintOne({ body })).toEqual([
    "5 warning dead-reference: no prompt is called code_reviwer; code_reviewer is",
    "5 warning dead-reference: no prompt is called dependency_analyser; dependency_analyzer is",
    "5 warning dead-reference: no prompt is called new_cases; new_case is",
    "5 warning dead-reference: no prompt is called nw_case; new_case is",
    "5 warning dead-reference: no prompt is called pack_c_one; pack_a_one is",
    "5 warning dead-reference: no prompt is called tracq_flyw; trace_flow is",
  ]);
});

test("files that are looked at together may name each other", async () => {
  const folder = write({
    "first_one.md": prompt({ body: "## Not for\nsecond_one" }),
    "second-one.md": prompt({ body: "Sum up.\n## Not for\nfirst_one, third_one" }).replaceAll(/w(\d)/g, "v$1"),
  });
  expect((await lint(folder)).map(brief)).toEqual([
    "second-one.md:7 warning dead-reference: no prompt is called third_one",
  ]);
});

test("the engine's words hold every key of a report and every tool of two words", () => {
  const keys = JSON.stringify(reportSchema.toJSONSchema({ io: "input" })).match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? [];
  expect([...keys, ...tools.map(({ name }) => name)].filter((word) => !engineWords.has(word))).toEqual([]);
});

test("weak wording is found in purpose and text, hidden Unicode and secrets in the whole file", async () => {
  const folder = write({
    "trace_flow.md": `---\npurpose: Leverage it\ntags: ["a\u200Bb"]\ncost_estimate: medium\n# password = "hunter2hunter2"\n---\nTry\nto go.\n${filler}\n`,
  });
  expect((await lint(folder)).map(brief)).toEqual([
    'trace_flow.md:2 warning weak-wording: "Leverage" says nothing',
    "trace_flow.md:3 error hidden-unicode: U+200B, a character of no width, at column 10",
    "trace_flow.md:5 error secret: password of 14 characters",
    'trace_flow.md:7 warning weak-wording: "Try to" says nothing',
  ]);
});

test("what is no prompt is one error at its line, and its text is looked at all the same", async () => {
  const folder = write({
    "bad_cost.md": "---\npurpose: a\ncost_estimate: huge\n---\nPlease go.\u200B\n",
    "bare_text.md": "Please go.\n",
    "no_end.md": "---\nPlease go.\n",
    "Name.md": "---\npurpose: a\ncost_estimate: low\n---\nProperly.\n",
    "script.md": "---js\nprocess.exit(1)\n---\nUtilize it.\n",
  });
  expect((await lint(folder)).map(brief)).toEqual([
    "Name.md:1 error schema: the file's name is none for a prompt",
    'Name.md:5 warning weak-wording: "Properly" says nothing',
    'bad_cost.md:3 error schema: cost_estimate: Invalid option: expected one of "minimal"|"low"|"medium"|"high"',
    "bad_cost.md:5 error hidden-unicode: U+200B, a character of no width, at column 11",
    'bad_cost.md:5 warning weak-wording: "Please" says nothing',
    "bare_text.md:1 error schema: purpose: is missing",
    'bare_text.md:1 warning weak-wording: "Please" says nothing',
    "no_end.md:1 error schema: the front matter has no end",
    'no_end.md:2 warning weak-wording: "Please" says nothing',
    'script.md:1 error schema: "js" is not read, only YAML',
    'script.md:4 warning weak-wording: "Utilize" says nothing',
  ]);
});

test("a finding says what, why and how to mend it, whole", async () => {
  const folder = write({ "bare_text.md": "Go.\n" });
  expect(await lint(folder)).toStrictEqual([
    {
      file: "bare_text.md",
      line: 1,
      rule: "schema",
      severity: "error",
      what: "purpose: is missing",
      why: "What cannot be read as a prompt is not in the library: nobody can choose or run it.",
      mend: "Fix it between the two lines of ---.",
    },
  ]);
});

test("the tests beside a prompt are checked against its inputs, and by form alone where the prompt is broken", async () => {
  const cases = "- description: a\n  vars: { focus: x, fokus: y }\n  assert: [{ type: is-jsn }]\n";
  const front = "inputs:\n  focus: { type: line, description: a, required: true }\n";
  const folder = write({
    "broken.md": "---\n---\n",
    "broken.tests.yaml": cases,
    "trace_flow.md": prompt({ front, body: "{{ focus }}" }),
    "trace_flow.tests.yaml": cases,
    "no_yaml.md": prompt({ body: "no" }).replaceAll(/w(\d)/g, "v$1"),
    "no_yaml.tests.yaml": Uint8Array.of(0x2d, 0xff),
    "folder.md": prompt({ body: "no" }).replaceAll(/w(\d)/g, "u$1"),
    "folder.tests.yaml/x": "",
  });
  expect((await lint(folder)).map(brief)).toEqual([
    "broken.md:1 error schema: purpose: is missing",
    'broken.tests.yaml:3 error tests: case 1 assertion 1: type: there is no assertion "is-jsn"; is-json is one',
    "folder.tests.yaml:1 error tests: this is not a plain file",
    "no_yaml.tests.yaml:1 error tests: the file is not UTF-8 text",
    'trace_flow.tests.yaml:2 error tests: case 1 sets "fokus", no input of the prompt',
    'trace_flow.tests.yaml:3 error tests: case 1 assertion 1: type: there is no assertion "is-jsn"; is-json is one',
  ]);
});

test("of one rule in one file 20 findings are shown and the rest is counted", async () => {
  const folder = write({ "bare_text.md": "Please.\n".repeat(25) });
  const found = (await lint(folder)).filter(({ rule }) => rule === "weak-wording");
  expect(found.map(({ line }) => line)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
  expect(found.slice(19).map(({ what }) => what)).toEqual(['"Please" says nothing', "5 more like those above"]);
});

test("a file that is no readable text is one finding that names it: other bytes, a folder, a link, nothing", async () => {
  const folder = write({
    "bytes.md": Uint8Array.of(0x50, 0x6c, 0x65, 0x61, 0x73, 0x65, 0x20, 0xff),
    "folder.md/inner.txt": "",
    "huge.md": "a".repeat(301 * 1024),
    "inside/a.txt": "",
  });
  symlinkSync(join(folder, "round.md"), join(folder, "round.md"));
  symlinkSync("..", join(folder, "inside", "up"));
  const places = lintPlaces([folder, join(folder, "inside"), join(folder, "folder.md")]);
  const gone = { file: join(folder, "gone.md"), folder: "", scope: "custom" } as const;
  const found = await lintPrompts([...places, gone], known, words);
  expect(found.map((one) => brief(one).replace(`${folder}/`, ""))).toEqual([
    "bytes.md:1 error unreadable: the file is not UTF-8 text",
    'bytes.md:1 warning weak-wording: "Please" says nothing',
    "folder.md:1 error unreadable: this is not a plain file",
    "gone.md:1 error unreadable: the file cannot be read (ENOENT)",
    "huge.md:1 error unreadable: the file is longer than 300 KB",
    "round.md:1 error unreadable: this is not a plain file",
  ]);
});

test("texts made to be slow are dealt with, each under its own name", async () => {
  const fill = (text: string) => text.repeat((250 * 1024) / text.length);
  const head = "---\npurpose: a\ncost_estimate: low\n---\n";
  const bodies = {
    words: fill("w"),
    ticks: fill("`` ` "),
    fences: Array.from({ length: 300 }, (_, at) => `${"`".repeat(400 - at)}x\n${"~".repeat(400 - at)}y\n`).join(""),
    variables: Array.from({ length: 15_000 }, (_, at) => `{{ v${at} }}`).join(" "),
    hidden: "\u200B\n".repeat(60_000),
    twins: "\u0430b ".repeat(60_000),
    weak: fill("make sure\n"),
    passwords: fill("token:token:"),
    names: Array.from({ length: 15_000 }, (_, at) => `trace_flow_${at}`).join(" "),
    emoji: "\u{1F600}\u200D".repeat(30_000),
  };
  const files = Object.entries(bodies).map(([name, body]) => [`slow_${name}.md`, `${head}please ${body}`]);
  const keys = Array.from({ length: 40_000 }, (_, at) => `k${at}: 1`);
  const folder = write({
    ...Object.fromEntries(files),
    "slow_keys.md": `---\n${keys.join("\n")}\n---\n`,
    "slow_keys.tests.yaml": `- {${Array.from({ length: 40_000 }, (_, at) => at).join()}}\n`,
    "slow_nest.md": `---\n${"? ".repeat(7000)}\n---\n`,
    "slow_nest.tests.yaml": "? ".repeat(100_000),
  });
  const found = await lint(folder);
  const named = new Set(found.map(({ file }) => file));
  expect([...named].sort()).toEqual(
    [
      ...files.map(([name]) => name!),
      "slow_keys.md",
      "slow_keys.tests.yaml",
      "slow_nest.md",
      "slow_nest.tests.yaml",
    ].sort(),
  );
  expect(found.map(({ what }) => what)).toContain('case 1: there is no key "0", "1", "2" and 39997 more');
});

test("whatever stands in a file, linting it ends in sorted findings", async () => {
  const file = join(write({ "any_text.md": "", "any_text.tests.yaml": "" }), "any_text.md");
  const line = fc.oneof(
    fc.constantFrom("---", "```", "~~~~data x", "{{ x }}", "# Not for", "purpose: a", "cost_estimate: low", "inputs:"),
    fc.constantFrom(
      "  x: { description: a }",
      "- vars: { x: 1 }",
      "  assert:",
      "  - type: regex",
      "    value: (",
      "a_b_c",
    ),
    fc.string({ unit: "binary", maxLength: 30 }),
  );
  const text = fc.array(line, { maxLength: 20 }).map((lines) => lines.join("\n"));
  await fc.assert(
    fc.asyncProperty(text, text, async (prompt, tests) => {
      writeFileSync(file, prompt);
      writeFileSync(file.replace(/md$/, "tests.yaml"), tests);
      const found = await lintPrompts([{ file, folder: "", scope: "custom" }], known, words);
      const keys = found.map(({ file, line, rule }) => `${file} ${String(line).padStart(6, "0")} ${rule}`);
      expect(keys).toEqual([...keys].sort());
      for (const { line } of found) expect(line).toBeGreaterThan(0);
    }),
    { numRuns: 300 },
  );
});

test("what cannot be seen is found in test cases too, and where an escape of YAML writes it", async () => {
  const text = prompt({}).replace("purpose: Follow it", 'purpose: "Follow \\u202E it"');
  const folder = write({
    "trace_flow.md": text,
    "trace_flow.tests.yaml": "- description: Sees\u200B it\n  assert: [{ type: is-json }]\n",
  });
  expect((await lint(folder)).filter(({ rule }) => rule === "hidden-unicode").map(brief)).toEqual([
    expect.stringMatching(/^trace_flow\.md:1 error hidden-unicode: U\+202E/),
    expect.stringMatching(/^trace_flow\.tests\.yaml:1 error hidden-unicode: U\+200B/),
  ]);
});

test("a copy of another prompt of the library is told, one that stands for it is not", async () => {
  const shipped = write({ "trace_flow.md": prompt({}) });
  const own = write({ "my_flow.md": prompt({}), "trace_flow.md": prompt({ body: "# Mine" }) });
  const others = lintPlaces([shipped]);
  const files = lintPlaces([own]);
  const alike = async (known: typeof others) =>
    (await lintPrompts(files, new Set(), words, known)).filter(({ rule }) => rule === "near-duplicate");
  expect((await alike([])).length).toBe(1);
  const alone = lintPlaces([join(own, "my_flow.md")]);
  const found = await lintPrompts(alone, new Set(), words, others);
  expect(found.filter(({ rule }) => rule === "near-duplicate").map(({ what }) => what)).toEqual([
    `100% of this text and ${join(shipped, "trace_flow.md")} are the same`,
  ]);
  expect(await alike(others)).toEqual(await alike([]));
});
