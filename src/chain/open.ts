import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { exitCodes, UserError } from "../util/errors.ts";
import { writeAtomic, readTextIfThere } from "../util/files.ts";
import { Journal, type Actor, type Batch, type Reading } from "../store/journal.ts";
import { chainPaths, contextFiles, removeLeftovers, takeChainId, type Inbox } from "../store/chains.ts";
import { writeJournalEnd } from "../store/journal_end.ts";
import { openBlobs, type Blobs } from "../store/blobs.ts";
import { openSpare } from "../store/spare.ts";
import { tryLock, type Lock } from "../store/lock.ts";
import { sealText, unsealText } from "../store/seal.ts";
import { apply, replay } from "./apply.ts";
import type { Context } from "./context.ts";
import { event, type Body, type ChainEvent, type ChainLine, type Edit, type EventNamed } from "./events.ts";
import { examineJournal, isAnsweredCall, neverBegun, noChain, readChain } from "./inspect.ts";
import { ledgerText, newsText } from "./ledger.ts";
import { notOwn, type ChainStore } from "./ownership.ts";
import { standing, writeView, type Standing } from "./view.ts";

/** A chain that this process holds. Whoever opens it closes it. */
export interface Chain {
  readonly id: string;
  readonly blobs: Blobs;
  /** The state of all files before the command that is running. Null: somebody else wrote what lies there. */
  readonly tree: { read(): string | undefined | null; write(text: string): void; remove(): void };
  readonly inbox: Inbox;
  /** Where what a command made and may not make is kept. */
  readonly aside: string;
  /** Where the prompts that were written for this chain lie. */
  readonly prompts: string;
  readonly viewPath: string;
  readonly context: Context;
  /** The process that held it before was killed or crashed. */
  readonly isLeft: boolean;
  /**
   * What `decide` makes of the context becomes lines. It is called when all earlier writes have ended, so that nothing
   * changes between what it sees and what it decides. Where the context decides nothing, batches do. Returns the new
   * context. Lines on disk, then the context, then the listener: in this order, always.
   */
  append(...lines: [Decide] | Batch<Body>[]): Promise<Context>;
  /** Keeps the context file near the journal while the chain runs; `durable` when it stops. */
  writeView(durable: boolean): void;
  close(): Promise<void>;
}

export type Decide = (context: Context) => readonly Batch<Body>[];

export type Listener = (line: ChainLine, context: Context) => void;

export const engineActor: Actor = { kind: "engine", name: "claude-exec", door: "engine" };

export interface Beginning extends ChainStore {
  readonly engine: string;
  readonly by: Actor;
  readonly now: () => number;
  readonly listen: Listener;
  /** Called when a chain has begun with these. */
  readonly onBegin?: () => void;
}

export type Started = Omit<EventNamed<"chain_started">, "type" | "event" | "slug">;

export interface OpenedChain {
  readonly chain: Chain;
  /** What somebody changed in its context file by hand. */
  readonly edits: readonly Edit[];
}

/** Begins a chain: its number, its journal with the first lines and what was `learned` before, its context file. */
export async function createChain(beginning: Beginning, started: Started, learned: readonly ChainEvent[] = []) {
  const { contexts } = beginning;
  const id = takeChainId(contexts);
  const slug = slugOf(started.goal);
  const viewPath = join(contexts, `chain-${id}-${slug}-${stamp(beginning.now())}.json`);
  let chain: Chain | undefined;
  try {
    removeLeftovers(contexts, id);
    const lock = lockOf(contexts, id);
    if (!lock) throw takenMeanwhile(id);
    chain = hold(beginning, id, viewPath, { lines: [], bytes: 0 }, lock);
    await chain.append(firstBatch(id, beginning, [event("chain_started", { ...started, slug }), ...learned]));
    beginning.onBegin?.();
    return chain;
  } catch (error) {
    await chain?.close();
    const { journal, end } = chainPaths(contexts, id);
    for (const path of [journal, end]) rmSync(path, { force: true });
    throw error;
  }
}

