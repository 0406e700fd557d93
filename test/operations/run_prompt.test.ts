import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ChainLine } from "../../src/chain/events.ts";
import { trust } from "../../src/session/trust.ts";
import { contextFile, journalLines, placeWith } from "../support/cli.ts";
import { callerAt, operate, refusal } from "../support/inside.ts";
import { recordingAt, report, uses, type Replies } from "../support/script.ts";
import { asksFirst, productCode, prose, quickApp } from "../support/ways.ts";

const promptOf = (tools: string, inputs = "") =>
  `---\npurpose: Look at one module\ncost_estimate: low\ntools: ${tools}\n${inputs}---\nLook at {{ focus }}.\n`;
const focus = 'inputs:\n  focus: { type: line, description: "Where", default: "src" }\n';
const chainInputs = `${focus}${["chain", "history", "costs"].map((name) => `  ${name}: { type: text, description: "${name}", default: "" }\n`).join("")}`;
const key = (turn: number, name = "module_look") => `run/1/1-${name}/turn-${turn}`;
const looked = report("One module.", { discovered: [{ key: "modules", value: ["src/sum.js"] }] });

/** A trusted project with one prompt of its own, and a model that says what is given. */
function bench(replies: Replies, tools = "read", inputs = focus) {
  const place = placeWith({ ...quickApp, ".claude-exec/prompts/module_look.md": promptOf(tools, inputs) });
  trust(place.workspace, place.env);
  const replay = recordingAt(place.beside, replies);
  const heard: ChainLine[] = [];
  const stop = new AbortController();
  const caller = callerAt(place.workspace, place.env, { listen: (line) => heard.push(line), signal: stop.signal });
  const ask = (name: string, input: object = {}) => operate(name, input, caller);
  const run = (input: object = {}) => ask("prompts run", { name: "module_look", replay, ...input });
  const runs = join(place.home, "contexts", "runs");
  const journal = (id = "001") => journalLines(join(runs, "journal", `${id}.jsonl`));
  return { place, ask, run, runs, journal, heard, stop };
}

test("a prompt runs on its own: its report, its cost and its record, and no chain", async () => {
  const { place, ask, run, runs, journal, heard } = bench({
    [key(1)]: uses(["read_file", { path: "src/sum.js" }]),
    [key(2)]: looked,
  });
  const { exit, data } = await run({ name: "module-look", var: ["focus=the sum"] });
  expect(exit).toBe(0);
  expect(data).toEqual({
    prompt: "module_look",
    report: {
      summary: "One module.",
      discovered: [{ key: "modules", value: ["src/sum.js"] }],
    },
    cost: { usd: expect.any(Number) as number, tokens: 2 * 5_600 },
    record: contextFile(runs, "001"),
  });
  expect(JSON.parse(readFileSync(contextFile(runs, "001"), "utf8"))).toMatchObject({
    goal: "the sum",
    prompts_executed: ["module_look"],
  });
  expect(heard).toEqual(journal());
  const asked = journal().find((line) => line.type === "intent" && line.effect === "model");
  expect(JSON.stringify(asked)).toContain("Look at the sum.");
  expect((await ask("status", { chain: "all" })).data["chains"]).toEqual([]);
  expect((await ask("prompts stats")).data).toMatchObject({ chains: 1, prompts: [{ runs: 1 }] });
  expect(readdirSync(join(place.home, "contexts")).sort()).toEqual([".gitignore", "runs"]);
});

test("each run has a record of its own, and is no chain's number", async () => {
  const { place, ask, run, runs } = bench({ ...asksFirst, [key(1)]: looked });
  await run();
  await run();
  expect(readdirSync(join(runs, "journal")).filter((name) => name.endsWith(".jsonl"))).toEqual([
    "001.jsonl",
    "002.jsonl",
  ]);
  const replay = join(place.beside, "replies.json");
  expect((await ask("new", { task: "Add a product", replay })).data["chain_id"]).toBe("001");
});

