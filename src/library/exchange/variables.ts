import { argumentsMark, type Format } from "./format.ts";
import { variable } from "../render.ts";

/** What stood in the original for each input that our body has. */
export type Variables = Readonly<Record<string, string>>;

/**
 * Names an input for everything that our renderer would fill, and for what the other tool fills itself. A word that
 * can be an input's name, and is always spelled the same, stays as it stands.
 */
export function takeVariables(body: string, format: Format): { body: string; variables: Variables } {
  const names = new Map<string, string>();
  const nameFor = (literal: string, wanted: string) => {
    const plain = wanted.toLowerCase().replaceAll("-", "_");
    const base = (/^[a-z]/.test(plain) ? plain : `x_${plain}`).slice(0, 50);
    const used = [...names.values()];
    const name = names.get(literal) ?? numbered(base, (name) => !used.includes(name));
    names.set(literal, name);
    return name;
  };
  const filled = format === "claude-commands" || format === "claude-skills";
  if (filled && argumentsMark.test(body)) nameFor("$ARGUMENTS", "arguments");
  const literals = new RegExp(filled ? `${argumentsMark.source}|${variable.source}` : variable.source, "g");
  const text = body.replaceAll(literals, (literal, word: string | undefined) => {
    const name = nameFor(literal, word ?? "arguments");
    return name === word ? literal : `{{ ${name} }}`;
  });
  const slot = format === "fabric" && endsInInput(body) ? `{{ ${nameFor("", "input")} }}` : "";
  return { body: text + slot, variables: Object.fromEntries([...names].map(([literal, name]) => [name, literal])) };
}

export function putBack(body: string, variables: Variables): string {
  return body.replaceAll(variable, (literal, name: string) =>
    Object.hasOwn(variables, name) ? variables[name]! : literal,
  );
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
