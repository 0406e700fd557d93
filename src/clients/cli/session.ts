import { userFolders, type Session } from "../../operations/operation.ts";
import { operations, type ResultOf } from "../../operations/operations.ts";
import { exitCodeOfStop, exitCodes, UserError } from "../../util/errors.ts";
import type { World } from "../../util/world.ts";
import { flagOf, readArguments, takesField, type Order } from "./arguments.ts";
import { completions } from "./complete.ts";
import { carry, type Ended } from "./converse.ts";
import { errorText } from "./explain.ts";
import { helpText, sessionHelp } from "./help.ts";
import { readHistory, rememberLine } from "./history.ts";
import { openLine } from "./line.ts";
import { flagsAgain } from "./next.ts";
import { openLive } from "./progress.ts";
import { reportText } from "./report.ts";
import { sessionAsker, type Question } from "./session_asker.ts";
import { asSlash, isSessionCommand, notCommand, slashWords, type SessionCommand } from "./slash.ts";
import { harmless, harmlessJson, wrap, type Screen } from "./terminal.ts";
import { money, percent } from "./values.ts";

/** An order that is being carried out. */
interface Task {
  chain: string | undefined;
  readonly stop: AbortController;
  /** The number of its chain, once that is known. */
  readonly begun: PromiseWithResolvers<string | undefined>;
  readonly ended: Promise<Ended>;
}

/**
 * Reads what a person types, line by line, until they quit. `flags` are given with every command that takes them. Each
 * order has a session of its own: so several chains can be at work in this process.
 */
