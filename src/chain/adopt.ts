import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeAtomic } from "../util/files.ts";
import { asJson, type Json } from "../util/json.ts";
import { chainPaths, contextFiles, removeLeftovers } from "../store/chains.ts";
import { UserError } from "../util/errors.ts";
import type { Context } from "./context.ts";
import { event } from "./events.ts";
import { examineJournal, replayForeign } from "./inspect.ts";
import { begin, hold, lockOf, slugOf, viewName, type Beginning, type Chain, type Started } from "./open.ts";

/**
 * Begins a chain of this user's own under the number of a foreign one, whose journal is kept under another name. Only
 * what the foreign chain knows and what it cost is taken over; all else comes from `settings`.
 */
export function adoptChain(
  beginning: Beginning,
  id: string,
  settings: Omit<Started, "goal">,
): { chain: Chain; edits: [] } {
  const { contexts, now } = beginning;
  const { journal } = chainPaths(contexts, id);
  const lock = lockOf(contexts, id);
  let chain: Chain | undefined;
  try {
    const { reading, ownership } = examineJournal(beginning, id);
    if (!reading || ownership?.type !== "foreign") throw new Error(`Chain ${id} is not foreign.`);
    const { goal, known } = replayForeign(id, reading.lines, (context) => ({
      goal: z.string().min(1).catch("").parse(context.goal),
      known: knowledgeOf(context, settings.gates.unproven),
    }));
    if (goal === "") throw noGoal(id);
    const at = new Date(now()).toISOString().replace(/[:.]/g, "-");
    const kept_as = `${id}.jsonl.foreign-${at}`;
    const viewPath = contextFiles(contexts).get(id) ?? join(contexts, viewName(id, reading.lines));
    renameSync(journal, join(journal, "..", kept_as));
    if (existsSync(viewPath)) renameSync(viewPath, `${viewPath}.foreign-${at}`);
    removeLeftovers(contexts, id);
    writeAtomic(journal, "");
    chain = hold(beginning, id, viewPath, { lines: [], bytes: 0 }, lock);
    begin(chain, beginning, [
      event("chain_started", { ...settings, goal, slug: slugOf(goal) }),
      event("imported", { context: known, parts: ["costs"], adopted: { why: ownership.why, kept_as } }),
    ]);
    chain.writeView(true);
    return { chain, edits: [] };
  } catch (error) {
    if (chain) chain.close();
    else lock.release();
    throw error;
  }
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
  const capped = Object.entries(scores).map(([area, score]) => [area, Math.min(score, unproven)]);
  const notes = [...memory.notes, ...answers, ...proposed];
  return asJson({
    discovered,
    uncertainties,
    confidence_scores: Object.fromEntries(capped) as object,
    decisions,
    session_memory: { ...memory, files_modified: [], tests_written: [], notes },
    cost_tracking,
  });
}

function noGoal(id: string): UserError {
  return new UserError(
    "no_goal",
    `The journal of chain ${id} names no task, so nothing can be taken over.`,
    'Begin your own: claude-exec new "…"',
  );
}
