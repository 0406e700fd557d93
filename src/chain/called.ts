import { chainCost } from "../costs/report.ts";
import type { Context } from "./context.ts";
import type { QueuedPrompt } from "./events.ts";
import { queueKey } from "./item.ts";
import { interpreters, stackDetector, triggers, type Trigger } from "./roles.ts";

export interface Called {
  readonly why: string;
  readonly prompts: readonly QueuedPrompt[];
}

/** Prompts that the engine runs of itself before the next decision: what they find out, that decision can use. */
export function called(context: Context): Called | undefined {
  const { engine, prompts_executed: done, cost_tracking: costs } = context;
  const ran = (name: string) => done.filter((known) => known === name).length;
  const { cost_alert } = triggers;
  if (engine.alerted && ran(cost_alert.prompt) === 0) {
    return engineCall(context, cost_alert, { costs: JSON.stringify(chainCost(costs)) });
  }
  const { stack } = context.discovered;
  if (typeof stack !== "string" || ran(stackDetector) === 0 || context.current_phase === "implementation") {
    return undefined;
  }
  const interpreter = interpretersOf(stack).find((name) => ran(name) === 0);
  return interpreter ? engineCall(context, { prompt: interpreter, why: `The stack is ${stack}.` }) : undefined;
}

/** A key within the decision that brought it about; those that a model chose there begin with 1. */
export function engineCall(
  context: Context,
  { prompt: name, why }: Trigger,
  inputs: QueuedPrompt["inputs"] = {},
): Called {
  const number = context.engine.decisions[context.current_phase] ?? 0;
  return { why, prompts: [{ key: queueKey(context, number, -1, name), name, inputs }] };
}

/** The prompts that explain the frameworks of a stack, in the order in which a text such as "python-django-react" names them. */
function interpretersOf(stack: string): string[] {
  const parts = stack.toLowerCase().split(/[^a-z0-9.+#]+/);
  const named = parts.flatMap((part) => Object.keys(interpreters).filter((name) => interpreters[name]!.includes(part)));
  return [...new Set(named)];
}
