import { writeSync } from "node:fs";
import type { Caller } from "../app/app.ts";
import type { Answer, ChainLine } from "../app/operation.ts";
import { operations } from "../app/operations.ts";
import { userOfSystem } from "../app/places.ts";
import { demoAnswers } from "../app/setup.ts";
import { exitCodeOfStop, exitCodes, messageOf, systemCode, UserError } from "../util/errors.ts";
import { isRecord } from "../util/json.ts";
import { realWorld, type World } from "../util/world.ts";
import { readArguments, type Order } from "./arguments.ts";
import {
  askAdopt,
  askApproval,
  askModels,
  askMoved,
  askQuestion,
  askRecovery,
  askTrust,
  type Next,
  type Question,
} from "./ask.ts";
import { helpText } from "./help.ts";
import { narrate } from "./narrate.ts";
import { askPermission } from "./permission.ts";
import { openLive } from "./progress.ts";
import { lossText } from "./recover_report.ts";
import { reportText, standing } from "./report.ts";
import { stopOnRequest } from "./stop.ts";
import { harmless, harmlessJson, openScreen, type Screen } from "./terminal.ts";

process.stdout.on("error", quietly);
process.stderr.on("error", quietly);

/** Whether a chain is at work: whoever stops listening to it has interrupted it. */
let running = false;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const wantsJson = argv.includes("--json") || argv.includes("--stream-json");
  try {
    const order = readArguments(argv, operations);
    if ("help" in order) {
      process.stdout.write(`${helpText(order.help)}\n`);
      return exitCodes.done;
    }
    return await carryOut(order);
  } catch (error) {
    return explain(error, wantsJson);
  }
}

async function carryOut(order: Order): Promise<number> {
  const world = realWorld();
  const { output } = order;
  const plain = order.plain || !!world.env["ACCESSIBLE"] || world.env["TERM"] === "dumb";
  const screen = openScreen(process.stderr, { plain, quiet: output !== "text" });
  const live = openLive(screen, world.now);
  const interactive = output === "text" && process.stdin.isTTY && process.stdout.isTTY && !world.env["CI"];
  const stop = new AbortController();
  const caller: Caller = {
    cwd: currentFolder(),
    world,
    by: { kind: "person", name: userOfSystem()?.username ?? "unknown", door: "cli" },
    signal: stop.signal,
    listen(line) {
      if (output === "stream-json") process.stdout.write(`${harmlessJson(line)}\n`);
      live.line(line);
      if (!interactive || !isAskedHere(line)) narrate(line, screen);
    },
    progress: live.sign,
  };
  const release = stopOnRequest(stop);
  running = order.operation.permission === "run";
  try {
    const rehearsed = order.operation.name === "demo" ? rehearse(order, interactive, screen) : order;
    const begun = await withTrust(rehearsed, caller, interactive, screen);
    let { answer } = begun;
    live.stop();
    if (interactive) answer = await converse(answer, begun.order, caller, screen, live.stop);
    if ("ending" in answer.data) screen.print("");
    running = false;
    if (interactive && typeof answer.data["open"] === "string") await open(answer.data["open"], world, screen);
    print(rehearsed, answer);
    return answer.exit;
  } finally {
    live.stop();
    screen.close();
    release();
  }
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    const message = "The current folder is not there any more. Nothing was begun.";
    throw new UserError("no_folder", message, "Go to a folder that exists, then type the same again.", exitCodes.usage);
  }
}

async function open(file: string, { env }: World, screen: Screen): Promise<void> {
  const { openEditor } = await import("./editor.ts");
  const trouble = await openEditor(file, env);
  if (trouble) screen.print(trouble);
}

/** Says that the model is recorded; without a terminal the rehearsal answers and approves itself, and says so. */
function rehearse(order: Order, interactive: boolean, screen: Screen): Order {
  screen.print(
    "A rehearsal: the model's replies are recorded; the engine, the tools, the files and the tests are real.",
  );
  if (interactive || (order.given.has("answers") && order.given.has("approve-policy"))) return order;
  screen.print(`No terminal to ask on: going on with --answers ${demoAnswers} --approve-policy auto`);
  return { ...order, input: { answers: demoAnswers, ...order.input, approve_policy: "auto" } };
}

/** The order as its user meant it in the end, and what came of it: what it was refused for may be asked about first. */
async function withTrust(
  order: Order,
  caller: Caller,
  interactive: boolean,
  screen: Screen,
): Promise<{ order: Order; answer: Answer }> {
  const { operation } = order;
  let meant = order;
  for (;;) {
    try {
      return { order: meant, answer: await operation.run(meant.input, caller) };
    } catch (error) {
      if (!interactive || !(error instanceof UserError)) throw error;
      const said = await askBefore(error, order, caller, screen);
      if (said === undefined) throw error;
      meant = { ...order, input: { ...meant.input, ...said } };
    }
  }
}

/** What a person is asked before anything begins: their answer as flags; undefined where there is nothing to ask. */
async function askBefore(error: UserError, { operation }: Order, caller: Caller, screen: Screen) {
  const ask = {
    untrusted: askTrust,
    models_cost_more: askModels,
    moved: askMoved,
    foreign: operation.name === "resume" ? askAdopt : undefined,
  }[error.code];
  if (ask === undefined) return undefined;
  screen.print(error.message);
  const said = await ask(caller.signal);
  if (said === undefined)
    throw new UserError(
      "left",
      "Left without an answer. Nothing was begun.",
      error.hint,
      exitCodeOfStop(caller.signal),
    );
  if (ask === askModels) return { project_models: said ? "use" : "ignore" };
  if (ask === askMoved || ask === askAdopt) return said ? { adopt: true } : undefined;
  if (said) return { trust: true };
  if (!("permission" in operation.input.shape)) return undefined;
  screen.print("Then it is only looked at (--permission read): nothing in it counts, and nothing is written there.");
  return { permission: "read" };
}

