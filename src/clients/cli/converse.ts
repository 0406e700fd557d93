import {
  openSession,
  type Caller,
  type ChainLine,
  type Session,
  type SessionOptions,
} from "../../operations/operation.ts";
import { operationNamed, perform, type OperationName, type Outcome } from "../../operations/operations.ts";
import { exitCodeOfStop, UserError } from "../../util/errors.ts";
import type { Input } from "../../util/next.ts";
import { quoted } from "../../util/quoting.ts";
import { userOfSystem, type World } from "../../util/world.ts";
import type { Order } from "./arguments.ts";
import * as questions from "./ask.ts";
import type { Asker, Decision } from "./ask.ts";
import { rewindText, testsLine, type ChainStands } from "./change_report.ts";
import { isBeforeApproval, narrate } from "./narrate.ts";
import { flagsAgain } from "./next.ts";
import { foundLines, offerLines } from "./pattern_report.ts";
import { approvalLines, assumptionsOn, headLine, restLines, restOf, type Seen } from "./page.ts";
import { isTried, type Live } from "./progress.ts";
import { lossText, type Offer } from "./recover_report.ts";
import { standing } from "./report.ts";
import { fit } from "./status_report.ts";
import { harmless, wrap, type Screen } from "./terminal.ts";

export interface Ended {
  readonly outcome: Outcome;
  readonly left: boolean;
}

/** Where an order is carried out: what is shown, and who is asked. */
export interface Desk {
  readonly world: World;
  readonly cwd: string;
  readonly screen: Screen;
  readonly live: Live;
  readonly signal: AbortSignal;
  /** Undefined where nobody can be asked. */
  readonly asker: Asker | undefined;
  /** Shows what came of the order: `left`: its person left at a question. */
  readonly report: (ended: Ended, session: Session) => void;
  /** Each journal line, beside the story that the screen tells. */
  readonly onLine?: Caller["listen"];
  readonly onProgress?: Caller["progress"];
  /** False while its person is busy with another chain: then this one waits, and asks nothing. */
  readonly isInFront: () => boolean;
}

/** Carries out an order, asks whatever its chain waits for, and ends when there is nothing more to ask. */
export async function carry(order: Order, desk: Desk, onOpen: (again: Input) => void = () => {}): Promise<Ended> {
  const { world, cwd, live, asker } = desk;
  let session: Session | undefined;
  /** A new session, in place of the one that is open, with what its user said meanwhile. */
  const reopen = async ({ operation: { prepare }, input, options }: Order) => {
    await session?.close();
    session = openSession({ world, progress: live.sign, ...(prepare?.(input, cwd, options) ?? { cwd, options }) });
    onOpen(flagsAgain(session.options));
    return session;
  };
  const caller = callerAt(order, desk);
  try {
    const begun = await withTrust(order, reopen, caller, desk);
    live.stop();
    const ended = asker ? await converse(begun, caller, desk, asker) : { outcome: begun.outcome, left: false };
    const { outcome, left } = ended;
    if (asker && (outcome.operation === "prompts new" || outcome.operation === "prompts edit")) {
      const { openEditor } = await import("./editor.ts");
      const trouble = await asker.leaveTerminal(() => openEditor(outcome.data.file, world.env));
      if (trouble) desk.screen.print(trouble);
    }
    desk.report(ended, begun.session);
    const isReal = order.options.replay === undefined && order.operation.name !== "demo";
    const saved =
      asker && !left && isReal && desk.isInFront() ? await offer(ended, begun, caller, desk, asker) : undefined;
    if (saved) desk.report(saved, begun.session);
    return ended;
  } finally {
    live.stop();
    await session?.close();
  }
}

function callerAt(order: Order, { live, screen, signal, asker, onLine, onProgress }: Desk): Caller {
  const { operation, input, options } = order;
  const isRehearsal = operation.name === "demo";
  // The rehearsal answers and approves itself where there is nobody to ask.
  const isUnseen = input["approve_policy"] === "auto" || (isRehearsal && !asker);
  return {
    by: { kind: "person", name: userOfSystem()?.username ?? "unknown", door: "cli" },
    signal,
    asks: asker !== undefined,
    listen(line, context) {
      onLine?.(line, context);
      live.line(line, context);
      const isAnswer = line.type === "event" && line.event === "report_recorded" && isAnswered(line.report, context);
      if (!isAnswer && !isShownElsewhere(line, asker !== undefined, isUnseen))
        narrate(line, screen, false, live.looked(line));
      if (isUnheard(line) && (options.replay !== undefined || isRehearsal))
        screen.print(screen.style("yellow", `  ! ${unheardText}`));
    },
    progress(sign) {
      onProgress?.(sign);
      live.sign(sign);
    },
    async offer(pattern) {
      const lines = offerLines(pattern, screen.columns).map(harmless);
      if (!asker) {
        screen.print(`${lines[0]}. It is not applied unless you name it: --pattern ${quoted(pattern.name)}`);
        return false;
      }
      live.stop();
      screen.print(lines.join("\n"));
      return questions.askApply(asker);
    },
  };
}

