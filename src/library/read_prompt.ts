import { isUtf8 } from "node:buffer";
import { basename } from "node:path";
import { UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { readSmallFile } from "../util/small_file.ts";
import type { FrontMatter } from "./front_matter.ts";
import { promptName } from "./names.ts";
import { frontMatter, type Place, type Prompt } from "./prompt.ts";

/** Reads one prompt; a file that is none is a UserError "prompt_unreadable" naming file and line. */
export async function readPrompt(place: Place): Promise<Prompt> {
  const { file } = place;
  const read = readSmallFile(file, 300 * 1024);
  const hint = "Put a plain file of UTF-8 text here that you may read, of at most 300 KB.";
  if ("trouble" in read) throw refuse(file, 1, read.trouble, hint);
  if (!isUtf8(read.bytes)) throw refuse(file, 1, "the file is not UTF-8 text", hint);
  // What can be listed from the index needs no parser.
  const { parseFrontMatter } = await import("./front_matter.ts");
  const text = read.bytes.toString();
  return promptOf(parseFrontMatter(text, file), text, place);
}

export function promptOf(
  { data, body, bodyLine, lineOf }: FrontMatter,
  text: string,
  { file, folder, scope }: Place,
): Prompt {
  const stem = basename(file, ".md");
  const name = promptName(stem);
  if (!name) throw refuse(file, 1, "the file's name is none for a prompt", "Use 3 to 50 of a–z, 0–9, _.");
  const checked = frontMatter.safeParse(data, {
    // A function made for the schema pays off after hundreds of prompts, and mostly a few are read.
    jitless: true,
    error: ({ input }) => (input === undefined ? "is missing" : undefined),
  });
  if (!checked.success) {
    const { path, message } = checked.error.issues[0]!;
    const line = lineOf(String(path[0]));
    throw refuse(file, line, `${path.join(".")}: ${message}`, "Fix it between the two lines of ---.");
  }
  const { name: written = stem, ...known } = checked.data;
  if (promptName(written) !== name) {
    const what = `the prompt calls itself ${JSON.stringify(written)}, its file ${JSON.stringify(stem)}`;
    throw refuse(file, lineOf("name"), what, `Write name: ${name}, or rename the file.`);
  }
  const strange = Object.entries(data).filter(([key]) => !Object.hasOwn(frontMatter.shape, key));
  const extra = Object.fromEntries(strange);
  return { ...known, name, folder, file, scope, extra, body, bodyLine, sha256: sha256(text) };
}

function refuse(file: string, line: number, what: string, hint: string): UserError {
  return new UserError("prompt_unreadable", `${file}:${line}: ${what}`, hint);
}
