import { event, type ChainEvent } from "../chain/events.ts";
import { isAboutTests } from "../chain/test_question.ts";
import { offeredFrom, similarPatterns } from "../library/similar.ts";
import type { Caller } from "../session/caller.ts";
import type { Session } from "../session/session.ts";
import { exitCodeOfStop, UserError } from "../util/errors.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { patternNamed, patternsOf, stackOf } from "./patterns.ts";

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
  const { rows, problems } = await patternsOf(session);
  for (const { file, why } of problems.slice(0, 3))
    caller.progress({ type: "notice", line: `${file} is no pattern, and it is skipped: ${why}.` });
  if (wanted === undefined && (rows.length === 0 || !caller.offer)) return [];
  const { library } = await session.library();
  const { hits } = await library.search(goal, 8);
  const task = { goal, stack: await stackOf(workspace), prompts: hits.map(({ prompt }) => prompt.name) };
  const [best] = wanted === undefined ? similarPatterns(task, rows, 1) : [];
  if (wanted === undefined && (!best || best.likeness < offeredFrom)) return [];
  const { row, pattern } = await patternNamed(wanted ?? best!.row.name, rows, session);
  const { name } = row;
  if (best) {
    const said = await caller.offer!({ name, pattern, likeness: best.likeness, why: best.why });
    if (said === undefined) {
      const next = [{ input: { pattern: name }, why: "To apply it" }];
      throw new UserError("left", "Left without an answer. Nothing was begun.", next, exitCodeOfStop(caller.signal));
    }
    if (!said) return [];
  }
  const gaps: { description: string; prompt_kind: string }[] = [];
  for (const { name: prompt, reason } of pattern.custom_prompts)
    if ((await library.places(prompt)).length === 0)
      gaps.push({ description: `${prompt}: ${reason}`, prompt_kind: "custom" });
  const asked = pattern.questions.filter(({ id }) => !isAboutTests(id));
  const questions = asked.map(({ options, answered, ...question }) => ({
    ...question,
    ...(answered ? { why: `Asked by the pattern "${pattern.title}". The answer then: ${answered}` } : {}),
    ...(options.length > 0 ? { options } : {}),
  }));
  return [
    event("pattern_applied", { name, likeness: best?.likeness ?? null, pattern }),
    ...(gaps.length > 0 ? [event("gap_reported", { gaps })] : []),
    ...(questions.length > 0 ? [event("questions_asked", { questions })] : []),
  ];
}
