import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { openLibrary } from "../../src/library/library.ts";
import { searchPrompts } from "../../src/library/search.ts";
import { type IndexFile, openIndexFile } from "../../src/store/index_file.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

let opened: IndexFile[] = [];
afterEach(() => {
  for (const index of opened) index.close();
  opened = [];
  cleanUp();
});

interface Words {
  readonly title?: string;
  readonly purpose?: string;
  readonly uses?: string;
  readonly body?: string;
}

function prompt({ title = "Something", purpose = "Do it", uses = "Anything", body = "Begin.\n" }: Words): string {
  return `---\ntitle: ${title}\npurpose: ${purpose}\ngood_for: [${uses}]\ncost_estimate: low\n---\n${body}`;
}

/** A library of these prompts, all written long enough ago to be settled. */
function libraryOf(prompts: Record<string, Words | string>) {
  const files = Object.entries(prompts).map(([name, words]) => [
    `${name}.md`,
    typeof words === "string" ? words : prompt(words),
  ]);
  const root = folderWith(Object.fromEntries(files) as Record<string, string>);
  const index = openIndexFile(":memory:", () => Date.now() + 1_000);
  opened.push(index);
  const library = openLibrary([{ scope: "workspace", path: root }], { index });
  return { ...library, root, index };
}

async function found(library: Pick<ReturnType<typeof libraryOf>, "search">, query: string, limit = 10) {
  const { hits, taken_for } = await library.search(query, limit);
  return { hits: hits.map(({ prompt, line, text }) => `${prompt.name}:${line} ${text}`), taken_for };
}

async function names(library: Pick<ReturnType<typeof libraryOf>, "search">, query: string, limit = 10) {
  return (await library.search(query, limit)).hits.map((hit) => hit.prompt.name);
}

test("a name ranks over a purpose, a purpose over a use, and a use over the text", async () => {
  const library = libraryOf({
    in_text: { body: "Mind the budget.\n" },
    in_use: { uses: "A budget" },
    in_purpose: { purpose: "Mind the budget" },
    budget: {},
    stranger: {},
  });
  expect(await names(library, "budget")).toEqual(["budget", "in_purpose", "in_use", "in_text"]);
});

test("a hit is the prompt as it is listed, with the line that holds most of the words", async () => {
  const library = libraryOf({ trace_flow: { body: "# Trace\n\nLook at one queue.\nLook at one slow queue.\n" } });
  const { prompts } = await library.all();
  const { hits, taken_for } = await library.search("slow queue", 5);
  expect(hits).toEqual([{ prompt: prompts[0], line: 10, text: "Look at one slow queue." }]);
  expect(taken_for).toEqual({});
});

test("the line is one of the text where it can be, else of the front matter, else there is the purpose", async () => {
  const library = libraryOf({ slow_path: { purpose: "Find a queue", body: "A queue.\n" } });
  expect((await found(library, "queue")).hits).toEqual(["slow_path:7 A queue."]);
  expect((await found(library, "find")).hits).toEqual(["slow_path:3 purpose: Find a queue"]);
  expect((await found(library, "path")).hits).toEqual(["slow_path:1 Find a queue"]);
});

test("a file with Windows line ends has its lines too", async () => {
  const windows = prompt({ purpose: "Find a queue", body: "One.\nA queue.\n" }).replaceAll("\n", "\r\n");
  expect((await found(libraryOf({ slow_path: windows }), "queue")).hits).toEqual(["slow_path:8 A queue."]);
});

test("a line of any length is shown with 200 characters", async () => {
  const { hits } = await libraryOf({ long_line: { body: `queue ${"x".repeat(1_000)}\n` } }).search("queue", 1);
  expect(hits[0]!.text).toBe(`queue ${"x".repeat(194)}`);
});

test.each([
  ["migration", "migrations"],
  ["migrations", "migration"],
  ["testing", "tests"],
  ["policies", "policy"],
  ["MIGRATION", "migration"],
])("%j finds a line with %j", async (query, word) => {
  const library = libraryOf({ one_prompt: { body: `First.\nMind the ${word}.\n` }, other_prompt: {} });
  expect(await found(library, query)).toEqual({ hits: [`one_prompt:8 Mind the ${word}.`], taken_for: {} });
});

