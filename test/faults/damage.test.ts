import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { builtOnce } from "../support/built_once.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { uses } from "../support/script.ts";
import { afterRecovery, asks, asksFirst, productTest, quickApp, task, tiny, tinyWay } from "../support/ways.ts";

const done = {
  status: { state: "completed" },
  session_memory: { files_modified: ["test/product.test.js", "src/product.js"] },
};

/** A chain that waits for the approval of its solution; `finish` takes it up and approves whatever it presents. */
const waiting = builtOnce(async () => {
  const place = placeWith(quickApp);
  const replay = place.replay({ ...tinyWay, ...afterRecovery });
  expect((await place.run([...tiny, replay])).code).toBe(10);
  const finish = (...more: string[]) => place.run(["resume", "1", replay, "--approve-policy=auto", ...more]);
  return { place, finish, resume: (...more: string[]) => place.run(["resume", "1", replay, ...more]), replay };
});

/** A flag as the command line prints it. */
const typed = (flag: string) => flag.replace("=", " ");

/** How a command begins that takes up the only chain. */
const chainLine = (place: Place) => `  Chain 001: ${relative(place.workspace, place.contextFile())}`;

/** The same question, where a chain that waited for an approval is taken over from its context file. */
const asksAgain = { "solution-approval/1/controller/turn-1": asks };

const journalOf = ({ home }: Place) => join(home, "contexts", "journal", "001.jsonl");

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Where line `n` begins. */
function startOf(path: string, n: number): number {
  return (
    readFileSync(path, "latin1")
      .split("\n")
      .slice(0, n - 1)
      .join("\n").length + 1
  );
}

test("a text in place of the lock, or a folder in place of the journal's end, shows no stack trace", async () => {
  const { place, finish } = await waiting();
  const contexts = join(place.home, "contexts");
  const end = join(contexts, "journal-ends", "001.json");
  rmSync(end);
  mkdirSync(end);
  const status = await place.run(["status", "1"]);
  expect(status.stdout).toContain(`${end} is a folder, but a file belongs there. Nothing was changed.`);
  expect(status.stdout).toContain(`Move it away: mv ${end} `);
  expect(await finish()).toMatchObject({
    code: 14,
    stderr: `${end} is a folder, but a file belongs there. Nothing was changed.\nMove it away: mv ${end} ${end}.away\n`,
  });
  rmSync(end, { recursive: true });
  writeFileSync(join(contexts, "journal", "001.lock"), "a text that came with the repository\n");
  expect(await finish()).toMatchObject({ code: 0 });
});

test("a torn last line is removed, and the chain goes on as if it had not been begun", async () => {
  const { place, finish } = await waiting();
  const whole = place.journal();
  appendFileSync(journalOf(place), readFileSync(journalOf(place)).subarray(0, 200));
  expect((await finish()).code).toBe(0);
  expect(
    place
      .journal()
      .slice(0, whole.length)
      .map(({ n, type }) => [n, type]),
  ).toEqual(whole.map(({ n, type }) => [n, type]));
  expect(place.context()).toMatchObject(done);
});

test("a flipped bit in the middle stops whatever acts; recover shows what is lost, and continues on a word", async () => {
  const { place, finish, resume } = await waiting();
  const path = journalOf(place);
  flipBit(path, startOf(path, 5) + 200);
  const damaged = readFileSync(path, "utf8");
  const problem =
    "The journal of chain 001 is damaged at line 5: its content does not match its hash. The 4 lines before it are whole.";
  const message = `${problem}\nRestore ${path} from a backup, or choose how to go on: claude-exec recover 001\n`;
  const refused = { code: 14, stdout: "", stderr: message };
  expect(await resume()).toEqual(refused);
  expect(await place.run(["approve", "1", "abc", place.replay({ ...tinyWay, ...afterRecovery })])).toEqual(refused);
  expect(await place.run(["rewind", "1", "--to", "1", "--yes"])).toEqual(refused);

  const lost = damaged.split("\n").length - 1 - 4;
  expect(await place.run(["recover", "1"])).toEqual({
    code: 10,
    stdout: [
      `Chain 001: ${task}`,
      problem,
      "Phase: Requirements clarification",
      "Done:  0 answered calls and 0 reports, for $0.012",
      `Lost:  ${lost} lines, among them 1 answered call`,
      "       What was found out in them is still in the context file, and is taken over.",
      "       Still readable: requirement_disambiguator: This is the solution.",
      "",
      "Nothing was changed yet. Choose how to go on:",
      "  1  continue from the last good state",
      "     claude-exec recover 001 --choice continue",
      "  2  run the last phase again with what is known",
      "     claude-exec recover 001 --choice phase",
      "  3  start again, as a new chain, with what was learned",
      "     claude-exec recover 001 --choice fresh",
      "",
    ].join("\n"),
    stderr: "\n",
  });
  expect(readFileSync(path, "utf8")).toBe(damaged);

  const spent = place.context()["cost_tracking"];
  const recovered = await place.run(["recover", "1", "--choice=continue"]);
  const kept = readdirSync(join(place.home, "contexts", "journal")).find((name) => name.includes("damaged")) ?? "";
  expect(recovered).toEqual({
    code: 0,
    stdout: `Chain 001 continues from its last good state.\nThe damaged journal is kept as journal/${kept}.\nGo on: claude-exec resume 001\n`,
    stderr: `  · What a context file knows is taken over.\n  · Went on from the last whole line; ${lost} lines were lost.\n  · The chain was recovered.\n`,
  });
  expect(readFileSync(join(place.home, "contexts", "journal", kept), "utf8")).toBe(damaged);
  expect(place.context()).toMatchObject({ cost_tracking: spent });
  expect((await finish()).code).toBe(0);
  expect(place.context()).toMatchObject(done);
  expect(place.events("recovered")).toMatchObject([{ lost_lines: lost, kept_as: kept }]);
});

