import { linkSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { readTextIfThere, syncFolder, writeAtomic } from "../util/files.ts";
import { asJson, isRecord, parseJson, type Json } from "../util/json.ts";
import { chainPaths, contextFiles, removeLeftovers } from "../store/chains.ts";
import { Journal, readJournal, type Batch, type Reading } from "../store/journal.ts";
import { UserError } from "../util/errors.ts";
import type { Context } from "./context.ts";
import { event, type Body, type ChainLine, type ImportedPart } from "./events.ts";
import { allParts } from "./import_context.ts";
import { beginAnother, examineJournal, replayForeign, unreadable } from "./inspect.ts";
import { firstBatch, hold, lockOf, slugOf, viewName, type Beginning, type Chain, type Started } from "./open.ts";

/**
 * Begins a chain of this user's own under the number of a foreign one, with what that one knows and what it cost. All
 * else comes from `settings`. A foreign journal is kept under another name, and so is the context file. Undefined: another
 * process works on it.
 */
export async function adoptChain(beginning: Beginning, id: string, settings: Omit<Started, "goal">) {
  const { contexts, now } = beginning;
  const { journal } = chainPaths(contexts, id);
  const lock = lockOf(contexts, id);
  if (!lock) return undefined;
  let chain: Chain | undefined;
  try {
    const { reading, ownership } = examineJournal(beginning, id);
    if (ownership?.type !== "foreign") throw new Error(`Chain ${id} is not foreign.`);
    const lines = reading?.lines ?? [];
    const file = contextFiles(contexts).get(id);
    const text = (file && readTextIfThere(file)) ?? "";
    const { unproven } = settings.gates;
    const taken = lines.length > 0 ? fromJournal(id, lines, unproven) : fromContextFile(id, file ?? "", text, unproven);
    const at = new Date(now()).toISOString().replace(/[:.]/g, "-");
    const kept_as = `${id}.jsonl.foreign-${at}`;
    const isKept = (statSync(journal, { throwIfNoEntry: false })?.size ?? 0) > 0;
    if (file && lines.length > 0) renameSync(file, `${file}.foreign-${at}`);
    else if (file) writeAtomic(`${file}.imported`, text);
    if (isKept) linkSync(journal, join(journal, "..", kept_as));
    const { goal, known, parts } = taken;
    const first = firstBatch(id, beginning, [
      event("chain_started", { ...settings, goal, slug: slugOf(goal) }),
      event("imported", {
        context: known,
        parts,
        ...(isKept ? { adopted: { why: ownership.why, kept_as } } : {}),
      }),
    ]);
    const begun = await replaceJournal(journal, first, beginning);
    removeLeftovers(contexts, id);
    chain = hold(beginning, id, file ?? join(contexts, viewName(id, lines)), begun, lock);
    for (const line of begun.lines) beginning.listen(line, chain.context);
    beginning.onBegin?.();
    chain.writeView(true);
    return { chain, edits: [] };
  } catch (error) {
    if (chain) await chain.close();
    else lock.release();
    throw error;
  }
}

/** Replaces the old journal with the new one in a single rename. A process that is killed here leaves one of the two whole. */
async function replaceJournal(path: string, first: Batch<Body>, { now, seal }: Beginning): Promise<Reading<Body>> {
  const made = `${path}.new`;
  writeAtomic(made, "");
  const journal = new Journal<Body>(made, { lines: [], bytes: 0 }, now, seal);
  try {
    await journal.append(first);
  } finally {
    journal.close();
  }
  renameSync(made, path);
  syncFolder(dirname(path));
  return readJournal<Body>(path, seal);
}

interface Taken {
  readonly goal: string;
  readonly known: Record<string, Json>;
  readonly parts: readonly ImportedPart[];
}

function fromJournal(id: string, lines: readonly ChainLine[], unproven: number): Taken {
  const taken = replayForeign(id, lines, (context) => ({
    goal: z.string().min(1).catch("").parse(context.goal),
    known: knowledgeOf(context, unproven),
  }));
  if (taken.goal === "") throw noGoal(id);
  return { ...taken, parts: ["costs"] };
}

/** Approvals of a context file are history and permit nothing. */
function fromContextFile(id: string, file: string, text: string, unproven: number): Taken {
  const read = parseJson(text);
  const { scores: _scores, ...known } = (isRecord(read) ? read : {}) as Record<string, Json>;
  const { goal, confidence_scores } = known;
  if (typeof goal !== "string") throw unreadable(id, file);
  return { goal, known: { ...known, confidence_scores: capped(confidence_scores, unproven) }, parts: allParts };
}

/** Without evidence a score counts only as far as scores without evidence do. */
function capped(scores: unknown, unproven: number): Record<string, Json> {
  const pairs = Object.entries(isRecord(scores) ? scores : {});
  return Object.fromEntries(
    pairs.flatMap(([area, score]) => (typeof score === "number" ? [[area, Math.min(score, unproven)]] : [])),
  );
}

/**
 * Scores count as far as scores without evidence do. Nothing here was seen by this engine: what a person answered or was
 * shown there becomes a note.
 */
function knowledgeOf(context: Context, unproven: number): Record<string, Json> {
  const { discovered, uncertainties, confidence_scores: scores, decisions, session_memory: memory } = context;
  const { cost_tracking, solution, questions } = context;
  const answered = questions.filter(({ answer }) => answer !== null);
  const answers = answered.map(({ question, answer }) => `Asked there: ${question} Answered: ${answer}`);
  const proposed = solution ? [`Proposed there: ${solution.text}`] : [];
  const notes = [...memory.notes, ...answers, ...proposed];
  return asJson({
    discovered,
    uncertainties,
    confidence_scores: capped(scores, unproven),
    decisions,
    session_memory: { ...memory, files_modified: [], tests_written: [], notes },
    cost_tracking,
  });
}

function noGoal(id: string): UserError {
  return new UserError(
    "no_goal",
    `The journal of chain ${id} names no task, so nothing can be taken over.`,
    beginAnother("Begin your own"),
  );
}
