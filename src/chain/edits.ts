import { isRecord, type Json } from "../util/json.ts";
import type { Context } from "./context.ts";
import type { Edit } from "./events.ts";

/** What a person may change in the context file. Money, approvals and evidence are the engine's own record. */
const editable = new Set([
  "goal",
  "discovered",
  "uncertainties",
  "confidence_scores",
  "decisions",
  "session_memory",
  "scores",
]);

export function isEditable(edit: Edit): boolean {
  return editable.has(edit.path[0] ?? "") && edit.path[1] !== "overall";
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

/** A context file that has no journal: its knowledge is taken over, its approvals and its money are not. */
export function imported(context: Context, file: Readonly<Record<string, Json>>): Context {
  const taken = Object.entries(file).filter(
    ([key, value]) => editable.has(key) && fits(context[key as keyof Context], value),
  );
  return {
    ...context,
    ...Object.fromEntries(taken.map(([key, value]) => [key, merged(context[key as keyof Context] as Json, value)])),
  };
}

function merged(into: Json, value: Json): Json {
  return isPlain(into) && isPlain(value) ? { ...into, ...value } : value;
}

function fits(sample: unknown, value: Json): boolean {
  return Array.isArray(sample) === Array.isArray(value) && typeof sample === typeof value && value !== null;
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

function own(value: { [key: string]: Json }, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function isPlain(value: unknown): value is { [key: string]: Json } {
  return isRecord(value);
}
