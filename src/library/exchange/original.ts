import { basename } from "node:path/posix";
import { z } from "zod";
import { UserError } from "../../util/errors.ts";
import { sha256 } from "../../util/hash.ts";
import { checkPath, refuse } from "./folder.ts";
import { type Format, formats, isMarkdown } from "./format.ts";
import { putBack } from "./text.ts";
import { parseFrontMatter } from "../front_matter.ts";
import { frontMatter } from "../prompt.ts";
import { promptName } from "../names.ts";

/** From this and the body the original can be rebuilt to the byte. */
const record = z.object({
  format: z.enum(formats),
  path: z.string(),
  front_matter: z.string().default(""),
  variables: z.record(z.string(), z.string()).default({}),
  /** What stood behind the body. */
  after: z.string().default(""),
  asked_for: z.array(z.string()).default([]),
  /** Tells whether our own keys were changed since. */
  keys: z.string().optional(),
});
type Origin = z.infer<typeof record>;

export interface Ours {
  readonly name: string;
  /** The front matter to the byte, a BOM and both its lines of --- included. */
  readonly head: string;
  readonly body: string;
  /** The front matter as it stands there, and as it is read. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly known: z.infer<typeof frontMatter>;
}

/** Reads a prompt of ours from its text, as strictly as the library does. */
export function readOurs(text: string, file: string): Ours {
  const { data, body } = parseFrontMatter(text, file);
  const stem = basename(file, ".md");
  const name = promptName(stem);
  if (!name) throw refuse(`${JSON.stringify(stem)} is no name for a prompt`);
  const known = frontMatter.safeParse(data);
  if (!known.success) {
    const { path, message } = known.error.issues[0]!;
    throw refuse(`${path.join(".")}: ${message}`);
  }
  if (promptName(known.data.name ?? stem) !== name)
    throw refuse(`it calls itself ${known.data.name}, its file ${stem}`);
  return { name, head: text.slice(0, text.length - body.length), body, data, known: known.data };
}

export function readIfOurs(text: string, file: string): Ours | undefined {
  try {
    return readOurs(text, file);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Front matter of ours: every value is JSON, which is YAML too and is read back as it was. */
export function writeOurs(
  keys: Readonly<Record<string, unknown>>,
  imported: z.input<typeof record>,
  body: string,
): string {
  const origin = Object.entries({ ...imported, keys: keysMark(keys) }).filter(([, value]) => !isEmpty(value));
  const lines = Object.entries(keys)
    .filter(([key, value]) => key !== "imported" && value !== undefined)
    .map(([key, value]) => `${/^[a-z][\w-]*$/i.test(key) ? key : json(key)}: ${json(value)}\n`);
  const story = origin.map(([key, value]) => `  ${key}: ${json(value)}\n`);
  return `---\n${lines.join("")}imported:\n${story.join("")}---\n${body}`;
}

/** JSON that YAML reads as the same: what YAML takes for a line's end, or for no character, is escaped. */
export function json(value: unknown): string {
  const hidden = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;
  return JSON.stringify(value).replaceAll(hidden, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Where a prompt came from; undefined: it was written here. */
export function recordOf({ data }: Pick<Ours, "data">): Origin | undefined {
  if (!Object.hasOwn(data, "imported")) return undefined;
  const read = record.safeParse(data.imported);
  if (read.success) return read.data;
  const { path, message } = read.error.issues[0]!;
  throw refuse(`imported.${path.join(".")}: ${message}`);
}

/** The file a prompt was made from. Its path is what somebody wrote there: it must be one the format has. */
export function originalText({ format, path, front_matter, variables, after }: Origin, body: string): string {
  checkPath(path);
  const fits = {
    "claude-commands": isMarkdown,
    "claude-skills": (path: string) => basename(path) === "SKILL.md",
    "claude-agents": isMarkdown,
    fabric: (path: string) => basename(path) === "system.md",
    markdown: isMarkdown,
    ours: isMarkdown,
  } satisfies Record<Format, (path: string) => boolean>;
  if (!fits[format](path)) throw refuse(`the path ${JSON.stringify(path.slice(0, 80))} is none for ${format}`);
  return front_matter + putBack(body, variables) + after;
}

/** Of the keys beside `imported`, as they are read from the file. */
export function keysMark(keys: Readonly<Record<string, unknown>>): string {
  const others = Object.entries(keys).filter(([key, value]) => key !== "imported" && value !== undefined);
  return sha256(Buffer.from(json(others))).slice(0, 16);
}

function isEmpty(value: unknown): boolean {
  return value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}
