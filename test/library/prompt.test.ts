import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { promptName } from "../../src/library/names.ts";
import { readPrompt } from "../../src/library/read_prompt.ts";
import { UserError } from "../../src/util/errors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const root = temporaryFolder("prompt-");

let count = 0;
function write(text: string | Uint8Array, name = "trace_flow.md"): string {
  const folder = join(root, String(count++));
  mkdirSync(folder);
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

function read(file: string) {
  return readPrompt({ file, folder: "discovery", scope: "builtin" });
}

async function refusal(file: string): Promise<string> {
  const error = await read(file).catch((error: unknown) => error);
  if (!(error instanceof UserError) || error.code !== "prompt_unreadable" || error.next.length === 0) throw error;
  return error.message.replace(file, "FILE");
}

const least = "purpose: Follow it\ncost_estimate: low\n";

test("a full prompt is read whole, unknown keys and all", async () => {
  const text = `---
name: trace-flow
title: Trace a flow
purpose: >
  Follow one behaviour
  through the code
good_for: [Bugs]
uncertainty_reduction: [Paths]
example_context_needs: [The behaviour]
cost_estimate: medium
phases: [context-building, uncertainty-analysis]
inputs:
  focus: { description: "What to trace", required: true }
  entry: { description: "Where it starts", default: "" }
tools: read
model: smart
produces: [discovered]
tags: [code]
examples: [{ focus: login }]
difficulty: 3
x-team: { owner: ann, constructor: 1 }
constructor: kept
---
Follow **{{ focus }}**.
`;
  const file = write(text);
  expect(await read(file)).toStrictEqual({
    name: "trace_flow",
    title: "Trace a flow",
    purpose: "Follow one behaviour through the code",
    good_for: ["Bugs"],
    uncertainty_reduction: ["Paths"],
    example_context_needs: ["The behaviour"],
    cost_estimate: "medium",
    phases: ["context-building", "uncertainty-analysis"],
    inputs: {
      focus: { type: "text", description: "What to trace", required: true },
      entry: { type: "text", description: "Where it starts", required: false, default: "" },
    },
    tools: "read",
    model: "smart",
    produces: ["discovered"],
    tags: ["code"],
    examples: [{ focus: "login" }],
    extra: { difficulty: 3, "x-team": { owner: "ann", constructor: 1 }, constructor: "kept" },
    folder: "discovery",
    file,
    scope: "builtin",
    body: "Follow **{{ focus }}**.\n",
    bodyLine: 24,
    sha256: createHash("sha256").update(text).digest("hex"),
  });
});

test("a prompt may say no more than its purpose and its cost; its name is then the file's", async () => {
  const file = write(`\uFEFF---\n${least}---\nDo it.`, "do-it-now.md");
  expect(await read(file)).toStrictEqual({
    name: "do_it_now",
    purpose: "Follow it",
    cost_estimate: "low",
    good_for: [],
    uncertainty_reduction: [],
    example_context_needs: [],
    phases: [],
    inputs: {},
    tools: "none",
    model: "default",
    produces: [],
    tags: [],
    examples: [],
    extra: {},
    folder: "discovery",
    file,
    scope: "builtin",
    body: "Do it.",
    bodyLine: 5,
    sha256: createHash("sha256").update(`\uFEFF---\n${least}---\nDo it.`).digest("hex"),
  });
});

test.each([
  ["purpose: [a]\ncost_estimate: low", "FILE:2: purpose: Invalid input: expected string, received array"],
  ["cost_estimate: low", "FILE:1: purpose: is missing"],
  ["purpose: ' '\ncost_estimate: low", "FILE:2: purpose: is empty"],
  ["purpose: Go", "FILE:1: cost_estimate: is missing"],
  [
    "purpose: Go\ncost_estimate: huge",
    'FILE:3: cost_estimate: Invalid option: expected one of "minimal"|"low"|"medium"|"high"',
  ],
  [`name: 123\n${least}`, "FILE:2: name: Invalid input: expected string, received number"],
  [`${least}good_for: x`, "FILE:4: good_for: Invalid input: expected array, received string"],
  [`${least}tags:\n  - a\n  - 2`, "FILE:4: tags.1: Invalid input: expected string, received number"],
  [`${least}tools: all`, 'FILE:4: tools: Invalid option: expected one of "none"|"read"|"try"|"edit"|"run"'],
  [
    `${least}phases: [testing]`,
    expect.stringMatching(/^FILE:4: phases\.0: Invalid option: expected one of "requirements-clarification"\|/),
  ],
  [`${least}inputs: { focus: { required: true } }`, "FILE:4: inputs.focus.description: is missing"],
  [
    `${least}inputs: { focus: { description: a, default: 3 } }`,
    "FILE:4: inputs.focus: has a default of another type: put quotes around it",
  ],
  [
    `${least}inputs: { focus: { description: a, requierd: true } }`,
    'FILE:4: inputs.focus: Unrecognized key: "requierd"',
  ],
  [
    `${least}inputs: { focus: { description: a, required: true, default: b } }`,
    "FILE:4: inputs.focus: is required and has a default: keep one",
  ],
  [`${least}inputs: { a-b: { description: a } }`, expect.stringMatching(/^FILE:4: inputs\.a-b: /)],
])("front matter %j is refused at its line", async (yaml, message) => {
  const said = await refusal(write(`---\n${yaml.trimEnd()}\n---\n`));
  expect(said).toEqual(message);
});

test("a name that differs from its file's is refused at its line", async () => {
  expect(await refusal(write(`---\n${least}name: other\n---\n`))).toBe(
    'FILE:4: the prompt calls itself "other", its file "trace_flow"',
  );
});

test("a file whose name no prompt can have is refused", async () => {
  expect(await refusal(write(`---\n${least}---\n`, "Trace.md"))).toBe("FILE:1: the file's name is none for a prompt");
  expect(await refusal(write(`---\n${least}---\n`, "ab.md"))).toBe("FILE:1: the file's name is none for a prompt");
});

test("hyphens mean underscores in a name, and 3 to 50 small letters, digits and underscores make one", () => {
  expect(
    ["a-b", "abc", "a".repeat(50), "ab", "a".repeat(51), "Abc", "a/b", "a*b", "abc\n", ""].map(promptName),
  ).toEqual(["a_b", "abc", "a".repeat(50), ...Array.from({ length: 7 }, () => undefined)]);
});

test("a file of 5 MB is refused by its size alone", async () => {
  const text = Buffer.alloc(5 * 1024 * 1024, 0xff);
  expect(await refusal(write(text))).toBe("FILE:1: the file is longer than 300 KB");
});

test("what is no readable UTF-8 file is refused: other bytes, a folder, a link, nothing", async () => {
  expect(await refusal(write(Uint8Array.of(0x2d, 0xff, 0xfe)))).toBe("FILE:1: the file is not UTF-8 text");
  const folder = join(root, "folder.md");
  mkdirSync(folder);
  expect(await refusal(folder)).toBe("FILE:1: this is not a plain file");
  const link = join(root, "link.md");
  symlinkSync(write(`---\n${least}---\n`), link);
  expect(await refusal(link)).toBe("FILE:1: this is not a plain file");
  expect(await refusal(join(root, "gone.md"))).toBe("FILE:1: the file cannot be read (ENOENT)");
});
