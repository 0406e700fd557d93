import { writeSync } from "node:fs";
import type { Session } from "../../operations/operation.ts";
import { operations } from "../../operations/operations.ts";
import { demoAnswers } from "../../operations/setup.ts";
import { exitCodeOfStop, exitCodes, messageOf, systemCode, UserError } from "../../util/errors.ts";
import type { Input } from "../../util/next.ts";
import { realWorld, type World } from "../../util/world.ts";
import { noCommand, readArguments, usageLine, type Order } from "./arguments.ts";
import { clackAsker } from "./clack.ts";
import { carry, type Ended } from "./converse.ts";
import { errorText } from "./explain.ts";
import { helpText } from "./help.ts";
import { flagsAgain } from "./next.ts";
import { openLive } from "./progress.ts";
import { reportText } from "./report.ts";
import { stopOnRequest } from "./stop.ts";
import { harmlessJson, openScreen, type Screen } from "./terminal.ts";

process.stdout.on("error", quietly);
process.stderr.on("error", quietly);

/** Whether a chain is at work: whoever stops listening to it has interrupted it. */
let running = false;
/** What a command has to repeat to go on with the same chain. */
let again: Input = {};

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const wantsJson = argv.includes("--json") || argv.includes("--stream-json");
  try {
    const order = readArguments(argv, operations);
    if ("help" in order) {
      process.stdout.write(`${helpText(order.help)}\n`);
      return exitCodes.done;
    }
    if ("session" in order) return await openSession(order.session, wantsJson);
    again = flagsAgain(order.options);
    if (order.operation.permission === "run") await keepHeapSmall();
    return await carryOut(order);
  } catch (error) {
    return explain(error, wantsJson);
  }
}

/** A chain makes much that is short-lived. On a busy machine Node would let 48 MB of that pile up before it cleans up. */
async function keepHeapSmall(): Promise<void> {
  const { setFlagsFromString } = await import("node:v8");
  setFlagsFromString("--semi-space-growth-factor=1");
}

/** Without a terminal there is nobody to type: then a command has to be named. */
async function openSession(flags: readonly string[], wantsJson: boolean): Promise<number> {
  const world = realWorld();
  if (wantsJson || !isInteractive(world)) throw noCommand(undefined, operations);
  await keepHeapSmall();
  const stop = new AbortController();
  const release = stopOnRequest(stop);
  try {
    const { runSession } = await import("./session.ts");
    const plain = isPlain(world, flags.includes("--plain"));
    return await runSession(flags, { world, cwd: currentFolder(), stop, plain });
  } finally {
    release();
  }
}

function isInteractive({ env }: World): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && !env["CI"];
}

function isPlain({ env }: World, isAsked: boolean): boolean {
  return isAsked || !!env["ACCESSIBLE"] || env["TERM"] === "dumb";
}

async function carryOut(order: Order): Promise<number> {
  const world = realWorld();
  const { output } = order;
  const screen = openScreen(process.stderr, { plain: isPlain(world, order.plain), quiet: output !== "text" });
  const live = openLive(screen, world.now, currentFolder());
  const interactive = output === "text" && isInteractive(world);
  const needsNumber = order.operation.name === "approve" || order.operation.name === "allow";
  if (!interactive && needsNumber && order.input["chain"] === "newest") throw noNumber(order);
  const stop = new AbortController();
  const cwd = currentFolder();
  const release = stopOnRequest(stop);
  running = order.operation.permission === "run";
  try {
    const asker = interactive ? clackAsker(stop.signal) : undefined;
    const report = ({ outcome, left }: Ended, session: Session) => {
      const { data } = outcome;
      if ("ending" in data || "needs" in data) screen.print("");
      running = false;
      if (output !== "text") {
        const document = { ...(output === "stream-json" ? { type: "answer" } : {}), schema_version: 2, ...data };
        process.stdout.write(`${harmlessJson(document, output === "json" ? 2 : undefined)}\n`);
        return;
      }
      const demo = order.operation.name === "demo" ? session.cwd : undefined;
      // What another program reads keeps its lines, so that it can look for them.
      const columns = process.stdout.columns || Infinity;
      const moment = { left, demo, columns, now: world.now(), csv: order.input["csv"] === true };
      process.stdout.write(`${reportText(outcome, again, moment)}\n`);
    };
    const onLine = (line: object) => {
      if (output === "stream-json") process.stdout.write(`${harmlessJson(line)}\n`);
    };
    const shown = { screen, live, report, onLine, isInFront: () => true };
    const desk = { world, cwd, signal: stop.signal, asker, ...shown };
    const meant = order.operation.name === "demo" ? rehearse(order, interactive, screen) : order;
    const { outcome, left } = await carry(meant, desk, (flags) => {
      again = flags;
    });
    return left && !("preview" in outcome.data) ? exitCodeOfStop(stop.signal) : outcome.exit;
  } finally {
    live.stop();
    screen.close();
    release();
  }
}

/** What nobody sees waiting is approved or allowed by the number of its chain only. */
function noNumber({ operation }: Order): UserError {
  const message = `Without a terminal, ${operation.name} needs the number of the chain.`;
  return new UserError("wrong_usage", message, `Usage: ${usageLine(operation)}`, exitCodes.usage);
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

/** Says that the model is recorded; without a terminal the rehearsal answers and approves itself, and says so. */
function rehearse(order: Order, interactive: boolean, screen: Screen): Order {
  screen.print("A rehearsal: the model's replies are recorded; engine, tools, files and tests are real.");
  if (interactive || (order.given.has("answers") && order.given.has("approve-policy"))) return order;
  screen.print(`No terminal to ask on: going on with --answers ${demoAnswers} --approve-policy auto`);
  return { ...order, input: { answers: demoAnswers, ...order.input, approve_policy: "auto" } };
}

function explain(error: unknown, wantsJson: boolean): number {
  const isOurs = error instanceof UserError;
  const { code, message, next } = isOurs ? error : { code: "bug", message: messageOf(error), next: [] };
  if (wantsJson) process.stdout.write(`${harmlessJson({ schema_version: 2, error: { code, message, next } })}\n`);
  if (!isOurs || !wantsJson) process.stderr.write(`${errorText(error, again, process.stderr.columns || Infinity)}\n`);
  return isOurs ? error.exitCode : exitCodes.failed;
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
