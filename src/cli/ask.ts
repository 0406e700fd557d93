import type { Screen } from "./terminal.ts";
import { harmless } from "./terminal.ts";

/** What a person said at a question; undefined: they left (Ctrl+C, a signal, or the input ended), which never means yes. */
export type Said<T> = Promise<T | undefined>;

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
      const reason = await said(clack.text({ message: "Why not? (Enter leaves it open)", signal }));
      return reason === undefined ? undefined : { type: "reject", reason: reason.trim() };
    }
    case "more-info":
    case "m":
    case "?": {
      const question = await said(
        clack.text({
          message: "What would you like to know?",
          signal,
          validate: (value) => (value?.trim() ? undefined : "A question is needed; Ctrl+C pauses."),
        }),
      );
      return question === undefined ? undefined : { type: "ask", question: question.trim() };
    }
    default:
      return { type: "change", request: word.trim() };
  }
}

export async function askTrust(signal: AbortSignal): Said<boolean> {
  const clack = await import("@clack/prompts");
  const message = "Do you know what is in it? Its prompts, rules and settings would count, and its files be read.";
  return said(clack.confirm({ message, initialValue: false, signal }));
}

/** A terminal that goes away ends the question too. */
async function said<T>(answer: Promise<T>): Said<Exclude<T, symbol>> {
  const gone = Promise.withResolvers<undefined>();
  const leave = () => gone.resolve(undefined);
  process.stdin.once("end", leave).once("close", leave);
  try {
    const value = await Promise.race([answer, gone.promise]);
    return typeof value === "symbol" ? undefined : (value as Exclude<T, symbol> | undefined);
  } finally {
    process.stdin.off("end", leave).off("close", leave);
  }
}
