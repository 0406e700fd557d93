import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { exitCodes, unlessUserError, UserError } from "../util/errors.ts";
import { isRecord, type Json } from "../util/json.ts";
import { writeAtomic } from "../util/files.ts";
import { chainPaths, contextFiles } from "../store/chains.ts";
import { openBlobs, type Blobs } from "../store/blobs.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { engineCall } from "./called.ts";
import type { Context } from "./context.ts";
import { event, type ChainEvent, type Phase } from "./events.ts";
import {
  examineJournal,
  inspectChain,
  isAnsweredCall,
  lostText,
  readJson,
  type Inspected,
  type Lost,
} from "./inspect.ts";
import { createChain, hold, lockOf, openChain, viewName, withLedger, type Beginning, type Chain } from "./open.ts";
import { notOwn, type ChainStore } from "./ownership.ts";
import { isSealed } from "./view.ts";
import { triggers } from "./roles.ts";
import { phaseStart, restoreFiles, touchedSince, unsureSince } from "./rewind.ts";

/** continue: from the last good state. phase: the last phase again. fresh: a new chain. Each keeps what is known. */
export const recoveryChoices = ["continue", "phase", "fresh"] as const;
export type RecoveryChoice = (typeof recoveryChoices)[number];

/** What a person has to know to choose. */
export interface RecoveryOffer {
  readonly problem: string;
  readonly goal: string;
  readonly phase: Phase;
  readonly done: { prompts: number; calls: number; usd: number; files: readonly string[] };
  readonly lost: Lost;
  /** The context file still knows what was found out in lines that are lost. */
  readonly known: boolean;
  readonly choices: readonly RecoveryChoice[];
}

export function offerRecovery(store: ChainStore, id: string): RecoveryOffer {
  const found = inspectChain(store, id);
  const { context, lines } = found;
  const { lost = { lines: 0, calls: 0, reports: [] } } = examineJournal(store, id);
  const blobs = openBlobs(chainPaths(store.contexts, id).blobs);
  if (!found.problem && texts(context).every((hash) => isWhole(blobs, hash))) throw nothingToRecover(id);
  return {
    problem:
      found.problem?.message ?? `The journal of chain ${id} is whole, but texts beside it are damaged or missing.`,
    goal: context.goal,
    phase: context.current_phase,
    done: {
      prompts: context.prompts_executed.length,
      calls: lines.filter(isAnsweredCall).length,
      usd: context.cost_tracking.estimated_cost,
      files: context.session_memory.files_modified,
    },
    lost,
    known: found.isFromFile,
    choices: recoveryChoices,
  };
}

export interface Recovered {
  /** The chain to go on with; another one where it was started again. */
  readonly id: string;
  /** The name under which the damaged journal is kept; null where nothing of it was replaced. */
  readonly kept_as: string | null;
  readonly viewPath: string;
}

/** Makes a damaged chain one that can be resumed. `workspace` is opened only to put back files. Undefined: another process works on it. */
export async function recoverChain(
  beginning: Beginning,
  id: string,
  choice: RecoveryChoice,
  workspace: (context: Context) => Promise<Workspace>,
): Promise<Recovered | undefined> {
  const { contexts, by } = beginning;
  const paths = chainPaths(contexts, id);
  if (choice === "fresh") return startAgain(beginning, id, inspectChain(beginning, id));
  const lock = lockOf(contexts, id);
  if (!lock) return undefined;
  let chain: Chain | undefined;
  let kept_as: string | null = null;
  try {
    const found = inspectChain(beginning, id);
    const { reading, ownership, lost } = examineJournal(beginning, id);
    if (ownership && ownership.type !== "own") throw notOwn(id, ownership);
    if (!reading) throw nothingToRecover(id);
    const rewound = choice === "phase" ? await rewindPhase(id, found, openBlobs(paths.blobs), workspace) : [];
    if (reading.damage) {
      kept_as = keepDamaged(beginning, id);
      writeAtomic(paths.journal, readFileSync(paths.journal).subarray(0, reading.bytes));
    }
    const viewPath = contextFiles(contexts).get(id) ?? join(contexts, viewName(id, reading.lines));
    chain = hold(beginning, id, viewPath, reading, lock);
    const looks = choice === "continue" ? lookAtLoss(chain.context, lost, kept_as) : [];
    const learned = found.isFromFile || choice === "phase" ? [learnedEvent(found, choice)] : [];
    const recovered = event("recovered", { lost_lines: lost?.lines ?? 0, kept_as });
    await chain.append(withLedger(by, [...rewound, ...learned, recovered, ...looks]));
    // It tells of lines that are gone, and is written anew below. What a person wrote there stays.
    if (isSealed(readJson(viewPath))) rmSync(viewPath);
  } finally {
    if (chain) await chain.close();
    else lock.release();
  }
  // Read again as a whole, since lines that were rewound end the life of others; its context file follows.
  const again = openChain(beginning, id)?.chain;
  await again?.close();
  return again && { id, kept_as, viewPath: again.viewPath };
}

