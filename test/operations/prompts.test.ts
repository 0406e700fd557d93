import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { trust } from "../../src/session/trust.ts";
import { readTextIfThere } from "../../src/util/files.ts";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate, refusal } from "../support/inside.ts";
import { firstKey, recordingAt } from "../support/script.ts";
import { rewriteJournal } from "../support/sealed.ts";
import { asksFirst, quickApp, tiny, tinyWay } from "../support/ways.ts";

const tideTable = `---
purpose: Read the tide table of a harbour
cost_estimate: low
phases: [context-building]
tags: [tides, harbour]
good_for:
  - Leaving before the sill falls dry
inputs:
  harbour: { type: line, description: "Which harbour", required: true }
  notes: { type: text, description: "What is known", default: "" }
  knots: { type: number, description: "Speed", default: 5 }
---

# Tide table

Read the table of {{ harbour }} at {{ knots }} knots.

\`\`\`data notes
{{ notes }}
\`\`\`

Name the hour at which the zephyrine lock opens.
`;
const ebb = "---\npurpose: Say when the ebb begins\ncost_estimate: high\ntags: [tides]\n---\nSay it.\n";

/** A trusted project with prompts of its own. */
function harbour(files: Record<string, string> = {}) {
  const place = placeWith({
    ".claude-exec/prompts/sailing/tide_table.md": tideTable,
    ".claude-exec/prompts/ebb_hour.md": ebb,
    ...files,
  });
  trust(place.workspace, place.env);
  const ask = (name: string, input: object = {}) => operate(name, input, callerAt(place.workspace, place.env));
  const names = async (input: object) =>
    ((await ask("prompts list", input)).data["prompts"] as { name: string }[]).map(({ name }) => name);
  return { place, ask, names };
}

test("the list is narrowed by folder, phase, tag, cost and scope, and by all of them at once", async () => {
  const { names } = harbour();
  expect(await names({ folder: "sailing" })).toEqual(["tide_table"]);
  expect(await names({ folder: "sail" })).toEqual([]);
  expect(await names({ tag: "tides" })).toEqual(["ebb_hour", "tide_table"]);
  expect(await names({ tag: "tide" })).toEqual([]);
  expect(await names({ scope: "workspace" })).toEqual(["ebb_hour", "tide_table"]);
  expect(await names({ scope: "workspace", cost: "high" })).toEqual(["ebb_hour"]);
  expect(await names({ scope: "workspace", phase: "context-building" })).toEqual(["tide_table"]);
  expect(await names({ tag: "tides", phase: "context-building", cost: "high" })).toEqual([]);
  expect(await names({ scope: "user" })).toEqual([]);
  const all = await names({});
  expect(all.length).toBeGreaterThan(80);
  expect(all).toEqual(all.toSorted());
  expect(new Set([...(await names({ scope: "builtin" })), "ebb_hour", "tide_table"])).toEqual(new Set(all));
});

test("a word that no filter knows is refused with those it knows", async () => {
  const { place } = harbour();
  const told = async (flag: string) => (await place.run(["prompts", "list", flag])).stderr;
  expect(await told("--phase=later")).toBe(
    "--phase is none of requirements-clarification, context-building, uncertainty-analysis, solution-approval, implementation.\nUsage: claude-exec prompts list [flags]\n",
  );
  expect(await told("--cost=free")).toBe(
    "--cost is none of minimal, low, medium, high.\nUsage: claude-exec prompts list [flags]\n",
  );
  expect(await told("--scope=mine")).toBe(
    "--scope is none of workspace, team, user, builtin, custom.\nUsage: claude-exec prompts list [flags]\n",
  );
});

test("a search puts what fits best first, with the line that does", async () => {
  const { place, ask } = harbour();
  const { exit, data } = await ask("prompts search", { words: ["zephyrine", "lock"] });
  expect([exit, data["query"], data["taken_for"]]).toEqual([0, "zephyrine lock", {}]);
  expect((data["hits"] as object[])[0]).toEqual({
    name: "tide_table",
    folder: "sailing",
    scope: "workspace",
    purpose: "Read the tide table of a harbour",
    cost_estimate: "low",
    tools: "none",
    model: "default",
    tags: ["tides", "harbour"],
    phases: ["context-building"],
    file: join(place.home, "prompts", "sailing", "tide_table.md"),
    line: 22,
    text: "Name the hour at which the zephyrine lock opens.",
  });
  const tides = (await ask("prompts search", { words: ["tides"] })).data["hits"] as { name: string }[];
  expect(tides.map(({ name }) => name).sort()).toEqual(["ebb_hour", "tide_table"]);
});

