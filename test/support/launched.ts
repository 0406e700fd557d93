import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import type { ChainLine } from "../../src/chain/events.ts";
import { replayHandler, startMessagesServer, stepOf, type RequestBody } from "../models/messages-server.ts";
import { followed, placeWith, program } from "./cli.ts";
import { oldNode, processesBelow } from "./old_node.ts";
import { recordingAt } from "./script.ts";
import { quickApp, tiny, tinyWay } from "./ways.ts";

export const victims = ["launcher", "child", "launcher and child"] as const;

export type Victim = (typeof victims)[number];

/**
 * Begins a task with an old Node, kills the victim once `line` lines of the journal were shown, and resumes the task. A
 * real server counts the calls.
 */
export async function killAndResume(victim: Victim, line: number) {
  const place = placeWith(quickApp);
  const reply = replayHandler(recordingAt(place.beside, tinyWay));
  const server = await startMessagesServer(async (request) => {
    await wait(50);
    return reply(request);
  });
  const env = { ...place.env, ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  const start = (...argv: string[]) =>
    spawn(oldNode ?? "", [program, ...argv, "--approve-policy=auto", "--stream-json"], {
      cwd: place.workspace,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });

  const launcher = start(...tiny);
  const { ended } = followed(launcher);
  let shown = 0;
  let callsBefore = 0;
  createInterface(launcher.stdout).on("line", () => {
    if (++shown !== line) return;
    callsBefore = server.requests.length;
    const [child = 0] = processesBelow(launcher.pid ?? 0);
    if (victim !== "child") launcher.kill("SIGKILL");
    if (victim !== "launcher") process.kill(child, "SIGKILL");
  });
  // The child holds the same output, so this waits for both.
  const killed = await ended;
  const callsAfterKill = server.requests.length - callsBefore;
  const answered = repliesIn(place.journal());
  const resumed = await followed(start("resume", "1")).ended;
  await server.close();
  const calls = server.requests.map(({ body }) => callOf(body));
  return {
    killed: killed.code,
    resumed: resumed.code,
    stderr: resumed.stderr,
    wentOnCalling: callsAfterKill > 1,
    lostMoreThanOneCall: calls.length > new Set(calls).size + 1,
    paidTwice: answered.filter((call) => calls.filter((made) => made === call).length !== 1),
    steps: repliesIn(place.journal()).length,
  };
}

/** What `killAndResume` finds where nothing is wrong: at most the call in flight is lost. */
export function nothingLost(victim: Victim) {
  return {
    killed: victim === "child" ? 137 : "SIGKILL",
    resumed: 0,
    stderr: "",
    wentOnCalling: false,
    lostMoreThanOneCall: false,
    paidTwice: [],
    steps: 4,
  };
}

/** The step of a request and its turn, as in "implementation/1/1-tdd_flow_controller 2". */
function callOf(body: RequestBody): string {
  const { key, turn } = stepOf(body);
  return `${key} ${turn}`;
}

function repliesIn(journal: readonly ChainLine[]): string[] {
  return journal.flatMap((line) =>
    line.type === "result" && line.effect === "model" && line.outcome.type === "replied"
      ? [`${line.key} ${line.turn}`]
      : [],
  );
}
