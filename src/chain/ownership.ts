import { lstatSync, statSync } from "node:fs";
import { exitCodes, systemCode, UserError } from "../util/errors.ts";
import type { Next } from "../util/next.ts";
import { chainPaths, contextFiles } from "../store/chains.ts";
import { readFirstBatch } from "../store/journal.ts";
import type { Seal } from "../store/seal.ts";
import type { Body } from "./events.ts";

/** A folder of chains, and how to recognise those of this user. */
export interface ChainStore {
  readonly contexts: string;
  readonly seal: Seal;
  /** The path of this home. A sealed journal names the home that it was begun in. */
  readonly home: string;
  /** Where a home was moved to, as far as its user confirmed it. */
  readonly movedTo: (home: string) => string | undefined;
}

/**
 * Whether a chain is this user's own, in the home that it was begun in. The engine acts only on such chains. `moved`: it
 * is the user's own, but its home has another path now, and the user has not confirmed that yet.
 */
export type Ownership = { readonly type: "own" } | NotOwn;

/** Why the engine does not act on a chain, and what its user can do about that. */
export interface NotOwn {
  readonly type: "foreign" | "moved" | "tracked_by_git";
  readonly why: string;
  readonly next: readonly Next[];
  /** Where the home was before it was moved. */
  readonly from?: string;
}

/** Whose chain this is, by the lines that its journal begins with; undefined where there is no such chain. */
export function ownershipIn(store: ChainStore, id: string): Ownership | undefined {
  const { journal } = chainPaths(store.contexts, id);
  const stats = statSync(journal, { throwIfNoEntry: false });
  const isThere = stats?.isFile() === true;
  const hasContextFile = () => contextFiles(store.contexts).has(id);
  const adopting = (why: string): Next => ({ operation: "resume", input: { chain: id, adopt: true }, why });
  const takeOver = "To take over what it knows and what it cost, but none of its approvals and permissions";
  const foreign = (why: string): NotOwn => ({ type: "foreign", why, next: [adopting(takeOver)] });
  if (!isThere || stats.size === 0) {
    if (hasContextFile()) return foreign("it has only a context file, which anybody could have written");
    return isThere ? { type: "own" } : undefined;
  }
  const { lines, key } = readFirstBatch<Body>(journal, store.seal);
  const [header] = lines;
  if (!header) {
    // Without a context file nothing is left that could be believed.
    if (!hasContextFile()) return { type: "own" };
    return foreign(
      "nothing proves that the first lines of its journal are yours, and anybody could have written its context file",
    );
  }
  if (header.type !== "header") return foreign("its journal has no first line of ours");
  if (key === undefined) return foreign("its journal carries no seal");
  if (key !== store.seal.id) return foreign("its journal is sealed with another key than yours");
  if (header.chain_id !== id) return foreign(`its journal is that of chain ${header.chain_id}`);
  const homes = homesFrom(header.home ?? "", store);
  const from = homes.at(-1) ?? "";
  if (from === store.home) return { type: "own" };
  if (isThereStill(from)) return foreign(`it is a copy of the chain in ${from}`);
  const why = `it was moved here from ${from}, and you have not confirmed that`;
  return { type: "moved", why, next: [adopting("If you moved it here, say so once")], from };
}

/** The home that a chain was begun in, and those that it was moved to. Only the last one is its home now. */
function homesFrom(home: string, { movedTo }: ChainStore): string[] {
  const homes: string[] = [];
  for (let next: string | undefined = home; next !== undefined && !homes.includes(next); next = movedTo(next))
    homes.push(next);
  return homes;
}

/** A path that may not be looked at counts as one that is there: then the chain counts as a copy. */
function isThereStill(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return systemCode(error) !== "ENOTDIR";
  }
}

/** Nothing is done with a chain that is not this user's own, before a person says so. */
export function notOwn(chain: string, { type, why, next, from }: NotOwn): UserError {
  if (type === "moved") {
    const message = `Chain ${chain} was begun in ${from}, which is not there any more. Nothing was done.`;
    return new UserError(type, message, next, exitCodes.waiting);
  }
  const look = type === "foreign" ? [{ operation: "status", input: { chain }, why: "Look at it" }] : [];
  const message = `Chain ${chain} is foreign: ${why}. Nothing was done with it.`;
  return new UserError(type, message, [...look, ...next], exitCodes.waiting);
}
