import { basename } from "node:path/posix";
import { parseFrontMatter } from "../front_matter.ts";
import { readYaml } from "../guarded_yaml.ts";
import type { Prompt } from "../prompt.ts";
import { promptOf } from "../read_prompt.ts";
import { variable } from "../render.ts";
import { isRecord } from "../../util/json.ts";
import { refuse } from "./folder.ts";
import { type Format, readTools } from "./format.ts";
import { ourKeys } from "./our_keys.ts";
import { putBack, takeVariables } from "./variables.ts";

/** What a file of another tool becomes here. */
export interface Translation {
  /** The name it would like. */
  readonly name: string;
  /** Our front matter for it, without the record of where it came from and without its cost. */
  readonly keys: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** The tools that it asks for and does not get. */
  readonly asked_for: readonly string[];
  /** The original with another body. */
  withBody(body: string): string;
}

/** `folder` is the name of the folder that the file lies in. */
export function fromForeign(format: Format, original: string, path: string, folder: string): Translation {
  if (format === "ours") return fromOurs(original, path);
  const { head, body, data } = splitText(original, format);
  const taken = takeVariables(body, format);
  const isNamedByFolder = format === "claude-skills" || format === "fabric";
  const name = promptNameFrom(isNamedByFolder ? folder : basename(path).replace(/\.md$/i, ""));
  const { keys, asked_for } = ourKeys({ format, name, data, body, variables: taken.variables });
  const withBody = (other: string) => head + putBack(other, taken.variables);
  return { name, keys, body: taken.body, asked_for, withBody };
}

/** A prompt of ours from elsewhere: it may read at most. */
function fromOurs(original: string, path: string): Translation {
  const front = parseFrontMatter(original, path);
  const { name, tools } = promptOf(front, original, { file: path, folder: "", scope: "custom" });
  const isStrong = tools !== "none" && tools !== "read";
  const keys = isStrong ? { ...front.data, tools: "read" } : front.data;
  return { name, keys, body: front.body, asked_for: isStrong ? [tools] : [], withBody: (body) => front.head + body };
}

/** What `a-z0-9_` leaves of a name; the name itself is kept in the path. */
function promptNameFrom(written: string): string {
  const plain = written.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
  const name = plain.replaceAll(/[^a-z0-9]+/g, "_").replaceAll(/^_+|_+$/g, "");
  return (name.length < 3 ? `prompt_${name}`.replace(/_$/, "") : name).slice(0, 50);
}

/**
 * Front matter as other tools read it: where it is no YAML, a key and words on each line. Of a pattern all is body,
 * whatever it begins with. `head` is all before the body, to the byte.
 */
export function splitText(text: string, format?: Format) {
  const mark = /^\uFEFF?/.exec(text)![0];
  const plain = { head: mark, body: text.slice(mark.length), data: {} };
  const [opening, language] = /^---[ \t]*(\w*)[ \t]*\r?\n/.exec(plain.body) ?? [];
  if (opening === undefined || format === "fabric") return plain;
  const closing = /(?<=\n)---[ \t]*\r?(?:\n|(?![^]))/g;
  const start = (closing.lastIndex = mark.length + opening.length);
  const close = closing.exec(text);
  if (!close) return plain;
  if (language && !["yaml", "yml"].includes(language)) throw refuse(`its front matter is ${language}, not YAML`);
  const head = text.slice(0, close.index + close[0].length);
  if (Buffer.byteLength(head) > 16 * 1024) throw refuse("its front matter is longer than 16 KB");
  const block = text.slice(start, close.index);
  // Claude Code's own manual writes `argument-hint: [a] [b]`, and means words.
  const words = block.replace(/(?<=^|\n)(argument-hint:[ \t]+)(\[[^\r\n]*)/, (_, key: string, hint: string) => {
    return key + JSON.stringify(hint.trimEnd());
  });
  const read = readYaml(words);
  const data = "what" in read ? lineByLine(block) : (read.data ?? {});
  if (data === undefined) throw refuse(`its front matter is not YAML: ${"what" in read ? read.what : ""}`);
  // Between two rules there may stand plain words.
  return isRecord(data) ? { head, body: text.slice(head.length), data } : plain;
}

/** As Claude Code reads it where YAML would not: `key: ` and words to the end of the line, whatever they hold. */
function lineByLine(block: string): Record<string, unknown> | undefined {
  const lines = block.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const pairs = lines.map((line) => /^([a-zA-Z][\w-]*):(?:[ \t]+(.*))?$/.exec(line));
  if (!pairs.every((pair) => pair !== null)) return undefined;
  return Object.fromEntries(pairs.map(([, key, words = ""]) => [key!, words.trim()]));
}

/** A prompt of ours as another tool reads it, and our keys that the other tool has no word for. */
export function toForeign(prompt: Prompt, keys: readonly string[], format: Exclude<Format, "ours">) {
  const { name, purpose, title, inputs } = prompt;
  const word = name.replaceAll("_", "-");
  const description = purpose.replaceAll(/\s+/g, " ");
  const hint = Object.entries(inputs).map(([input, { required }]) => (required ? `<${input}>` : `[${input}]`));
  const tools = {
    none: [],
    read: readTools,
    try: readTools,
    edit: [...readTools, "Edit", "Write"],
    run: [...readTools, "Edit", "Write", "Bash"],
  }[prompt.tools];
  const model = { fast: "haiku", default: undefined, smart: "opus" }[prompt.model];
  const write = (path: string, theirs: Record<string, unknown>, kept: readonly string[], body = prompt.body) => {
    const lines = Object.entries(theirs).filter(([, value]) => value !== undefined);
    const head =
      lines.length > 0 ? `---\n${lines.map(([key, value]) => `${key}: ${json(value)}\n`).join("")}---\n` : "";
    const lost = keys.filter((key) => !["name", "imported", ...kept].includes(key));
    return { path, text: head + body, lost };
  };
  const called = {
    description,
    "argument-hint": hint.join(" ") || undefined,
    "allowed-tools": tools.join(", ") || undefined,
    model,
  };
  const kept = ["purpose", "inputs", "tools", "model"];
  switch (format) {
    case "claude-commands":
      return write(`${name}.md`, called, kept, withArguments(prompt));
    case "claude-skills":
      return write(`${word}/SKILL.md`, { name: word, ...called }, kept, withArguments(prompt));
    case "claude-agents": {
      // An agent that names no tools gets all of them.
      const own = { name: word, description, tools: tools.length > 0 ? tools.join(", ") : [], model };
      return write(`${word}.md`, own, ["purpose", "tools", "model"]);
    }
    case "markdown":
      return write(`${name}.md`, { title, description }, ["purpose", "title"]);
    case "fabric":
      return write(`${name}/system.md`, {}, []);
  }
}

/** The one input there is becomes what the user typed; of several, the tool is told which they are. */
function withArguments({ body, inputs }: Prompt): string {
  const names = Object.keys(inputs);
  if (names.length === 0) return body;
  const turned = body.replaceAll(variable, (spelling, name: string) => (name === names[0] ? "$ARGUMENTS" : spelling));
  const isPlain = !body.includes("$ARGUMENTS") && !/[\\\w$]\$ARGUMENTS|\$ARGUMENTS[\w[]/.test(turned);
  if (names.length === 1 && isPlain && turned !== body) return turned;
  return `${body}\n\nWhat was given for ${names.join(", ")}, in this order: $ARGUMENTS\n`;
}

/** JSON that YAML reads as the same: what YAML takes for a line's end, or for no character, is escaped. */
export function json(value: unknown): string {
  const hidden = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;
  return JSON.stringify(value).replaceAll(hidden, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
