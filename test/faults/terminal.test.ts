import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { followed, placeWith, program, type Place } from "../support/cli.ts";
import { rewriteJournal } from "../support/sealed.ts";
import { action, firstKey, productSolution, report, type Replies } from "../support/script.ts";
import { asked, ctrlC, ctrlZ, enter, hasPython, typeInto, type Typed } from "../support/terminal.ts";
import { asksFirst, present, quickApp, quickTests, runs, task, tiny, tinyWay } from "../support/ways.ts";

beforeEach(({ skip }) => skip(!hasPython, "Without python3 there is no terminal to type into."));

const approval = asked("Approve this approach?");
const second = asked("Must big integers work?");
const first = asked("What is it called?");
const trust = asked("Do you know what is in it?");
const why = asked("Why not?");
const what = asked("What would you like to know?");

const type = (place: Place, argv: readonly string[], ...steps: Typed[]) =>
  typeInto(place, [process.execPath, program, ...argv], steps);

/** First two questions, then the way of a tiny task. */
const withQuestions: Replies = { ...tinyWay, ...asksFirst, "requirements-clarification/2/controller/turn-1": present };

const paused = (again: string) =>
  `Paused. Everything up to here is kept, and nothing is paid twice.\nResume: claude-exec resume 001 ${again}`;

test("a person is asked whether a foreign chain is to be adopted, and whether a home was moved here", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(withQuestions);
  expect((await place.run([...tiny, replay])).code).toBe(10);
  const journal = join(place.home, "contexts", "journal", "001.jsonl");
  const end = join(place.home, "contexts", "journal-ends", "001.json");
  const own = [journal, end, place.contextFile()].map((path) => [path, readFileSync(path)] as const);
  rewriteJournal(journal, undefined, (line) => (line["n"] === 1 ? { ...line, key: undefined } : line));
  const adopt = asked("Adopt it?");
  const no = await type(place, ["resume", "1", replay], [adopt, "n"]);
  expect([no.code, no.output]).toEqual([10, expect.stringContaining("claude-exec resume 001 --adopt")]);
  const yes = await type(place, ["resume", "1", replay], [adopt, "y"], [first, ctrlC]);
  expect([yes.code, yes.output]).toEqual([130, expect.stringContaining("Adopted. The foreign journal is kept as")]);
  // A journal that is put back without the files that name its end counts as cut.
  for (const [path, bytes] of own) writeFileSync(path, bytes);
  const there = join(place.beside, "moved");
  renameSync(place.workspace, there);
  const moved = { ...place, workspace: there };
  const argv = ["ask", "1", "why?", "--trust", replay];
  const stays = await type(moved, argv, [asked("Did you move this project here?"), "n"]);
  expect([stays.code, stays.output]).toEqual([10, expect.stringMatching(/which is not\s+there\s+any\s+more/)]);
  const went = await type(
    moved,
    ["resume", "1", "--trust", replay],
    [asked("Did you move this project here?"), "y"],
    [first, ctrlC],
  );
  expect(went.code).toBe(130);
});

test("a person who answers and approves by keyboard comes to the end", async () => {
  const place = placeWith(quickApp);
  const { code, output } = await type(
    place,
    [task, "--size=tiny", quickTests, place.replay(withQuestions)],
    [trust, "y"],
    [first, `product${enter}`],
    [second, enter],
    [approval, enter],
  );
  expect(code).toBe(0);
  expect(output).toContain("Chain 001 is done. The test passes.");
  expect(place.context()).toMatchObject({
    questions: [{ answer: "product" }, { answer: "yes" }],
    approval_history: [{ user_response: "approved" }],
  });
});

test("at the end a person rates the chain and keeps it as a pattern in one answer, or skips both", async () => {
  const place = placeWith(quickApp);
  await place.run([...tiny, "--approve-policy=auto", place.replay(tinyWay)]);
  const how = asked("How well did it go?");
  const skipped = await type(place, ["complete"], [how, enter]);
  expect([skipped.code, place.events("chain_rated")]).toEqual([0, []]);
  const { code, output } = await type(
    place,
    ["complete"],
    [how, `4 p${enter}`],
    [asked("Save as reusable pattern?"), "y"],
  );
  expect([code, output]).toEqual([0, expect.stringContaining("Pattern saved: ")]);
  expect(place.events("chain_rated")).toMatchObject([{ rating: 4 }]);
});

