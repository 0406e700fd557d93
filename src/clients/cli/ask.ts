import type { OperationName } from "../../operations/operations.ts";
import type { Input } from "../../util/next.ts";
import type { Offer } from "./recover_report.ts";
import type { Screen } from "./terminal.ts";
import { harmless } from "./terminal.ts";
import { shortWord } from "../../util/short_word.ts";

/** What a person said at a question; undefined: they left (Ctrl+C, a signal, or the input ended), which never means yes. */
export type Said<T> = Promise<T | undefined>;

/** How a person is asked: by questions of their own, or in the line of a session. */
export interface Asker {
  text(question: TextQuestion): Said<string>;
  /** May also give back other words, where an option leaves them open. */
  select(message: string, options: readonly { value: string; label: string }[]): Said<string>;
  confirm(message: string, initialValue: boolean): Said<boolean>;
  /** Leaves the terminal to another program for as long as it works. */
  leaveTerminal<Result>(work: () => Promise<Result>): Promise<Result>;
}

interface TextQuestion {
  readonly message: string;
  readonly placeholder?: string;
  readonly defaultValue?: string;
  /** Why what was typed cannot be taken. */
  readonly validate?: (value: string | undefined) => string | undefined;
}

/** What a person said, as an operation with its input. */
export interface Decision {
  readonly operation: OperationName;
  readonly input: Input;
  /** And then they left. */
  readonly leaving?: boolean;
  /** Clears away what was made for the operation, once it has ended. */
  readonly after?: () => void;
}

export interface Question {
  readonly id: string;
  readonly question: string;
  readonly why?: string | undefined;
  readonly options?: readonly string[] | undefined;
}

export async function askQuestion(question: Question, screen: Screen, asker: Asker): Said<string> {
  const message =
    harmless(question.question) + (question.why ? `\n${screen.style("dim", harmless(question.why))}` : "");
  const options = (question.options ?? []).map(harmless);
  if (options.length > 0) {
    const offered = options.some(isOpen) ? options : [...options, "Something else …"];
    const labels = offered.map((value) => ({ value, label: value }));
    const chosen = await asker.select(message, labels);
    if (chosen === undefined || !isOpen(chosen)) return chosen;
  }
  return asker.text({
    message: options.length > 0 ? "What then? Say it in any words" : message,
    validate: (value) => noAnswer(value ?? ""),
  });
}

/** Whether an option asks for words of one's own: "Use another command …". */
const isOpen = (option: string) => option.endsWith(" …");

/** Why what was typed is no answer. */
export function noAnswer(typed: string): string | undefined {
  return typed.trim() === "" ? "An answer is needed; Ctrl+C pauses." : undefined;
}

export type Verdict =
  | { readonly type: "approve" }
  | { readonly type: "reject"; readonly reason: string }
  | { readonly type: "ask"; readonly question: string }
  | { readonly type: "change"; readonly request: string }
  | { readonly type: "answer"; readonly answers_given: readonly string[] }
  /** Everything that the approval binds is to be shown. */
  | { readonly type: "show" };

/** `[Y/n/v]`; "more-info" asks for a question, and any other words are taken as what should change. */
export async function askApproval(
  assumptions: readonly string[],
  left: readonly string[],
  asker: Asker,
): Said<Verdict> {
  const [first] = assumptions;
  const rest = left.length > 0 ? `more of ${left.join(", ").toLowerCase()}` : "all of it in one text";
  const more = first ? ` · "${first}: no, …" or "all ok"` : "";
  const word = await asker.text({
    message: `Approve this approach? [Y/n/v], or say what should change\nv: ${rest}${more}`,
    placeholder: "Y",
    validate: (value) => problemOf(value ?? "", assumptions),
  });
  if (word === undefined) return undefined;
  const verdict = verdictOf(word, assumptions);
  if (verdict === "no") {
    const reason = await askWhyNot(asker);
    return reason === undefined ? undefined : { type: "reject", reason };
  }
  if (verdict === "more") {
    const question = await askWhatElse(asker);
    return question === undefined ? undefined : { type: "ask", question };
  }
  return verdict === "stop" || verdict === "again" ? undefined : verdict;
}

/** What was typed at an approval; "again": one short word that means nothing here. */
export function verdictOf(typed: string, assumptions: readonly string[]): Verdict | "no" | "more" | "stop" | "again" {
  const text = typed.trim();
  const lower = text.toLowerCase();
  if (text === "") return { type: "approve" };
  if (lower === "v") return { type: "show" };
  if (["more-info", "m", "?"].includes(lower)) return "more";
  const short = shortWord(text);
  if (short !== undefined) return short === "yes" ? { type: "approve" } : short;
  if (assumptions.length > 0 && /^all (?:ok|okay|yes|fine|right)[.!]?$/i.test(text))
    return { type: "answer", answers_given: ["all=ok"] };
  const answers = text.split(/[;,]?\s*(?=\bA\d+\s*[:=.)])/i).filter((part) => part !== "");
  const pairs = answers.map((part) => /^(A\d+)\s*[:=.)]\s*(.+)$/is.exec(part));
  const answered = pairs.flatMap((pair) => (pair ? [`${pair[1]!.toUpperCase()}=${pair[2]!.trim()}`] : []));
  if (answered.length > 0 && answered.length === answers.length) return { type: "answer", answers_given: answered };
  if (isQuestion(text)) return { type: "ask", question: text };
  return /^[\w!./-]{1,8}$/.test(text) ? "again" : { type: "change", request: text };
}