test("a journal damaged in its first lines is kept, and its context file is adopted instead", async () => {
  const { place, resume } = await waiting();
  const path = journalOf(place);
  flipBit(path, 30);
  const damaged = readFileSync(path);
  const foreign = {
    code: 10,
    stdout: "",
    stderr: expect.stringContaining(
      "Chain 001 is foreign: nothing proves that the first lines of its journal are yours, and anybody could have written its context file. Nothing was done with it.",
    ) as string,
  };
  expect(await resume()).toEqual(foreign);
  expect(await place.run(["recover", "1", "--choice=continue"])).toEqual(foreign);
  expect(readFileSync(path)).toEqual(damaged);
  const ran = await place.run(["resume", "1", "--adopt", place.replay(asksAgain)]);
  expect(ran.code).toBe(10);
  const kept = readdirSync(join(place.home, "contexts", "journal")).find((name) => name.includes("foreign")) ?? "";
  expect(readFileSync(join(place.home, "contexts", "journal", kept))).toEqual(damaged);
  expect(place.context()).toMatchObject({ goal: task, status: { waiting_for: "answers to 2 questions" } });
});

test("a journal of which nothing is whole, without a context file, stays as it is", async () => {
  const { place } = await waiting();
  const path = journalOf(place);
  flipBit(path, 30);
  rmSync(place.contextFile());
  const damaged = readFileSync(path);
  expect(await place.run(["recover", "1", "--choice=continue"])).toEqual({
    code: 14,
    stdout: "",
    stderr: `The journal of chain 001 is damaged at line 1: its content does not match its hash. The 0 lines before it are whole.\nRestore ${path} from a backup, or begin again: claude-exec new "…"\n`,
  });
  expect(readFileSync(path)).toEqual(damaged);
});

test("a whole journal needs no recovery", async () => {
  const { place } = await waiting();
  const before = readFileSync(journalOf(place));
  expect(await place.run(["recover", "1"])).toEqual({
    code: 1,
    stdout: "",
    stderr: "The journal of chain 001 is whole.\nGo on: claude-exec resume 001\n",
  });
  expect(readFileSync(journalOf(place))).toEqual(before);
});

test.for([
  ["damaged", (path: string) => flipBit(path, 10)],
  ["missing", (path: string) => rmSync(path)],
] as const)(
  "a text beside the journal that is %s is told by name; recover freezes it anew and nothing is lost",
  async ([what, harm]) => {
    const { place, finish } = await waiting();
    const [epoch] = place.events("epoch_opened");
    const [hash = ""] = epoch?.system ?? [];
    const path = join(place.home, "contexts", "blobs", hash);
    const text = readFileSync(path, "utf8");
    harm(path);
    const broken = await finish();
    expect({ code: broken.code, end: broken.stderr.split("\n").slice(-3) }).toEqual({
      code: 1,
      end: [
        `A text of this chain is ${what} (blobs/${hash.slice(0, 12)}…). The journal is whole.`,
        "Restore that file from a backup, or choose how to go on: claude-exec recover 001",
        "",
      ],
    });
    expect(await place.run(["recover", "1"])).toMatchObject({
      code: 10,
      stdout: expect.stringContaining(
        "The journal of chain 001 is whole, but texts beside it are damaged or missing.\nPhase: Implementation\n",
      ) as string,
    });
    expect(await place.run(["recover", "1", "--choice=continue"])).toEqual({
      code: 0,
      stdout: "Chain 001 continues from its last good state.\nGo on: claude-exec resume 001\n",
      stderr: "  · Damaged texts are frozen anew.\n  · The chain was recovered.\n",
    });
    expect((await finish()).code).toBe(0);
    expect(place.context()).toMatchObject({
      ...done,
      cost_tracking: {
        unknown_calls: 0,
        by_prompt: { requirement_disambiguator: { calls: 1 }, tdd_flow_controller: { calls: 3 } },
      },
    });
    expect(readFileSync(path, "utf8")).toBe(text);
  },
);

