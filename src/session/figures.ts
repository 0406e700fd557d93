import { dirname, join } from "node:path";
import type { ChainStore } from "../chain/ownership.ts";
import { keepFigures, noFigures, packFigures, readFigures, type Figures, type Part } from "../costs/figures.ts";
import type { PriceTable } from "../models/price_table.ts";
import { chainIds, chainPaths } from "../store/chains.ts";
import { UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { stampOf } from "../util/stamp.ts";
import type { World } from "../util/world.ts";
import { runsOf } from "./home.ts";
import type { UserSeal } from "./key.ts";
import type { Foreign } from "./own.ts";
import { userFolders, type Home } from "./places.ts";

export interface HomeFigures {
  readonly figures: Figures;
  /** Why chains could not be read. */
  readonly unread: readonly string[];
  /** How many chains are not their user's own. */
  readonly foreign: number;
}

/**
 * The figures of every chain of a home, and of every prompt that was run on its own, as far as they are its user's own.
 * A journal that looks as it did is not read again: its figures are kept.
 */
export async function figuresOfHome(
  home: Home,
  store: ChainStore & UserSeal,
  foreign: Foreign,
  prices: PriceTable,
  { env, now }: World,
): Promise<HomeFigures> {
  // What is kept depends on whose chains count, and on what models cost.
  const key = sha256(`${store.seal.id} ${JSON.stringify(prices)}`).slice(0, 12);
  const path = join(userFolders(env).cache, `${sha256(home.path).slice(0, 16)}.figures`);
  const before = readFigures(path, key) ?? noFigures;
  let places: Map<string, number> | undefined;
  const placeOf = (chain: string) => (places ??= new Map(before.chains.map((one, at) => [one.chain, at]))).get(chain);
  const parts: Part[] = [];
  let isChanged = false;
  const runs = runsOf(store);
  for (const from of [store, runs]) {
    const journals = dirname(chainPaths(from.contexts, "").journal);
    for (const id of chainIds(from.contexts)) {
      const chain = from === runs ? `runs/${id}` : id;
      const { stamp, fresh } = stampOf(`${journals}/${id}.jsonl`, now());
      // Mostly no chain came or went, so that each stands where it stood.
      const at = before.chains[parts.length]?.chain === chain ? parts.length : placeOf(chain);
      const kept = at === undefined ? undefined : before.chains[at]!;
      // Whether a chain counts can change without its journal: its home was moved, or git tracks it.
      const isOwn = from === runs || foreign(id, kept?.about ? { type: "own" } : undefined) === undefined;
      if (kept?.stamp === stamp && (kept.about !== null) === isOwn) {
        parts.push({ chain, stamp, about: kept.about, rows: at! });
        continue;
      }
      const { rows, about } = isOwn ? await readSpending(from, id, prices) : { rows: [], about: null };
      // What changed a moment ago may change again unnoticed, so it is read anew next time.
      parts.push({ chain, stamp: fresh ? "unsettled" : stamp, about, rows });
      isChanged = true;
    }
  }
  const figures = isChanged || parts.length !== before.chains.length ? packFigures(parts, before) : before;
  if (figures !== before) keepFigures(path, key, figures);
  const abouts = figures.chains.map(({ about }) => about);
  const unread = abouts.filter((about) => typeof about === "string");
  return { figures, unread, foreign: abouts.filter((about) => about === null).length };
}

async function readSpending(from: ChainStore, id: string, prices: PriceTable) {
  const { ownershipIn } = await import("../chain/ownership.ts");
  const { readChain } = await import("../chain/inspect.ts");
  const { spendingOf } = await import("../chain/spending.ts");
  if (ownershipIn(from, id)?.type !== "own") return { rows: [], about: null };
  try {
    const { rows, ...about } = spendingOf(readChain(from, id).lines, prices);
    return { rows, about };
  } catch (error) {
    if (error instanceof UserError) return { rows: [], about: error.message };
    throw error;
  }
}
