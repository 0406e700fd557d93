import { UserError } from "../util/errors.ts";
import type { Prompt } from "./prompt.ts";

const variable = /\{\{ *([\w-]+) *\}\}/g;

/**
 * The prompt's text with its inputs filled in. A value is data: it goes in once, as it is, and is never looked
 * through for variables. `{{ … }}` around anything but a single word is plain text of the prompt.
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
  return body.replaceAll(variable, (_, name: string, offset: number) => {
    if (!Object.hasOwn(inputs, name)) {
      const what = `${file}:${lineAt(offset)}: {{ ${name} }} is no input of ${title}`;
      throw new UserError("prompt_variable_undeclared", what, `Declare it under inputs: or mend its name. ${known}`);
    }
    return Object.hasOwn(values, name) ? values[name]! : (inputs[name]!.default ?? "");
  });
}
