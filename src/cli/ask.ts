import { recoveryWays } from "./recover_report.ts";
import type { Screen } from "./terminal.ts";
import { harmless } from "./terminal.ts";

/** What a person said at a question; undefined: they left (Ctrl+C, a signal, or the input ended), which never means yes. */
export type Said<T> = Promise<T | undefined>;

/** What a person said, as an operation with its input. */
export interface Next {
  readonly name: string;
  /** And then they left. */
  readonly leaving?: boolean;
  /** Clears away what was made for the operation, once it has ended. */
  readonly after?: () => void;
  readonly [field: string]: unknown;
}

export interface Question {
  readonly id: string;
  readonly question: string;
  readonly why?: string;
  readonly options?: readonly string[];
}

export async function askQuestion(question: Question, screen: Screen, signal: AbortSignal): Said<string> {
  const clack = await import("@clack/prompts");
  const message =
    harmless(question.question) + (question.why ? `\n${screen.style("dim", harmless(question.why))}` : "");
  const options = (question.options ?? []).map(harmless);
  if (options.length > 0) {
    const own = "\u0000own";
    const chosen = await said(
      clack.select({
        message,
        signal,
        options: [...options.map((value) => ({ value, label: value })), { value: own, label: "Something else" }],
      }),
    );
    if (chosen !== own) return chosen;
  }
  return said(
    clack.text({
      message: options.length > 0 ? "What then?" : message,
      signal,
      validate: (value) => (value?.trim() ? undefined : "An answer is needed; Ctrl+C pauses."),
    }),
  );
}

export type Verdict =
  | { readonly type: "approve" }
  | { readonly type: "reject"; readonly reason: string }
  | { readonly type: "ask"; readonly question: string }
  | { readonly type: "change"; readonly request: string };

/** `[Y/n/more-info]`; any other words are taken as what should change. */
export async function askApproval(signal: AbortSignal): Said<Verdict> {
  const clack = await import("@clack/prompts");
  const word = await said(
    clack.text({
      message: "Approve this approach? [Y/n/more-info], or say what should change",
      placeholder: "Y",
      signal,
    }),
  );
  if (word === undefined) return undefined;
  switch (word.trim().toLowerCase()) {
    case "":
    case "y":
    case "yes":
      return { type: "approve" };
    case "n":
    case "no": {
      const reason = await askWhyNot(signal);
      return reason === undefined ? undefined : { type: "reject", reason };
    }
    case "more-info":
    case "m":
    case "?": {
      const question = await askWhatElse(signal);
      return question === undefined ? undefined : { type: "ask", question };
    }
    default:
      return { type: "change", request: word.trim() };
  }
}

/** A word that may be typed beside yes and no. */
export type Word = "edit" | "ask" | "all" | "always" | "s";

export type Leave =
  | { readonly type: "yes" | "no" | Word }
  /** Neither: it should be done differently. */
  | { readonly type: "different"; readonly reason: string };

/** `Write it? [Y/n/edit/ask/all]`; a sentence is taken as what should be different. */
export async function askLeave(
  question: string,
  words: readonly Word[],
  screen: Screen,
  signal: AbortSignal,
): Said<Leave> {
  const clack = await import("@clack/prompts");
  const meant = words.flatMap((word) => meanings[word] ?? []).map((meaning) => `\n${screen.style("dim", meaning)}`);
  const typed = await said(
    clack.text({
      message: `${question} [Y/n/${words.join("/")}], or say what should be different${meant.join("")}`,
      placeholder: "Y",
      signal,
      validate: (value) =>
        leaveOf(value ?? "", words) ? undefined : `Type y, n, ${words.join(", ")} or a sentence; Ctrl+C pauses.`,
    }),
  );
  return typed === undefined ? undefined : leaveOf(typed, words);
}

const meanings: Partial<Record<Word, string>> = {
  all: "all: also every further change of this chain",
  always: "always: also whenever this chain asks for the same command again",
};

/** Undefined: one short word that is none of those offered is rather mistyped than meant as a reason. */
export function leaveOf(typed: string, words: readonly Word[]): Leave | undefined {
  const text = typed.trim();
  const lower = text.toLowerCase();
  if (["", "y", "yes"].includes(lower)) return { type: "yes" };
  if (["n", "no"].includes(lower)) return { type: "no" };
  const word = words.find((known) => known === lower);
  if (word) return { type: word };
  return /^[\w?!.]{1,8}$/.test(text) ? undefined : { type: "different", reason: text };
}

export async function askWhyNot(signal: AbortSignal): Said<string> {
  const clack = await import("@clack/prompts");
  const reason = await said(clack.text({ message: "Why not? (Enter leaves it open)", signal }));
  return reason?.trim();
}

export async function askWhatElse(signal: AbortSignal): Said<string> {
  const clack = await import("@clack/prompts");
  const question = await said(
    clack.text({
      message: "What would you like to know?",
      signal,
      validate: (value) => (value?.trim() ? undefined : "A question is needed; Ctrl+C pauses."),
    }),
  );
  return question?.trim();
}

export async function askTrust(signal: AbortSignal): Said<boolean> {
  const message = "Do you know what is in it? Its prompts, rules and settings would count, and its files be read.";
  return confirmed(message, signal);
}

export async function askAdopt(signal: AbortSignal): Said<boolean> {
  const message =
    "Adopt it? What it knows and what it cost would count; its approvals and permissions would not, and its journal is kept under another name.";
  return confirmed(message, signal);
}

export async function askMoved(signal: AbortSignal): Said<boolean> {
  return confirmed("Did you move this project here? If yes, its chains continue here.", signal);
}

async function confirmed(message: string, signal: AbortSignal): Said<boolean> {
  const clack = await import("@clack/prompts");
  return said(clack.confirm({ message, initialValue: false, signal }));
}

export async function askModels(signal: AbortSignal): Said<boolean> {
  const clack = await import("@clack/prompts");
  return said(
    clack.confirm({ message: "Use the project's models here, at their price?", initialValue: false, signal }),
  );
}

export async function askRecovery(choices: readonly string[], signal: AbortSignal): Said<string> {
  const clack = await import("@clack/prompts");
  const options = choices.map((value) => ({ value, label: recoveryWays[value] ?? value }));
  return said(clack.select({ message: "How should it go on?", signal, options }));
}

/** A terminal that goes away ends the question too. */
async function said<T>(answer: Promise<T>): Said<Exclude<T, symbol>> {
  const gone = Promise.withResolvers<undefined>();
  const leave = () => gone.resolve(undefined);
  // Node's readline pauses the input when a stopped process goes on (fg), and nobody else resumes it.
  const resume = () => setImmediate(() => process.stdin.resume());
  process.stdin.once("end", leave).once("close", leave);
  process.on("SIGCONT", resume);
  try {
    const value = await Promise.race([answer, gone.promise]);
    return typeof value === "symbol" ? undefined : (value as Exclude<T, symbol> | undefined);
  } finally {
    process.stdin.off("end", leave).off("close", leave).pause();
    process.off("SIGCONT", resume);
  }
}
