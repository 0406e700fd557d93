import { writeSync } from "node:fs";
import {
  openSession,
  type Caller,
  type ChainLine,
  type Session,
  type SessionOptions,
} from "../../operations/operation.ts";
import { operationNamed, operations, perform, type OperationName, type Outcome } from "../../operations/operations.ts";
import { demoAnswers } from "../../operations/setup.ts";
import { exitCodeOfStop, exitCodes, messageOf, systemCode, UserError } from "../../util/errors.ts";
import type { Input } from "../../util/next.ts";
import { quoted } from "../../util/quoting.ts";
import { realWorld, userOfSystem, type World } from "../../util/world.ts";
import { readArguments, usageLine, type Order } from "./arguments.ts";
import {
  askAdopt,
  askApply,
  askApproval,
  askBudget,
  askModels,
  askMoved,
  askQuestion,
  askRecovery,
  askRewind,
  askRating,
  askSave,
  askTrust,
  askTry,
  type Decision,
} from "./ask.ts";
import { helpText } from "./help.ts";
import { narrate } from "./narrate.ts";
import { flagsAgain, nextLines } from "./next.ts";
import { openLive } from "./progress.ts";
import { rewindText, testsLine, type ChainStands } from "./change_report.ts";
import { foundLines, offerLines } from "./pattern_report.ts";
import { approvalLines, assumptionsOn, headLine, pageLines, restLines, type Seen } from "./page.ts";
import { lossText, type Offer } from "./recover_report.ts";
import { reportText, standing } from "./report.ts";
import { fit } from "./status_report.ts";
import { stopOnRequest } from "./stop.ts";
import { harmless, harmlessJson, openScreen, wrap, type Screen } from "./terminal.ts";

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