test("a prompt with the right to edit or to run writes and runs nothing here", async () => {
  for (const tools of ["edit", "run"]) {
    const { place, run, journal } = bench(
      {
        [key(1)]: uses(["write_file", productCode], ["run_tests", {}], ["run_command", { command: "true" }]),
        [key(2)]: looked,
      },
      tools,
    );
    expect((await run()).exit).toBe(0);
    expect(existsSync(join(place.workspace, productCode.path))).toBe(false);
    const told = journal().flatMap((line) =>
      line.type === "result" && line.effect === "tool" ? [[line.tool, line.is_error, line.content]] : [],
    );
    expect(told).toEqual([
      ["write_file", true, { text: "Files are written only after a person approved the solution." }],
      [
        "run_tests",
        true,
        {
          text: "Commands run only after a person approved the solution. Before that, try_command runs one that changes nothing.",
        },
      ],
      [
        "run_command",
        true,
        {
          text:
            tools === "run"
              ? "Commands run only after a person approved the solution. Before that, try_command runs one that changes nothing."
              : "module_look may only edit; run_command is refused.",
        },
      ],
    ]);
  }
});

test("a prompt that may only read is refused more", async () => {
  const { place, run, journal } = bench({ [key(1)]: uses(["write_file", productCode]), [key(2)]: looked });
  await run();
  expect(existsSync(join(place.workspace, productCode.path))).toBe(false);
  expect(JSON.stringify(journal())).toContain("module_look may only read; write_file is refused.");
});

test("--chain fills the inputs chain, history and costs with what the chain's journal says", async () => {
  const { place, ask, run, journal } = bench({ ...asksFirst, [key(1)]: looked }, "none", chainInputs);
  const replay = join(place.beside, "replies.json");
  for (const task of ["Add a product", "Add a quotient"]) await ask("new", { task, replay });
  const inputs = async (id: string, input: object) => {
    await run(input);
    const queued = journal(id).find((line) => line.type === "event" && line.event === "prompts_queued");
    if (queued?.type !== "event" || queued.event !== "prompts_queued") throw new Error("Nothing was queued.");
    return queued.prompts[0]?.inputs ?? {};
  };
  const one = await inputs("001", { chain: "1" });
  expect(Object.keys(one).sort()).toEqual(["chain", "costs", "history"]);
  const chain = JSON.parse(one["chain"] ?? "") as Record<string, unknown>;
  expect(chain).toMatchObject({ chain_id: "001", goal: "Add a product" });
  expect(chain).not.toHaveProperty("engine");
  expect(JSON.parse(one["costs"] ?? "")).toMatchObject({ chain: "001", calls: 1, tokens: 5_600 });
  const happened = (one["history"] ?? "").split("\n").map((line) => (JSON.parse(line) as { event: string }).event);
  expect(happened[0]).toBe("chain_started");
  expect(happened).toContain("questions_asked");

  const both = await inputs("002", { chain: "all", var: ["costs=none"] });
  const chains = JSON.parse(both["chain"] ?? "") as { goal: string }[];
  expect(chains.map(({ goal }) => goal)).toEqual(["Add a product", "Add a quotient"]);
  expect(both["costs"]).toBe("none");
  expect(both["history"]?.split("\n\n").length).toBe(2);
  expect((JSON.parse((await inputs("003", { chain: "2,1" }))["chain"] ?? "") as { goal: string }[])[0]?.goal).toBe(
    "Add a quotient",
  );
});

test("--chain is refused where there is no such chain, none at all, or no input for it", async () => {
  const { place, ask, run, runs } = bench({ ...asksFirst }, "none", chainInputs);
  const hint = "List chains with: claude-exec status all";
  const refused = (message: string) => ({ code: "no_chain", message, hint, exit: 1 });
  expect(await refusal(run({ chain: "all" }))).toEqual(refused("There is no chain yet."));
  await ask("new", { task: "Add a product", replay: join(place.beside, "replies.json") });
  expect(await refusal(run({ chain: "1,7" }))).toEqual(refused("No chain 007."));
  expect(await refusal(run({ name: "component_mapper", chain: "1" }))).toEqual({
    code: "chain_unused",
    message: "component_mapper has no open input that a chain fills: chain, history or costs.",
    hint: "Run it without a chain: leave --chain out",
    exit: 64,
  });
  const given = await refusal(run({ chain: "1", var: ["chain=a", "history=b", "costs=c"] }));
  expect(given.code).toBe("chain_unused");
  expect(existsSync(runs)).toBe(false);
});

