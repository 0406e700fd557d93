import { isMap, parseDocument } from "yaml";
import { argumentsMark, type Format } from "./format.ts";
import { refuse } from "./folder.ts";
import { variable } from "../render.ts";

export interface Parts {
  /** All before the body, to the byte: a BOM, and the front matter with both its lines of ---. */
  readonly head: string;
  readonly body: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads front matter as other tools write it: keys there twice are no trouble, and the last one counts. */
export function splitText(text: string): Parts {
  const mark = /^\uFEFF?/.exec(text)![0];
  const opening = /^---[ \t]*(\w*)[ \t]*\r?\n/.exec(text.slice(mark.length));
  const start = mark.length + (opening?.[0].length ?? 0);
  const closing = /(?<=\n)---[ \t]*\r?(?:\n|(?![^]))/g;
  closing.lastIndex = start;
  const close = opening && closing.exec(text);
  if (!close) return { head: mark, body: text.slice(mark.length), data: {} };
  const [language] = opening.slice(1);
  if (language && !["yaml", "yml"].includes(language)) throw refuse(`its front matter is ${language}, not YAML`);
  const head = text.slice(0, close.index + close[0].length);
  if (Buffer.byteLength(head) > 16 * 1024) throw refuse("its front matter is longer than 16 KB");
  const data = readYaml(text.slice(start, close.index));
  // Between two rules there may stand plain words.
  if (data === undefined) return { head: mark, body: text.slice(mark.length), data: {} };
  return { head, body: text.slice(head.length), data };
}

function readYaml(block: string): Record<string, unknown> | undefined {
  // Claude Code's own manual writes `argument-hint: [a] [b]`, and means words.
  const words = block.replace(/(?<=^|\n)(argument-hint:[ \t]+)(\[[^\r\n]*)/, (_, key: string, hint: string) => {
    return key + JSON.stringify(hint.trimEnd());
  });
  const document = parseDocument(words, { schema: "core", uniqueKeys: false, prettyErrors: false });
  const [trouble] = [...document.errors, ...document.warnings];
  if (trouble) {
    const plain = plainLines(block);
    if (plain) return plain;
    throw refuse(`its front matter is not YAML: ${trouble.message}`);
  }
  if (document.contents === null) return {};
  if (!isMap(document.contents)) return undefined;
  try {
    return document.toJS({ maxAliasCount: 50 }) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof ReferenceError) throw refuse(`its front matter is not YAML: ${error.message}`);
    throw error;
  }
}

/** As Claude Code reads it where YAML would not: `key: ` and words to the end of the line, whatever they hold. */
function plainLines(block: string): Record<string, unknown> | undefined {
  const lines = block.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const pairs = lines.map((line) => /^([a-zA-Z][\w-]*):(?:[ \t]+(.*))?$/.exec(line));
  if (!pairs.every((pair) => pair !== null)) return undefined;
  return Object.fromEntries(pairs.map(([, key, words = ""]) => [key!, words.trim()]));
}

/** What stood in the original for each input that the body now has. */
export type Variables = Readonly<Record<string, string>>;

/**
 * Names an input for everything the renderer would fill, and for what the format fills itself. `putBack` undoes it
 * exactly; a word that can be an input's name, and is always spelled the same, stays as it stands.
 */
export function takeVariables(body: string, format: Format): { body: string; variables: Variables } {
  const names = new Map<string, string>();
  const used = new Set<string>();
  const give = (literal: string, wanted: string) => {
    const known = names.get(literal);
    if (known !== undefined) return known;
    const name = freeName(wanted, used);
    names.set(literal, name);
    used.add(name);
    return name;
  };
  const filled = format === "claude-commands" || format === "claude-skills";
  if (filled && argumentsMark.test(body)) give("$ARGUMENTS", "arguments");
  const literals = new RegExp(filled ? `${argumentsMark.source}|${variable.source}` : variable.source, "g");
  const text = body.replaceAll(literals, (literal, word: string | undefined) => {
    if (word === undefined) return `{{ ${give(literal, "arguments")} }}`;
    const name = give(literal, word);
    return name === word ? literal : `{{ ${name} }}`;
  });
  const slot = format === "fabric" && endsInInput(body) ? `{{ ${give("", "input")} }}` : "";
  return { body: text + slot, variables: Object.fromEntries([...names].map(([literal, name]) => [name, literal])) };
}

export function putBack(body: string, variables: Variables): string {
  return body.replaceAll(variable, (literal, name: string) =>
    Object.hasOwn(variables, name) ? variables[name]! : literal,
  );
}

export function freeName(wanted: string, used: { has(name: string): boolean }): string {
  const plain = wanted.toLowerCase().replaceAll("-", "_");
  const base = (/^[a-z]/.test(plain) ? plain : `x_${plain}`).slice(0, 50);
  return numbered(base, (name) => !used.has(name));
}

/** The name itself, or with the lowest number that makes it free; never longer than 50. */
export function numbered(base: string, isFree: (name: string) => boolean): string {
  for (let number = 1; ; number++) {
    const ending = number === 1 ? "" : `_${number}`;
    const name = base.slice(0, 50 - ending.length) + ending;
    if (isFree(name)) return name;
  }
}

function endsInInput(body: string): boolean {
  const text = body.trimEnd();
  const last = text.slice(text.lastIndexOf("\n") + 1);
  return /^(#+ *INPUT:?|INPUT:)$/.test(last);
}
