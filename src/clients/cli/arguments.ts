import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { z } from "zod";
import { exitCodes, UserError } from "../../util/errors.ts";
import { isSessionCommand, nearestCommand, slashWords } from "./slash.ts";
import { shapeOf, sessionOptions, type Operation, type SessionOptions } from "../../operations/operation.ts";

export interface Order {
  readonly operation: Operation;
  readonly input: Record<string, unknown>;
  /** What the session is opened with. */
  readonly options: SessionOptions;
  readonly output: "text" | "json" | "stream-json";
  readonly plain: boolean;
  /** Flags that were given by name: what a rehearsal without a terminal must not overrule. */
  readonly given: ReadonlySet<string>;
}

/** Help about everything or one command, or a session with these flags. */
export type Wish = { readonly help: Operation | undefined } | { readonly session: readonly string[] };

/** Flags of this door, beside those of each operation. */
const doorFlags = {
  json: { type: "boolean" },
  "stream-json": { type: "boolean" },
  plain: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} satisfies ParseArgsOptionsConfig;

/** What was asked for, or undefined where help was. The surface is derived from the operations' schemas. */
export function readArguments(argv: readonly string[], operations: readonly Operation[]): Order | Wish {
  const { operation, rest, isSession = false, isSpoken = false } = chooseOperation(argv, operations);
  if (isSession) return { session: rest };
  if (!operation) return { help: undefined };
  const { values, positionals } = parse(operation, rest);
  if (values["help"]) return { help: operation };
  const fields = Object.fromEntries(
    Object.entries(values)
      .filter(([flag]) => !(flag in doorFlags))
      .map(([flag, value]) => [flag.replaceAll("-", "_"), value]),
  );
  const wanted = { ...fields, ...byPosition(operation, positionals, isSpoken) };
  const read = operation.input.safeParse(wanted);
  const options = sessionOptions.safeParse(wanted);
  if (!read.success || !options.success) {
    const [issue] = [...(options.error?.issues ?? []), ...(read.error?.issues ?? [])];
    const field = String(issue?.path[0] ?? "");
    const missing = issue?.code === "invalid_type" && issue.input === undefined && !(field in fields);
    const what = missing
      ? `${usageOf(field, operation)} is missing.`
      : `${usageOf(field, operation)} ${issue?.message ?? "is wrong"}.`;
    throw new UserError("wrong_usage", what, `Usage: ${usageLine(operation)}`, exitCodes.usage);
  }
  return {
    operation,
    input: read.data,
    options: options.data,
    output: values["stream-json"] ? "stream-json" : values["json"] ? "json" : "text",
    plain: values["plain"] === true,
    given: new Set(Object.keys(values)),
  };
}

/** A slash command that was given as one argument: `"/status all" --json` → `status all --json` */
function withoutSlash(words: readonly string[], operations: readonly Operation[]): readonly string[] {
  const [name, ...rest] = slashWords(words[0] ?? "", operations) ?? [];
  if (name === undefined) return words;
  if (isSessionCommand(name) && name !== "help") {
    const message = `/${name} is a command of a session. Nothing was done.`;
    throw new UserError("wrong_usage", message, "Open a session with: claude-exec", exitCodes.usage);
  }
  return [name, ...rest, ...words.slice(1)];
}

/** A task is one argument with a space in it; anything else begins with a command's words. Flags may stand anywhere. */
function chooseOperation(
  argv: readonly string[],
  operations: readonly Operation[],
): { operation?: Operation; rest: readonly string[]; isSession?: boolean; isSpoken?: boolean } {
  if (argv[0] === "help" || argv[0] === "--help" || argv[0] === "-h") {
    const words = argv.slice(1).filter((word) => !word.startsWith("-"));
    if (words.length === 0) return { rest: [] };
    return { operation: named(words, operations) ?? unknown(words[0], operations), rest: ["--help"] };
  }
  const front = flagsInFront(argv, operations);
  const typed = argv.slice(front);
  const words = withoutSlash(typed, operations);
  if (words.length === 0) return { rest: argv, isSession: true };
  if (words[0] === "help") return chooseOperation(words, operations);
  const command = named(words, operations);
  if (command) {
    const rest = [...argv.slice(0, front), ...words.slice(command.name.split(" ").length)];
    return { operation: command, rest, isSpoken: words !== typed };
  }
  const begin = operations.find(({ name }) => name === "new");
  if (begin && words[0]?.trim().includes(" ")) return { operation: begin, rest: argv };
  return unknown(words[0], operations);
}

function named([first, second]: readonly string[], operations: readonly Operation[]): Operation | undefined {
  return operations.find(({ name }) => name === `${first} ${second}`) ?? operations.find(({ name }) => name === first);
}

