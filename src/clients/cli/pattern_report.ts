import type { ResultOf } from "../../operations/operations.ts";
import { count } from "../../util/count.ts";
import type { Input } from "../../util/next.ts";
import type { PatternOffer } from "../../operations/operation.ts";
import type { ChainStands } from "./change_report.ts";
import { nextLines } from "./next.ts";
import { wrap } from "./terminal.ts";
import { money, path } from "./values.ts";

type Saved = ResultOf<"save-pattern">;
type Pattern = Saved["pattern"];
type Estimate = ResultOf<"patterns">["patterns"][number]["estimate"];

/** What was found of a chain, and where it is or would be kept. `left`: the person has seen it and does not want it kept. */
export function savedPatternText(
  { preview, pattern, file, next }: Saved,
  flags: Input,
  columns: number,
  left: boolean,
) {
  if (left) return "Nothing was saved.";
  const { title } = pattern;
  if (!preview) return [`Pattern saved: "${title}"`, `In ${path(file)}`, ...nextLines(next, flags)].join("\n");
  const where = `Nothing was saved yet. It would go to ${path(file)}`;
  return [...foundLines(pattern, columns), where, ...nextLines(next, flags)].join("\n");
}

export function foundLines(pattern: Pattern, columns: number): string[] {
  return [`Found pattern: "${pattern.title}"`, ...patternLines(pattern, columns)];
}

export function patternText({ pattern, file }: ResultOf<"patterns show">, columns: number): string {
  return [pattern.title, ...patternLines(pattern, columns), `In ${path(file)}`].join("\n");
}

export function patternsText({ patterns, problems, folder }: ResultOf<"patterns">): string {
  const rows = patterns.map(({ name, title, estimate }) => `${name}  "${title}": ${estimateText(estimate)}`);
  const none = patterns.length === 0 ? [`There is no pattern in ${path(folder)} yet.`] : [];
  return [...rows, ...none, ...problems.map(({ file, why }) => `! ${path(file)} is no pattern: ${why}.`)].join("\n");
}

/** What is shown of a pattern that fits a new task, before a person says whether it is applied. */
export function offerLines({ pattern, likeness, why, estimate }: PatternOffer, columns: number): string[] {
  const { questions, decisions, custom_prompts: needed } = pattern;
  const plan = [
    `Shares ${why.join("; ")}`,
    ...(questions.length > 0 ? [`Asks first: ${questions.map(({ question }) => question).join(" ")}`] : []),
    `Proposes: ${pattern.strategy}`,
    ...decisions.slice(0, 3).map(({ choice }) => `Proposes: ${choice}`),
    ...(needed.length > 0 ? [`Needs prompts that are not here: ${needed.map(({ name }) => name).join(", ")}`] : []),
    `Took: ${estimateText(estimate)}`,
  ];
  const head = `Similar pattern: "${pattern.title}" (${Math.round(likeness * 100)} %)`;
  return [head, ...plan.map((text) => `- ${wrap(text, columns, "  ").trimStart()}`)];
}

/** What the chains of a pattern took, and beside it what the chain took to which it was applied. */
export function comparedLines({ title, estimate, took }: NonNullable<ChainStands["applied"]>): string[] {
  return [`Pattern "${title}": ${estimateText(estimate)}`, `This chain:   ${tookText(took)}`];
}

/** What it knows, a line for each kind; long lines hang. */
function patternLines(pattern: Pattern, columns: number): string[] {
  const { goal, strategy, decisions, questions, prompts, detours, custom_prompts, corrections, confidence } = pattern;
  const { stack, success, took } = pattern;
  const lines: [string, readonly string[]][] = [
    ["Task", [goal]],
    ["Stack", stack.length > 0 ? [stack.slice(0, 12).join(", ")] : []],
    ["Strategy", [strategy]],
    ["Decided", decisions.map(({ choice, because }) => (because ? `${choice} (${because})` : choice))],
    ["Asked", questions.map(({ question, answered }) => `${question} → ${answered ?? "no answer"}`)],
    ["Prompts", prompts.length > 0 ? [prompts.join(" → ")] : []],
    ["Detours", detours.length > 0 ? [detours.join(", ")] : []],
    ["Prompt needed", custom_prompts.map(({ name, reason }) => `${name}: ${reason}`)],
    ["Corrected", corrections],
    ["Confidence", confidence.length > 0 ? [confidence.map((value) => `${value}%`).join(" → ")] : []],
    ["Success", success],
    ["Took", took.map(tookText)],
  ];
  return lines.flatMap(([name, texts]) =>
    texts.map((text) => `- ${wrap(`${name}: ${text}`, columns, "  ").trimStart()}`),
  );
}

function tookText({ chain, calls, questions, approval_rounds: rounds, minutes, usd }: Pattern["took"][number]) {
  return `chain ${chain}: ${count(calls, "call")}, ${money(usd)}, ${count(questions, "question")}, ${count(rounds, "approval round")}, ${minutes} min without waiting`;
}

/** "9 to 12 calls, $0.20 to $0.31, 4 min, 3 questions (2 chains)" */
export function estimateText({ chains, questions, calls, minutes, usd }: Estimate): string {
  const range = ([least, most]: readonly [number, number], show: (value: number) => string) =>
    least === most ? show(most) : `${show(least)} to ${show(most)}`;
  return `${range(calls, String)} calls, ${range(usd, money)}, ${range(minutes, String)} min, ${count(questions, "question")} (${count(chains, "chain")})`;
}