test("a misspelt word is taken for the nearest there is, and that is said", async () => {
  const { ask } = harbour();
  const { data } = await ask("prompts search", { words: ["zephirine"] });
  expect(data).toMatchObject({ taken_for: { zephirine: "zephyrine" }, hits: [{ name: "tide_table" }] });
});

test("a search keeps to its filters and its limit", async () => {
  const { ask } = harbour();
  const found = async (input: object) =>
    (
      (await ask("prompts search", { words: ["table", "when", "hour"], ...input })).data["hits"] as { name: string }[]
    ).map(({ name }) => name);
  expect((await found({})).length).toBe(10);
  expect((await found({ limit: 3 })).length).toBe(3);
  expect(await found({ limit: 3 })).toEqual((await found({})).slice(0, 3));
  expect(await found({ limit: 1, cost: "high", tag: "tides" })).toEqual(["ebb_hour"]);
  expect((await found({ scope: "workspace", limit: 100 })).sort()).toEqual(["ebb_hour", "tide_table"]);
});

test("a search for what a file says since a moment ago finds it", async () => {
  const { place, ask } = harbour();
  const hits = async () => ((await ask("prompts search", { words: ["quaywall"] })).data["hits"] as object[]).length;
  expect(await hits()).toBe(0);
  writeFileSync(join(place.home, "prompts", "ebb_hour.md"), ebb.replace("Say it.", "Look at the quaywall."));
  expect(await hits()).toBe(1);
});

test.each([
  [["--limit=0"], "--limit is not above 0."],
  [["--limit=many"], "--limit is not a whole number."],
  [[], "<words> is missing."],
])("a search with %j is refused", async (flags, told) => {
  const { place } = harbour();
  const words = flags.length > 0 ? ["tide"] : [];
  const { code, stderr } = await place.run(["prompts", "search", ...words, ...flags]);
  expect([code, stderr.split("\n")[0]]).toEqual([64, told]);
});

test("a prompt is shown whole, with its scope, its file and those it hides", async () => {
  const { place, ask } = harbour({ ".claude-exec/prompts/mine/code_reviewer.md": ebb });
  const user = join(place.beside, "config", "claude-exec", "prompts", "code-reviewer.md");
  mkdirSync(join(user, ".."), { recursive: true });
  writeFileSync(user, ebb);
  const { data } = await ask("prompts show", { name: "code-reviewer" });
  expect(data).toEqual({
    name: "code_reviewer",
    purpose: "Say when the ebb begins",
    good_for: [],
    uncertainty_reduction: [],
    example_context_needs: [],
    cost_estimate: "high",
    phases: [],
    inputs: {},
    tools: "none",
    model: "default",
    produces: [],
    tags: ["tides"],
    examples: [],
    folder: "mine",
    file: join(place.home, "prompts", "mine", "code_reviewer.md"),
    scope: "workspace",
    extra: {},
    body: "Say it.\n",
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    hides: [
      { scope: "user", file: user },
      { scope: "builtin", file: expect.stringMatching(/\/prompts\/quality\/code_reviewer\.md$/) as string },
    ],
    tokens: 5,
  });
});

test("render fills in every input, from the flag or from a file, and leaves the rest at its default", async () => {
  const { place, ask } = harbour();
  writeFileSync(join(place.workspace, "log.txt"), "ebb at 5\n{{ knots }}\n");
  const { data } = await ask("prompts render", {
    name: "tide_table",
    var: ["harbour=Port\n of  Call", "notes=@log.txt"],
  });
  expect(data).toEqual({
    name: "tide_table",
    text: "# Tide table\n\nRead the table of Port of Call at 5 knots.\n\n```data notes\nebb at 5\n{{ knots }}\n\n```\n\nName the hour at which the zephyrine lock opens.",
    tokens: expect.any(Number) as number,
  });
  const given = await ask("prompts render", { name: "tide_table", var: ["harbour=a=b", "knots=7"] });
  expect(given.data["text"]).toContain("Read the table of a=b at 7 knots.");
});

