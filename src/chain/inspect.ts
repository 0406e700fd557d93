import { readFileSync, statSync } from "node:fs";
import { exitCodes, UserError } from "../util/errors.ts";
import { readTextIfThere } from "../util/files.ts";
import type { Next } from "../util/next.ts";
import { asJson, isRecord, parseJson, type Json } from "../util/json.ts";
import { chainPaths, contextFiles } from "../store/chains.ts";
import { readJournal, type Reading } from "../store/journal.ts";
import { journalEndIn, readJournalEnd } from "../store/journal_end.ts";
import { replay } from "./apply.ts";
import { emptyContext, type Context } from "./context.ts";
import type { Body, ChainLine, EventNamed } from "./events.ts";
import { allParts, importContext } from "./import_context.ts";
import { notOwn, ownershipIn, type Ownership, type ChainStore } from "./ownership.ts";
import { upcast } from "./upcast.ts";
import { isSealed, statusOf, view, type Status } from "./view.ts";

export interface Examined {
  /** Undefined where there is no journal. */
  readonly reading: Reading<Body> | undefined;
  readonly ownership: Ownership | undefined;
  readonly lost: Lost | undefined;
  /** Why the chain cannot go on with this journal. */
  readonly problem: UserError | undefined;
}

/** What a journal once held and holds no longer; `calls` is null where nobody can tell. */
export interface Lost {
  readonly lines: number;
  readonly calls: number | null;
  /** Reports among the lost lines that can still be read one by one. Nothing proves them. */
  readonly reports: readonly { readonly prompt: string; readonly summary: string }[];
}

/** Reads and proves a journal, says whose it is, and compares it with how far it was written. */
export function examineJournal(store: ChainStore, id: string): Examined {
  const paths = chainPaths(store.contexts, id);
  const file = contextFiles(store.contexts).get(id);
  const isThere = statSync(paths.journal, { throwIfNoEntry: false })?.isFile() ?? false;
  const none = { reading: undefined, ownership: undefined, lost: undefined, problem: undefined };
  if (!isThere && file === undefined) return none;
  // The ends are read before the journal: the journal only grows, so that a chain at work never looks shortened.
  const view = isThere ? readJson(file) : undefined;
  const ends = [readJournalEnd(paths.end), isSealed(view) ? journalEndIn(view["journal"]) : undefined]
    .filter((known) => known !== undefined)
    .sort((a, b) => b.n - a.n);
  const [end] = ends;
  const reading = isThere ? readJournal<Body>(paths.journal, store.seal, upcast) : undefined;
  const ownership = ownershipIn(store, id);
  const lines = reading?.lines ?? [];
  const isWhole = ends.every(({ n, hash }) => n === 0 || lines[n - 1]?.hash === hash);
  // Nothing proves the lines of a foreign journal, nor how many it had: they are shown as they are.
  const isForeign = ownership?.type === "foreign" && (lines.length > 0 || file !== undefined);
  if (isForeign || (!reading?.damage && isWhole)) return { ...none, reading, ownership };

  const behind = reading?.damage ? linesBehind(paths.journal, reading.bytes) : [];
  const answered = behind.filter(isAnsweredCall).length;
  const known = ends.find(({ calls }) => calls !== null)?.calls ?? (reading?.damage ? 0 : null);
  const lost: Lost = {
    lines: Math.max(behind.length, (end?.n ?? 0) - lines.length),
    calls: known === null ? null : Math.max(answered, known - lines.filter(isAnsweredCall).length),
    reports: behind.flatMap((line) => (isReport(line) ? [{ prompt: line.prompt, summary: line.report.summary }] : [])),
  };
  const problem = problemOf(id, paths.journal, { damage: reading?.damage, whole: lines.length, lost });
  return { reading, ownership, lost, problem };
}

function problemOf(
  id: string,
  path: string,
  { damage, whole, lost }: { damage: Reading<Body>["damage"]; whole: number; lost: Lost },
): UserError {
  const before = whole === 1 ? "The line before it is whole." : `The ${whole} lines before it are whole.`;
  const message = damage
    ? `The journal of chain ${id} is damaged at line ${damage.line}: ${damage.why}. ${before}`
    : lost.lines === 0
      ? `The journal of chain ${id} is not the one that the chain wrote.`
      : `The journal of chain ${id} was cut: ${whole} lines are left, and ${lostText(lost)} ${lost.lines === 1 ? "is" : "are"} missing.`;
  return new UserError(
    damage ? "journal_damaged" : "journal_cut",
    message,
    { operation: "recover", input: { chain: id }, why: `Restore ${path} from a backup, or choose how to go on` },
    exitCodes.conflict,
  );
}

/** "103 lines, with 23 answered calls," */
export function lostText({ lines, calls }: Lost): string {
  const counted = `${lines} ${lines === 1 ? "line" : "lines"}`;
  return calls ? `${counted} with ${calls} answered ${calls === 1 ? "call" : "calls"}` : counted;
}

/** What lies behind the last whole line, each line for itself; null is one that cannot be read. */
function linesBehind(path: string, bytes: number): (ChainLine | null)[] {
  const texts = readFileSync(path).subarray(bytes).toString().split("\n").filter(Boolean);
  return texts.map((text) => {
    const line = parseJson(text);
    return isRecord(line) ? (line as unknown as ChainLine) : null;
  });
}