test("Ctrl+C at the question of trust leaves with 130, and nothing was read, made or trusted", async () => {
  const place = placeWith(quickApp);
  const { code, output } = await type(place, [task, "--size=tiny", quickTests, place.replay(tinyWay)], [trust, ctrlC]);
  expect(code).toBe(130);
  expect(output).toContain(
    `Left without an answer. Nothing was begun.\nIf you know what is in it: claude-exec trust ${place.workspace}\nOr trust it along with the same command: --trust\nOnly to look: --permission read\n`,
  );
  expect(existsSync(place.home)).toBe(false);
  expect(existsSync(join(place.beside, "config", "claude-exec", "trusted.json"))).toBe(false);
});

test.each([
  ["y", true],
  ["n", false],
])("in a folder trusted before trust covered running code, a person is asked once: %s", async (key, answer) => {
  const place = placeWith(quickApp);
  const kept = join(place.beside, "config", "claude-exec", "trusted.json");
  mkdirSync(dirname(kept), { recursive: true });
  writeFileSync(kept, JSON.stringify({ folders: [place.workspace] }));
  const question = asked("You trust this folder. May its code also run");
  const replay = place.replay(withQuestions);
  const left = await type(place, [task, "--size=tiny", quickTests, replay], [question, ctrlC]);
  expect([left.code, existsSync(place.home)]).toEqual([130, false]);
  const { code, output } = await type(
    place,
    [task, "--size=tiny", quickTests, replay],
    [question, key],
    [first, ctrlC],
  );
  expect([code, output.includes("Do you know what is in it?")]).toEqual([130, false]);
  expect(JSON.parse(readFileSync(kept, "utf8"))).toEqual({
    folders: [place.workspace],
    tries: { [place.workspace]: answer },
  });
  const again = await type(place, ["resume", "1", replay], [first, ctrlC]);
  expect(again.output).not.toContain("May its code");
});

test.each([
  ["y", "use"],
  ["n", "ignore"],
])("a person is asked once about a model that costs more than theirs: %s", async (key, answer) => {
  const config = { models: { smart: "claude-fable-5-2" } };
  const place = placeWith({ ...quickApp, ".claude-exec/config.json": JSON.stringify(config) });
  const argv = [task, "--size=tiny", quickTests, place.replay(withQuestions)];
  const models = asked("Use the project's models here, at their price?");
  const { code, output } = await type(place, argv, [trust, "y"], [models, key], [first, ctrlC]);
  expect(code).toBe(130);
  expect(output).toContain("claude-fable-5-2 for the route smart (yours: claude-opus-5-5)");
  const kept = join(place.beside, "config", "claude-exec", "models.json");
  expect(JSON.parse(readFileSync(kept, "utf8"))).toEqual({ [place.workspace]: { "claude-fable-5-2": answer } });
  const again = await type(place, ["resume", "1", place.replay(withQuestions)], [first, ctrlC]);
  expect(again.output).not.toContain("at their price");
});

test("no to the question of trust means that the folder is only looked at, and nothing is made there", async () => {
  const place = placeWith(quickApp);
  const { code, output } = await type(
    place,
    [task, "--size=tiny", place.replay(withQuestions)],
    [trust, "n"],
    [first, ctrlC],
  );
  expect(code).toBe(130);
  expect(output).toContain("Then it is only looked at (--permission read)");
  expect(existsSync(place.home)).toBe(false);
});

test("Ctrl+C at a clarifying question pauses, and the question is asked again later", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(withQuestions);
  const { code, output } = await type(place, [...tiny, replay], [first, ctrlC]);
  expect(code).toBe(130);
  expect(output).toContain(paused(replay.replace("=", " ")));
  expect(place.events("question_answered")).toEqual([]);
  expect(
    (await type(place, ["resume", "1", replay], [first, `product${enter}`], [second, enter], [approval, enter])).code,
  ).toBe(0);
});

test("Ctrl+C at the second question keeps the first answer", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(withQuestions);
  expect((await type(place, [...tiny, replay], [first, `product${enter}`], [second, ctrlC])).code).toBe(130);
  expect(place.events("question_answered")).toMatchObject([{ id: "api_name", answer: "product" }]);
  const { code, output } = await type(place, ["resume", "1", replay], [second, enter], [approval, enter]);
  expect(code).toBe(0);
  expect(output).not.toContain(first);
});