async function carryOut(order: Order): Promise<number> {
  const world = realWorld();
  const { output } = order;
  const plain = order.plain || !!world.env["ACCESSIBLE"] || world.env["TERM"] === "dumb";
  const screen = openScreen(process.stderr, { plain, quiet: output !== "text" });
  const live = openLive(screen, world.now, currentFolder());
  const interactive = output === "text" && process.stdin.isTTY && process.stdout.isTTY && !world.env["CI"];
  const needsNumber = order.operation.name === "approve" || order.operation.name === "allow";
  if (!interactive && needsNumber && order.input["chain"] === "newest") throw noNumber(order);
  // The rehearsal answers and approves itself where there is nobody to ask.
  const isUnseen = order.input["approve_policy"] === "auto" || (order.operation.name === "demo" && !interactive);
  const stop = new AbortController();
  const cwd = currentFolder();
  const caller: Caller = {
    by: { kind: "person", name: userOfSystem()?.username ?? "unknown", door: "cli" },
    signal: stop.signal,
    asks: interactive,
    listen(line, context) {
      if (output === "stream-json") process.stdout.write(`${harmlessJson(line)}\n`);
      live.line(line, context);
      if (!isShownElsewhere(line, interactive, isUnseen)) narrate(line, screen, false, live.looked(line));
      if (isUnheard(line) && (order.options.replay !== undefined || order.operation.name === "demo"))
        screen.print(screen.style("yellow", `  ! ${unheardText()}`));
    },
    progress: live.sign,
    async offer(offer) {
      const lines = offerLines(offer, screen.columns).map(harmless);
      if (!interactive) {
        screen.print(`${lines[0]}. It is not applied unless you name it: --pattern ${quoted(offer.name)}`);
        return false;
      }
      live.stop();
      screen.print(lines.join("\n"));
      return askApply(stop.signal);
    },
  };
  let session: Session | undefined;
  /** A new session, in place of the one that is open, with what its user said meanwhile. */
  const reopen = async ({ operation: { prepare }, input, options }: Order) => {
    await session?.close();
    session = openSession({ world, progress: live.sign, ...(prepare?.(input, cwd, options) ?? { cwd, options }) });
    again = flagsAgain(session.options);
    return session;
  };
  const release = stopOnRequest(stop);
  running = order.operation.permission === "run";
  try {
    const rehearsed = order.operation.name === "demo" ? rehearse(order, interactive, screen) : order;
    const begun = await withTrust(rehearsed, reopen, caller, interactive, screen);
    live.stop();
    const { outcome, left } = interactive
      ? await converse(begun, caller, screen, live.stop)
      : { outcome: begun.outcome, left: false };
    const { data } = outcome;
    if ("ending" in data || "needs" in data) screen.print("");
    running = false;
    const opens = outcome.operation === "prompts new" || outcome.operation === "prompts edit";
    if (interactive && opens) await open(outcome.data.file, world, screen);
    if (output === "text") {
      const demo = order.operation.name === "demo" ? begun.session.cwd : undefined;
      // What another program reads keeps its lines, so that it can look for them.
      const columns = process.stdout.columns || Infinity;
      const csv = order.input["csv"] === true;
      const print = (shown: Outcome, isLeft: boolean) =>
        process.stdout.write(`${reportText(shown, again, { left: isLeft, demo, columns, now: world.now(), csv })}\n`);
      print(outcome, left);
      const saved =
        interactive && !left && order.options.replay === undefined && demo === undefined
          ? await offer(outcome, begun, caller, screen)
          : undefined;
      if (saved) print(saved.outcome, saved.left);
    } else {
      const document = { ...(output === "stream-json" ? { type: "answer" } : {}), schema_version: 2, ...data };
      process.stdout.write(`${harmlessJson(document, output === "json" ? 2 : undefined)}\n`);
    }
    return left && !("preview" in data) ? exitCodeOfStop(stop.signal) : outcome.exit;
  } finally {
    live.stop();
    await session?.close();
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
  reopen: (order: Order) => Promise<Session>,
  caller: Caller,
  interactive: boolean,
  screen: Screen,
): Promise<{ order: Order; outcome: Outcome; session: Session }> {
  const { operation } = order;
  let meant = order;
  for (;;) {
    try {
      const session = await reopen(meant);
      if (interactive) await askOldTrust(session, operation, caller);
      return { order: meant, outcome: await perform(operation, meant.input, session, caller), session };
    } catch (error) {
      if (!interactive || !(error instanceof UserError)) throw error;
      if (error.code === "needs_budget") {
        screen.print(fit(error.message, screen.columns));
        const budget_usd = await askBudget(caller.signal);
        if (budget_usd === undefined) throw error;
        meant = { ...meant, input: { ...meant.input, budget_usd } };
        continue;
      }
      const said = await askBefore(error, order, caller, screen);
      if (said === undefined) throw error;
      const { adopt, ...options } = said;
      meant = {
        ...meant,
        options: { ...meant.options, ...options },
        input: { ...meant.input, ...(adopt ? { adopt } : {}) },
      };
    }
  }
}

/** Asks once in a folder that was trusted before trust covered running its code. */
async function askOldTrust(session: Session, { permission }: Order["operation"], caller: Caller): Promise<void> {
  if (permission !== "run" || session.options.permission === "read" || session.options.trust) return;
  if (!session.isTrusted() || session.mayTry() !== undefined) return;
  session.trust(session.home.workspace, answered(await askTry(caller.signal), caller, []));
}

function answered(said: boolean | undefined, { signal }: Caller, next: UserError["next"]): boolean {
  if (said !== undefined) return said;
  throw new UserError("left", "Left without an answer. Nothing was begun.", next, exitCodeOfStop(signal));
}

/** What a person is asked before anything begins: their answer as flags; undefined where there is nothing to ask. */
async function askBefore(
  error: UserError,
  { operation }: Order,
  caller: Caller,
  screen: Screen,
): Promise<(SessionOptions & { adopt?: true }) | undefined> {
  const ask = {
    untrusted: askTrust,
    models_cost_more: askModels,
    moved: askMoved,
    foreign: operation.name === "resume" ? askAdopt : undefined,
  }[error.code];
  if (ask === undefined) return undefined;
  screen.print(fit(error.message, screen.columns));
  const said = answered(await ask(caller.signal), caller, error.next);
  if (ask === askModels) return { project_models: said ? "use" : "ignore" };
  if (ask === askMoved || ask === askAdopt) return said ? { adopt: true } : undefined;
  if (said) return { trust: true };
  if (!operation.options.includes("permission")) return undefined;
  screen.print("Then it is only looked at (--permission read): nothing in it counts, and nothing is written there.");
  return { permission: "read" };
}

/** Asks what a chain waits for, and lets it go on, until it waits for nothing more or the person leaves. */
async function converse(
  { order, outcome: first, session }: { order: Order; outcome: Outcome; session: Session },
  caller: Caller,
  screen: Screen,
  quiet: () => void,
): Promise<{ outcome: Outcome; left: boolean }> {
  const { budget_usd, budget_tokens, answers, approve_policy } = order.input;
  const kept = { budget_usd, budget_tokens, answers, approve_policy };
  let seen: Seen = { operation: order.operation.name, solution: null, page: null };
  let outcome = first;
  for (;;) {
    const { data } = outcome;
    if (outcome.operation === "save-pattern" && outcome.data.preview) {
      const [next] = outcome.data.next;
      screen.print(harmless(foundLines(outcome.data).join("\n")));
      if ((await askSave(caller.signal)) !== true) return { outcome, left: true };
      outcome = await perform(operationNamed("save-pattern"), next?.input ?? {}, session, caller);
      continue;
    }
    if ("files_only" in data && data.preview) {
      for (const line of rewindText({ ...data, next: [] }, {}).split("\n")) screen.print(harmless(line));
      const [next] = data.next;
      if (!(await askRewind(caller.signal)) || next?.input === undefined) return { outcome, left: true };
      outcome = await perform(operationNamed("rewind"), next.input, session, caller);
      continue;
    }
    if (!("ending" in data) && !("needs" in data)) return { outcome, left: false };
    if (session.world.env["CLAUDE_EXEC_BELL"] !== "off" && isWaiting(data)) process.stderr.write("\x07");
    const said = await ask(data, screen, caller.signal, session.world.env, seen);
    if (said === "nothing to ask") return { outcome, left: false };
    if (said === "left") return { outcome, left: true };
    const { operation: name, input, leaving = false, after } = said;
    seen = { ...seen, operation: name };
    if (!("needs" in data) && data.ending.type === "needs_approval") {
      const { presented, page } = data.ending;
      seen = {
        operation: name,
        solution: presented.hash,
        page: { title: presented.solution.title, sections: page.sections },
      };
    }
    const operation = operationNamed(name);
    const given = operation.input.parse({ ...kept, ...input, chain: data.chain_id });
    outcome = await perform(operation, given, session, caller).finally(after);
    quiet();
    if (leaving) return { outcome, left: true };
  }
}

/** At the end of a chain its user is asked once, in one line, how it went, and whether it is to be kept as a pattern. */
async function offer(
  { operation, data }: Outcome,
  begun: { order: Order; session: Session },
  caller: Caller,
  screen: Screen,
): Promise<{ outcome: Outcome; left: boolean } | undefined> {
  const isOver =
    "ending" in data ? ["completed", "accepted"].includes(data.ending.type) : operation === "complete" && data.finished;
  if (!isOver || !("chain_id" in data)) return undefined;
  const said = await askRating(operation === "complete" && data.rating !== null, caller.signal);
  if (said === undefined) return undefined;
  const doNow = (name: OperationName, input: Input) =>
    perform(operationNamed(name), { chain: data.chain_id, ...input }, begun.session, caller);
  if (said.rating !== undefined) await doNow("complete", { rating: said.rating });
  if (!said.pattern) return undefined;
  return converse({ ...begun, outcome: await doNow("save-pattern", {}) }, caller, screen, () => undefined);
}

function isWaiting(data: ChainStands | Offer): boolean {
  return "needs" in data || data.ending.type.startsWith("needs_");
}

async function ask(
  data: ChainStands | Offer,
  screen: Screen,
  signal: AbortSignal,
  env: World["env"],
  seen: Seen,
): Promise<Decision | "left" | "nothing to ask"> {
  if ("needs" in data) {
    for (const line of lossText(data)) screen.print(harmless(line));
    const choice = await askRecovery(data, signal);
    return choice === undefined ? "left" : { operation: "recover", input: { choice } };
  }
  const { ending } = data;
  switch (ending.type) {
    case "needs_answers": {
      if (!isInStory(seen.operation)) {
        screen.print(headLine(data, screen.columns, screen.style));
        screen.print(screen.style("dim", `  ${standing(data)}`));
      }
      // The engine's own question about the command says all this, and more.
      if (!ending.questions.some(({ id }) => /^test_command(?:_\d+)?$/.test(id)))
        screen.print(screen.style("dim", wrap(harmless(testsLine(data)), screen.columns, "  ")));
      const given: string[] = [];
      for (const question of ending.questions) {
        const said = await askQuestion(question, screen, signal);
        if (said === undefined)
          return given.length === 0 ? "left" : { operation: "answer", input: { answers_given: given }, leaving: true };
        given.push(`${question.id}=${said}`);
      }
      return { operation: "answer", input: { answers_given: given } };
    }
    case "needs_approval":
      return askSolution(data, ending, { screen, signal, seen });
    case "needs_permission":
      screen.print(`\n${headLine(data, screen.columns, screen.style)}`);
      return (await (await import("./permission.ts")).askPermission(ending, { screen, signal, env })) ?? "left";
    default:
      return "nothing to ask";
  }
}

/** Whether the story of the chain, with its goal and phase, stands right above a question. */
function isInStory(operation: string): boolean {
  return ["new", "demo", "answer", "ask", "change", "reject"].includes(operation);
}

/** Shows the page of a solution, or what is new since its reader saw it, and asks. */
async function askSolution(
  data: ChainStands,
  { presented }: Extract<ChainStands["ending"], { type: "needs_approval" }>,
  { screen, signal, seen }: { screen: Screen; signal: AbortSignal; seen: Seen },
): Promise<Decision | "left" | "nothing to ask"> {
  if (presented.standing === "approved") return "nothing to ask";
  const lines = approvalLines(data, screen.columns, screen.style, seen);
  screen.print(["", ...lines].join("\n"));
  const page = pageLines(data, screen.columns, screen.style);
  let rest = lines.slice(-page.length).join() === page.join() ? restLines(data, screen.columns, screen.style) : [];
  for (;;) {
    const said = await askApproval(assumptionsOn(data), signal);
    if (said === undefined) return "left";
    if (said.type === "show") {
      const whole = wrap(harmless(presented.text), screen.columns, "  ");
      screen.print(`\n${rest.length > 0 ? rest.join("\n") : whole}\n`);
      rest = [];
      continue;
    }
    const { type, ...input } = said;
    return { operation: type, input: { ...input, ...(type === "approve" ? { hash: presented.hash } : {}) } };
  }
}

/** What a person decided about a change or command, other than to allow it as it was proposed. */
function isUnheard(line: ChainLine): boolean {
  if (line.type !== "event") return false;
  return line.event === "permission_refused" || (line.event === "permission_given" && line.edited !== undefined);
}

/** What is told otherwise: a person at a terminal is asked about it or typed it, or a question or the result shows it. */
function isShownElsewhere(line: ChainLine, interactive: boolean, isUnseen: boolean): boolean {
  if (line.type !== "event") return false;
  if (line.event === "solution_presented") return !isUnseen;
  if (!interactive) return false;
  switch (line.event) {
    case "more_info_asked":
    case "changes_requested":
    case "assumptions_answered":
    case "questions_asked":
    case "permission_asked":
      return true;
    case "question_answered":
      return line.by.kind === "person";
    case "permission_refused":
      return line.question;
    // The page names its phase, and what the tests say today.
    case "phase_changed":
      return !isUnseen && line.to === "solution-approval";
    case "tests_judged":
      return !isUnseen && line.verdict === "baseline";
    default:
      return false;
  }
}

/** What happened, what is kept, what to type next; a bug is told apart from all that. */
function explain(error: unknown, wantsJson: boolean): number {
  if (!(error instanceof UserError)) {
    process.stderr.write(
      `This is a bug in claude-exec, not a mistake of yours. What was journalled is kept.\n${error instanceof Error ? error.stack : String(error)}\n`,
    );
    if (wantsJson)
      process.stdout.write(
        `${harmlessJson({ schema_version: 2, error: { code: "bug", message: messageOf(error), next: [] } })}\n`,
      );
    return exitCodes.failed;
  }
  const { code, message, next } = error;
  if (wantsJson) process.stdout.write(`${harmlessJson({ schema_version: 2, error: { code, message, next } })}\n`);
  else {
    const text = harmless([message, ...nextLines(next, again)].join("\n"));
    process.stderr.write(`${fit(text, process.stderr.columns || Infinity)}\n`);
  }
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

function unheardText(): string {
  return "The model is recorded: it does not hear this, and goes on as if you had said yes. What it reports from here on may be wrong.";
}