test("render says which input is missing, unknown, of another kind, unreadable or given twice", async () => {
  const { place, ask } = harbour();
  const file = join(place.home, "prompts", "sailing", "tide_table.md");
  const refused = (...pairs: string[]) => refusal(ask("prompts render", { name: "tide_table", var: pairs }));
  const inputs = "Its inputs: harbour, notes, knots.";
  const once = "Write it once for each input: --var 'focus=what to look at'";
  expect(await refused()).toEqual({
    code: "prompt_input_missing",
    message: `${file}:16: tide_table needs a value for harbour`,
    hint: "Give harbour: Which harbour",
    exit: 1,
  });
  expect(await refused("harbour=x", "tide=high")).toEqual({
    code: "prompt_input_unknown",
    message: `${file}:1: tide_table has no input "tide"`,
    hint: inputs,
    exit: 1,
  });
  expect(await refused("harbour=x", "knots=fast")).toEqual({
    code: "prompt_input_wrong",
    message: `${file}:1: tide_table: knots is a number, and "fast" is none`,
    hint: inputs,
    exit: 1,
  });
  expect(await refused("harbour=x", "notes=@none.txt")).toEqual({
    code: "value_unreadable",
    message: `${join(place.workspace, "none.txt")}: cannot be read (ENOENT)`,
    hint: "Name a text file behind the @, or write the value itself.",
    exit: 64,
  });
  expect(await refused("harbour")).toEqual({
    code: "wrong_value",
    message: '"harbour" gives no input a value.',
    hint: once,
    exit: 64,
  });
  expect(await refused("harbour=x", "harbour=y")).toEqual({
    code: "wrong_value",
    message: "The input harbour is given two values.",
    hint: once,
    exit: 64,
  });
});

test("statistics sum what prompts did in all chains of a home, and name a chain that cannot be read", async () => {
  const place = placeWith(quickApp);
  const ask = (input: object = {}) => operate("prompts stats", input, callerAt(place.workspace, place.env));
  expect((await ask()).data).toEqual({ chains: 0, name: null, prompts: [], prompt_metrics: {}, unread: [] });
  const caller = callerAt(place.workspace, place.env);
  const test_command = tiny.at(-1)!.split("=")[1];
  const begin = { task: "Add it", size: "tiny", trust: true, approve_policy: "auto", test_command };
  for (const way of [tinyWay, asksFirst]) {
    await operate("new", { ...begin, replay: recordingAt(place.beside, way) }, caller);
  }
  const { data } = await ask();
  const usage = 900 + 300 + 4_000 + 400;
  const first = { prompt: "requirement_disambiguator", runs: 2, calls: 2, tokens: 2 * usage, repairs: 0 };
  const flow = { prompt: "tdd_flow_controller", runs: 1, calls: 3, tokens: 3 * usage, repairs: 0 };
  expect(data).toMatchObject({
    chains: 2,
    prompts: [
      { ...first, tokens_per_run: usage, confidence_moved: 0 },
      { ...flow, tokens_per_run: 3 * usage },
    ],
    unread: [],
  });
  const cost = async (chain: string) => (await operate("chain-cost", { chain }, caller)).data["usd"] as number;
  const rows = data["prompts"] as { usd: number }[];
  expect(rows.reduce((sum, { usd }) => sum + usd, 0)).toBeCloseTo((await cost("1")) + (await cost("2")), 10);
  expect((await ask({ name: "tdd-flow-controller" })).data).toMatchObject({
    name: "tdd_flow_controller",
    prompts: [flow],
  });
  expect((await ask({ name: "code_reviewer" })).data["prompts"]).toEqual([]);
  const journal = join(place.home, "contexts", "journal", "001.jsonl");
  const own = readFileSync(journal, "utf8");
  writeFileSync(journal, `${own}damaged\n`);
  const damaged = `The journal of chain 001 is damaged at line ${own.split("\n").length}: it carries no hash.`;
  const { chains, unread } = (await ask()).data;
  expect([chains, unread]).toEqual([1, [expect.stringContaining(damaged)]]);
  // Nobody knows who wrote what a foreign chain says of its prompts.
  writeFileSync(journal, own);
  rewriteJournal(journal, undefined, (line) => (line["n"] === 1 ? { ...line, key: undefined } : line));
  expect((await ask()).data).toMatchObject({ chains: 1, unread: [] });
});

