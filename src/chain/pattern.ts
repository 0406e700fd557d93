import type { Pattern } from "../library/pattern.ts";
import { isRecord, type Json } from "../util/json.ts";
import { typed } from "../tools/test_command.ts";
import { redact } from "../workspace/redact.ts";
import { replay } from "./apply.ts";
import type { Context } from "./context.ts";
import type { ChainEvent, ChainLine } from "./events.ts";
import { linesIn } from "./evidence.ts";
import { percent, reviewersOf } from "./gates.ts";
import { isForModels, isReviewer, triggers } from "./roles.ts";
import { isAboutTests } from "./test_question.ts";
import { durations } from "./view.ts";

/** What a finished chain shows of how a task like it is done: from its journal alone, and without a model. */
export function patternOf(lines: readonly ChainLine[], title: string, stack: readonly string[]): Pattern {
  const confidence: string[] = [];
  const ran: { prompt: string; moved: boolean }[] = [];
  const context = replay(lines, (_, line, { confidence_scores: scores }) => {
    if (line.type !== "event" || line.event !== "report_recorded") return;
    ran.push(line);
    const now = percent(scores["overall"] ?? 0);
    if (confidence.at(-1) !== now) confidence.push(now);
  });
  const { solution, engine, questions } = context;
  const { architecture = "", decisions = [] } = solution?.solution ?? {};
  const isFree = (name: string) => isForModels({ name }) && !isReviewer(name, engine.gates.quality);
  const moved = uniqueIn(ran.flatMap(({ prompt, moved: did }) => (did && isFree(prompt) ? [prompt] : [])));
  const own: readonly string[] = Object.values(triggers).map(({ prompt }) => prompt);
  const others = ran.flatMap(({ prompt }) => (isFree(prompt) && ![...moved, ...own].includes(prompt) ? [prompt] : []));
  const files = Object.entries(engine.files).map(([path, { role }]) => ({ path, role }));
  const read = uniqueIn(engine.cited.map((ref) => linesIn(ref).path));
  return {
    title: cut(title, 100),
    goal: cut(context.goal, 500),
    stack: stack.slice(0, 40),
    strategy: cut(architecture || (context.last_response ?? title), 800),
    decisions: decisions.slice(0, 12).map(({ choice, because }) => ({
      choice: cut(choice, 300),
      ...(because ? { because: cut(because, 300) } : {}),
    })),
    questions: questions
      .filter(({ id, answer }) => answer !== null && !isAboutTests(id))
      .slice(0, 5)
      .map(({ id, question, options = [], settles, answer }) => ({
        id,
        question: cut(question, 500),
        options: options.slice(0, 6).map((option) => cut(option, 200)),
        ...(settles ? { settles: cut(settles, 100) } : {}),
        answered: cut(answer ?? "", 300),
      })),
    prompts: moved.slice(0, 20),
    detours: uniqueIn(others).slice(0, 20),
    custom_prompts: context.generated_prompts.flatMap((one) => customIn(one)),
    corrections: uniqueIn([...lines.flatMap(correctionsIn), ...context.session_memory.mistakes_corrected])
      .slice(0, 8)
      .map((text) => cut(text, 300)),
    files: files.slice(0, 30).map(({ path, role }) => ({ path: cut(path, 300), role })),
    read: read.filter((path) => !Object.hasOwn(engine.files, path)).slice(0, 12),
    confidence: confidence.slice(-30).join(" → "),
    success: successOf(context).map((text) => cut(text, 300)),
    took: [tookOf(context, lines)],
    notes: "",
  };
}

function customIn(one: Json): Pattern["custom_prompts"] {
  const { name, reason, effectiveness } = isRecord(one) ? one : {};
  if (typeof name !== "string" || typeof reason !== "string") return [];
  const measured = typeof effectiveness === "number" ? effectiveness : null;
  return [{ name: cut(name, 60), reason: cut(reason, 300), effectiveness: measured }];
}

/** What a chain took, without the time that it waited for its person. */
export function tookOf(context: Context, lines: readonly ChainLine[]): Pattern["took"][number] {
  const { chain_id: chain, cost_tracking: costs, questions, approval_history: approvals } = context;
  const { total, waiting } = durations(context, lines);
  return {
    chain,
    calls: Object.values(costs.by_prompt).reduce((sum, { calls }) => sum + calls, 0),
    questions: questions.filter(({ id, answer }) => answer !== null && !isAboutTests(id)).length,
    approval_rounds: approvals.length,
    minutes: Math.round(Math.max(0, (total ?? 0) - waiting) / 6_000) / 10,
    usd: Math.round(costs.estimated_cost * 10_000) / 10_000,
    tokens: costs.tokens_used,
  };
}

/** What a person refused, changed or set right. */
export function correctionsIn(line: ChainLine | ChainEvent): string[] {
  if (line.type !== "event") return [];
  switch (line.event) {
    case "approval_refused":
      return line.reason ? [`Refused: ${line.reason}`] : [];
    case "permission_refused":
      return line.reason && !line.question ? [`Refused: ${line.reason}`] : [];
    case "changes_requested":
      return [`Changed: ${line.request}`];
    case "assumptions_answered":
      return line.answers.flatMap(({ text, answer, confirmed }) =>
        confirmed ? [] : [`Assumed: ${text} The person said: ${answer}`],
      );
    default:
      return [];
  }
}

/** Only what the engine recorded. */
function successOf(context: Context): string[] {
  const { evidence, state, engine, approval_history: approvals, not_checked } = context;
  const last = evidence.runs.at(-1);
  const reviewed = reviewersOf(context).filter((name) => evidence.reviewed.includes(name));
  return [
    ...(state.type === "completed" ? [`The chain ended as ${state.ending}.`] : []),
    ...(evidence.green && last
      ? [`Tests green: ${last.in_words ?? `exit ${last.exit_code}`} (${typed(engine.test_command ?? last.argv)}).`]
      : []),
    ...(evidence.red ? ["The new tests failed before the code was there."] : []),
    ...(reviewed.length > 0 ? [`Reviewed by ${reviewed.join(", ")}.`] : []),
    ...(approvals.length === 1 ? ["Approved at its first presentation."] : []),
    ...not_checked.slice(0, 5).map((text) => `Not checked: ${text}`),
  ];
}

/** A pattern is shared with others, so a secret that somebody typed does not get into it. */
export function cut(text: string, most: number): string {
  const clean = redact(text).replaceAll(/\s+/g, " ").trim();
  return clean.length <= most ? clean : `${clean.slice(0, most - 1)}…`;
}

function uniqueIn(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