test.each([
  ["reveiw", "review"],
  ["migratoin", "migration"],
  ["bugdet", "budget"],
  ["qeue", "queue"],
])("the misspelt %j is taken for %j, and that is said", async (query, meant) => {
  const library = libraryOf({ one_prompt: { body: `First.\nMind the ${meant}.\n` }, other_prompt: {} });
  const expected = { hits: [`one_prompt:8 Mind the ${meant}.`], taken_for: { [query]: meant } };
  expect(await found(library, query)).toEqual(expected);
});

test("a word that is like no other finds nothing, and is taken for none", async () => {
  const library = libraryOf({ one_prompt: { body: "Mind the cat.\n" } });
  expect(await found(library, "xylophone")).toEqual({ hits: [], taken_for: {} });
  expect(await found(library, "cad")).toEqual({ hits: [], taken_for: {} });
  expect(await names(library, "xylophone cat")).toEqual(["one_prompt"]);
});

test("a word of a prompt that is gone is meant no longer", async () => {
  const library = libraryOf({ one_prompt: { body: "A review.\n" }, two_prompt: { body: "Nothing.\n" } });
  expect((await found(library, "reveiw")).taken_for).toEqual({ reveiw: "review" });
  rmSync(join(library.root, "one_prompt.md"));
  expect(await found(library, "reveiw")).toEqual({ hits: [], taken_for: {} });
});

test.each([
  ["résumé", "resume"],
  ["resume", "résumé"],
  ["re\u0301sume\u0301", "résumé"],
  ["résumé", "re\u0301sume\u0301"],
  ["ÜBERSICHT", "Übersicht"],
  ["проверка", "Проверка"],
  ["ΈΛΕΓΧΟΣ", "έλεγχος"],
  ["日本語", "日本語"],
  ["समीक्षा", "समीक्षा"],
  ["ตรวจสอบ", "ตรวจสอบ"],
  ["مراجعة", "مراجعة"],
])("%j finds %j", async (query, word) => {
  const library = libraryOf({ one_prompt: { body: `First.\nThis is ${word}, twice.\n` }, other_prompt: {} });
  expect(await found(library, query)).toEqual({ hits: [`one_prompt:8 This is ${word}, twice.`], taken_for: {} });
});

test("a name is found by itself, with hyphens, and by its parts", async () => {
  const library = libraryOf({ trace_data_flow: {}, data_model: {}, trace_log: {} });
  expect(await names(library, "trace_data_flow", 1)).toEqual(["trace_data_flow"]);
  expect(await names(library, "trace-data-flow", 1)).toEqual(["trace_data_flow"]);
  expect((await names(library, "data")).toSorted()).toEqual(["data_model", "trace_data_flow"]);
  expect(await names(library, "log")).toEqual(["trace_log"]);
  expect(await names(library, "trace dta_flow", 1)).toEqual(["trace_data_flow"]);
});

test("what means something to the search engine is only words here", async () => {
  const library = libraryOf({ one_prompt: { body: "Near and far, not here or there.\n" }, other_prompt: {} });
  const queries = [
    "AND OR NEAR( * ^ : - \" '",
    "NOT",
    'near"',
    "title:near",
    "near*",
    "NEAR(far here, 2)",
    "a:near",
    "-far",
  ];
  for (const query of queries) expect([query, await names(library, query)]).toEqual([query, ["one_prompt"]]);
  for (const query of ["", " ", "\0", '"', "*", "()", "--", "💥", "\ud800", "{a b}:"]) {
    expect([query, await names(library, query)]).toEqual([query, []]);
  }
});

test("whatever is asked for is answered", async () => {
  const library = libraryOf({ one_prompt: { body: "Near and far, not here or there.\n" }, near_miss: {} });
  const piece = fc.constantFrom(
    ..."AND OR NOT NEAR( ) * ^ : - \" ' {a} + near far title a __proto__".split(" "),
    " ",
    "\0",
  );
  const query = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece).map((pieces) => pieces.join(" ")),
  );
  await fc.assert(
    fc.asyncProperty(query, fc.integer({ min: 0, max: 3 }), async (query, limit) => {
      const { hits } = await library.search(query, limit);
      expect(hits.length).toBeLessThanOrEqual(limit);
    }),
    { numRuns: 300 },
  );
});

