import { shortWord } from "../util/short_word.ts";
import { isRecord } from "../util/json.ts";
import { areas, type Context, type Item } from "./context.ts";
import { event, type ChainEvent, type GeneratedPrompt } from "./events.ts";
import { proves } from "./evidence.ts";
import { percent } from "./gates.ts";
import { runNext, withEngine } from "./item.ts";
import type { Action, Reply, Report } from "./reply.ts";
import { triggers, type Trigger } from "./roles.ts";

/** Of the doubts: below the first, existing prompts leave a gap; above the others, a prompt is kept or may be promoted. */
const marks = { gap: 0.7, kept: 0.7, promoted: 0.85 };

/** What a report brings about, where it is about a gap or about a generated prompt. */
export function aboutGap(context: Context, item: Item, { report, action }: Reply, drafts: readonly Draft[]) {
  if (!report) return [];
  if (item.prompt === triggers.reported_gap.prompt) return judgeGap(context, item, report, action);
  return drafts.length > 0 ? judgeDrafts(context, drafts) : measureTrial(context, item, report);
}

/** What follows from the report that says how far existing prompts reach. */
function judgeGap(context: Context, item: Item, report: Report, action: Action | null): ChainEvent[] {
  const score = (name: string) => report.scores?.find((one) => one.name === name)?.value;
  const confidence = score("confidence_with_existing");
  if (confidence === undefined) return [];
  const chosen = action?.do.type === "run_prompts" ? action.do.prompts.length : 1;
  const verdict = confidence < marks.gap ? "generate" : chosen > 1 ? "combine" : "use";
  const whole_task = (score("whole_task_is_new") ?? 0) >= 0.5;
  const gap = item.inputs["gap"] ?? "";
  const judged = event("gap_judged", { gap, confidence, verdict, whole_task });
  if (verdict !== "generate") return [judged];
  const isAsked = context.questions.some(({ id }) => id === novelTask);
  if (!whole_task || isAsked) return [judged, queueRun(context, triggers.found_gap, { gap })];
  const question = `This whole task is new: existing prompts cover ${percent(confidence)} of it. How should it be approached?`;
  return [judged, event("questions_asked", { questions: [{ id: novelTask, question, options: approaches }] })];
}

export const novelTask = "novel_task";
const approaches = [
  "1. Research: read files or text that you provide",
  "2. First principles: break the task down into known components",
  "3. Specialised prompts: write new prompts for this task",
];

const askForMaterial = {
  id: "research_material",
  question: "What should be read? Name files of the workspace, say what to search them for, or paste text.",
  why: "URLs cannot be opened here, and the web cannot be searched. Save a web page as a file, or paste what it says.",
};

/** The answer where nobody is there to choose: the controller chooses then. */
export const chooseYourself = `Nobody is there to choose. Choose by what the task needs: read files of the workspace, run ${triggers.first_principles.prompt} to break the task down into known components, or run ${triggers.found_gap.prompt} with this gap.`;

/** What a person's answer brings about, where the question is about a gap or about a generated prompt. */
export function answeredGap(context: Context, id: string, answer: string): ChainEvent[] {
  const { gap, generated } = context.engine;
  if (id === novelTask && gap) {
    if (/^\W*1\b|^research\b/i.test(answer)) return [event("questions_asked", { questions: [askForMaterial] })];
    if (/^\W*2\b|^first principles\b/i.test(answer)) {
      return [queueRun(context, triggers.first_principles, { focus: `First principles: ${gap.text}`.slice(0, 500) })];
    }
    const isWished = /^\W*3\b|^speciali[sz]ed\b/i.test(answer);
    return isWished ? [queueRun(context, triggers.found_gap, { gap: gap.text })] : [];
  }
  const prompt = Object.values(generated).find(({ name, standing }) => id === tryIt(name) && standing === "trial");
  if (!prompt) return [];
  if (shortWord(answer) === "yes") return [event("prompts_queued", runNext(context, tried, [prompt.name]))];
  return [event("generated_prompt", { prompt: { ...prompt, standing: "dropped" } })];
}

const tried = "The new prompt is tried on this task.";
const tryIt = (name: string) => `try_${name}`;

/** A prompt that was written, with all that is wrong with it. `content`: the whole file. */
export type Draft = { prompt: GeneratedPrompt; content: string; problems: readonly string[] };