/** Asks what a chain waits for, and lets it go on, until it waits for nothing more or the person leaves. */
async function converse(
  first: Answer,
  order: Order,
  caller: Caller,
  screen: Screen,
  quiet: () => void,
): Promise<Answer> {
  let answer = first;
  const home =
    typeof answer.data["folder"] === "string" ? `${answer.data["folder"]}/.claude-exec` : order.input["home"];
  const { rehearsal, folder } = answer.data;
  const kept = {
    ...pick(order.input, "model", "replay", "record", "permission", "unsandboxed"),
    ...pick(order.input, "budget_usd", "budget_tokens", "answers", "approve_policy"),
    home,
    ...(rehearsal ? { replay: demoRecording(), unsandboxed: true } : {}),
  };
  for (;;) {
    const ending = answer.data["ending"];
    if (!isRecord(ending)) return answer;
    const next = await ask(ending, answer, screen, caller);
    if (next === "nothing to ask") return answer;
    if (next === "left") return paused(answer, caller);
    const { name, leaving, after, ...input } = next;
    const operation = operations.find((known) => known.name === name);
    if (!operation) throw new Error(`There is no operation ${name}.`);
    const given = operation.input.parse({ ...kept, ...input, chain: answer.data["chain_id"] });
    const went = await operation.run(given, caller).finally(after);
    quiet();
    answer = { ...went, data: { ...went.data, ...(rehearsal ? { rehearsal, folder } : {}) } };
    if (leaving) return paused(answer, caller);
  }
}

function paused({ data }: Answer, caller: Caller): Answer {
  return { exit: exitCodeOfStop(caller.signal), data: { ...data, ending: { type: "interrupted" } } };
}

async function ask(
  ending: Record<string, unknown>,
  answer: Answer,
  screen: Screen,
  { signal, world }: Caller,
): Promise<Next | "left" | "nothing to ask"> {
  switch (ending["type"]) {
    case "needs_answers": {
      screen.print(screen.style("dim", `  ${standing(answer.data)}`));
      const given: string[] = [];
      for (const question of ending["questions"] as Question[]) {
        const said = await askQuestion(question, screen, signal);
        if (said === undefined)
          return given.length === 0 ? "left" : { name: "answer", answers_given: given, leaving: true };
        given.push(`${question.id}=${said}`);
      }
      return { name: "answer", answers_given: given };
    }
    case "needs_approval": {
      screen.print(screen.style("dim", `  ${standing(answer.data)}`));
      const said = await askApproval(signal);
      if (said === undefined) return "left";
      const { type, ...what } = said;
      return { name: type, ...what, ...(type === "approve" ? { hash: answer.data["solution_hash"] } : {}) };
    }
    case "needs_recovery_choice": {
      for (const line of lossText(answer.data)) screen.print(harmless(line));
      const choice = await askRecovery(ending["choices"] as string[], signal);
      return choice === undefined ? "left" : { name: "recover", choice };
    }
    case "needs_permission":
      return (await askPermission(ending, { screen, signal, env: world.env })) ?? "left";
    default:
      return "nothing to ask";
  }
}

/** What a person at a terminal is about to be asked need not be told before. */
function isAskedHere(line: ChainLine): boolean {
  return line.type === "event" && (line.event === "questions_asked" || line.event === "permission_asked");
}

function print({ output, operation }: Order, { data }: Answer): void {
  if (output === "text") process.stdout.write(`${reportText(operation.name, data)}\n`);
  else if (output === "json") process.stdout.write(`${harmlessJson(data, 2)}\n`);
  else process.stdout.write(`${harmlessJson({ type: "answer", ...data })}\n`);
}

/** What happened, what is kept, what to type next; a bug is told apart from all that. */
function explain(error: unknown, wantsJson: boolean): number {
  if (!(error instanceof UserError)) {
    process.stderr.write(
      `This is a bug in claude-exec, not a mistake of yours. What was journalled is kept.\n${error instanceof Error ? error.stack : String(error)}\n`,
    );
    if (wantsJson)
      process.stdout.write(
        `${harmlessJson({ schema_version: 1, error: { code: "bug", message: messageOf(error), hint: "" } })}\n`,
      );
    return exitCodes.failed;
  }
  const { code, message, hint } = error;
  if (wantsJson) process.stdout.write(`${harmlessJson({ schema_version: 1, error: { code, message, hint } })}\n`);
  else process.stderr.write(`${harmless(`${message}\n${hint}`)}\n`);
  return error.exitCode;
}

function quietly(error: unknown): void {
  const code = systemCode(error);
  if (code === undefined) throw error;
  // The terminal is gone, and the run was asked to stop: stop.ts.
  if (code === "EIO" && process.stderr.isTTY) return;
  if (code === "EPIPE") process.exit(running ? exitCodes.interrupted : exitCodes.done);
  writeSync(2, `What was to be printed could not be (${code}). What a chain did is kept all the same.\n`);
  process.exit(exitCodes.failed);
}

function pick(input: Record<string, unknown>, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => input[name] !== undefined).map((name) => [name, input[name]]));
}

function demoRecording(): string {
  return demoAnswers.replace(/\.answers\.json$/, ".json");
}
