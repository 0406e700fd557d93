import { z } from "zod";
import { isRecord, parseJson } from "../util/json.ts";

/**
 * What a model answers with, whichever prompt it was given. Here `.default()` means: asked for in the schema we
 * send, forgiven when missing; `.optional()` means: may be left out. Providers allow few of the latter (24).
 */
const fraction = z.number().refine((value) => value >= 0 && value <= 1, "must lie between 0 and 1");

const evidence = z.object({ kind: z.enum(["file", "command", "user", "prompt"]), ref: z.string() });

export const questionSchema = z.object({
  id: z.string().refine((id) => /^[a-z0-9_]{1,60}$/.test(id), "must be a short snake_case name"),
  question: z.string(),
  why: z.string().optional(),
  options: z.array(z.string()).optional(),
});

export const solutionSchema = z.object({
  title: z.string(),
  architecture: z.string(),
  decisions: z.array(z.object({ choice: z.string(), because: z.string().default("") })).default([]),
  tradeoffs: z.array(z.string()).default([]),
  steps: z.array(z.string()).default([]),
  risks: z.array(z.object({ risk: z.string(), mitigation: z.string().default("") })).default([]),
  success_criteria: z.array(z.string()).default([]),
  confidence: fraction,
  remaining_concerns: z.array(z.string()).default([]),
  files: z.array(
    z.object({
      path: z.string().overwrite((path) => path.replace(/^(\.\/+)+/, "")),
      role: z.enum(["code", "test", "doc"]),
      change: z.enum(["new", "edit"]).default("edit"),
    }),
  ),
  verification: z.object({ kind: z.enum(["tests", "substitute"]), check: z.string().default("") }),
});

const doSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("run_prompts"),
    prompts: z.array(
      z.object({ name: z.string(), inputs: z.array(z.object({ name: z.string(), value: z.string() })).default([]) }),
    ),
    considered: z.array(z.string()).optional(),
  }),
  z.object({ type: z.literal("ask_user"), questions: z.array(questionSchema) }),
  z.object({
    type: z.literal("report_gap"),
    gaps: z.array(
      z.object({
        description: z.string(),
        prompt_kind: z.string(),
        key_questions: z.array(z.string()).default([]),
        similar: z.array(z.string()).default([]),
      }),
    ),
  }),
  z.object({ type: z.literal("present_solution"), artifact: solutionSchema }),
  z.object({ type: z.literal("advance"), to: z.string(), reason: z.string().optional() }),
  z.object({ type: z.literal("go_back"), to: z.string(), focus: z.string().optional(), reason: z.string().optional() }),
  z.object({ type: z.literal("complete"), summary: z.string() }),
  z.object({ type: z.literal("give_up"), reason: z.string() }),
]);

export const actionSchema = z.object({ kind: z.literal("action"), say: z.string(), do: doSchema });

export const reportSchema = z.object({
  kind: z.literal("report"),
  summary: z.string(),
  findings: z.string().optional(),
  discovered: z
    .array(
      z.object({
        key: z.string(),
        value: z.union([z.string(), z.array(z.string())]),
        evidence: z.array(evidence).optional(),
      }),
    )
    .optional(),
  notes: z
    .array(
      z.object({
        kind: z.enum(["assumption", "mistake_corrected", "pattern_identified", "not_checked", "free"]),
        text: z.string(),
      }),
    )
    .optional(),
  uncertainties: z
    .array(
      z.object({
        area: z.string(),
        confidence: fraction,
        blocking: z.boolean().default(false),
        resolved: z.boolean().default(false),
        resolution: z.string().optional(),
        question: z.string().optional(),
      }),
    )
    .optional(),
  confidence: z
    .array(z.object({ area: z.string(), score: fraction, evidence: z.array(evidence).default([]) }))
    .optional(),
  scores: z.array(z.object({ name: z.string(), value: z.number(), scale: z.string().optional() })).optional(),
  decisions: z.array(z.object({ key: z.string(), choice: z.string(), because: z.string().optional() })).optional(),
  questions: z.array(questionSchema).optional(),
  artifacts: z.array(z.object({ kind: z.string(), name: z.string(), content: z.string() })).optional(),
});

const replySchema = z.object({ reply: z.discriminatedUnion("kind", [actionSchema, reportSchema]) });

export type Action = z.infer<typeof actionSchema>;
export type Report = z.infer<typeof reportSchema>;
export type Question = z.infer<typeof questionSchema>;
export type Solution = z.infer<typeof solutionSchema>;
export type Evidence = z.infer<typeof evidence>;

/** The schema every request of a chain carries, byte for byte the same: changing it would empty the cache. */
export function replyJsonSchema(): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(replySchema, {
    io: "output",
    override: ({ jsonSchema }) => {
      delete jsonSchema.default;
      if (!jsonSchema.oneOf) return;
      jsonSchema.anyOf = jsonSchema.oneOf; // the form that providers take
      delete jsonSchema.oneOf;
    },
  });
  return schema;
}

/** Reads a reply, or says what is wrong with it in words that a model can act on. */
export function readReply(text: string, expected: "action" | "report"): Action | Report | { problems: string[] } {
  const json = parseJson(withoutFence(text));
  if (json === undefined) {
    return { problems: ['The reply is not one JSON object. Answer with {"reply": …} and nothing around it.'] };
  }
  const wrapped = isRecord(json) && !("reply" in json) && "kind" in json ? { reply: json } : json;
  const read = replySchema.safeParse(wrapped);
  if (!read.success) {
    return {
      problems: read.error.issues.slice(0, 6).map((issue) => `${issue.path.join(".") || "reply"}: ${issue.message}`),
    };
  }
  const { reply } = read.data;
  if (reply.kind !== expected) {
    return { problems: [`This step answers with kind "${expected}", not "${reply.kind}".`] };
  }
  return reply;
}

/** Some models wrap JSON in a fence or a sentence; the object inside is what was meant. */
function withoutFence(text: string): string {
  const start = text.indexOf("{");
  const end = text.lastIndexOf("}");
  return start >= 0 && end > start ? text.slice(start, end + 1) : text;
}