test("a reply that was sent back counts as a repair of its prompt", async () => {
  const place = placeWith(quickApp);
  const caller = callerAt(place.workspace, place.env);
  const turn = `${firstKey}/turn`;
  const good = asksFirst[`${turn}-1`];
  const text = { ...(good as object), content: [{ type: "text", text: "I will not say." }] };
  const replay = recordingAt(place.beside, { [`${turn}-1`]: text, [`${turn}-2`]: good });
  for (const task of ["Add it", "Add more"]) await operate("new", { task, trust: true, replay }, caller);
  const { data } = await operate("prompts stats", {}, caller);
  expect(data["prompts"]).toMatchObject([{ prompt: "requirement_disambiguator", runs: 2, calls: 4, repairs: 2 }]);
});

test("in a folder that is not trusted its own prompts are left out, and that is said", async () => {
  const place = placeWith({ ".claude-exec/prompts/ebb_hour.md": ebb });
  const ask = (name: string, input: object) => operate(name, input, callerAt(place.workspace, place.env));
  expect((await ask("prompts list", { tag: "tides" })).data).toEqual({
    prompts: [],
    problems: [],
    untrusted: place.workspace,
  });
  expect((await refusal(ask("prompts show", { name: "ebb_hour" }))).message).toBe('No prompt is called "ebb_hour".');
  expect(readTextIfThere(join(place.beside, "config", "claude-exec", "trusted.json"))).toBeUndefined();
});

const vague = "---\npurpose: Handle things\ncost_estimate: low\ntools: fly\n---\nDo it.\n";

test("lint looks at files, folders and prompts by name, and says where each finding is", async () => {
  const { place, ask } = harbour({ "docs/prompts/vague_one.md": vague, "docs/prompts/README.md": "no prompt" });
  const finding = {
    file: "docs/prompts/vague_one.md",
    line: 4,
    rule: "schema",
    severity: "error",
    what: 'tools: Invalid option: expected one of "none"|"read"|"try"|"edit"|"run"',
    why: "What cannot be read as a prompt is not in the library: nobody can choose or run it.",
    mend: "Fix it between the two lines of ---.",
  };
  for (const path of ["docs", "docs/prompts/vague_one.md", join(place.workspace, "docs")]) {
    const { exit, data } = await ask("prompts lint", { paths: [path] });
    expect([exit, data["files"]]).toEqual([1, 1]);
    expect(data["findings"]).toContainEqual(finding);
  }
  const named = (await ask("prompts lint", { paths: ["ebb-hour", "docs"] })).data;
  expect(named["files"]).toBe(2);
  const outside = join(place.beside, "vague_one.md");
  writeFileSync(outside, vague);
  const { findings } = (await ask("prompts lint", { paths: [outside] })).data;
  expect(findings).toContainEqual({ ...finding, file: outside });
  expect(await refusal(ask("prompts lint", { paths: ["nowhere"] }))).toEqual({
    code: "no_such_path",
    message: `${join(place.workspace, "nowhere")}: is not there`,
    hint: "Name a prompt file, or a folder of prompts.",
    exit: 1,
  });
});

test("without a path lint looks at this home's prompts and the user's own, and where there are none it says so", async () => {
  const { place, ask } = harbour();
  const files = async () => (await ask("prompts lint")).data["files"];
  expect(await files()).toBe(2);
  const user = join(place.beside, "config", "claude-exec", "prompts", "my_way.md");
  mkdirSync(join(user, ".."), { recursive: true });
  writeFileSync(user, ebb);
  writeFileSync(join(place.home, "prompts", "torn_one.md"), "torn");
  expect(await files()).toBe(4);
  const bare = placeWith({});
  expect(await refusal(operate("prompts lint", {}, callerAt(bare.workspace, bare.env)))).toEqual({
    code: "nothing_to_lint",
    message: "There are no prompts of your own here.",
    hint: "Name files or folders: claude-exec prompts lint <path>",
    exit: 64,
  });
});

test("with --strict a warning is an error, and --json tells the same", async () => {
  const { place, ask } = harbour();
  const loose = await ask("prompts lint", { paths: ["ebb_hour"] });
  const warnings = loose.data["warnings"] as number;
  expect(loose).toMatchObject({ exit: 0, data: { files: 1, errors: 0 } });
  expect(warnings).toBeGreaterThan(0);
  const strict = await ask("prompts lint", { paths: ["ebb_hour"], strict: true });
  expect(strict).toEqual({ exit: 1, data: { ...loose.data, errors: warnings, warnings: 0 } });
  const ran = await place.run(["prompts", "lint", "ebb_hour", "--strict", "--json"]);
  expect([ran.code, JSON.parse(ran.stdout)]).toEqual([1, { schema_version: 2, ...strict.data }]);
});
