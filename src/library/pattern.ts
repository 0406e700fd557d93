import { z } from "zod";
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
  /** How the overall confidence rose, such as "32% → 70% → 92%". */
  confidence: z.string().max(300).default(""),
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
      }),
    )
    .min(1)
    .max(20),
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
