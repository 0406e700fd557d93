import { z } from "zod";
import { isRecord, type Json } from "../util/json.ts";
import type { Context, PhaseVisit } from "./context.ts";
import { editable } from "./edits.ts";
import { phases, type ImportedPart, type Phase } from "./events.ts";

export const allParts: readonly ImportedPart[] = ["phase", "costs", "approvals", "generated_prompts"];

const amount = z.number().min(0);
const count = z.number().int().min(0);
const texts = z.array(z.string());
const date = z.string().refine((text) => !Number.isNaN(Date.parse(text)));

const books = {
  tokens_used: count,
  estimated_cost: amount,
  unpriced_calls: count,
  by_phase: z.record(z.string(), amount),
  by_prompt: z.record(z.string(), z.object({ calls: count, tokens: count, usd: amount })),
  by_kind: z.object({ input: count, output: count, cache_read: count, cache_write: count }),
  unknown_calls: count,
  unknown_cost: amount,
  unknown_tokens: count,
};

const visits = z.array(
  z.object({
    phase: z.enum(phases),
    started: date.nullable().catch(null),
    ended: date.nullable().catch(null),
    iterations: count.catch(0),
    prompts_executed: texts.catch([]),
    clarifications: texts.catch([]),
    duration: z.string().optional().catch(undefined),
  }),
);

const approvals = z.array(
  z.object({
    phase: z.enum(phases).catch("solution-approval"),
    presented: z.string(),
    hash: z.string().catch(""),
    user_response: z.string(),
    by: z.string().catch("unknown"),
    timestamp: z.string().catch(""),
  }),
);

/**
 * Takes over what a context file knows, and those `parts` of its history that count. A field of the wrong shape is
 * skipped. An approval of the file permits nothing: a chain that was building waits for an approval of its own again.
 */
export function importContext(
  context: Context,
  file: Readonly<Record<string, Json>>,
  parts: readonly ImportedPart[],
  at: string | null,
): Context {
  const taken = { ...context, ...readFields(editable().shape, context, file) };
  const costs = parts.includes("costs") ? readFields(books, context.cost_tracking, file["cost_tracking"]) : {};
  return {
    ...taken,
    ...(parts.includes("phase") ? phaseOf(context, file, at) : {}),
    cost_tracking: { ...context.cost_tracking, ...costs },
    ...(parts.includes("approvals") ? readFields({ approval_history: approvals }, context, file) : {}),
    ...(parts.includes("generated_prompts") ? readFields({ generated_prompts: z.array(z.json()) }, context, file) : {}),
  };
}

function phaseOf(context: Context, file: Readonly<Record<string, Json>>, at: string | null): Partial<Context> {
  const named = z.enum(phases).catch(context.current_phase).parse(file["current_phase"]);
  const phase: Phase = named === "implementation" ? "solution-approval" : named;
  const past = visits.catch([]).parse(file["phase_history"]).map(withoutUndefined);
  const visit: PhaseVisit = {
    phase,
    started: at,
    ended: null,
    iterations: 0,
    prompts_executed: [],
    clarifications: [],
  };
  const executed = past.flatMap(({ prompts_executed }) => prompts_executed);
  return {
    current_phase: phase,
    phase_history: [...past, visit],
    prompts_executed: texts.catch(executed).parse(file["prompts_executed"]),
  };
}

function withoutUndefined({ duration, ...visit }: z.infer<typeof visits>[number]): PhaseVisit {
  return duration === undefined ? visit : { ...visit, duration };
}

/** The fields of `from` whose values have the right shape. Fields that an object lacks are filled in from `known`. */
function readFields(shape: z.ZodRawShape, known: object, from: Json | undefined): object {
  if (!isPlain(from)) return {};
  const fields = Object.entries(shape).flatMap(([key, field]) => {
    if (!Object.hasOwn(from, key)) return [];
    const before = (known as Record<string, Json>)[key];
    const value = from[key];
    const read = z.safeParse(field, isPlain(before) && isPlain(value) ? { ...before, ...value } : value);
    return read.success ? [[key, read.data] as const] : [];
  });
  return Object.fromEntries(fields);
}

function isPlain(value: unknown): value is Record<string, Json> {
  return isRecord(value);
}