test("a long reply that is damaged inside a tool loop lets recover begin that step again, with its files as they are", async () => {
  const place = placeWith(quickApp);
  const step = "implementation/1/1-tdd_flow_controller";
  const long = { ...productTest, content: `${productTest.content}// ${"long ".repeat(1_000)}\n` };
  const replies = { ...tinyWay, ...afterRecovery, [`${step}/turn-1`]: uses(["write_file", long], ["run_tests", {}]) };
  const replay = place.replay(replies);
  expect((await place.run([...tiny, replay, "--approve-policy=auto", "--turns=2"])).code).toBe(12);
  const stored = place
    .journal()
    .flatMap((line) =>
      line.type === "result" && line.effect === "model" && line.outcome.type === "replied"
        ? [line.outcome.content]
        : [],
    );
  const [hash = ""] = stored.flatMap((content) => ("blob" in content ? [content.blob] : []));
  flipBit(join(place.home, "contexts", "blobs", hash), 300);
  const resume = () => place.run(["resume", "1", replay, "--turns=10"]);
  expect(await resume()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("claude-exec recover 001") as string,
  });
  expect((await place.run(["recover", "1", "--choice=continue"])).code).toBe(0);
  expect((await resume()).code).toBe(0);
  expect(place.context()).toMatchObject(done);
});