test("a query of 10,000 characters is answered by its first words", async () => {
  const library = libraryOf({ one_prompt: { body: "Mind the budget.\n" } });
  expect(await names(library, "x".repeat(10_000))).toEqual([]);
  expect(await names(library, `budget ${"other words ".repeat(1_000)}`)).toEqual(["one_prompt"]);
  const many = Array.from({ length: 2_000 }, (_, at) => `w${at}`).join(" ");
  expect(await names(library, `budget ${many}`)).toEqual(["one_prompt"]);
});

test("not more are found than were asked for, and the best are", async () => {
  const names100 = Array.from({ length: 100 }, (_, at) => `prompt_${at}`);
  const library = libraryOf({
    ...Object.fromEntries(names100.map((name) => [name, { body: "A budget.\n" }])),
    budget: {},
  });
  expect(await names(library, "budget", 1)).toEqual(["budget"]);
  expect(await names(library, "budget", 7)).toHaveLength(7);
  expect(await names(library, "budget", 1_000)).toHaveLength(101);
  expect(await names(library, "budget", 0)).toEqual([]);
});

test("a file that is no prompt is never a hit, and takes no prompt's place", async () => {
  const broken = "---\npurpose: [\n---\nbudget\n";
  const library = libraryOf({
    budget: broken,
    budget_one: broken,
    budget_two: broken,
    whole_prompt: { body: "A budget.\n" },
  });
  expect(await names(library, "budget", 10)).toEqual(["whole_prompt"]);
  expect(await names(library, "budget", 1)).toEqual(["whole_prompt"]);
});

test("a file changed in place is found by its new words after the next listing, and never shown with old ones", async () => {
  const library = libraryOf({ one_prompt: { body: "A budget.\n" }, other_prompt: {} });
  await library.all();
  writeFileSync(join(library.root, "one_prompt.md"), prompt({ body: "A queue.\n" }));
  expect(await names(library, "budget")).toEqual([]);
  expect((await found(library, "queue")).hits).toEqual(["one_prompt:7 A queue."]);
  writeFileSync(join(library.root, "one_prompt.md"), prompt({ body: "A gate.\n" }));
  await library.all();
  expect(await names(library, "gate")).toEqual(["one_prompt"]);
});

test("a prompt that is added, removed or moved is found as it now lies", async () => {
  const library = libraryOf({ one_prompt: { body: "A budget.\n" } });
  expect(await names(library, "budget")).toEqual(["one_prompt"]);
  mkdirSync(join(library.root, "deep/er"), { recursive: true });
  writeFileSync(join(library.root, "deep/er/two_prompt.md"), prompt({ purpose: "Mind the budget" }));
  expect(await names(library, "budget")).toEqual(["two_prompt", "one_prompt"]);
  rmSync(join(library.root, "one_prompt.md"));
  expect(await names(library, "budget")).toEqual(["two_prompt"]);
  writeFileSync(join(library.root, "two_prompt.md"), prompt({ body: "No such word.\n" }));
  rmSync(join(library.root, "deep"), { recursive: true });
  expect(await names(library, "budget")).toEqual([]);
});

test("a prompt that goes away, or becomes a folder, between the search and its line is shown without it", async () => {
  const library = libraryOf({ one_prompt: { body: "A budget.\n" } });
  const file = join(library.root, "one_prompt.md");
  const [prompt] = (await library.all()).prompts;
  await library.index.sync("prompt:1", [file], () =>
    Promise.resolve({ value: null, texts: ["one_prompt", "", "", "A budget."] }),
  );
  for (const put of [() => undefined, () => mkdirSync(file)]) {
    const { hits, taken_for } = searchPrompts(library.index, "prompt:1", "budget", 5, () => {
      rmSync(file, { force: true });
      put();
      return [prompt!];
    });
    expect({ hits, taken_for }).toEqual({ hits: [{ prompt, line: 1, text: "Do it" }], taken_for: {} });
  }
});
