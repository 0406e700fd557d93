import { chainCost } from "../costs/report.ts";
import type { Context } from "./context.ts";
import type { QueuedPrompt } from "./events.ts";
import { queueKey } from "./item.ts";

export interface Called {
  readonly why: string;
  readonly prompts: readonly QueuedPrompt[];
}

/** Prompts that the engine runs of itself before the next decision: what they find out, that decision can use. */
export function called(context: Context): Called | undefined {
  const { engine, prompts_executed: done, cost_tracking: costs } = context;
  const ran = (name: string) => done.filter((known) => known === name).length;
  const condensed = (engine.epoch?.number ?? 1) - 1;
  if (ran("context_health_checker") < condensed) {
    return engineCall(context, "context_health_checker", "The record was condensed.");
  }
  if (engine.alerted && ran("cost_monitor") === 0) {
    const inputs = { costs: JSON.stringify(chainCost(costs)) };
    return engineCall(context, "cost_monitor", "The cost alert was passed.", inputs);
  }
  const { stack } = context.discovered;
  if (typeof stack !== "string" || ran("stack_detector") === 0 || context.current_phase === "implementation") {
    return undefined;
  }
  const interpreter = interpretersOf(stack).find((name) => ran(name) === 0);
  return interpreter ? engineCall(context, interpreter, `The stack is ${stack}.`) : undefined;
}

/** A key within the decision that brought it about; those that a model chose there begin with 1. */
export function engineCall(context: Context, name: string, why: string, inputs: QueuedPrompt["inputs"] = {}): Called {
  const number = context.engine.decisions[context.current_phase] ?? 0;
  return { why, prompts: [{ key: queueKey(context, number, -1, name), name, inputs }] };
}

/** Who translates the library's words for a stack such as "node-express-mongo", in the order it names them. */
function interpretersOf(stack: string): string[] {
  const parts = stack.toLowerCase().split(/[^a-z0-9.+#]+/);
  const named = parts.flatMap((part) => Object.keys(interpreters).filter((name) => interpreters[name]!.includes(part)));
  return [...new Set(named)];
}

const interpreters: Readonly<Record<string, readonly string[]>> = {
  node_interpreter: ["node", "node.js", "nodejs", "typescript", "javascript", "deno", "bun"],
  php_interpreter: ["php", "laravel", "symfony", "wordpress", "drupal"],
  python_interpreter: ["python", "python3", "django", "flask", "fastapi"],
};
