import type { Seen } from "../tools/types.ts";
import type { Work } from "./deps.ts";
import type { Body, ChainEvent } from "./events.ts";
import type { Step } from "./next.ts";
import { engineActor, withLedger } from "./open.ts";
import { beside } from "./texts.ts";

export type ToolStep = Extract<Step, { type: "run_tool" }>;

/** One batch with what follows from it: a change whose answer is on disk is known to have been made. */
export function answer(
  work: Work,
  step: ToolStep,
  text: string,
  isError: boolean,
  seen: readonly Seen[] = [],
  events: readonly ChainEvent[] = [],
): void {
  const result = answerTo(work, step, text, isError, seen);
  work.chain.append({ by: engineActor, bodies: [result, ...withLedger(engineActor, events).bodies] });
}

export function answerTo(
  { chain, deps }: Work,
  { key, call }: ToolStep,
  text: string,
  isError: boolean,
  seen: readonly Seen[],
): Body {
  const content = beside(deps.workspace.redact(text), chain.blobs.put);
  return { type: "result", effect: "tool", key, call: call.id, tool: call.tool, is_error: isError, content, seen };
}
