import type { Context } from "../chain/context.ts";
import type { Session } from "../session/session.ts";
import { chainIds } from "../store/chains.ts";
import { unlessUserError, UserError } from "../util/errors.ts";

/** Which chains a command can mean that names none; `are` says it in words. */
export interface Fitting {
  readonly are: string;
  readonly fits: (context: Context) => boolean;
}

export const fitting = {
  unfinished: { are: "is unfinished", fits: ({ state }) => state.type !== "completed" },
  asking: {
    are: "waits for answers",
    fits: ({ questions, state }) => state.type !== "completed" && questions.some(({ answer }) => answer === null),
  },
  presenting: { are: "waits for approval", fits: ({ solution }) => solution?.standing === "presented" },
  requesting: { are: "waits for permission", fits: ({ engine }) => engine.request !== null },
  deciding: {
    are: "waits for a decision",
    fits: ({ solution, engine }) => engine.request !== null || solution?.standing === "presented",
  },
  solved: { are: "has a solution", fits: ({ solution }) => solution !== null },
  finished: {
    are: "is finished with a change",
    fits: ({ state }) => state.type === "completed" && state.ending !== "answered",
  },
  changed: {
    are: "has changed a file or asks to",
    fits: ({ engine, session_memory: memory }) => engine.request !== null || memory.files_modified.length > 0,
  },
} satisfies Record<string, Fitting>;

/** The newest chain that a command can mean. Chains that are foreign or damaged are only meant by their number. */
export async function newestChain(session: Session, wanted: Fitting | undefined): Promise<string> {
  const next = { operation: "status", input: { chain: "all" }, why: "List chains with" };
  const ids = chainIds(session.store.contexts).reverse();
  if (wanted === undefined) {
    if (ids[0] !== undefined) return ids[0];
    throw new UserError("no_chain", "There is no chain here yet.", next);
  }
  const { readChain } = await import("../chain/inspect.ts");
  const foreign = await session.foreign();
  const found = ids.find((id) => {
    if (foreign(id) !== undefined) return false;
    return unlessUserError(() => wanted.fits(readChain(session.store, id).context)) ?? false;
  });
  if (found === undefined) throw new UserError("no_chain", `No chain here ${wanted.are}.`, next);
  return found;
}
