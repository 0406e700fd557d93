import { operations } from "../../operations/operations.ts";
import { slashWords } from "./slash.ts";
import type { Asker, Said } from "./ask.ts";

/** Asks with a question of its own for each answer, as a command does that is typed in a shell. */
export function clackAsker(signal: AbortSignal): Asker {
  const clack = () => import("@clack/prompts");
  return {
    async text(question) {
      const validate = (value = "") => commandProblem(value) ?? question.validate?.(value);
      return said((await clack()).text({ ...question, validate, signal }));
    },
    select: async (message, options) => said((await clack()).select({ message, signal, options: [...options] })),
    confirm: async (message, initialValue) => said((await clack()).confirm({ message, initialValue, signal })),
    leaveTerminal: (work) => work(),
  };
}

/** What is said to a command that was typed in place of an answer, a reason or a change: "/status". */
export function commandProblem(typed: string): string | undefined {
  const [name] = slashWords(typed, operations) ?? [];
  if (!operations.some((known) => known.name === name)) return undefined;
  return `${typed.trim()} is a command, and no answer. Ctrl+C pauses; then type: claude-exec ${name}`;
}

/** A terminal that goes away ends the question too. */
async function said<T>(answer: Promise<T>): Said<Exclude<T, symbol>> {
  const gone = Promise.withResolvers<undefined>();
  const leave = () => gone.resolve(undefined);
  // Node's readline pauses the input when a stopped process goes on (fg), and nobody else resumes it.
  const resume = () => setImmediate(() => process.stdin.resume());
  process.stdin.once("end", leave).once("close", leave);
  process.on("SIGCONT", resume);
  // Ctrl+D closes the line that is being read, and then nobody would settle the question.
  const endOfInput = (_: unknown, key?: { ctrl?: boolean; name?: string }) => key?.ctrl && key.name === "d" && leave();
  process.stdin.on("keypress", endOfInput);
  try {
    const value = await Promise.race([answer, gone.promise]);
    return typeof value === "symbol" ? undefined : (value as Exclude<T, symbol> | undefined);
  } finally {
    process.stdin.off("keypress", endOfInput);
    process.stdin.off("end", leave).off("close", leave).pause();
    process.off("SIGCONT", resume);
  }
}
