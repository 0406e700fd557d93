import { z } from "zod";
import { isRecord, type Json } from "../util/json.ts";
import type { Context } from "./context.ts";
import type { Edit } from "./events.ts";

const share = z.number().min(0).max(1);
const texts = z.array(z.string());

/** In characters. A goal is part of every request; with millions of characters the chain would seem to hang. */
export const longestGoal = 100_000;

/** What a person may change in the context file. Money, approvals and evidence are the engine's own record. */
const schema = () =>
  z.object({
    goal: z.string().min(1).max(longestGoal),
    discovered: z.record(z.string(), z.json()),
    uncertainties: z.array(
      z.object({
        area: z.string(),
        confidence: share,
        resolved: z.boolean(),
        blocking: z.boolean().default(false),
        resolution: z.string().nullable().default(null),
        by: z.string().default("person"),
      }),
    ),
    confidence_scores: z.record(z.string(), share),
    decisions: z.record(z.string(), z.string()),
    session_memory: z.object({
      files_modified: texts,
      tests_written: texts,
      mistakes_corrected: texts,
      patterns_identified: texts,
      assumptions: texts,
      notes: texts,
      context_health: z.number().nullable(),
    }),
    scores: z.record(z.string(), z.number()),
  });

let known: ReturnType<typeof schema> | undefined;

/** Made when it is first needed: a look at a chain needs none. */
export function editable() {
  return (known ??= schema());
}

export function isEditable(edit: Edit): boolean {
  return Object.hasOwn(editable().shape, edit.path[0] ?? "") && edit.path[1] !== "overall";
}

/** Why no chain could go on with what these edits lead to; undefined: it could. */
export function misfit(context: Context, edits: readonly Edit[]): string | undefined {
  const issue = editable().safeParse(applyEdits(context, edits)).error?.issues[0];
  return issue && `${issue.path.join(".")}: ${issue.message}`;
}

/** Where two JSON values differ, down to the field; lists are compared as a whole. */
export function differences(before: Json | undefined, after: Json | undefined, path: readonly string[] = []): Edit[] {
  if (isPlain(before) && isPlain(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => differences(own(before, key), own(after, key), [...path, key]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

export function applyEdits(context: Context, edits: readonly Edit[]): Context {
  return edits
    .filter(isEditable)
    .reduce((changed, edit) => set(changed as unknown as Json, edit.path, edit.after) as unknown as Context, context);
}

function set(value: Json, [key, ...rest]: readonly string[], after: Json | undefined): Json {
  if (key === undefined) return after ?? null;
  if (!isPlain(value)) return value;
  const copy: Record<string, Json> = Object.fromEntries(
    Object.entries(value).filter(([name]) => name !== key || rest.length > 0 || after !== undefined),
  );
  if (rest.length > 0) copy[key] = set(own(value, key) ?? {}, rest, after);
  else if (after !== undefined) copy[key] = after;
  return copy;
}

function own(value: Readonly<Record<string, Json>>, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function isPlain(value: unknown): value is { [key: string]: Json } {
  return isRecord(value);
}
