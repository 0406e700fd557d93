import { z } from "zod";
import { exitCodes, messageOf, UserError } from "../util/errors.ts";
import { readTextIfThere } from "../util/files.ts";
import { parseJson } from "../util/json.ts";

const schema = z.record(z.string(), z.string());

/** Answers known beforehand: {"<question's id or words>": "<answer>"}. */
export function readAnswers(path: string): Record<string, string> {
  const hint = 'It holds one JSON object: {"refresh_tokens": "yes"}';
  let text: string | undefined;
  try {
    text = readTextIfThere(path);
  } catch (error) {
    throw new UserError(
      "answers_unreadable",
      `The answers in ${path} cannot be read: ${messageOf(error)}`,
      hint,
      exitCodes.usage,
    );
  }
  if (text === undefined) throw new UserError("answers_missing", `There is no file ${path}.`, hint, exitCodes.usage);
  const read = schema.safeParse(parseJson(text));
  const empty = Object.entries(read.data ?? {}).find(([, answer]) => answer.trim() === "");
  if (empty)
    throw new UserError("empty_answer", `The answer to "${empty[0]}" in ${path} is empty.`, hint, exitCodes.usage);
  if (read.success) return read.data;
  throw new UserError("answers_invalid", `${path} does not hold answers.`, hint, exitCodes.usage);
}
