import { UserError } from "../util/errors.ts";
import { fencedParts, type Part } from "./fences.ts";
import type { Prompt } from "./prompt.ts";

export const variable = /\{\{ *([\w-]+) *\}\}/g;

/**
 * The prompt's text with its inputs filled in. A value is data: it goes in once, as it is, is never looked through
 * for variables, and cannot close the fence it stands in. A fence of data without any is left out. `{{ … }}` around anything but a single word is plain text.
 */
export function renderPrompt(prompt: Prompt, values: Readonly<Record<string, string>>): string {
  const { name: title, file, body, bodyLine, inputs } = prompt;
  const lineAt = (offset: number) => bodyLine + body.slice(0, offset).split("\n").length - 1;
  const known = `Its inputs: ${Object.keys(inputs).join(", ") || "none"}.`;
  const stranger = Object.keys(values).find((name) => !Object.hasOwn(inputs, name));
  if (stranger !== undefined) {
    throw new UserError("prompt_input_unknown", `${file}:1: ${title} has no input ${JSON.stringify(stranger)}`, known);
  }
  for (const [name, { required, description }] of Object.entries(inputs)) {
    if (!required || Object.hasOwn(values, name)) continue;
    const use = [...body.matchAll(variable)].find((match) => match[1] === name);
    const what = `${file}:${use ? lineAt(use.index) : 1}: ${title} needs a value for ${name}`;
    throw new UserError("prompt_input_missing", what, `Give ${name}: ${description}`);
  }
  for (const [name, value] of Object.entries(values)) {
    const wrong = misfit(prompt, name, value);
    if (wrong !== undefined) throw new UserError("prompt_input_wrong", `${file}:1: ${title}: ${wrong}`, known);
  }
  const fill = (text: string, from: number) =>
    text.replaceAll(variable, (_, name: string, offset: number) => {
      if (!Object.hasOwn(inputs, name)) {
        const what = `${file}:${lineAt(from + offset)}: {{ ${name} }} is no input of ${title}`;
        throw new UserError("prompt_variable_undeclared", what, `Declare it under inputs: or mend its name. ${known}`);
      }
      const value = Object.hasOwn(values, name) ? values[name]! : (inputs[name]!.default ?? "");
      return inputs[name]!.type === "line" ? value.replaceAll(/\s+/g, " ").trim() : value;
    });
  const parts = partsOf.get(prompt) ?? fencedParts(body);
  partsOf.set(prompt, parts);
  return parts
    .map(({ text, from, fence, info = "" }) =>
      fence === undefined ? fill(text, from) : filledFence(fill(text, from), fence, info),
    )
    .join("");
}

/** A chain fills in the same few prompts again and again. */
const partsOf = new WeakMap<Prompt, readonly Part[]>();

/** Why a value cannot be this input's; undefined: it can. */
export function misfit({ inputs }: Pick<Prompt, "inputs">, name: string, value: string): string | undefined {
  const type = Object.hasOwn(inputs, name) ? inputs[name]!.type : "text";
  const said = JSON.stringify(value.slice(0, 40));
  switch (type) {
    case "text":
    case "line":
      return undefined;
    case "path":
      return /[\n\r\0]/.test(value) ? `${name} is a path, and ${said} is none` : undefined;
    case "number":
      return value.trim() !== "" && Number.isFinite(Number(value))
        ? undefined
        : `${name} is a number, and ${said} is none`;
    case "boolean":
      return value === "true" || value === "false" ? undefined : `${name} is true or false, not ${said}`;
  }
}

function filledFence(block: string, fence: string, info: string): string {
  const lines = block.split("\n");
  if (info.startsWith("data") && lines.slice(1, -1).every((line) => line.trim() === "")) return "";
  const mark = fence[0] === "~" ? /~+/g : /`+/g;
  const inside = lines.slice(1, -1).flatMap((line) => line.match(mark) ?? []);
  const longest = Math.max(0, ...inside.map(({ length }) => length));
  if (longest < fence.length) return block;
  const wider = fence[0]!.repeat(longest + 1);
  const [first = ""] = lines;
  return [first.replace(fence, wider), ...lines.slice(1, -1), lines.at(-1)!.replace(/[`~]+/, wider)].join("\n");
}