test("an input that is missing, unknown or of another kind is said before anything is paid for", async () => {
  const { run, runs, heard } = bench({}, "none", focus.replace('default: "src"', "required: true"));
  expect((await refusal(run())).code).toBe("prompt_input_missing");
  expect((await refusal(run({ var: ["focus=a", "other=b"] }))).code).toBe("prompt_input_unknown");
  expect((await refusal(run({ name: "module_lok" }))).code).toBe("unknown_prompt");
  expect([heard, existsSync(runs)]).toEqual([[], false]);
});

test("a budget that is too small stops it before the call, and says how much it takes", async () => {
  const { run, runs, journal } = bench({ [key(1)]: looked });
  const money = await refusal(run({ budget_usd: "0.001" }));
  expect(money).toEqual({
    code: "budget",
    message: expect.stringMatching(
      /^The next call could cost \$0\.\d\d, and \$0\.00 of \$0\.00 are left\. Nothing was sent\.$/,
    ) as string,
    hint: expect.stringMatching(/^What it did is kept in .+\. To try again: --budget-usd 0\.\d\d$/) as string,
    exit: 12,
  });
  expect(money.hint).toContain(contextFile(runs, "001"));
  expect(journal().some((line) => line.type === "result")).toBe(false);
  const tokens = await refusal(run({ budget_tokens: "50" }));
  expect([tokens.exit, tokens.hint]).toEqual([
    12,
    expect.stringMatching(/To try again: --budget-tokens \d+$/) as string,
  ]);
  const enough = /--budget-usd [\d.]+\d/.exec(money.hint)?.[0].split(" ")[1];
  expect((await run({ budget_usd: enough })).exit).toBe(0);
});

test("a reply that cannot be used is sent back twice; then the run ends with what was wrong", async () => {
  const wrong = prose("It looks fine.");
  const { run, runs, journal } = bench({ [key(1)]: wrong, [key(2)]: wrong, [key(3)]: wrong });
  expect(await refusal(run())).toEqual({
    code: "reply_unusable",
    message:
      'The model\'s reply to module_look could not be used three times: The reply is not one JSON object. Answer with {"report": …, "action": …} and nothing around it.',
    hint: `What it did is kept in ${contextFile(runs, "001")}. To try again: type the same again.`,
    exit: 1,
  });
  expect(journal().filter((line) => line.type === "result").length).toBe(3);
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
])("a run that %s interrupts says so, and keeps what it paid for", async (signal, exit) => {
  const { run, runs, journal, heard, stop } = bench({ [key(1)]: uses(["list_files", {}]), [key(2)]: looked });
  const listening = heard.push.bind(heard);
  heard.push = (...lines) => {
    if (lines.some((line) => line.type === "result")) stop.abort(signal);
    return listening(...lines);
  };
  expect(await refusal(run())).toEqual({
    code: "interrupted",
    message: "module_look was interrupted.",
    hint: `What it did is kept in ${contextFile(runs, "001")}. To try again: type the same again.`,
    exit,
  });
  expect(journal().filter((line) => line.type === "result" && line.effect === "model").length).toBe(1);
});

test("a folder that is not trusted runs nothing until it is trusted with --trust", async () => {
  const place = placeWith({ ...quickApp, ".claude-exec/prompts/module_look.md": promptOf("read", focus) });
  const replay = recordingAt(place.beside, { [key(1)]: looked });
  const run = (input: object) =>
    operate("prompts run", { name: "module_look", replay, ...input }, callerAt(place.workspace, place.env));
  expect(await refusal(run({}))).toEqual({
    code: "untrusted",
    message: `The folder ${place.workspace} is not trusted yet. Nothing in it was read.`,
    hint: `If you know what is in it: claude-exec trust ${place.workspace}\nOr trust it along with the same command: --trust\nOnly to look: --permission read`,
    exit: 10,
  });
  expect(readdirSync(place.home)).toEqual(["prompts"]);
  expect((await run({ trust: true })).data["prompt"]).toBe("module_look");
});

test("without a model nothing is begun", async () => {
  const { place, ask } = bench({});
  expect(await refusal(ask("prompts run", { name: "module_look" }))).toMatchObject({
    code: "no_model",
    message: "There is no model to think with. Nothing was begun.",
    exit: 78,
  });
  expect(readdirSync(place.home)).toEqual(["prompts"]);
});
