import type { Caller } from "../../src/app/app.ts";
import type { Answer } from "../../src/app/operation.ts";
import { operations } from "../../src/app/operations.ts";
import { realWorld } from "../../src/util/world.ts";

/** A caller for operations that run in this process, as the command line would make one. */
export function callerAt(cwd: string, env: Record<string, string>, more: Partial<Caller> = {}): Caller {
  return {
    cwd,
    world: realWorld(env),
    by: { kind: "person", name: "tester", door: "test" },
    signal: new AbortController().signal,
    listen: () => undefined,
    progress: () => undefined,
    ...more,
  };
}

export function operate(name: string, input: object, caller: Caller): Promise<Answer> {
  const operation = operations.find((known) => known.name === name);
  if (!operation) throw new Error(`There is no operation ${name}.`);
  return operation.run(operation.input.parse(input), caller);
}

/** What somebody is told whose wish was refused. */
export async function refusal(work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => "nothing was refused",
    (thrown: unknown) => thrown,
  );
  const { code, message, hint, exitCode } = error as Record<string, unknown>;
  return { code, message, hint, exit: exitCode };
}
