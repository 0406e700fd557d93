import type { Seen } from "../tools/types.ts";
import type { Work } from "./deps.ts";
import type { Body, ChainEvent } from "./events.ts";
import type { Step } from "./next.ts";
import { engineActor, withLedger } from "./open.ts";
import { beside } from "./texts.ts";

export type ToolStep = Extract<Step, { type: "run_tool" }>;

/** Other calls of the same turn that end with this one, and in which words. */
export interface Also {
  readonly calls: readonly ToolStep["call"][];
  readonly text: string;
}

/** One batch with what follows from it: a change whose answer is on disk is known to have been made. */
export async function answer(
  work: Work,
  step: ToolStep,
  text: string,
  isError: boolean,
  seen: readonly Seen[] = [],
  events: readonly ChainEvent[] = [],
  also: Also = { calls: [], text: "" },
): Promise<unknown> {
  const results = [await answerTo(work, step, text, isError, seen)];
  for (const call of also.calls) results.push(await answerTo(work, { ...step, call }, also.text, isError, []));
  return work.chain.append({ by: engineActor, bodies: [...results, ...withLedger(engineActor, events).bodies] });
}

export async function answerTo(
  { chain, deps }: Work,
  { key, call }: ToolStep,
  text: string,
  isError: boolean,
  seen: readonly Seen[],
): Promise<Body> {
  const content = await beside(deps.workspace.redact(text), chain.blobs.put);
  return { type: "result", effect: "tool", key, call: call.id, tool: call.tool, is_error: isError, content, seen };
}
