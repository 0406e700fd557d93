import { z } from "zod";
import { readYaml } from "./guarded_yaml.ts";

/** Each text of a pattern has at most so many characters, and each list so many entries. */
export const mostText = 800;
export const mostEntries = 20;

const text = z.string().trim().min(1).max(mostText);
const list = <Item extends z.ZodType>(item: Item) => z.array(item).max(mostEntries).default([]);
const amount = z.number().nonnegative().finite();

/** How a finished chain was done, for later tasks like it. A person may edit each part. */
export const patternSchema = z.strictObject({
  title: text,
  /** The task of the chain, in the words of its user. */
  goal: text,
  stack: list(text),
  strategy: text,
  decisions: list(z.strictObject({ choice: text, because: text.optional() })),
  /** What the person was asked, in that order, and what they answered then. */
  questions: list(
    z.strictObject({
      id: z.string().regex(/^[a-z0-9_]{1,60}$/),
      question: text,
      options: list(text),
      settles: text.optional(),
      answered: text.optional(),
    }),
  ),
  /** Those after which something was known that was not known before, in their order; the others are detours. */
  prompts: list(text),
  detours: list(text),
  /** Prompts that were written for the chain because none fitted. */
  custom_prompts: list(
    z.strictObject({ name: text, reason: text, effectiveness: z.number().min(0).max(1).nullable() }),
  ),
  /** What the person corrected or refused, and what the model found to be its mistake. */
  corrections: list(text),
  files: list(z.strictObject({ path: text, role: z.enum(["code", "test", "doc"]) })),
  /** Files that its reports cited and that it did not change. */
  read: list(text),
  /** How the overall confidence rose, such as "32% → 70% → 92%". */
  confidence: z.string().max(mostText).default(""),
  /** What the engine recorded, and how its user rated it: no claim of a model. */
  success: list(text),
  /** What each chain of this kind took, without the time it waited for its person. */
  took: z
    .array(
      z.strictObject({
        chain: text,
        calls: amount,
        questions: amount,
        approval_rounds: amount,
        minutes: amount,
        usd: amount,
        tokens: amount,
      }),
    )
    .min(1)
    .max(mostEntries),
  /** Whatever a person adds. */
  notes: z.string().max(4000).default(""),
});
export type Pattern = z.infer<typeof patternSchema>;

/** Reads the text of a file, or says in words why it is no pattern. */
export function parsePattern(source: string): Pattern | { why: string } {
  const read = readYaml(source);
  if ("what" in read) return { why: read.what };
  const pattern = patternSchema.safeParse(read.data);
  if (pattern.success) return pattern.data;
  const [issue] = pattern.error.issues;
  return { why: `${issue?.path.join(".") || "it"}: ${issue?.message ?? "wrong"}` };
}

/** As it is saved, and as it is shown to a person. */
export async function patternText(pattern: Pattern): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(pattern, { lineWidth: 100 });
}