test("Ctrl+C at the approval pauses and is never an approval", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  const { code, output } = await type(place, [...tiny, replay], [approval, ctrlC]);
  expect(code).toBe(130);
  expect(output).toContain(paused(replay.replace("=", " ")));
  expect(output).not.toContain("Yes");
  expect(place.context()).toMatchObject({ approval_history: [], solution: { standing: "presented" } });
  expect((await type(place, ["resume", "1", replay], [approval, `y${enter}`])).code).toBe(0);
});

test("Ctrl+C while a reason or a question is typed pauses, and neither rejects nor asks", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  expect((await type(place, [...tiny, replay], [approval, `n${enter}`], [why, ctrlC])).code).toBe(130);
  expect((await type(place, ["resume", "1", replay], [approval, `more-info${enter}`], [what, ctrlC])).code).toBe(130);
  expect(place.context()).toMatchObject({ approval_history: [], solution: { standing: "presented" } });
});

test.for([
  ["the first question", withQuestions, first],
  ["the approval", tinyWay, approval],
] as const)("a terminal that goes away at %s answers nothing, and the chain waits", async ([, replies, question]) => {
  const place = placeWith(quickApp);
  const replay = place.replay(replies);
  const { code } = await type(place, [...tiny, replay], [question, null]);
  expect(code).toBe("SIGHUP");
  expect(place.context()).toMatchObject({ status: { state: "waiting" }, approval_history: [] });
  expect((await place.run(["resume", "1", replay])).code).toBe(10);
});

test("Ctrl+C, also twice, leaves no half line", async () => {
  const place = placeWith({ ...quickApp, "check.sh": "sleep 30\n" });
  const argv = [...tiny, place.replay(tinyWay), "--approve-policy=auto"];
  const { code, output, end } = await type(place, argv, ["run_tests", ctrlC], ["^C", ctrlC]);
  expect({ code, output }).toEqual({ code: 130, output });
  expect(end).toMatch(new RegExp(`(?:\\n|\\r${String.fromCodePoint(27)}\\[K)$`));
});

test("the bell rings when a chain waits, unless it is turned off", async () => {
  const rings = async (env: Record<string, string>) => {
    const place = placeWith(quickApp);
    const { output } = await type(
      { ...place, env: { ...place.env, ...env } },
      [...tiny, place.replay(tinyWay)],
      [approval, ctrlC],
    );
    return output.split("\x07").length - 1;
  };
  expect(await Promise.all([rings({}), rings({ CLAUDE_EXEC_BELL: "off" })])).toEqual([1, 0]);
});

test("the end of the input at the approval is no approval", async () => {
  const place = placeWith(quickApp);
  const { code } = await type(place, [...tiny, place.replay(tinyWay)], [approval, "\x04"], ["", ctrlC]);
  expect(code).toBe(130);
  expect(place.context()).toMatchObject({ approval_history: [], solution: { standing: "presented" } });
});

test("no, more-info and free words at the approval are carried out, and it is asked for again", async () => {
  const place = placeWith(quickApp);
  const again = (round: number) => ({ [`solution-approval/${round}/controller/turn-1`]: present });
  const replay = place.replay({
    ...tinyWay,
    "solution-approval/1/1-uncertainty_resolver/turn-1": report("Because sum stays as it is."),
    ...again(2),
    "solution-approval/3/1-requirement_disambiguator/turn-1": report("It should be shorter."),
    ...again(4),
  });
  const { code, output } = await type(
    place,
    [...tiny, replay],
    [approval, `more-info${enter}`],
    [what, `Why a function of its own?${enter}`],
    [approval, `Call it times${enter}`],
    [approval, `n${enter}`],
    [why, `Too long${enter}`],
    [approval, enter],
  );
  expect(code).toBe(0);
  expect(output).toContain("Chain 001 is done.");
  // What a person has just typed stands above already.
  expect(output).not.toMatch(/· (?:Asked|Changes asked for): /);
  const said = (place.context()["approval_history"] as { user_response: string }[]).map(
    ({ user_response }) => user_response,
  );
  expect(said).toEqual([
    "more-info: Why a function of its own?",
    "changes: Call it times",
    "rejected: Too long",
    "approved",
  ]);
});

