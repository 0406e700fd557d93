import { lstatSync, statSync } from "node:fs";
import { exitCodes, systemCode, UserError } from "../util/errors.ts";
import { chainPaths } from "../store/chains.ts";
import { readFirstLine, type Reading } from "../store/journal.ts";
import type { Seal } from "../store/seal.ts";
import type { Body } from "./events.ts";

/** Where chains are kept, and by what those of this user are told from all others. */
export interface ChainStore {
  readonly contexts: string;
  readonly seal: Seal;
  /** The path by which this home is known: a sealed journal names the home that it was begun in. */
  readonly home: string;
  /** Where a home was moved to, as far as its user confirmed it. */
  readonly movedTo: (home: string) => string | undefined;
}

/**
 * Whether a chain is this user's own, in the home it was begun in. The engine acts only on such chains. `moved`: it is,
 * but its home has another path now, and the user has not confirmed that yet.
 */
export type Ownership =
  | { readonly type: "own" }
  | { readonly type: "moved"; readonly from: string }
  | { readonly type: "foreign"; readonly why: string };

/** Whose chain this is, by the first line of its journal alone; undefined where there is no journal. */
export function ownershipIn(store: ChainStore, id: string): Ownership | undefined {
  const { journal } = chainPaths(store.contexts, id);
  if (!statSync(journal, { throwIfNoEntry: false })?.isFile()) return undefined;
  return ownershipOf(readFirstLine<Body>(journal, store.seal), id, store);
}

export function ownershipOf(reading: Pick<Reading<Body>, "lines" | "key">, id: string, store: ChainStore): Ownership {
  const [header] = reading.lines;
  if (!header) return { type: "own" };
  if (header.type !== "header") return foreign("its journal has no first line of ours");
  if (reading.key === undefined) return foreign("its journal carries no seal");
  if (reading.key !== store.seal.id) return foreign("its journal is sealed with another key than yours");
  if (header.chain_id !== id) return foreign(`its journal is that of chain ${header.chain_id}`);
  const homes = homesFrom(header.home ?? "", store);
  if (homes.includes(store.home)) return { type: "own" };
  const last = homes.at(-1) ?? "";
  return isThere(last) ? foreign(`it is a copy of the chain in ${last}`) : { type: "moved", from: last };
}

/** The home that a chain was begun in, and those that it was moved to. */
function homesFrom(home: string, { movedTo }: ChainStore): string[] {
  const homes: string[] = [];
  for (let next: string | undefined = home; next !== undefined && !homes.includes(next); next = movedTo(next))
    homes.push(next);
  return homes;
}

/** A place that may not be looked at counts as there: then the chain is a copy. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return systemCode(error) !== "ENOTDIR";
  }
}

function foreign(why: string): Ownership {
  return { type: "foreign", why };
}

/** Nothing is done with a chain that is not this user's own, before a person says so. */
export function notOwn(id: string, ownership: Exclude<Ownership, { type: "own" }>): UserError {
  if (ownership.type === "moved") {
    return new UserError(
      "moved",
      `Chain ${id} was begun in ${ownership.from}, which is not there any more. Nothing was done.`,
      `If you moved it here, say so once: claude-exec resume ${id} --adopt`,
      exitCodes.waiting,
    );
  }
  return new UserError(
    "foreign",
    `Chain ${id} is foreign: ${ownership.why}. Nothing was done with it.`,
    `Look at it: claude-exec status ${id}. To take over what it knows and what it cost, but none of its approvals and permissions: claude-exec resume ${id} --adopt`,
    exitCodes.waiting,
  );
}
