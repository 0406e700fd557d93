import { join } from "node:path";
import type { PromptRuns } from "../chain/history.ts";
import { ownershipIn } from "../chain/ownership.ts";
import { chainIds, chainPaths } from "../store/chains.ts";
import { UserError } from "../util/errors.ts";
import type { Json } from "../util/json.ts";
import { runsOf } from "../session/home.ts";
import type { Session } from "../session/session.ts";

/** How each prompt did over all chains of a home that are its user's own. A chain's own part is kept in the index. */
export async function statsOf(session: Session) {
  const { store } = session;
  const { contexts } = store;
  const foreign = await session.foreign();
  const own = chainIds(contexts).filter((id) => foreign(id) === undefined);
  const runs = runsOf(store);
  const ownRuns = chainIds(runs.contexts).filter((id) => ownershipIn(runs, id)?.type === "own");
  const kept = [...own.map((id) => ({ from: store, id })), ...ownRuns.map((id) => ({ from: runs, id }))];
  const files = kept.map(({ from, id }) => chainPaths(from.contexts, id).journal);
  const index = await session.index();
  const { readChain } = await import("../chain/inspect.ts");
  const { promptRuns } = await import("../chain/history.ts");
  const one = ({ from, id }: (typeof kept)[number]): Json => {
    try {
      return promptRuns(readChain(from, id).lines);
    } catch (error) {
      if (error instanceof UserError) return error.message;
      throw error;
    }
  };
  const values = await index.sync("runs:1", { files, folders: [join(contexts, "journal")] }, (at) =>
    Promise.resolve({ value: one(kept[at]!), texts: ["", "", "", ""] }),
  );
  const read = values.filter((value) => typeof value !== "string") as unknown as PromptRuns[][];
  const sums = new Map<string, PromptRuns>();
  for (const runs of read.flat()) {
    const known = sums.get(runs.prompt);
    sums.set(runs.prompt, known ? added(known, runs) : runs);
  }
  const prompts = [...sums.values()]
    .sort((a, b) => b.runs - a.runs || (a.prompt < b.prompt ? -1 : 1))
    .map((row) => ({ ...row, tokens_per_run: Math.round(row.tokens / Math.max(1, row.runs)) }));
  return { chains: read.length, prompts, unread: values.filter((value) => typeof value === "string") };
}

function added(a: PromptRuns, b: PromptRuns): PromptRuns {
  return {
    prompt: a.prompt,
    runs: a.runs + b.runs,
    calls: a.calls + b.calls,
    tokens: a.tokens + b.tokens,
    usd: a.usd + b.usd,
    confidence_moved: Math.round((a.confidence_moved + b.confidence_moved) * 100) / 100,
    repairs: a.repairs + b.repairs,
  };
}
