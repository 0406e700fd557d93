import type { ResultOf } from "../../operations/operations.ts";
import { count } from "../../util/count.ts";
import type { Input } from "../../util/next.ts";
import type { PatternOffer } from "../../operations/operation.ts";
import type { ChainStands } from "./change_report.ts";
import { nextLines } from "./next.ts";
import { wrap } from "./terminal.ts";
import { money, path } from "./values.ts";

type Took = ResultOf<"patterns">["patterns"][number]["took"];

/** The pattern found in a chain, and the file that holds it or would hold it. `left`: its person saw it and said no to saving it. */
export function savedPatternText(data: ResultOf<"save-pattern">, flags: Input, left: boolean): string {
  if (left) return "Nothing was saved.";
  const { preview, title, file, next } = data;
  const saved = [`Pattern saved: "${title}"`, `In ${path(file)}`];
  const shown = [...foundLines(data), `Nothing was saved yet. It would go to ${path(file)}`];
  return [...(preview ? shown : saved), ...nextLines(next, flags)].join("\n");
}

export function foundLines({ title, text }: Pick<ResultOf<"save-pattern">, "title" | "text">): string[] {
  return [`Found pattern: "${title}"`, text];
}

export function memoryText({ folder, chains, notes, problems }: ResultOf<"memory">): string {
  const read = chains === null ? [] : [`Read ${count(chains, "chain")}.`];
  const rows = notes.map(({ text }) => `- ${path(text)}`);
  return [...read, ...listed(rows, "note", folder, problems)].join("\n");
}

export function patternsText({ patterns, problems, folder }: ResultOf<"patterns">): string {
  const rows = patterns.map(({ name, title, took }) => `${name}  "${title}": ${tookText(took)}`);
  return listed(rows, "pattern", folder, problems).join("\n");
}

function listed(rows: string[], what: string, folder: string, problems: ResultOf<"patterns">["problems"]): string[] {
  const none = rows.length === 0 ? [`There is no ${what} in ${path(folder)} yet.`] : [];
  return [...rows, ...none, ...problems.map(({ file, why }) => `! ${path(file)} is not used: ${why}.`)];
}

/** What is shown of a pattern that fits a new task, before a person says whether it is applied. */
export function offerLines({ pattern, likeness, why }: PatternOffer, columns: number): string[] {
  const { questions, decisions, custom_prompts: needed } = pattern;
  const plan = [
    `Shares ${why.join("; ")}`,
    ...(questions.length > 0 ? [`Asks first: ${questions.map(({ question }) => question).join(" ")}`] : []),
    `Proposes: ${pattern.strategy}`,
    ...decisions.slice(0, 3).map(({ choice }) => `Proposes: ${choice}`),
    ...(needed.length > 0 ? [`Needs prompts that are not here: ${needed.map(({ name }) => name).join(", ")}`] : []),
    `Took: ${tookText(pattern.took)}`,
  ];
  const head = `Similar pattern: "${pattern.title}" (${Math.round(likeness * 100)} %)`;
  return [head, ...plan.map((text) => `- ${wrap(text, columns, "  ").trimStart()}`)];
}

/** What the chains of a pattern took, and beside it what the chain took to which it was applied. */
export function comparedLines({ title, before, took }: NonNullable<ChainStands["applied"]>): string[] {
  return [`Pattern "${title}": ${tookText(before)}`, `This chain: ${tookText([took])}`];
}

/** "9 to 12 calls, $0.20 to $0.31, 4 min, 3 questions (2 chains)" */
function tookText(took: Took): string {
  const range = (key: "calls" | "usd" | "minutes" | "questions", show: (value: number) => string) => {
    const [least, most] = [Math.min(...took.map((one) => one[key])), Math.max(...took.map((one) => one[key]))];
    return least === most ? show(most) : `${least} to ${show(most)}`;
  };
  const parts = [
    range("calls", (value) => count(value, "call")),
    range("usd", money),
    range("minutes", (value) => `${value} min`),
    range("questions", (value) => count(value, "question")),
  ];
  return `${parts.join(", ")} (${took.length === 1 ? `chain ${took[0]!.chain}` : count(took.length, "chain")})`;
}