export async function runSession(
  flags: readonly string[],
  { world, cwd, stop, plain }: { world: World; cwd: string; stop: AbortController; plain: boolean },
): Promise<number> {
  const kept = keptFlags(flags);
  const tasks = new Set<Task>();
  /** Phase, confidence and cost of each chain, as they stand before the text that is typed. */
  const known = new Map<string, string>();
  const ended = Promise.withResolvers<number>();
  /** The chain that texts and commands are about, and the order that the screen shows. */
  let chain: string | undefined;
  let front: Task | undefined;
  let question: Question | undefined;
  let interrupts = 0;

  const history = `${userFolders(world.env).state}/history`;
  const line = openLine(
    {
      text(typed) {
        interrupts = 0;
        attempt(() => take(typed));
      },
      interrupt: () => interrupt(),
      end: () => ended.resolve(exitCodes.done),
      complete: async (typed) =>
        completions(typed, operations, async () => (await chains("all")).map(({ chain_id: id }) => id)),
      remember: (typed) => rememberLine(history, typed),
    },
    { plain, history: readHistory(history) },
  );
  const { screen } = line;
  const say = (text: string) => screen.print(asSlash(text, operations));
  const note = (text: string) => say(screen.style("dim", wrap(harmless(text), screen.columns, "  ")));
  const attempt = (work: () => unknown) =>
    void (async () => work())().catch((error: unknown) => say(errorText(error, {}, screen.columns)));
  const refresh = () => {
    const parts = [chain, chain && known.get(chain), question && "answer"].filter(Boolean);
    line.prompt(parts.length > 0 ? `${parts.join(" · ")} > ` : "> ");
  };
  const goTo = (id: string | undefined, task: Task | undefined) => {
    const isOther = front !== task;
    [chain, front] = [id, task];
    if (isOther) {
      question?.leave();
      screen.live([]);
    }
    refresh();
  };

  /** With the flags of the session, and about the chain that the session is at. */
  const orderOf = (first: string, ...rest: string[]): Order => {
    const { operation, given } = readOrder([first, ...rest]);
    const missing = [...kept].filter(([field]) => takesField(operation, field) && !given.has(flagOf(field)));
    const order = readOrder([first, ...missing.map(([field, value]) => `--${flagOf(field)}${value}`), ...rest]);
    const isOpen = operation.positional.includes("chain") && (order.input["chain"] ?? "newest") === "newest";
    return isOpen && chain !== undefined ? { ...order, input: { ...order.input, chain } } : order;
  };

  /** What is not in front asks nothing and tells no story, beside whatever is at work. */
  const start = (order: Order, how: "in front" | "aside" | "silently"): Task => {
    const isShown = () => front === task;
    const shown: Screen = {
      get columns() {
        return screen.columns;
      },
      style: screen.style,
      print: (text) => isShown() && say(text),
      live: (rows) => isShown() && screen.live(rows),
      close() {},
    };
    const taskStop = new AbortController();
    const signal = AbortSignal.any([stop.signal, taskStop.signal]);
    const open = (asked: Question) => {
      question = asked;
      if (!isShown() || signal.aborted) return asked.leave();
      asked.say();
      refresh();
    };
    const close = () => {
      question = undefined;
      refresh();
    };
    const begun = Promise.withResolvers<string | undefined>();
    const ended = Promise.resolve().then(() =>
      carry(order, {
        world,
        cwd,
        screen: shown,
        live: openLive(shown, world.now, cwd),
        signal,
        asker: how === "in front" ? sessionAsker(open, close, shown, line.leave) : undefined,
        report(one, session) {
          if (how === "aside" || isShown()) show(order, one, session);
        },
        isInFront: isShown,
        onLine(_, context) {
          known.set(context.chain_id, stateText(context));
          if (isShown()) refresh();
        },
        onProgress(sign) {
          // A rehearsal keeps its chain in a home of its own.
          if (sign.type !== "chain" || order.operation.prepare) return;
          task.chain = sign.id;
          begun.resolve(sign.id);
          if (isShown()) goTo(sign.id, task);
        },
      }).finally(() => {
        tasks.delete(task);
        begun.resolve(undefined);
      }),
    );
    const { chain: about } = order.input;
    const id = typeof about === "string" && about !== "newest" ? about.padStart(3, "0") : undefined;
    const task: Task = { chain: id, stop: taskStop, begun, ended };
    tasks.add(task);
    if (how === "in front") goTo(id, task);
    return task;
  };

  const begin = async (order: Order) => {
    const task = start(order, "in front");
    try {
      const one = await task.ended;
      if (front !== task && task.chain !== undefined && task.chain !== chain) note(endText(task.chain, one));
    } finally {
      if (front === task) goTo(chain, taskOf(chain));
    }
  };

  const aside = async (order: Order) => {
    await start(order, "aside").ended;
    question?.say();
  };

  const taskOf = (id: string | undefined) => [...tasks].find((task) => id !== undefined && task.chain === id);

  const chains = async (which: string) => {
    const { outcome } = await start(orderOf("status", which), "silently").ended;
    return (outcome.data as ResultOf<"status">).chains;
  };

  const show = (order: Order, { outcome, left }: Ended, session: Session) => {
    if (order.output !== "text") return say(harmlessJson({ schema_version: 2, ...outcome.data }, 2));
    const isRehearsal = order.operation.prepare !== undefined;
    const moment = { left, columns: screen.columns, now: world.now(), csv: order.input["csv"] === true };
    const demo = isRehearsal ? session.cwd : undefined;
    return say(reportText(outcome, isRehearsal ? flagsAgain(session.options) : {}, { ...moment, demo }));
  };

  const tell = async (task: Task, text: string) => {
    const id = await task.begun.promise;
    if (id === undefined) return note(`Nobody heard "${text}": the chain has ended.`);
    await aside(orderOf("tell", "--", id, text));
  };

  const take = (typed: string): unknown => {
    const text = typed.trim();
    const [name, ...words] = slashWords(text, operations) ?? [];
    if (name !== undefined) return isSessionCommand(name) ? own(name, words) : command(text, name);
    if (question) return question.answer(typed);
    if (text === "") return undefined;
    if (front) return tell(front, text);
    if (!/\s/.test(text)) throw notCommand(`"${text}" alone begins no task.`, text, operations);
    return begin(orderOf("new", "--", text));
  };

  const command = (text: string, name: string): unknown => {
    if (!operations.some((one) => one.name.split(" ")[0] === name))
      throw notCommand(`There is no command /${name}.`, name, operations);
    const read = readArguments([text], operations);
    if ("help" in read) return say(helpText(read.help));
    const order = orderOf(text);
    const isAtWork = front !== undefined && !question && order.input["chain"] === front.chain;
    return order.operation.permission === "read" || isAtWork ? aside(order) : begin(order);
  };

  const own = (name: SessionCommand, words: readonly string[]): unknown => {
    const [word] = words;
    switch (name) {
      case "help":
        if (word === undefined) return say(sessionHelp(screen.columns));
        return command(`/${words.join(" ").replace(/^\//, "")} --help`, word.replace(/^\//, ""));
      case "quit":
        return ended.resolve(exitCodes.done);
      case "switch":
        return switchTo(word ?? "");
      case "model":
      case "budget": {
        const field = name === "model" ? "model" : "budget_usd";
        if (word === "settings") kept.delete(field);
        else if (word !== undefined) {
          readOrder(["new", `--${flagOf(field)}=${word}`, "x"]);
          kept.set(field, `=${word}`);
        }
        return note(
          `${name}: ${kept.get(field)?.slice(1) ?? "as in the settings"}. It holds for chains that begin or go on from now on.`,
        );
      }
    }
  };

  const switchTo = async (word: string) => {
    if (!/^\d+$/.test(word))
      throw new UserError(
        "wrong_usage",
        "/switch needs the number of a chain.",
        "Numbers: /status all",
        exitCodes.usage,
      );
    const [found] = await chains(word);
    if (found && "goal" in found) {
      known.set(found.chain_id, stateText(found));
      goTo(found.chain_id, taskOf(found.chain_id));
    }
    await aside(orderOf("status", word));
    const isAsking = found && "goal" in found && !found.foreign && found.status.state === "waiting";
    if (isAsking && !front) await begin(orderOf("resume", found.chain_id));
  };

  const interrupt = () => {
    interrupts += 1;
    if (interrupts > 2) process.exit(exitCodes.interrupted);
    if (interrupts === 2) return ended.resolve(exitCodes.interrupted);
    if (question) return question.leave();
    if (front) front.stop.abort("SIGINT");
    return note(`${front ? "The chain stops at the next safe place. " : ""}Ctrl+C again quits; so does /quit.`);
  };

  const greet = async () => {
    for (const one of (await chains("all")).toReversed())
      if ("goal" in one && !one.foreign && one.status.state === "waiting")
        note(`Chain ${one.chain_id} waits for ${one.status.waiting_for ?? "you"}: /switch ${one.chain_id}`);
  };

  say("Type what is to be done, or /help.");
  refresh();
  attempt(greet);
  stop.signal.addEventListener("abort", () => ended.resolve(exitCodeOfStop(stop.signal)));
  const code = await ended.promise;
  question?.leave();
  for (const task of tasks) task.stop.abort("SIGINT");
  await Promise.allSettled([...tasks].map(({ ended: end }) => end));
  line.close();
  return code;
}

function readOrder(argv: readonly string[]): Order {
  const read = readArguments(argv, operations);
  if ("operation" in read) return read;
  throw notCommand("That is no command.", "", operations);
}

/** The flags of a session by their field, as they stand behind its name; wrong ones are refused before it opens. */
function keptFlags(flags: readonly string[]): Map<string, string> {
  const { given, input, options } = readOrder(["new", "x", ...flags]);
  const all: Record<string, unknown> = { ...input, ...options };
  const fields = [...given].map((flag) => flag.replaceAll("-", "_")).filter((field) => all[field] !== undefined);
  return new Map(fields.map((field) => [field, all[field] === true ? "" : `=${String(all[field])}`]));
}

type Standing = Pick<
  Extract<ResultOf<"status">["chains"][number], { goal: string }>,
  "current_phase" | "confidence_scores" | "cost_tracking"
>;

/** "requirements · 92% · $0.31" */
function stateText({ current_phase: phase, confidence_scores: scores, cost_tracking: costs }: Standing): string {
  return [harmless(phase).split("-")[0], percent(scores["overall"] ?? 0), money(costs.estimated_cost)].join(" · ");
}

/** What is said of a chain that came to its end, or to a question, while its person was busy with another. */
function endText(chain: string, { outcome: { data } }: Ended): string {
  const type = "ending" in data ? data.ending.type : "ended";
  const waits = /^needs_(.*)/.exec(type)?.[1];
  return waits
    ? `Chain ${chain} waits for ${waits}: /switch ${chain}`
    : `Chain ${chain}: ${type}. See /status ${chain}`;
}