/** How many words stand before the command or the task: flags, and the values they take. */
function flagsInFront(argv: readonly string[], operations: readonly Operation[]): number {
  // To know the flags of all operations takes a tenth of the time of a look at a chain.
  if (!argv[0]?.startsWith("-")) return 0;
  const takes = new Map(operations.flatMap(flagsOf).map((known) => [known.flag, known.takes !== ""]));
  let front = 0;
  for (let word = argv[front]; word?.startsWith("-"); word = argv[front]) {
    const [flag = "", value] = word.replace(/^--/, "").split("=", 2);
    if (flag !== "-h" && !(flag in doorFlags) && !takes.has(flag)) {
      throw new UserError("wrong_usage", `Unknown option '${word}'.`, "Help: claude-exec --help", exitCodes.usage);
    }
    front += takes.get(flag) && value === undefined ? 2 : 1;
  }
  return front;
}

function unknown(first: string | undefined, operations: readonly Operation[]): never {
  const group = operations.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length > 0) {
    const hint = `It goes on with: ${group.map(({ name }) => name.split(" ")[1]).join(" | ")}`;
    throw new UserError("unknown_command", `"${first}" alone is not a command.`, hint, exitCodes.usage);
  }
  throw noCommand(first, operations);
}

export function noCommand(first: string | undefined, operations: readonly Operation[]): UserError {
  const near = first === undefined ? undefined : nearestCommand(first, operations);
  return new UserError(
    "unknown_command",
    first === undefined ? "There is no command." : `There is no command "${first}".`,
    `${near === undefined ? "" : `Did you mean ${near}? `}A task is one argument: claude-exec "Add JWT authentication". Commands: claude-exec --help`,
    exitCodes.usage,
  );
}

function parse(operation: Operation, rest: readonly string[]) {
  const options: ParseArgsOptionsConfig = { ...doorFlags };
  for (const [field, schema] of Object.entries(shapeOf(operation))) {
    if (!operation.positional.includes(field))
      options[flagOf(field)] = {
        type: isBoolean(schema) ? "boolean" : "string",
        multiple: unwrap(schema) instanceof z.ZodArray,
      };
  }
  try {
    return parseArgs({ args: [...rest], options, allowPositionals: true, strict: true });
  } catch (error) {
    const text = error instanceof Error ? (error.message.split(/\.\s|\.?\n|\.$/)[0] ?? "") : "";
    throw new UserError(
      "wrong_usage",
      `${text}.`,
      `Usage: ${usageLine(operation)}   More: claude-exec ${operation.name} --help`,
      exitCodes.usage,
    );
  }
}

/** `isSpoken`: a sentence needs no quotes, as in "/new Add JWT authentication". */
function byPosition(operation: Operation, words: readonly string[], isSpoken: boolean): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const [first, ...others] = operation.positional;
  const isUnnamed = first === "chain" && others.length > 0 && words.length > 0 && !/^\d+$/.test(words[0]!);
  // The words then belong to the newest chain that fits.
  const positional = isUnnamed ? others : operation.positional;
  for (const [index, field] of positional.entries()) {
    const many = unwrap(shapeOf(operation)[field]) instanceof z.ZodArray;
    if (many) {
      if (words.length > index) fields[field] = words.slice(index);
      return fields;
    }
    if (words[index] !== undefined) fields[field] = words[index];
  }
  const extra = words.slice(positional.length);
  const last = positional.at(-1);
  if (isSpoken && last !== undefined && last !== "chain" && extra.length > 0)
    return { ...fields, [last]: [fields[last], ...extra].join(" ") };
  if (extra.length > 0) {
    throw new UserError(
      "wrong_usage",
      `${extra.map((word) => `"${word}"`).join(", ")} is more than ${operation.name} takes.`,
      `Usage: ${usageLine(operation)}   A sentence goes in quotes.`,
      exitCodes.usage,
    );
  }
  return fields;
}

export function usageLine(operation: Operation): string {
  const words = operation.positional.map((field) => {
    const schema = shapeOf(operation)[field];
    const name = unwrap(schema) instanceof z.ZodArray ? `${field}…` : field;
    return schema?.safeParse(undefined).success ? `[${name}]` : `<${name}>`;
  });
  return ["claude-exec", operation.name, ...words, "[flags]"].join(" ");
}

export function flagsOf(operation: Operation): { flag: string; takes: string; description: string }[] {
  return Object.entries(shapeOf(operation))
    .filter(([field]) => !operation.positional.includes(field))
    .map(([field, schema]) => {
      const inner = unwrap(schema);
      const takes = isBoolean(schema) ? "" : inner instanceof z.ZodEnum ? inner.options.join("|") : "…";
      return {
        flag: flagOf(field),
        takes,
        description: schema.description ?? (inner instanceof z.ZodType ? inner.description : undefined) ?? "",
      };
    });
}

/** Whether an operation takes this by the name of a flag. */
export function takesField(operation: Operation, field: string): boolean {
  return field in shapeOf(operation) && !operation.positional.includes(field);
}

function usageOf(field: string, operation: Operation): string {
  return operation.positional.includes(field) ? `<${field}>` : `--${flagOf(field)}`;
}

export function flagOf(field: string): string {
  return field.replaceAll("_", "-");
}

function isBoolean(schema: unknown): boolean {
  return unwrap(schema) instanceof z.ZodBoolean;
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? unwrap(schema.unwrap()) : schema;
}
