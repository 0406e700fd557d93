import type { Operation } from "../../operations/operation.ts";
import { editDistance } from "../../util/distance.ts";
import { exitCodes, UserError } from "../../util/errors.ts";

/** Other names of commands. Whoever adds one names the command line that it stands for. */
export const aliases: Readonly<Record<string, readonly string[]>> = {
  cost: ["cost-report"],
  implement: ["resume"],
  prompts: ["prompts", "list"],
};

/** Commands about the session itself, with what their help says. */
export const sessionCommands = {
  help: "This list; with a command, what that command takes",
  switch: "Go to another chain of this folder; the one that is at work goes on in the background",
  model: "Which model chains use from now on",
  budget: "How many dollars a chain may cost from now on",
  quit: "Leave the session; chains that are at work pause",
} as const;
export type SessionCommand = keyof typeof sessionCommands;

export function isSessionCommand(name: string): name is SessionCommand {
  return Object.hasOwn(sessionCommands, name);
}

/** The words of "/implement --mode tdd" as a command line has them. Undefined: the text is no slash command. */
export function slashWords(text: string, operations: readonly Pick<Operation, "name">[]): string[] | undefined {
  const [, name = "", rest = ""] = /^\/([a-z][a-z-]*)(?:\s+(.*))?$/is.exec(text.trim()) ?? [];
  if (name === "") return undefined;
  const words = splitWords(rest);
  const [first = ""] = words;
  const isGroup = operations.some((known) => known.name === `${name} ${first}`);
  return [...((!isGroup && Object.hasOwn(aliases, name) && aliases[name]) || [name]), ...words];
}

/** A quote begins only at the beginning of a word or of a value: `don't` is one word. */
function splitWords(text: string): string[] {
  const words = text.matchAll(/((?:[\w-]+=)?)(?:"([^"]*)"|'([^']*)')(?=\s|$)|\S+/g);
  return [...words].map(([whole, name = "", double, single]) => {
    const value = double ?? single;
    return value === undefined ? whole : name + value;
  });
}

/** Every name that can be typed behind a slash. */
export function slashNames(operations: readonly Pick<Operation, "name">[]): string[] {
  return [
    ...new Set([...operations.map(({ name }) => name), ...Object.keys(aliases), ...Object.keys(sessionCommands)]),
  ];
}

/** The command that was probably meant: "stauts" → "status". */
export function nearestCommand(typed: string, operations: readonly Pick<Operation, "name">[]): string | undefined {
  const word = typed.toLowerCase();
  const names = slashNames(operations).map((name) => ({ name, distance: editDistance(word, name, 2) }));
  const near = names.filter(({ name, distance }) => distance <= Math.min(2, name.length / 3));
  return near.sort((one, other) => one.distance - other.distance)[0]?.name;
}

/** A word that is no command, and no task by itself: "There is no command /stauts." */
export function notCommand(message: string, word: string, operations: readonly Pick<Operation, "name">[]): UserError {
  const near = nearestCommand(word, operations);
  const hint = near === undefined ? "A task is a sentence. Commands: /help" : `Did you mean /${near}?`;
  return new UserError("unknown_command", message, hint, exitCodes.usage);
}

/** What is printed for a shell, as it is typed in a session: "claude-exec resume 001" → "/resume 001". */
export function asSlash(text: string, operations: readonly Pick<Operation, "name">[]): string {
  const words = new Set(operations.map(({ name }) => name.split(" ")[0]));
  return text.replaceAll(/\bclaude-exec ([a-z-]+)(?![\w-])/g, (whole, word: string) =>
    words.has(word) ? `/${word}` : whole,
  );
}
