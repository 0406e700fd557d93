import { z } from "zod";
import { costEstimates, type Scope, phases } from "./names.ts";

/** Where a prompt lies; `folder` is the first one under its scope's root, or "" at the root itself. */
export interface Place {
  readonly file: string;
  readonly folder: string;
  readonly scope: Scope;
}

export const inputTypes = ["text", "line", "path", "number", "boolean"] as const;

/** A `line` is folded to one line; a `text` can hold anything, and stands in a fence that is named as data. */
export interface Input {
  readonly type: (typeof inputTypes)[number];
  readonly description: string;
  readonly required: boolean;
  readonly default?: string;
}

const texts = z.array(z.string()).default([]);
const input = z
  .strictObject({
    type: z.enum(inputTypes).default("text"),
    description: z.string(),
    required: z.boolean().default(false),
    default: z.union([z.string(), z.number(), z.boolean()]).optional(),
  })
  .refine((it) => !it.required || it.default === undefined, "is required and has a default: keep one")
  .refine(
    (it) => it.default === undefined || typeof it.default === "string" || typeof it.default === it.type,
    "has a default of another type: put quotes around it",
  )
  .transform(({ default: given, ...it }): Input => (given === undefined ? it : { ...it, default: String(given) }));

/** What may stand in the front matter of a prompt. */
export const frontMatter = z.object({
  name: z.string().optional(),
  title: z.string().optional(),
  purpose: z.string().trim().min(1, "is empty"),
  good_for: texts,
  uncertainty_reduction: texts,
  example_context_needs: texts,
  cost_estimate: z.enum(costEstimates),
  phases: z.array(z.enum(phases)).default([]),
  inputs: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,49}$/), input).default({}),
  tools: z.enum(["none", "read", "try", "edit", "run"]).default("none"),
  model: z.enum(["fast", "default", "smart"]).default("default"),
  produces: texts,
  tags: texts,
  examples: z.array(z.unknown()).default([]),
});

export interface Prompt extends Place, Readonly<Omit<z.infer<typeof frontMatter>, "name">> {
  readonly name: string;
  /** Keys of the front matter that are not ours, as they stand there. */
  readonly extra: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly bodyLine: number;
  /** Of the file's bytes. */
  readonly sha256: string;
}

/** A prompt as the library lists it: all that choosing needs, without its text. */
export interface Listed extends Pick<
  Prompt,
  "name" | "title" | "purpose" | "cost_estimate" | "phases" | "tools" | "model" | "tags" | keyof Place
> {
  /** Their names, with a ? behind those that may be left out. */
  readonly inputs: readonly string[];
}