function takenMeanwhile(id: string): UserError {
  const message = `Another process looks at chain ${id} at this very moment. Nothing was begun.`;
  return new UserError("locked", message, "Ask for the same again.", exitCodes.conflict);
}

/** Header and task in one batch: a chain whose task is not on disk has not begun. */
export function firstBatch(
  id: string,
  { engine, by, seal, home }: Beginning,
  events: readonly ChainEvent[],
): Batch<Body> {
  const { bodies } = withLedger(by, events);
  return {
    by,
    bodies: [{ type: "header", format: 2, chain_id: id, engine, parent: null, key: seal.id, home }, ...bodies],
  };
}

/**
 * Opens a chain that is there: proves its journal, cuts what a crash left torn, and sees to its context file. A chain
 * that is not this user's own is refused. Undefined: another process works on it.
 */
export function openChain(beginning: Beginning, id: string): OpenedChain | undefined {
  const { contexts } = beginning;
  const file = contextFiles(contexts).get(id);
  const lock = lockOf(contexts, id);
  if (!lock) return undefined;
  try {
    const { reading, ownership, problem } = examineJournal(beginning, id);
    if (ownership && ownership.type !== "own") throw notOwn(id, ownership);
    if (problem) throw problem;
    if (!reading || reading.lines.length === 0) throw neverBegun(id);
    const viewPath = file ?? join(contexts, viewName(id, reading.lines));
    const chain = hold(beginning, id, viewPath, reading, lock);
    const found = standingTo(reading.lines, viewPath);
    if (found.type === "edited") return { chain, edits: found.edits };
    if (found.type !== "current") chain.writeView(true);
    return { chain, edits: [] };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function standingTo(lines: readonly ChainLine[], viewPath: string): Standing {
  return standing(viewPath, { n: lines.length }, (n) => {
    const line = lines[n - 1];
    return line && { context: replay(lines.slice(0, n)), hash: line.hash };
  });
}

/** Rewrites a context file that is older than its journal, unless somebody works on the chain or edited the file. */
export function refreshView(store: ChainStore, id: string): void {
  const lock = tryLock(chainPaths(store.contexts, id).lock);
  if (!lock) return;
  try {
    const { context, lines } = readChain(store, id);
    const file = contextFiles(store.contexts).get(id);
    if (file === undefined || standingTo(lines, file).type !== "old") return;
    writeView(file, context, { n: lines.length, hash: lines.at(-1)?.hash ?? "" }, false);
  } finally {
    lock.release();
  }
}

/** What a process does with a chain once it has the lock. */
export function hold(
  beginning: Beginning,
  id: string,
  viewPath: string,
  reading: Pick<Reading<Body>, "lines" | "bytes">,
  lock: Lock,
): Chain {
  const { contexts, now, listen, seal } = beginning;
  const paths = chainPaths(contexts, id);
  const spare = openSpare(paths.spare);
  const blobs = openBlobs(paths.blobs);
  const journal = new Journal<Body>(paths.journal, reading, now, seal);
  let context = replay(reading.lines);
  let first = reading.lines[0]?.hash ?? "";
  let written = { n: -1, at: 0 };
  let ended = { n: -1, at: 0 };
  let calls = reading.lines.filter(isAnsweredCall).length;
  const keepEnd = () => {
    writeJournalEnd(paths.end, { n: journal.length, hash: journal.head, calls });
    ended = { n: journal.length, at: now() };
  };
  let last: Promise<unknown> = Promise.resolve();
  /** One write at a time. One that failed leaves everything as it was, and the next begins. */
  const inTurn = <Done>(write: () => Promise<Done>): Promise<Done> => {
    const done = last.then(write);
    last = done.catch(() => {});
    return done;
  };
  return {
    id,
    viewPath,
    get inbox() {
      return { folder: paths.inbox, seal, chain: first };
    },
    aside: paths.aside,
    prompts: paths.prompts,
    isLeft: spare.isLeft,
    blobs: {
      ...blobs,
      put: (text) => inTurn(() => spare.keeping(() => blobs.put(text))),
      putBytes: (bytes) => inTurn(() => spare.keeping(() => blobs.putBytes(bytes))),
    },
    tree: {
      read() {
        const sealed = readTextIfThere(paths.tree);
        return sealed === undefined ? undefined : (unsealText(seal, ["tree", first], sealed) ?? null);
      },
      write: (text) => writeAtomic(paths.tree, sealText(seal, ["tree", first], text), { durable: false }),
      remove: () => rmSync(paths.tree, { force: true }),
    },
    get context() {
      return context;
    },
    append: (...given) =>
      inTurn(async () => {
        const [decide] = given;
        const batches = typeof decide === "function" ? decide(context) : (given as Batch<Body>[]);
        const begins = batches.some(({ bodies }) => bodies.some(({ type }) => type === "intent"));
        const write = () => journal.append(...batches);
        for (const line of await (begins ? spare.beginning(write) : spare.keeping(write))) {
          if (line.n === 1) first = line.hash;
          context = apply(context, line);
          if (isAnsweredCall(line)) calls++;
          listen(line, context);
        }
        if (now() - ended.at >= viewEvery) keepEnd();
        return context;
      }),
    writeView(durable) {
      const at = now();
      if (durable ? written.n === journal.length : at - written.at < viewEvery) return;
      writeView(viewPath, context, { n: journal.length, hash: journal.head }, durable, !durable);
      written = { n: journal.length, at };
    },
    async close() {
      await last;
      spare.close();
      if (ended.n !== journal.length) keepEnd();
      journal.close();
      lock.release();
    },
  };
}

/** At most this often (ms) are the context file and the journal's end rewritten while a chain runs. */
const viewEvery = 1000;

/**
 * A batch of events together with what the model is told about them. `isSaid`: they stand in a reply or the answer to a tool
 * call that the conversation of the phase keeps, so that the conversation needs only what the engine made of them.
 */
export function withLedger(by: Actor, events: readonly ChainEvent[], { isSaid = false } = {}): Batch<Body> {
  const text = ledgerText(events);
  const brief = newsText(events, isSaid);
  const told = brief === text ? {} : { brief };
  return { by, bodies: text ? [...events, event("ledger_extended", { text, ...told })] : events };
}

/** Undefined: another process works on the chain. */
export function lockOf(contexts: string, id: string): Lock | undefined {
  const paths = chainPaths(contexts, id);
  if (!statSync(paths.journal, { throwIfNoEntry: false }) && !contextFiles(contexts).has(id)) throw noChain(id);
  mkdirSync(dirname(paths.lock), { recursive: true, mode: 0o700 });
  return tryLock(paths.lock);
}

export function viewName(id: string, lines: readonly ChainLine[]): string {
  const started = lines.find((line) => line.type === "event" && line.event === "chain_started");
  const slug = started?.type === "event" && started.event === "chain_started" ? started.slug : "recovered";
  return `chain-${id}-${slug}-${stamp(Date.parse(lines[0]?.at ?? ""))}.json`;
}

/** A few telling words of a goal, as part of a file's name. */
export function slugOf(goal: string): string {
  const words = goal
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu);
  const telling = (words ?? []).filter((word) => !fillers.has(word)).slice(0, 4);
  return telling.join("-").normalize("NFC").slice(0, 40).replace(/-+$/, "") || "task";
}

const fillers = new Set([
  "a",
  "add",
  "an",
  "and",
  "app",
  "application",
  "for",
  "from",
  "in",
  "make",
  "my",
  "of",
  "on",
  "our",
  "please",
  "the",
  "to",
  "with",
]);

function stamp(at: number): string {
  return new Date(Number.isNaN(at) ? 0 : at).toISOString().slice(0, 16).replace(/[T:]/g, "-");
}
