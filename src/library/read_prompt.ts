import { lstatSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { systemCode, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { plainFrontMatter } from "./plain_front_matter.ts";
import { frontMatter } from "./prompt.ts";
import { promptName } from "./names.ts";
import type { Place, Prompt } from "./prompt.ts";

/** Reads one prompt; a file that is none is a UserError "prompt_unreadable" naming file and line. */
export async function readPrompt({ file, folder, scope }: Place): Promise<Prompt> {
  const { bytes, text } = readPlainFile(file);
  const parse = async () => (await import("./front_matter.ts")).parseFrontMatter(text, file);
  const { data, body, bodyLine, lineOf } = plainFrontMatter(text) ?? (await parse());
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
    throw refuse(file, line, `${path.join(".")}: ${message}`, "Mend it between the two lines of ---.");
  }
  const { name: written = stem, ...known } = checked.data;
  if (promptName(written) !== name) {
    const what = `the prompt calls itself ${JSON.stringify(written)}, its file ${JSON.stringify(stem)}`;
    throw refuse(file, lineOf("name"), what, `Write name: ${name}, or rename the file.`);
  }
  const strange = Object.entries(data).filter(([key]) => !Object.hasOwn(frontMatter.shape, key));
  const extra = Object.fromEntries(strange);
  return { ...known, name, folder, file, scope, extra, body, bodyLine, sha256: sha256(bytes) };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Asked what it is before it is opened: a pipe would never answer, and 5 MB need no reading to be refused. */
function readPlainFile(file: string): { bytes: Uint8Array; text: string } {
  try {
    const found = lstatSync(file);
    if (!found.isFile()) throw refuse(file, 1, "this is not a plain file", "Put the file itself here.");
    if (found.size > 300 * 1024) throw refuse(file, 1, "the file is longer than 300 KB", "Shorten it.");
    const bytes = readFileSync(file);
    return { bytes, text: utf8.decode(bytes) };
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof UserError || code === undefined) throw error;
    const hint = "Check that you may read it and that it is UTF-8 text.";
    throw refuse(file, 1, `the file cannot be read (${code})`, hint);
  }
}

function refuse(file: string, line: number, what: string, hint: string): UserError {
  return new UserError("prompt_unreadable", `${file}:${line}: ${what}`, hint);
}
