import type { Caller } from "../../src/session/caller.ts";
import { sessionOptions } from "../../src/session/options.ts";
import { openSession, type Session } from "../../src/session/session.ts";
import type { Json } from "../../src/util/json.ts";
import { expectPromisedData } from "./documents.ts";
import { operations, perform } from "../../src/operations/operations.ts";
import { realWorld, type World } from "../../src/util/world.ts";
import { printed } from "./printed.ts";

/** Who asks in this process, and where they stand. */
export interface Standing extends Caller {
  readonly cwd: string;
  readonly world: World;
}

/** A caller for operations that run in this process, as the command line would make one. */
export function callerAt(cwd: string, env: Record<string, string>, more: Partial<Standing> = {}): Standing {
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

/** Opens a session as the command line does for one command. `said` may hold its options and more. */
export function sessionAt({ cwd, world, progress }: Standing, said: object = {}): Session {
  return openSession({ cwd, world, progress, options: sessionOptions.parse(said) });
}

/** Asks for one operation in a session of its own; options of the session and the input stand together, as flags do. */
export async function operate(name: string, said: object, caller: Standing): Promise<Came> {
  const operation = operations.find((known) => known.name === name);
  if (!operation) throw new Error(`There is no operation ${name}.`);
  const session = sessionAt(caller, said);
  try {
    const came = await perform(operation, operation.input.parse(said), session, caller);
    await expectPromisedData(came.operation, came.data);
    return { exit: came.exit, data: came.data } as Came;
  } finally {
    await session.close();
  }
}

/** What came of an operation, as whoever does not know its type sees it. */
interface Came {
  readonly exit: number;
  readonly data: Readonly<Record<string, Json | undefined>>;
}

/** What somebody is told whose wish was refused. */
export async function refusal(work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => "nothing was refused",
    (thrown: unknown) => thrown,
  );
  const { code, message, next, exitCode } = error as Record<string, unknown>;
  return { code, message, hint: printed(next), exit: exitCode };
}
