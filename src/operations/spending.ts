import { z } from "zod";
import type { ChainStore } from "../chain/ownership.ts";
import { addUp, groupings, type ChainSpending } from "../costs/spending.ts";
import type { PriceTable } from "../models/price_table.ts";
import { chainIds, chainPaths } from "../store/chains.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { isRecord, type Json } from "../util/json.ts";
import { runsOf } from "../session/home.ts";
import type { Session } from "../session/session.ts";
import { wholeNumber } from "./flags.ts";
import { operation } from "./operation.ts";

/**
 * What every chain of a home spent, and every prompt that was run on its own, as far as they are its user's own.
 * `unread`: why chains could not be read. Journals that did not change are not read again: the index keeps their part.
 */
export async function spendingOfHome(session: Session) {
  const { store } = session;
  const runs = runsOf(store);
  const { prices } = (await session.library()).config;
  const { ownershipIn } = await import("../chain/ownership.ts");
  const kept = [store, runs].flatMap((from) => chainIds(from.contexts).map((id) => ({ from, id })));
  const files = kept.map(({ from, id }) => chainPaths(from.contexts, id).journal);
  const read = async (from: ChainStore, id: string): Promise<Json> =>
    ownershipIn(from, id)?.type === "own" ? spendingIn(from, id, prices) : null;
  const index = await session.index();
  // What is kept depends on whose chains count, and on what models cost.
  const kind = `spending:${sha256(`1 ${store.seal.id} ${JSON.stringify(prices)}`).slice(0, 12)}`;
  const values = await index.sync(kind, files, async (at) => ({ value: await read(kept[at]!.from, kept[at]!.id) }));
  const foreign = await session.foreign();
  const found: Json[] = [];
  for (const [at, { from, id }] of kept.entries()) {
    const value = values[at]!;
    // Whether a chain counts can change without its journal: its home was moved, or git tracks it.
    const isOwn =
      from === runs ? value !== null : foreign(id, value === null ? undefined : { type: "own" }) === undefined;
    found.push(!isOwn ? null : (value ?? (await read(from, id))));
  }
  // The index gives back what was put in under this name, or nothing.
  const all = kept.flatMap(({ from, id }, at) => {
    const spending = found[at];
    const chain = from === runs ? `runs/${id}` : id;
    return isRecord(spending) ? [{ chain, ...(spending as unknown as ChainSpending) }] : [];
  });
  const unread = found.filter((value) => typeof value === "string");
  return { all, unread, foreign: found.filter((value) => value === null).length };
}

async function spendingIn(from: ChainStore, id: string, prices: PriceTable): Promise<Json> {
  const { readChain } = await import("../chain/inspect.ts");
  const { spendingOf } = await import("../chain/spending.ts");
  try {
    return spendingOf(readChain(from, id).lines, prices);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

export const costReportOperation = operation({
  name: "cost-report",
  summary: "What the chains of this home spent, for what, what was wasted, and what could be saved",
  permission: "read",
  positional: [],
  result: async () => (await import("./results.ts")).costReportResult,
  options: ["home"],
  input: () =>
    z.object({
      days: wholeNumber
        .refine((days) => days <= 3660, "is more than ten years")
        .default(7)
        .describe("How many days, today included (7)"),
      by: z
        .enum(groupings, `is none of ${groupings.join(", ")}`)
        .default("prompt")
        .describe("What the costs are added up by (prompt)"),
      csv: z.boolean().optional().describe("Print what is added up as comma-separated values"),
    }),
  async run({ days, by }, session) {
    const { all, unread, foreign } = await spendingOfHome(session);
    const { costReport } = await import("../costs/cost_report.ts");
    const report = costReport(all, { now: session.world.now(), days, by });
    return { exit: exitCodes.done, data: { ...report, foreign, unread } };
  },
});

/** How each prompt did, over all chains of a home. */
export async function promptStats(session: Session) {
  const { all, unread } = await spendingOfHome(session);
  const prompts = addUp(
    all.flatMap(({ rows }) => rows),
    ({ prompt }) => prompt,
  )
    .filter(({ runs, calls }) => runs + calls > 0)
    .sort((a, b) => b.runs - a.runs || (a.name < b.name ? -1 : 1))
    .map(({ name: prompt, runs, calls, tokens, usd, repairs, ...sum }) => {
      const confidence_moved = Math.round(sum.confidence_moved * 100) / 100;
      const tokens_per_run = Math.round(tokens / Math.max(1, runs));
      return { prompt, runs, calls, tokens, usd, repairs, confidence_moved, tokens_per_run };
    });
  return { chains: all.length, prompts, unread };
}
