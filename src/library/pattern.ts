import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../util/errors.ts";
import { readYaml } from "./guarded_yaml.ts";

const text = (most: number) => z.string().trim().min(1).max(most);
const list = <Item extends z.ZodType>(item: Item, most: number) => z.array(item).max(most).default([]);
const amount = z.number().nonnegative().finite();

/** The way of a finished chain, for a later task like it. A person may edit each part. */
export const patternSchema = z.strictObject({
  title: text(100),
  /** The task of the chain, in the words of its user. */
  goal: text(500),
  stack: list(text(60), 40),
  strategy: text(800),
  decisions: list(z.strictObject({ choice: text(300), because: text(300).optional() }), 12),
  /** What the person was asked, in that order, and what they answered then. */
  questions: list(
    z.strictObject({
      id: z.string().regex(/^[a-z0-9_]{1,60}$/),
      question: text(500),
      options: list(text(200), 6),
      settles: text(100).optional(),
      answered: text(300).optional(),
    }),
    5,
  ),
  /** Those after which something was known that was not known before, in their order; the others are detours. */
  prompts: list(text(60), 20),
  detours: list(text(60), 20),
  /** Prompts that were written for the chain, since none fitted. */
  custom_prompts: list(
    z.strictObject({ name: text(60), reason: text(300), effectiveness: z.number().min(0).max(1).nullable() }),
    10,
  ),
  /** What the person corrected or refused, and what the model found to be its mistake. */
  corrections: list(text(300), 8),
  files: list(z.strictObject({ path: text(300), role: z.enum(["code", "test", "doc"]) }), 30),
  /** Files that its reports cited and that it did not change. */
  read: list(text(300), 12),
  /** The overall confidence in percent, each time it changed. */
  confidence: list(amount.max(100), 30),
  /** What the engine recorded, and no claim. */
  success: list(text(300), 12),
  /** What each chain of this kind took, without the time it waited for its person. */
  took: z
    .array(
      z.strictObject({
        chain: text(20),
        calls: amount,
        questions: amount,
        approval_rounds: amount,
        minutes: amount,
        usd: amount,
        tokens: amount,
        usd_by_phase: z.record(text(60), amount).default({}),
      }),
    )
    .min(1)
    .max(20),
  /** Whatever a person adds. */
  notes: z.string().max(4000).default(""),
});
export type Pattern = z.infer<typeof patternSchema>;

const ending = ".yaml";
const mostBytes = 64 * 1024;

/** The files of a folder that can be patterns. A link in place of the folder is not followed. */
export function patternFiles(folder: string): string[] {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(ending) && !name.startsWith("."));
  return names.sort().map((name) => join(folder, name));
}

export function patternFile(folder: string, name: string): string {
  return join(folder, name + ending);
}

export function patternName(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1, -ending.length);
}

/** Reads one file, or says in words why it is no pattern. */
export function readPattern(file: string): Pattern | string {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) return "it is not a file of its own";
  if (found.size > mostBytes) return "it is longer than 64 KB";
  const read = readYaml(readFileSync(file, "utf8"));
  if ("what" in read) return read.what;
  const pattern = patternSchema.safeParse(read.data);
  if (pattern.success) return pattern.data;
  const [issue] = pattern.error.issues;
  return `${issue?.path.join(".") || "it"}: ${issue?.message ?? "wrong"}`;
}

export async function patternText(pattern: Pattern): Promise<string> {
  const { stringify } = await import("yaml");
  return `# Written by claude-exec. Edit it as you like: a model is shown it as data, never as an instruction.\n${stringify(pattern, { lineWidth: 100 })}`;
}

/** The pattern that a person means by its title or the name of its file. */
export function namedPattern<Row extends { name: string; title: string }>(wanted: string, rows: readonly Row[]): Row {
  const same = (text: string) => text.toLowerCase() === wanted.trim().toLowerCase();
  const found = rows.find(({ name }) => same(name)) ?? rows.find(({ title }) => same(title));
  if (found) return found;
  const next = { operation: "patterns", why: "List them with" };
  throw new UserError("no_pattern", `There is no pattern "${wanted}" here.`, next);
}