/** The order as its user meant it in the end, and what came of it: what it was refused for may be asked about first. */
async function withTrust(
  order: Order,
  reopen: (order: Order) => Promise<Session>,
  caller: Caller,
  { asker, screen }: Desk,
): Promise<{ order: Order; outcome: Outcome; session: Session }> {
  const { operation } = order;
  let meant = order;
  for (;;) {
    try {
      const session = await reopen(meant);
      if (asker) await askOldTrust(session, operation, caller, asker);
      return { order: meant, outcome: await perform(operation, meant.input, session, caller), session };
    } catch (error) {
      if (!asker || !(error instanceof UserError)) throw error;
      if (error.code === "needs_budget") {
        screen.print(fit(error.message, screen.columns));
        const budget_usd = await questions.askBudget(asker);
        if (budget_usd === undefined) throw error;
        meant = { ...meant, input: { ...meant.input, budget_usd } };
        continue;
      }
      const said = await askBefore(error, order, caller, asker, screen);
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
async function askOldTrust(
  session: Session,
  { permission }: Order["operation"],
  caller: Caller,
  asker: Asker,
): Promise<void> {
  if (permission !== "run" || session.options.permission === "read" || session.options.trust) return;
  if (!session.isTrusted() || session.mayTry() !== undefined) return;
  session.trust(session.home.workspace, answered(await questions.askTry(asker), caller, []));
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
  asker: Asker,
  screen: Screen,
): Promise<(SessionOptions & { adopt?: true }) | undefined> {
  const ask = {
    untrusted: questions.askTrust,
    models_cost_more: questions.askModels,
    moved: questions.askMoved,
    foreign: operation.name === "resume" ? questions.askAdopt : undefined,
  }[error.code];
  if (ask === undefined) return undefined;
  screen.print(fit(error.message, screen.columns));
  const said = answered(await ask(asker), caller, error.next);
  if (ask === questions.askModels) return { project_models: said ? "use" : "ignore" };
  if (ask === questions.askMoved || ask === questions.askAdopt) return said ? { adopt: true } : undefined;
  if (said) return { trust: true };
  if (!operation.options.includes("permission")) return undefined;
  screen.print("Then it is only looked at (--permission read): nothing in it counts, and nothing is written there.");
  return { permission: "read" };
}

/** Asks what a chain waits for, and lets it go on, until it waits for nothing more or the person leaves. */
async function converse(
  { order, outcome: first, session }: { order: Order; outcome: Outcome; session: Session },
  caller: Caller,
  desk: Desk,
  asker: Asker,
): Promise<Ended> {
  const { screen } = desk;
  const { budget_usd, budget_tokens, answers, approve_policy } = order.input;
  const kept = { budget_usd, budget_tokens, answers, approve_policy };
  let seen: Seen = { operation: order.operation.name, solution: null, page: null, read: new Set() };
  let outcome = first;
  for (;;) {
    const { data } = outcome;
    if (!desk.isInFront()) return { outcome, left: false };
    if (outcome.operation === "save-pattern" && outcome.data.preview) {
      const [next] = outcome.data.next;
      screen.print(harmless(foundLines(outcome.data).join("\n")));
      if ((await questions.askSave(asker)) !== true) return { outcome, left: true };
      outcome = await perform(operationNamed("save-pattern"), next?.input ?? {}, session, caller);
      continue;
    }
    if ("files_only" in data && data.preview) {
      for (const line of rewindText({ ...data, next: [] }, {}).split("\n")) screen.print(harmless(line));
      const [next] = data.next;
      if (!(await questions.askRewind(asker)) || next?.input === undefined) return { outcome, left: true };
      outcome = await perform(operationNamed("rewind"), next.input, session, caller);
      continue;
    }
    if (!("ending" in data) && !("needs" in data)) return { outcome, left: false };
    if (session.world.env["CLAUDE_EXEC_BELL"] !== "off" && isWaiting(data)) process.stderr.write("\x07");
    const said = await ask(data, screen, asker, session.world.env, seen);
    if (said === "nothing to ask") return { outcome, left: false };
    if (said === "left") return { outcome, left: true };
    const { operation: name, input, leaving = false, after } = said;
    seen = { ...seen, operation: name };
    if (!("needs" in data) && data.ending.type === "needs_approval") {
      const { presented, page } = data.ending;
      seen = {
        ...seen,
        solution: presented.hash,
        page: { title: presented.solution.title, sections: page.sections },
      };
    }
    const operation = operationNamed(name);
    const given = operation.input.parse({ ...kept, ...input, chain: data.chain_id });
    outcome = await perform(operation, given, session, caller).finally(after);
    desk.live.stop();
    if (leaving) return { outcome, left: true };
  }
}

/** At the end of a chain its user is asked once, in one line, how it went, and whether it is to be kept as a pattern. */
async function offer(
  { outcome: { operation, data } }: Ended,
  begun: { order: Order; session: Session },
  caller: Caller,
  desk: Desk,
  asker: Asker,
): Promise<Ended | undefined> {
  const isOver =
    "ending" in data ? ["completed", "accepted"].includes(data.ending.type) : operation === "complete" && data.finished;
  if (!isOver || !("chain_id" in data)) return undefined;
  const said = await questions.askRating(operation === "complete" && data.rating !== null, asker);
  if (said === undefined) return undefined;
  const doNow = (name: OperationName, input: Input) =>
    perform(operationNamed(name), { chain: data.chain_id, ...input }, begun.session, caller);
  if (said.rating !== undefined) await doNow("complete", { rating: said.rating });
  if (!said.pattern) return undefined;
  return converse({ ...begun, outcome: await doNow("save-pattern", {}) }, caller, desk, asker);
}

function isWaiting(data: ChainStands | Offer): boolean {
  return "needs" in data || data.ending.type.startsWith("needs_");
}

async function ask(
  data: ChainStands | Offer,
  screen: Screen,
  asker: Asker,
  env: World["env"],
  seen: Seen,
): Promise<Decision | "left" | "nothing to ask"> {
  if ("needs" in data) {
    for (const line of lossText(data)) screen.print(harmless(line));
    const choice = await questions.askRecovery(data, asker);
    return choice === undefined ? "left" : { operation: "recover", input: { choice } };
  }
  const { ending } = data;
  switch (ending.type) {
    case "needs_answers": {
      if (!isInStory(seen.operation)) {
        screen.print(headLine(data, screen.columns, screen.style));
        screen.print(screen.style("dim", `  ${standing(data)}`));
      }
      // A question about the command says all this, and more.
      if (!ending.questions.some(({ id }) => id.startsWith("test_command")))
        screen.print(screen.style("dim", wrap(harmless(testsLine(data)), screen.columns, "  ")));
      const given: string[] = [];
      for (const question of ending.questions) {
        const said = await questions.askQuestion(question, screen, asker);
        if (said === undefined)
          return given.length === 0 ? "left" : { operation: "answer", input: { answers_given: given }, leaving: true };
        given.push(`${question.id}=${said}`);
      }
      return { operation: "answer", input: { answers_given: given } };
    }
    case "needs_approval":
      return askSolution(data, ending, { screen, asker, seen });
    case "needs_permission":
      screen.print(`\n${headLine(data, screen.columns, screen.style)}`);
      return (await (await import("./permission.ts")).askPermission(ending, { screen, asker, env })) ?? "left";
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
  { screen, asker, seen }: { screen: Screen; asker: Asker; seen: Seen },
): Promise<Decision | "left" | "nothing to ask"> {
  if (presented.standing === "approved") return "nothing to ask";
  const lines = approvalLines(data, screen.columns, screen.style, seen);
  screen.print(["", ...lines].join("\n"));
  for (;;) {
    const rest = restOf(data, screen.columns, seen.read);
    const titles = rest.map(({ title }) => title);
    const said = await questions.askApproval(assumptionsOn(data), titles, asker);
    if (said === undefined) return "left";
    if (said.type === "show") {
      const whole = wrap(harmless(presented.text), screen.columns, "  ");
      const left = restLines(rest, screen.columns, screen.style).join("\n");
      screen.print(`\n${rest.length > 0 ? left : whole}\n`);
      for (const { items } of rest) for (const one of items) seen.read.add(one.whole);
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

/** A report that answers a person's question is shown whole above the approval. */
function isAnswered({ summary }: { readonly summary: string }, { engine }: Parameters<Caller["listen"]>[1]): boolean {
  return engine.asked?.answer?.startsWith(summary.trim()) === true;
}

/** What is told otherwise: a person at a terminal is asked about it or typed it, or a question or the result shows it. */
function isShownElsewhere(line: ChainLine, interactive: boolean, isUnseen: boolean): boolean {
  if (line.type !== "event") return interactive && isTried(line);
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
    // The page names its phase and size, and what the tests say today.
    case "phase_changed":
      return !isUnseen && line.to === "solution-approval";
    case "tests_judged":
      return !isUnseen && line.verdict === "baseline";
    case "size_changed":
      return !isUnseen && line.to === "tiny";
    // The row of its report names the prompt.
    case "prompts_queued":
      return line.prompts.every(isBeforeApproval);
    default:
      return false;
  }
}

const unheardText =
  "The model is recorded: it does not hear this, and goes on as if you had said yes. What it reports from here on may be wrong.";