/** Why what was typed cannot be taken for anything. */
function problemOf(typed: string, assumptions: readonly string[]): string | undefined {
  const verdict = verdictOf(typed, assumptions);
  if (verdict === "again") return "Type y, n, v, more-info, or a sentence that says what should change; Ctrl+C pauses.";
  if (typeof verdict === "string" || verdict.type !== "answer") return undefined;
  const ids = verdict.answers_given.map((pair) => pair.split("=")[0]!);
  const unknown = ids.find((id) => id !== "all" && !assumptions.includes(id));
  return unknown && `There is no assumption ${unknown}. Those on the page are: ${assumptions.join(", ") || "none"}.`;
}

/** Words that end in a question mark ask something, wherever they are typed: they neither refuse nor change anything. */
export function isQuestion(text: string): boolean {
  return /[?？؟]\s*$/.test(text);
}

/** A word that may be typed beside yes and no. */
export type Word = "edit" | "ask" | "all" | "always" | "s";

export type Leave =
  | { readonly type: "yes" | "no" | "stop" | Word }
  /** Neither: it should be done differently. */
  | { readonly type: "different"; readonly reason: string };

/** `Write it? [Y/n/edit/ask/all]`; a sentence is taken as what should be different. */
export async function askLeave(question: string, words: readonly Word[], screen: Screen, asker: Asker): Said<Leave> {
  const meant = words.flatMap((word) => meanings[word] ?? []).map((meaning) => `\n${screen.style("dim", meaning)}`);
  const typed = await asker.text({
    message: `${question} [Y/n/${words.join("/")}], or say what should be different${meant.join("")}`,
    placeholder: "Y",
    defaultValue: "Yes",
    validate: (value) =>
      leaveOf(value ?? "", words) ? undefined : `Type y, n, ${words.join(", ")} or a sentence; Ctrl+C pauses.`,
  });
  return typed === undefined ? undefined : leaveOf(typed, words);
}

const meanings: Partial<Record<Word, string>> = {
  all: "all: also every further change of this approval",
  always: "always: also whenever this chain asks for the same command again",
};

/** Undefined: one short word that is none of those offered is rather mistyped than meant as a reason. */
export function leaveOf(typed: string, words: readonly Word[]): Leave | undefined {
  const text = typed.trim();
  const lower = text.toLowerCase();
  const short = shortWord(text);
  if (text === "" || short === "yes") return { type: "yes" };
  if (short !== undefined) return { type: short };
  const word = words.find((known) => known === lower);
  if (word) return { type: word };
  return /^[\w?!.]{1,8}$/.test(text) ? undefined : { type: "different", reason: text };
}

export const askWhyNot = (asker: Asker) => askText(asker, { message: "Why not? (Enter leaves it open)" });

export const askWhatElse = (asker: Asker) =>
  askText(asker, {
    message: "What would you like to know?",
    validate: (value) => (value?.trim() ? undefined : "A question is needed; Ctrl+C pauses."),
  });

export const askBudget = (asker: Asker) =>
  askText(asker, {
    message: "How many dollars may this round cost?",
    placeholder: "2",
    defaultValue: "2",
    validate: (value) =>
      /^$|^none$|^\d{1,9}(\.\d{1,9})?$/.test(value?.trim() ?? "") ? undefined : "Type an amount such as 2.50, or none.",
  });

async function askText(asker: Asker, question: TextQuestion): Said<string> {
  return (await asker.text(question))?.trim();
}

export const askTrust = yesOrNo(
  "Do you know what is in it? Its prompts, rules and settings would count, its files be read, and its code may run in the sandbox, also before you approve anything.",
);
export const askTry = yesOrNo(
  "You trust this folder. May its code also run before you approve a solution? It runs in the sandbox: the folder is read-only there, and there is no network.",
);
export const askAdopt = yesOrNo(
  "Adopt it? What it knows and what it cost would count; its approvals and permissions would not, and its journal is kept under another name.",
);
export const askRewind = yesOrNo("Go back?");
export const askMoved = yesOrNo("Did you move this project here? If yes, its chains continue here.");
export const askModels = yesOrNo("Use the project's models here, at their price?");

export const askApply = yesOrNo("Apply with adaptations?", true);
export const askSave = yesOrNo("Save as reusable pattern?", true);

/** "4", "p" for a pattern, or both; undefined: neither. */
export async function askRating(rated: boolean, asker: Asker): Said<{ rating?: string; pattern: boolean }> {
  const how = rated ? "" : "How well did it go? 1–5. ";
  const text = await asker.text({
    message: `${how}p keeps it as a pattern. Enter skips`,
    validate: (value = "") => (ratingPattern.test(value) ? undefined : "A number from 1 to 5, p, both, or nothing."),
  });
  const [, rating, pattern] = ratingPattern.exec(text ?? "") ?? [];
  return rating || pattern ? { ...(rating ? { rating } : {}), pattern: pattern !== undefined } : undefined;
}

const ratingPattern = /^\s*([1-5])?\s*(p)?\s*$/i;

function yesOrNo(message: string, initialValue = false) {
  return (asker: Asker): Said<boolean> => asker.confirm(message, initialValue);
}

export function askRecovery({ choices, next }: Offer, asker: Asker): Said<string> {
  const options = choices.map((value, at) => ({ value, label: next[at]?.why ?? value }));
  return asker.select("How should it go on?", options);
}
