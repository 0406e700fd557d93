import type { Context } from "./context.ts";
import { readinessReviews } from "./roles.ts";

/** `is` null: nobody looked, so nothing is known. */
export type Readiness = { what: string; is: boolean | null; why: string };

/** What is known of a change before it goes out: only what the engine measured itself, and what reports found. */
export function readinessOf(context: Context): Readiness[] {
  const { evidence, engine, findings, not_checked: notes } = context;
  const last = evidence.runs.slice(evidence.since).at(-1);
  const isGreen = evidence.green ? true : last && ["failing", "broken", "red"].includes(last.verdict) ? false : null;
  const tests = { what: "tests", is: isGreen, why: last?.in_words ?? last?.why ?? "" };
  const reviews = Object.entries(readinessReviews).map(([what, { prompts, isOfChange }]): Readiness => {
    const by = prompts.find((name) => Object.hasOwn(engine.reported, name));
    if (by === undefined) return { what, is: null, why: "" };
    const found = findings.find((one) => one.by === by && one.standing === "open");
    if (found) return { what, is: false, why: `${found.where}: ${found.what}` };
    if (isOfChange && engine.reported[by]! < engine.changes)
      return { what, is: null, why: `files changed since ${by} looked` };
    const note = notes.find((text) => text.startsWith(`${by}: `));
    return note ? { what, is: null, why: note } : { what, is: true, why: by };
  });
  return [tests, ...reviews];
}