export function isAnsweredCall(line: ChainLine | null): boolean {
  return (
    line?.type === "result" && line.effect === "model" && isRecord(line.outcome) && line.outcome.type === "replied"
  );
}

function isReport(line: ChainLine | null): line is ChainLine & EventNamed<"report_recorded"> {
  return line?.type === "event" && line.event === "report_recorded" && isRecord(line.report);
}

export interface Inspected {
  /** The context as people read it: from the journal, or from the context file where that knows more. */
  readonly view: Record<string, Json>;
  readonly context: Context;
  readonly status: Status;
  readonly lines: readonly ChainLine[];
  readonly problem: UserError | undefined;
  /** The context file says less than the journal. */
  readonly isFileOld: boolean;
  /** The context file knows more than the journal. */
  readonly isFromFile: boolean;
}

/** What is known of a chain, for a command that only reads: damage, or no journal yet, does not hide the rest. */
export function inspectChain(store: ChainStore, id: string): Inspected {
  const { contexts } = store;
  const path = contextFiles(contexts).get(id);
  const { reading, ownership, problem } = examineJournal(store, id);
  const lines = reading?.lines ?? [];
  const file = readJson(path);
  const written = isSealed(file) ? (journalEndIn(file["journal"])?.n ?? 0) : undefined;
  const base = lines.length > 0 ? replayOf(ownership, id, lines) : { ...emptyContext, chain_id: id };
  if (lines.length > 0 && !(problem && written !== undefined && written > lines.length)) {
    const now = view(base, { n: lines.length, hash: lines.at(-1)?.hash ?? "" });
    return {
      view: now,
      context: base,
      status: statusOf(base),
      lines,
      problem,
      isFileOld: written !== undefined && written < lines.length,
      isFromFile: false,
    };
  }
  if (typeof file?.["goal"] !== "string") {
    if (problem) throw nothingLeft(problem, chainPaths(contexts, id).journal);
    if (reading && ownership?.type === "own") throw neverBegun(id);
    throw path === undefined ? noChain(id) : unreadable(id, path);
  }
  const context = importContext(base, file, lines.length > 0 ? ["costs"] : allParts, null);
  const started = typeof file["started"] === "string" ? file["started"] : null;
  const status: Status = {
    state: "stopped",
    waiting_for: null,
    next: [{ operation: "resume", input: { chain: id }, why: "Go on" }],
  };
  const shown = written === undefined ? view(context, { n: 0, hash: "" }) : file;
  return {
    view: problem ? shown : { ...shown, started, status: asJson(status) },
    context,
    status: problem ? statusOf(context) : status,
    lines,
    problem,
    isFileOld: false,
    isFromFile: true,
  };
}

/** Reads a chain without holding it, for a command that acts on it: damage is an error. What is foreign can be read. */
export function readChain(
  store: ChainStore,
  id: string,
): { context: Context; lines: readonly ChainLine[]; ownership: Ownership } {
  const { reading, ownership, problem } = examineJournal(store, id);
  if (problem) throw problem;
  if (!ownership) throw noChain(id);
  if (!reading || reading.lines.length === 0) throw ownership.type === "own" ? neverBegun(id) : notOwn(id, ownership);
  return { context: replayOf(ownership, id, reading.lines), lines: reading.lines, ownership };
}

function replayOf(ownership: Ownership | undefined, id: string, lines: readonly ChainLine[]): Context {
  return ownership?.type === "foreign" ? replayForeign(id, lines, (context) => context) : replay(lines);
}

/** What `take` makes of the lines of a foreign journal, which can hold anything. */
export function replayForeign<Taken>(
  id: string,
  lines: readonly ChainLine[],
  take: (context: Context) => Taken,
): Taken {
  try {
    return take(replay(lines));
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    const message = `The journal of chain ${id} is foreign, and it cannot be read: ${error.message}. Nothing was done with it.`;
    throw new UserError("journal_unreadable", message, beginAnother("Begin your own"), exitCodes.conflict);
  }
}

function nothingLeft({ code, message, exitCode }: UserError, path: string): UserError {
  return new UserError(code, message, beginAnother(`Restore ${path} from a backup, or begin again`), exitCode);
}

/** Another chain, in place of one that cannot be used. */
export function beginAnother(why: string): Next {
  return { operation: "new", input: { task: "…" }, why };
}

export function neverBegun(id: string): UserError {
  const message = `Chain ${id} was stopped before its task was on disk. Nothing was asked of a model.`;
  return new UserError("never_begun", message, beginAnother("Begin it again"));
}

export const listChains: Next = { operation: "status", input: { chain: "all" }, why: "List chains with" };

export function noChain(id: string): UserError {
  return new UserError("no_chain", `No chain ${id}.`, listChains);
}

export function unreadable(id: string, path: string): UserError {
  const message = `Chain ${id} has no journal that is yours, and ${path} is not a context that could be taken up.`;
  return new UserError("context_unreadable", message, beginAnother("Begin anew"));
}

export function readJson(path: string | undefined): Record<string, Json> | undefined {
  const read = path === undefined ? undefined : parseJson(readTextIfThere(path) ?? "");
  return isRecord(read) ? (read as Record<string, Json>) : undefined;
}