test("above a question about the test command the command is not told once more", async () => {
  const place = placeWith(quickApp);
  const propose = { type: "set_test_command", command: "sh other.sh", reason: "The present one does too much." };
  const replay = place.replay({ ...tinyWay, [`${firstKey}/turn-1`]: report("It is clear.", {}, propose) });
  const { output } = await type(place, [...tiny, replay], [asked("Should the tests run with"), ctrlC]);
  expect(output).not.toContain("Tests: sh check.sh");
  const other = placeWith(quickApp);
  const clarifying = await type(other, [...tiny, other.replay(withQuestions)], [first, ctrlC]);
  expect(clarifying.output).toContain("Tests: sh check.sh");
});

test("at the page v shows the rest, short words are asked about, and an assumption is answered by its number", async () => {
  const place = placeWith(quickApp);
  const assumptions = ["Numbers are small.", "Two are enough."].map((text) => ({ text, if_wrong: "More work." }));
  const { code, output } = await type(
    place,
    [
      ...tiny,
      place.replay({
        ...tinyWay,
        [`${firstKey}/turn-1`]: action("This is it.", {
          type: "present_solution",
          artifact: { ...productSolution, assumptions },
        }),
        "solution-approval/1/controller/turn-1": action("Without it.", {
          type: "present_solution",
          report: "",
          patch: [{ part: "assumptions", value: [assumptions[1]] }],
        }),
      }),
    ],
    [asked("Approve this approach? [Y/n/v], or say what should change"), ""],
    ["v: more of risks, tradeoffs", `v${enter}`],
    [approval, `hm${enter}`],
    ["Type y, n, v, more-info", `\x7f\x7fA1: no, they are big${enter}`],
    ["Changed since the last page", ""],
    [approval, `all ok${enter}`],
    ["Confirmed: A2", ""],
    [approval, `sure${enter}`],
  );
  expect(code).toBe(0);
  expect(output).toContain("Chain 001 · Solution approval · Add a product function");
  expect(output).toContain("Tradeoffs");
  expect(output).toContain("− A1 Numbers are small.");
  const said = (place.context()["approval_history"] as { user_response: string }[]).map((one) => one.user_response);
  expect(said).toEqual(["A1: no, they are big", "A2: ok", "approved"]);
});

test("answers from a file and --approve-policy auto hold for the whole conversation", async () => {
  const place = placeWith(quickApp);
  const asks = action("I ask.", { type: "ask_user", questions: [{ id: "colour", question: "Which colour?" }] });
  const replay = place.replay({
    ...withQuestions,
    "requirements-clarification/2/controller/turn-1": asks,
    "requirements-clarification/3/controller/turn-1": runs("requirement_validator"),
    "requirements-clarification/3/1-requirement_validator/turn-1": report("Clear."),
    "requirements-clarification/4/controller/turn-1": present,
  });
  const { code, output } = await type(
    place,
    [...tiny, replay, "--answers", place.answers, "--approve-policy=auto"],
    [asked("Which colour?"), `blue${enter}`],
  );
  expect(code).toBe(0);
  expect(output).not.toContain(approval);
});

test.for([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("%s from outside at a question leaves with %i, and approves nothing", async ([signal, exit]) => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  const { code, output } = await type(place, [...tiny, replay], [approval, `signal:${signal}`]);
  expect(code).toBe(exit);
  expect(output).toContain(paused(replay.replace("=", " ")));
  expect(place.context()).toMatchObject({ approval_history: [], solution: { standing: "presented" } });
});

test("a question that was left with Ctrl+Z can be answered after fg", async () => {
  const place = placeWith(quickApp);
  const command = [process.execPath, program, ...tiny, place.replay(withQuestions)]
    .map((word) => `'${word}'`)
    .join(" ");
  const { code } = await typeInto(
    place,
    ["/bin/bash", "--norc", "-i"],
    [
      ["$ ", `${command}\n`],
      [first, ctrlZ],
      ["$ ", "fg\n"],
      [program, "product"],
      ["product█", enter],
      [second, ctrlC],
      ["$ ", "exit\n"],
    ],
  );
  expect(code).toBe(130);
  expect(place.events("question_answered")).toMatchObject([{ id: "api_name", answer: "product" }]);
});

test("without a terminal nothing is asked, whatever the input holds", async () => {
  const place = placeWith(quickApp);
  const child = spawn(process.execPath, [program, ...tiny, place.replay(tinyWay)], {
    cwd: place.workspace,
    env: place.env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end("y\ny\n");
  const ran = await followed(child).ended;
  expect({ code: ran.code, approvals: place.events("approval_given") }).toEqual({ code: 10, approvals: [] });
});