test("a context file that was deleted or torn is written again from the journal", async () => {
  const { place, resume } = await waiting();
  const file = place.contextFile();
  const text = readFileSync(file, "utf8");
  rmSync(file);
  expect((await resume()).code).toBe(10);
  expect(readFileSync(file, "utf8")).toBe(text);
  truncateSync(file, 1000);
  expect(await place.run(["status", "1"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("Waiting for you: approval.") as string,
  });
  expect((await resume()).code).toBe(10);
  expect(readFileSync(file, "utf8")).toBe(text);
});

test("a context file edited by hand is shown as what changed, and taken over or undone only on a person's word", async () => {
  const { place, resume, replay } = await waiting();
  const file = place.contextFile();
  const text = readFileSync(file, "utf8");
  const edit = (change: (context: { goal: string; discovered: Record<string, unknown> }) => void) => {
    const context = JSON.parse(text) as { goal: string; discovered: Record<string, unknown> };
    change(context);
    writeFileSync(file, JSON.stringify(context, null, 2));
  };
  edit((context) => {
    context.goal = "Add a quotient function";
    context.discovered["style"] = ["no classes", "pure functions"];
  });
  const edited = readFileSync(file, "utf8");
  const lines = place.journal().length;
  expect(await resume()).toEqual({
    code: 10,
    stdout: "",
    stderr: [
      chainLine(place),
      "The context file of chain 001 was edited by hand:",
      '  goal: "Add a product function" → "Add a quotient function"',
      '  discovered.style: nothing → ["no classes","pure functions"]',
      "Nothing was taken over, and nothing was overwritten.",
      `Take it over: claude-exec resume 001 --accept-edit ${typed(replay)}`,
      `Or undo it: claude-exec resume 001 --discard-edit ${typed(replay)}`,
      "",
    ].join("\n"),
  });
  expect(readFileSync(file, "utf8")).toBe(edited);
  expect(place.journal()).toHaveLength(lines);

  expect((await resume("--discard-edit")).code).toBe(10);
  expect(readFileSync(file, "utf8")).toBe(text);
  writeFileSync(file, edited);
  expect((await resume("--accept-edit")).code).toBe(10);
  expect(place.context()).toMatchObject({
    goal: "Add a quotient function",
    discovered: { style: ["no classes", "pure functions"] },
  });
  expect(
    place
      .journal()
      .slice(lines)
      .map((line) => (line.type === "event" ? line.event : "")),
  ).toEqual(["context_edited", "ledger_extended"]);
  expect(place.journal().at(-1)).toMatchObject({
    text: '## A person edited the context\n- goal is now "Add a quotient function"\n- discovered.style is now ["no classes","pure functions"]',
  });
});

test("what is the engine's own record cannot be edited, not even with --accept-edit", async () => {
  const { place, resume, replay } = await waiting();
  const file = place.contextFile();
  const context = JSON.parse(readFileSync(file, "utf8")) as {
    cost_tracking: { tokens_used: number };
    current_phase: string;
    goal: string;
  };
  context.cost_tracking.tokens_used = 0;
  context.current_phase = "implementation";
  context.goal = "Something else";
  writeFileSync(file, JSON.stringify(context));
  const refusal = {
    code: 10,
    stdout: "",
    stderr: [
      chainLine(place),
      "The context file of chain 001 was edited by hand:",
      '  goal: "Add a product function" → "Something else"',
      '  current_phase: "solution-approval" → "implementation"   (the engine\'s own record: cannot be changed)',
      "  cost_tracking.tokens_used: 5600 → 0   (the engine's own record: cannot be changed)",
      "Nothing was taken over, and nothing was overwritten.",
      `Undo it: claude-exec resume 001 --discard-edit ${typed(replay)}`,
      "",
    ].join("\n"),
  };
  expect(await resume("--accept-edit")).toEqual(refusal);
  expect(await resume()).toEqual(refusal);
  expect((await resume("--discard-edit")).code).toBe(10);
  expect(place.context()).toMatchObject({ goal: task, current_phase: "solution-approval" });
});

test("an edit that no context can have is refused like the engine's own record", async () => {
  const { place, resume } = await waiting();
  const file = place.contextFile();
  const context = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(
    file,
    JSON.stringify({
      ...context,
      session_memory: undefined,
      uncertainties: "none",
      confidence_scores: { requirements: "high" },
    }),
  );
  expect(await resume("--accept-edit")).toMatchObject({
    code: 10,
    stderr: expect.stringContaining("Undo it: claude-exec resume 001 --discard-edit") as string,
  });
  expect((await resume("--discard-edit")).code).toBe(10);
});

test("a person's edit of a confidence counts in the overall one", async () => {
  const { place, resume } = await waiting();
  const file = place.contextFile();
  const context = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(
    file,
    JSON.stringify({
      ...context,
      confidence_scores: { overall: 0, requirements: 0.9, technical_approach: 0.9, implementation_details: 0.9 },
    }),
  );
  expect((await resume("--accept-edit")).code).toBe(10);
  expect(place.context()["confidence_scores"]).toEqual({
    overall: 0.9,
    requirements: 0.9,
    technical_approach: 0.9,
    implementation_details: 0.9,
  });
});

test("a context file without a journal is taken over: its knowledge, phase and costs with the limits of now", async () => {
  const { place } = await waiting();
  const file = place.contextFile();
  const context = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...context, discovered: { style: "pure" }, decisions: { modules: "ES" } }));
  const before = readFileSync(file, "utf8");
  for (const folder of ["journal", "journal-ends"]) rmSync(join(place.home, "contexts", folder), { recursive: true });
  const ran = await place.run(["resume", "1", "--adopt", place.replay(asksAgain)]);
  expect({ code: ran.code, first: ran.stderr.split("\n").slice(0, 6) }).toEqual({
    code: 10,
    first: [
      task,
      "",
      "Requirements clarification",
      "  · What a context file knows is taken over.",
      chainLine(place),
      "  ? What is it called?",
    ],
  });
  expect(readFileSync(`${file}.imported`, "utf8")).toBe(before);
  expect(place.context()).toMatchObject({
    goal: task,
    current_phase: "solution-approval",
    discovered: { style: "pure" },
    decisions: { modules: "ES" },
    approval_history: [],
    workspace: place.workspace,
    cost_tracking: { tokens_used: 11_200 },
  });
  const [, started] = place.journal();
  expect(started).toMatchObject({
    event: "chain_started",
    limits: { budget_usd: 10 },
    gates: { quality: ["code_reviewer", "security_scanner", "simplicity_checker", "deployment_checker"] },
  });
});

test("a context file that is none cannot be taken up, and stays as it is", async () => {
  const { place } = await waiting();
  const file = place.contextFile();
  for (const folder of ["journal", "journal-ends"]) rmSync(join(place.home, "contexts", folder), { recursive: true });
  writeFileSync(file, "[]");
  const replay = place.replay(asksFirst);
  const ran = await place.run(["resume", "1", "--adopt", replay]);
  expect(ran).toEqual({
    code: 1,
    stdout: "",
    stderr: `Chain 001 has no journal that is yours, and ${file} is not a context that could be taken up.\nBegin anew: claude-exec new "…" ${typed(replay)}\n`,
  });
  expect(readFileSync(file, "utf8")).toBe("[]");
  expect(existsSync(`${file}.imported`)).toBe(false);
});

test("a chain that is not there is told so", async () => {
  const { place, replay } = await waiting();
  const missing = { code: 1, stdout: "", stderr: "No chain 404.\nList chains with: claude-exec status all\n" };
  expect(await place.run(["resume", "404", replay])).toEqual(missing);
  expect(await place.run(["approve", "404", "abc", replay])).toEqual(missing);
  expect(await place.run(["status", "404"])).toEqual(missing);
  expect(await place.run(["recover", "404"])).toEqual(missing);
});
