import { mostEntries, mostText, type Pattern } from "../library/pattern.ts";
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
import { oneLine, shorten } from "../util/shorten.ts";

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
  const { solution, engine } = context;
  const { architecture = "", decisions = [] } = solution?.solution ?? {};
  const chosen = ran.filter(({ prompt: name }) => isForModels({ name }) && !isReviewer(name, engine.gates.quality));
  const prompts = chosen.flatMap(({ prompt, moved }) => (moved ? [prompt] : []));
  const others = [...prompts, ...Object.values(triggers).map(({ prompt }) => prompt)];
  return fitted({
    title,
    goal: context.goal,
    stack,
    strategy: architecture || (context.last_response ?? title),
    decisions: decisions.map(({ choice, because }) => ({ choice, because: because || undefined })),
    questions: answeredIn(context).map(({ id, question, options, settles, answer }) => ({
      id,
      question,
      options: options ?? [],
      settles: settles || undefined,
      answered: answer || undefined,
    })),
    prompts,
    detours: chosen.flatMap(({ prompt }) => (others.includes(prompt) ? [] : [prompt])),
    custom_prompts: Object.values(engine.generated).map(({ name, reason, effect }) => ({
      name,
      reason,
      effectiveness: effect,
    })),
    corrections: [...lines.flatMap(correctionsIn), ...context.session_memory.mistakes_corrected],
    files: Object.entries(engine.files).map(([path, { role }]) => ({ path, role })),
    read: engine.cited.map((ref) => linesIn(ref).path).filter((path) => !Object.hasOwn(engine.files, path)),
    confidence: confidence.slice(-30).join(" → "),
    success: successOf(context, ratingIn(lines)),
    took: [tookOf(context, lines)],
    notes: "",
  });
}

/** With every text and list as long as a pattern may hold, and nothing twice in a list. */
function fitted(pattern: { [Key in keyof Pattern]: unknown }): Pattern {
  return JSON.parse(JSON.stringify(pattern), (_, value: unknown) => {
    if (typeof value === "string") return cut(value, mostText);
    return Array.isArray(value) ? [...new Set(value)].slice(0, mostEntries) : value;
  }) as Pattern;
}

function answeredIn({ questions }: Context) {
  return questions.filter(({ id, answer }) => answer !== null && !isAboutTests(id));
}

/** From 1 to 5, as its user rated the chain last. */
export function ratingIn(lines: readonly ChainLine[]): number | null {
  const rated = lines.findLast((line) => line.type === "event" && line.event === "chain_rated");
  return rated && "rating" in rated ? rated.rating : null;
}

/** What a chain took, without the time that it waited for its person. */
export function tookOf(context: Context, lines: readonly ChainLine[]): Pattern["took"][number] {
  const { chain_id: chain, cost_tracking: costs, approval_history: approvals } = context;
  const { total, waiting } = durations(context, lines);
  return {
    chain,
    calls: Object.values(costs.by_prompt).reduce((sum, { calls }) => sum + calls, 0),
    questions: answeredIn(context).length,
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

function successOf(context: Context, rating: number | null): string[] {
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
    ...(rating === null ? [] : [`Rated ${rating} of 5 by its user.`]),
    ...not_checked.slice(0, 5).map((text) => `Not checked: ${text}`),
  ];
}

/** A pattern is shared with others, so a secret that somebody typed does not get into it. */
export function cut(text: string, most: number): string {
  return shorten(oneLine(redact(text)), most);
}
