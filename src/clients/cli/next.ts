import { shapeOf, type SessionOptions } from "../../operations/operation.ts";
import { operations } from "../../operations/operations.ts";
import type { Input, Next } from "../../util/next.ts";
import { quoted } from "../../util/quoting.ts";
import { flagOf } from "./arguments.ts";

/** What whoever called has to repeat, so that the same chain and the same model are found again. */
export function flagsAgain({ home, replay, model, permission, unsandboxed }: SessionOptions): Input {
  const shared = Object.entries({ home, replay, model, permission, unsandboxed });
  return Object.fromEntries(shared.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** What can be done now, a line each: "Take it over: claude-exec resume 001 --accept-edit --home x". */
export function nextLines(next: readonly Next[], flags: Input): string[] {
  return next.map(({ operation, input, why }) => {
    if (operation !== undefined) return `${why}: ${commandLine(operation, input, flags)}`;
    if (input === undefined) return why;
    const words = Object.entries(input).flatMap(([field, value]) =>
      value === null ? `leave --${flagOf(field)} out` : flagWords([field, value]),
    );
    return `${why}: ${words.join(" ") || "type the same again."}`;
  });
}

export function commandLine(name: string, input: Input = {}, flags: Input = {}): string {
  const operation = operations.find((known) => known.name === name);
  if (!operation) throw new Error(`There is no operation ${name}.`);
  const shape = shapeOf(operation);
  const positional = operation.positional.flatMap((field) => {
    const isOptional = shape[field]?.safeParse(undefined).success;
    return [input[field] ?? (isOptional ? [] : `<${field}>`)].flat().map((word) => asTyped(String(word)));
  });
  const more = Object.entries(flags).filter(([field]) => field in shape && !(field in input));
  const named = Object.entries(input).filter(([field]) => field in shape && !operation.positional.includes(field));
  return ["claude-exec", name, ...positional, ...[...named, ...more].flatMap(flagWords)].join(" ");
}

/** The flags alone, as they stand behind the number of a chain: " --home x". */
export function flagsText(flags: Input): string {
  return ["", ...Object.entries(flags).flatMap(flagWords)].join(" ");
}

function flagWords([field, value]: [string, Input[string]]): string[] {
  if (value === null || value === false) return [];
  if (value === true) return [`--${flagOf(field)}`];
  return [value].flat().flatMap((word) => [`--${flagOf(field)}`, asTyped(String(word))]);
}

/** `q=…` → `q="…"`; "<model>" stays bare. Both stand for what is still to be filled in. */
function asTyped(word: string): string {
  const open = word.endsWith("…") ? '"…"' : "";
  const plain = open === "" ? word : word.slice(0, -1);
  const isBare = /^(<[\w-]+>)?[\w.-]*=?$/.test(plain) && (open !== "" || plain.startsWith("<"));
  return (isBare ? plain : quoted(plain)) + open;
}
