import { event, type ChainEvent } from "../chain/events.ts";
import { isAboutTests } from "../chain/test_question.ts";
import { namedPattern, patternFile, readPattern } from "../library/pattern.ts";
import { offeredFrom, similarPatterns } from "../library/similar.ts";
import type { Caller } from "../session/caller.ts";
import type { Session } from "../session/session.ts";
import { exitCodeOfStop, UserError } from "../util/errors.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { noPattern, patternsOf, stackOf } from "./patterns.ts";

/**
 * What a pattern brings into a new chain: itself, its questions, and the prompts that it needs and the library lacks. Only
 * a pattern that a person named, or said yes to, is applied.
 */
export async function patternFor(
  { task: goal, pattern: wanted }: { task: string; pattern?: string | undefined },
  workspace: Workspace,
  session: Session,
  caller: Caller,
): Promise<ChainEvent[]> {
  if (wanted === "none") return [];
  const { folder, rows, problems } = await patternsOf(session);
  for (const { file, why } of problems.slice(0, 3))
    caller.progress({ type: "notice", line: `${file} is no pattern, and it is skipped: ${why}.` });
  const named = wanted === undefined ? undefined : namedPattern(wanted, rows);
  if (!named && (rows.length === 0 || !caller.offer)) return [];
  const { library } = await session.library();
  const { hits } = await library.search(goal, 8);
  const task = { goal, stack: await stackOf(workspace), prompts: hits.map(({ prompt }) => prompt.name) };
  const [best] = named ? [{ row: named, likeness: null, why: [] }] : similarPatterns(task, rows, 1);
  if (!best || (best.likeness ?? 1) < offeredFrom) return [];
  const { row, likeness, why } = best;
  const { name, estimate } = row;
  const file = patternFile(folder, name);
  const pattern = readPattern(file);
  if (typeof pattern === "string") throw noPattern(file, pattern);
  if (likeness !== null) {
    const said = await caller.offer!({ name, pattern, likeness, why, estimate });
    if (said === undefined) {
      const next = [{ input: { pattern: name }, why: "To apply it" }];
      throw new UserError("left", "Left without an answer. Nothing was begun.", next, exitCodeOfStop(caller.signal));
    }
    if (!said) return [];
  }
  const known = await Promise.all(
    pattern.custom_prompts.map(async (one) => (await library.places(one.name)).length > 0),
  );
  const gaps = pattern.custom_prompts.flatMap(({ name: prompt, reason }, at) =>
    known[at] ? [] : [{ description: `${prompt}: ${reason}`, prompt_kind: "custom" }],
  );
  const asked = pattern.questions.filter(({ id }) => !isAboutTests(id));
  const questions = asked.map(({ id, question, options, settles, answered }) => ({
    id,
    question,
    ...(answered ? { why: `Asked by the pattern "${pattern.title}". The answer then: ${answered}` } : {}),
    ...(options.length > 0 ? { options } : {}),
    ...(settles ? { settles } : {}),
  }));
  return [
    event("pattern_applied", { name, likeness, pattern, estimate }),
    ...(gaps.length > 0 ? [event("gap_reported", { gaps })] : []),
    ...(questions.length > 0 ? [event("questions_asked", { questions })] : []),
  ];
}
