import { z } from "zod";
import type { Plan, Reach, Tool } from "./types.ts";

/** A tool whose plan only ever sees input that fits its schema; anything else is refused in words. */
export function tool<Schema extends z.ZodType>(definition: {
  readonly name: string;
  readonly description: string;
  readonly needs: Tool["needs"];
  readonly input: Schema;
  readonly plan: (input: z.infer<Schema>, reach: Reach, signal: AbortSignal) => Plan | Promise<Plan>;
}): Tool {
  return {
    ...definition,
    async plan(input, reach, signal) {
      const parsed = definition.input.safeParse(input);
      if (parsed.success) return definition.plan(parsed.data, reach, signal);
      return {
        type: "refused",
        text: `The input of ${definition.name} does not fit. ${z.prettifyError(parsed.error)}`,
      };
    },
  };
}