/** A new chain whose ledger begins with what the old one had learned. The old chain stays as it is. */
async function startAgain(beginning: Beginning, id: string, { context, lines, view }: Inspected): Promise<Recovered> {
  const begun = lines.find((line) => line.type === "event" && line.event === "chain_started");
  if (begun?.type !== "event" || begun.event !== "chain_started") throw nothingToRecover(id);
  const { goal, size, mode, workspace, engine } = context;
  const { gates, limits, test_command, tests } = engine;
  const worktree = begun.worktree ? { worktree: begun.worktree } : {};
  const started = {
    goal,
    size,
    mode,
    workspace,
    gates,
    limits,
    test_command,
    test_command_from: tests.found_in,
    ...worktree,
  };
  const { confidence_scores: _sure, scores: _scores, ...learned } = withoutFiles(knowledgeOf(view));
  const chain = await createChain(beginning, started, [
    event("imported", { context: learned, parts: ["generated_prompts"] }),
  ]);
  chain.writeView(true);
  await chain.close();
  return { id: chain.id, kept_as: null, viewPath: chain.viewPath };
}

/** Back to the start of the last phase, with the files as they were then; no file is touched where that cannot be. */
async function rewindPhase(
  id: string,
  { lines, context }: Inspected,
  blobs: Blobs,
  workspace: (context: Context) => Promise<Workspace>,
): Promise<ChainEvent[]> {
  const { line, step } = phaseStart(lines);
  const unsure = unsureSince(lines, line);
  if (unsure.length > 0) throw notSure(id, unsure);
  const touched = touchedSince(lines, line);
  const files = touched.length > 0 ? restoreFiles(id, await workspace(context), blobs, touched).files : [];
  return [event("rewound", { to: line, step, files, files_only: false })];
}

function notSure(id: string, paths: readonly string[]): UserError {
  return new UserError(
    "not_sure",
    `A command of this phase was cut short. Nobody can tell whether it or you changed ${paths.join(", ")}. Nothing was changed.`,
    [
      { operation: "recover", input: { chain: id, choice: "continue" }, why: "Continue first" },
      { operation: "rewind", input: { chain: id }, why: "Then decide about these files" },
    ],
    exitCodes.conflict,
  );
}

function learnedEvent({ view, isFromFile }: Inspected, choice: RecoveryChoice): ChainEvent {
  const known = knowledgeOf(view);
  const context = choice === "phase" ? withoutFiles(known) : known;
  return event("imported", { context, parts: isFromFile ? ["costs"] : [] });
}

/** What is known, where the files that were changed are put back or belong to another chain. */
function withoutFiles({ session_memory, ...known }: Record<string, Json>): Record<string, Json> {
  if (!isRecord(session_memory)) return known;
  const { files_modified: _modified, tests_written: _written, ...memory } = session_memory;
  return { ...known, session_memory: memory };
}

/** What was found out, without how far the chain had come. The engine takes over what it knows; a model reads it all. */
function knowledgeOf(view: Readonly<Record<string, Json>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(view).filter(([key]) => knowledge.has(key)));
}

const knowledge = new Set([
  "goal",
  "discovered",
  "uncertainties",
  "confidence_scores",
  "scores",
  "decisions",
  "questions",
  "session_memory",
  "generated_prompts",
  "cost_tracking",
]);

/** A prompt looks at what is lost, before the chain goes on. */
function lookAtLoss(context: Context, lost: Lost | undefined, kept_as: string | null): ChainEvent[] {
  if (context.state.type === "completed") return [];
  const reports = (lost?.reports ?? []).map(({ prompt, summary }) => `\n- ${prompt}: ${summary}`);
  const text = lost
    ? `The journal was damaged: ${lostText(lost)} behind the last whole one were lost.${kept_as ? ` The damaged journal is kept as ${kept_as}.` : ""}${reports.length > 0 ? ` Reports that can still be read there, unproved:${reports.join("")}` : ""}`
    : "The journal is whole; texts beside it were damaged and are frozen anew. The step at work begins again.";
  const { why, prompts } = engineCall(context, triggers.recovery, { lost: text });
  return [event("prompts_queued", { why, prompts })];
}

function keepDamaged({ contexts, now }: Beginning, id: string): string | null {
  const { journal } = chainPaths(contexts, id);
  if (!existsSync(journal)) return null;
  const name = `${id}.jsonl.damaged-${new Date(now()).toISOString().replace(/[:.]/g, "-")}`;
  copyFileSync(journal, join(dirname(journal), name));
  return name;
}
/** The texts beside the journal that the next steps need. */
function texts({ engine: { epoch, item } }: Context): string[] {
  const said = (item?.turns ?? []).flatMap(({ content, calls }) => [
    content,
    ...calls.map(({ answer }) => answer?.content),
  ]);
  const kept = said.flatMap((text) => (text && "blob" in text ? [text.blob] : []));
  return epoch ? [epoch.tools, ...epoch.system, ...(epoch.schema === null ? [] : [epoch.schema]), ...kept] : kept;
}

function isWhole(blobs: Blobs, hash: string): boolean {
  return unlessUserError(() => blobs.get(hash)) !== undefined;
}

function nothingToRecover(id: string): UserError {
  const next = { operation: "resume", input: { chain: id }, why: "Go on" };
  return new UserError("nothing_to_recover", `The journal of chain ${id} is whole.`, next);
}
