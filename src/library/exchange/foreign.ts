import { z } from "zod";
import type { Format } from "./format.ts";
import { json, type Ours, readIfOurs } from "./original.ts";
import { splitText, type Variables } from "./text.ts";
import { variable } from "../render.ts";

export type Foreign = Exclude<Format, "ours">;

/** All that a foreign format has no word for. With the body it gives our file back to the byte. */
const kept = z.strictObject({
  name: z.string(),
  front_matter: z.string(),
  /** How our body spells what the format calls $ARGUMENTS. */
  argument: z.string().optional(),
  /** What was put behind the body. */
  after: z.string().optional(),
});

export interface Translated {
  readonly path: string;
  readonly text: string;
  /** A file beside it, where the format's own file has no room for our keys. */
  readonly beside?: { readonly name: string; readonly text: string };
}

/** A prompt of ours as another tool reads it. */
export function translate(prompt: Ours, format: Foreign): Translated {
  const { name, head: front_matter, known } = prompt;
  const word = name.replaceAll("_", "-");
  const { body, ...turned } = turnInputs(prompt, format);
  const ours = { name, front_matter, ...turned };
  const description = known.purpose.replaceAll(/\s+/g, " ");
  const hint = Object.entries(known.inputs).map(([input, { required }]) => (required ? `<${input}>` : `[${input}]`));
  const tools = {
    none: [],
    read: looking,
    try: looking,
    edit: [...looking, "Edit", "Write"],
    run: [...looking, ...doing],
  }[known.tools];
  const model = { fast: "haiku", default: undefined, smart: "opus" }[known.model];
  const write = (path: string, keys: Record<string, unknown>): Translated => {
    const lines = Object.entries({ ...keys, "claude-exec": ours }).filter(([, value]) => value !== undefined);
    return { path, text: `---\n${lines.map(([key, value]) => `${key}: ${json(value)}\n`).join("")}---\n${body}` };
  };
  const called = {
    description,
    "argument-hint": hint.join(" ") || undefined,
    "allowed-tools": tools.join(", ") || undefined,
    model,
  };
  switch (format) {
    case "claude-commands":
      return write(`${name}.md`, called);
    case "claude-skills":
      return write(`${word}/SKILL.md`, { name: word, ...called });
    case "claude-agents":
      // An agent that names no tools gets all of them.
      return write(`${word}.md`, { name: word, description, tools: tools.length > 0 ? tools.join(", ") : [], model });
    case "markdown":
      return write(`${name}.md`, { title: known.title, description });
    case "fabric": {
      const beside = { name: besideName, text: `${json({ "claude-exec": ours })}\n` };
      return { path: `${name}/system.md`, text: body, beside };
    }
  }
}

export const looking = ["Read", "Grep", "Glob"];
const doing = ["Edit", "Write", "Bash"];
export const besideName = "claude-exec.json";

/** The one input there is becomes what the user typed; of several, the tool is told which they are. */
function turnInputs({ body, known }: Ours, format: Foreign): { body: string; argument?: string; after?: string } {
  const names = Object.keys(known.inputs);
  if (names.length === 0 || (format !== "claude-commands" && format !== "claude-skills")) return { body };
  const [first = ""] = names;
  const spellings = [...new Set([...body.matchAll(variable)].map(([spelling]) => spelling))];
  const [argument = ""] = spellings;
  const turned = body.replaceAll(argument, "$ARGUMENTS");
  const isPlain = !body.includes("$ARGUMENTS") && !/[\\\w$]\$ARGUMENTS|\$ARGUMENTS[\w[]/.test(turned);
  if (names.length === 1 && spellings.length === 1 && isPlain && argument.slice(2, -2).trim() === first) {
    return { body: turned, argument };
  }
  const after = `\n\nWhat was given for ${names.join(", ")}, in this order: $ARGUMENTS\n`;
  return { body: body + after, after };
}

export interface Restored {
  readonly ours: Ours;
  readonly text: string;
  /** Translating it again gives this very file at this very path. */
  readonly isExact: boolean;
  readonly variables: Variables;
  readonly after: string;
}

/**
 * Our prompt out of a file that `translate` wrote. Only the text may have been edited since: with another front
 * matter it is undefined, because then our keys no longer say what the file says.
 */
export function restore(format: Foreign, path: string, text: string, beside?: string): Restored | undefined {
  const file = format === "fabric" ? { data: readBeside(beside), body: text } : splitText(text);
  const read = kept.safeParse(file.data["claude-exec"]);
  if (!read.success) return undefined;
  const { name, front_matter, argument, after = "" } = read.data;
  if (!file.body.endsWith(after) || argument === "") return undefined;
  const body = file.body.slice(0, file.body.length - after.length);
  const whole = front_matter + (argument === undefined ? body : body.replaceAll("$ARGUMENTS", () => argument));
  const ours = readIfOurs(whole, `${name}.md`);
  if (!ours) return undefined;
  const again = translate(ours, format);
  if (again.text !== text || again.beside?.text !== beside) return undefined;
  const variables = argument === undefined ? {} : { [argument.slice(2, -2).trim()]: "$ARGUMENTS" };
  return { ours, text: whole, isExact: again.path === path, variables, after };
}

function readBeside(text = "{}"): Readonly<Record<string, unknown>> {
  try {
    return z.record(z.string(), z.unknown()).catch({}).parse(JSON.parse(text));
  } catch (error) {
    // Somebody else's file may be called so, too.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
