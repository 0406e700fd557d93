import { z } from "zod";
import { costEstimates, type Input, inputTypes, phases } from "./prompt.ts";

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
