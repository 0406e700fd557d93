import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { followed, placeWith, program, type Place } from "../support/cli.ts";
import { killAndResume, nothingLost, victims } from "../support/launched.ts";
import { oldNode } from "../support/old_node.ts";
import { asked, ctrlC, ctrlZ, enter, hasPython, typeInto } from "../support/terminal.ts";
import { asksFirst, present, quickApp, tiny, tinyWay } from "../support/ways.ts";

beforeEach(({ skip }) => skip(!oldNode, "Without an old Node there is no launcher."));

const bash = ["/bin/bash", "--norc", "-i"];
const first = asked("What is it called?");
const second = asked("Must big integers work?");
const questions = { ...tinyWay, ...asksFirst, "requirements-clarification/2/controller/turn-1": present };
const working = "requirement_disambiguator · claude-opus-5-5";

/** The command of a task, as typed into a shell. */
function commandOf(replay: string): string {
  return [oldNode, program, ...tiny, replay].map((word) => `'${word}'`).join(" ");
}

function slowReplay(place: Place): string {
  return place.replay(questions, "slow.json", { delay_ms: 60_000 });
}

test.for(victims)("a task whose %s is killed ends, and is resumed without paying twice", async (victim) => {
  expect(await killAndResume(victim, 4)).toEqual(nothingLost(victim));
});

test.for([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("%s that only the launcher gets pauses the chain, and the exit code is %i", async ([signal, code]) => {
  const place = placeWith(quickApp);
  const replay = slowReplay(place);
  const child = spawn(oldNode ?? "", [program, ...tiny, replay], {
    cwd: place.workspace,
    env: place.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { ended } = followed(child);
  await new Promise<void>((resolve) =>
    child.stderr.on("data", (text) => String(text).includes("sandbox") && resolve()),
  );
  child.kill(signal);
  const ran = await ended;
  expect({ code: ran.code, stderr: ran.stderr.split("\n").at(-1), stdout: ran.stdout.split("\n").slice(0, 2) }).toEqual(
    {
      code,
      stderr: "",
      stdout: [
        "Paused. Everything up to here is kept, and nothing is paid twice.",
        `Resume: claude-exec resume 001 ${replay.replace("=", " ")}`,
      ],
    },
  );
});

test.skipIf(!hasPython)("Ctrl+C, which reaches the launcher and its child, counts once", async () => {
  const place = placeWith(quickApp);
  const argv = [oldNode ?? "", program, ...tiny, slowReplay(place)];
  const { code, output } = await typeInto(place, argv, [[working, ctrlC]]);
  expect(code).toBe(130);
  expect(output).toContain("Paused. Everything up to here is kept");
});

test.skipIf(!hasPython).for([
  ["at a question", first],
  ["while the model works", working],
] as const)(
  "a shell whose launcher was killed %s has its terminal for itself: nothing is drawn, and what is typed shows once",
  async ([when, shown]) => {
    const place = placeWith(quickApp);
    const replay = when === "at a question" ? place.replay(questions) : slowReplay(place);
    const { code, output } = await typeInto(place, bash, [
      ["$ ", `${commandOf(replay)}\n`],
      [shown, "signal:SIGKILL:1"],
      ["Killed\n$ ", "ended:echo typed-$?\n"],
      ["typed-137", "exit\n"],
    ]);
    expect(code).toBe(0);
    const [, after] = output.split("Killed\n");
    expect(after).toBe("$ echo typed-$?\ntyped-137\n$ exit\nexit\n");
    expect(place.events("question_answered")).toEqual([]);
  },
);

test.skipIf(!hasPython)("a launcher killed at a question in a script leaves no raw terminal behind", async () => {
  const place = placeWith(quickApp);
  const script = `${commandOf(place.replay(questions))}; read line; echo "line $line"`;
  const { output, echo } = await typeInto(
    place,
    ["/bin/sh", "-c", script],
    [
      [first, "signal:SIGKILL:1"],
      ["Killed", "ended:typed\n"],
      ["line typed", ""],
    ],
  );
  expect({ output: output.split("Killed\n")[1], echo }).toEqual({ output: "typed\nline typed\n", echo: true });
});

test.skipIf(!hasPython)("a child that was killed at a question leaves a usable terminal, and is told", async () => {
  const place = placeWith(quickApp);
  const argv = [oldNode ?? "", program, ...tiny, place.replay(questions)];
  const { code, output, echo } = await typeInto(place, argv, [[first, "signal:SIGKILL:1"]]);
  expect({ code, echo }).toEqual({ code: 137, echo: true });
  expect(output).toMatch(/claude-exec was killed\. What it had done is kept: claude-exec status\n$/);
});

test.skipIf(!hasPython).for([
  ["at a question", first],
  ["while the model works", working],
] as const)("a terminal that goes away %s ends launcher and child, and neither crashes", async ([when, shown]) => {
  const place = placeWith(quickApp);
  const replay = when === "at a question" ? place.replay(questions) : slowReplay(place);
  const { code } = await typeInto(place, [oldNode ?? "", program, ...tiny, replay], [[shown, null]]);
  expect(code).toBe("SIGHUP");
  expect((await place.run(["resume", "1", place.replay(questions)])).code).toBe(10);
});

test.skipIf(!hasPython)(
  "a launched task stops with Ctrl+Z and goes on with fg, at work and at a question",
  async () => {
    const place = placeWith(quickApp);
    const { code, output } = await typeInto(place, bash, [
      ["$ ", `${commandOf(place.replay(questions, "slow.json", { delay_ms: 1_000 }))}\n`],
      [working, ctrlZ],
      ["$ ", "fg\n"],
      [first, ctrlZ],
      ["$ ", "fg\n"],
      [program, "product"],
      ["product█", enter],
      [second, ctrlC],
      ["$ ", "exit\n"],
    ]);
    expect(code).toBe(130);
    expect(output.match(/Stopped/g)).toHaveLength(2);
    expect(place.events("question_answered")).toMatchObject([{ id: "api_name", answer: "product" }]);
  },
);

test("the channel between launcher and child reaches no command", async () => {
  const descriptorsWith = async (node: string) => {
    const files = { ...quickApp, "check.sh": `ls -l /proc/self/fd > fds\n${quickApp["check.sh"]}` };
    const place = placeWith(files, { sandbox: true });
    const argv = [program, ...tiny, "--unsandboxed", "--approve-policy=auto", place.replay(tinyWay)];
    const child = spawn(node, argv, { cwd: place.workspace, env: place.env, stdio: ["ignore", "pipe", "pipe"] });
    expect((await followed(child).ended).code).toBe(0);
    return readFileSync(join(place.workspace, "fds"), "utf8").match(/ \d+ -> (?!\/proc)/g);
  };
  expect(await descriptorsWith(oldNode ?? "")).toEqual(await descriptorsWith(process.execPath));
});
