import type { z } from "zod";
import { allOptions, operation, type Operation } from "./operation.ts";
import type { chainResult } from "./results.ts";

interface Definition<Name extends string, Input extends z.ZodObject> extends Pick<
  Operation<Name, Input, typeof chainResult>,
  "name" | "summary" | "positional" | "newest" | "run"
> {
  readonly input: () => Input;
}

/** An operation by which a chain begins or goes on: all of them say how the chain stands then. */
export function chainOperation<const Name extends string, Input extends z.ZodObject>(
  definition: Definition<Name, Input>,
) {
  const result = async () => (await import("./results.ts")).chainResult;
  return operation({ ...definition, permission: "run", options: allOptions, result });
}