/** What follows from prompts that were written for a gap: a person is asked, or they run for the first time. */
function judgeDrafts(context: Context, drafts: readonly Draft[]): ChainEvent[] {
  const wrong = problemsIn(drafts);
  const good = drafts.filter(({ problems }) => problems.length === 0);
  const prompts = good.map(({ prompt }) => prompt);
  const events: ChainEvent[] = prompts.map((prompt) => event("generated_prompt", { prompt }));
  if (wrong.length > 0) events.push(event("gate_refused", { to: "new prompts", reasons: wrong }));
  if (good.length === 0) return events;
  const names = prompts.map(({ name }) => name);
  if (!context.engine.shown_first) return [...events, event("prompts_queued", runNext(context, tried, names))];
  const questions = good.map(({ prompt: { name }, content }) => {
    const question = `Save this prompt for this chain, and try it?\n\n${content}`;
    return { id: tryIt(name), question, options: ["Yes", "No"] };
  });
  return [...events, event("questions_asked", { questions })];
}

export function problemsIn(drafts: readonly Draft[]): string[] {
  return drafts.flatMap(({ prompt, problems }) => problems.map((problem) => `${prompt.name}: ${problem}`)).slice(0, 12);
}

/**
 * Measures the first run of a generated prompt: 1 − the uncertainty of its areas after ÷ before. An area counts as
 * changed only with evidence that the chain holds, and a prompt that may read counts only if it looked at something.
 */
function measureTrial(context: Context, item: Item, report: Report): ChainEvent[] {
  const { generated } = context.engine;
  const prompt = Object.hasOwn(generated, item.prompt) ? generated[item.prompt] : undefined;
  if (prompt?.standing !== "trial") return [];
  const looked = item.source?.tools === "none" || item.turns.some(hasLooked);
  let [before, after] = [0, 0];
  for (const area of prompt.areas) {
    const doubt = doubtOf(context, area);
    const { score = 0, evidence = [] } = report.confidence?.find((one) => one.area === area) ?? {};
    before += doubt;
    after += looked && evidence.some((piece) => proves(context, area, piece)) ? 1 - score : doubt;
  }
  const effect = before > 0 ? Math.max(0, Math.round((1 - after / before) * 100) / 100) : 0;
  const standing = effect > marks.promoted ? "pending_review" : effect > marks.kept ? "kept" : "dropped";
  return [event("generated_prompt", { prompt: { ...prompt, effect, standing } })];
}

export function hasLooked({ calls }: Item["turns"][number]): boolean {
  return calls.some(({ answer }) => answer?.is_error === false);
}

function doubtOf({ confidence_scores: scores, uncertainties }: Context, area: string): number {
  const open = uncertainties.findLast((one) => one.area === area);
  return 1 - ((Object.hasOwn(scores, area) ? scores[area] : open?.confidence) ?? 0);
}

/** The doubts that a new prompt can be written for. */
export function doubtfulAreas(context: Context): string[] {
  const open = context.uncertainties.flatMap(({ area, resolved }) => (resolved ? [] : [area]));
  const known = new Set([...areas, ...Object.keys(context.confidence_scores), ...open]);
  return [...known].filter((area) => area !== "overall" && doubtOf(context, area) > 0);
}

/** Takes in what became of a generated prompt. The context file shows it by the names of the seed. */
export function recordGenerated(context: Context, prompt: GeneratedPrompt): Context {
  const { name, reason, effect: effectiveness, standing: promotion_status } = prompt;
  const { engine, generated_prompts: shown } = context;
  const at = shown.findIndex((one) => isRecord(one) && one["name"] === name);
  const entry = { name, reason, effectiveness, promotion_status };
  const isClosed = promotion_status === "kept" || promotion_status === "pending_review";
  const generated_prompts = at < 0 ? [...shown, entry] : shown.with(at, entry);
  const gap = isClosed ? null : engine.gap;
  return withEngine({ ...context, generated_prompts }, { generated: { ...engine.generated, [name]: prompt }, gap });
}

/** A prompt that runs before the next decision. */
export function queueRun(context: Context, { prompt, why }: Trigger, inputs: Record<string, string>) {
  return event("prompts_queued", runNext(context, why, [prompt], inputs));
}
