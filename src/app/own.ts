import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { notOwn, ownershipIn, type ChainStore } from "../chain/ownership.ts";
import { paddedId } from "../store/chains.ts";
import { gitNames } from "../tools/git_names.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { contextsOf, keepProgramsOutside, locateHome, chainStoreOf, type Caller, type CommonFlags } from "./app.ts";
import { recordMove } from "./key.ts";
import { liesApart, type Home } from "./places.ts";

export interface OwnChain {
  readonly home: Home;
  readonly id: string;
  /** The folder that the chain works on: the home's project, or for a home elsewhere the one its sealed journal names. */
  readonly workspace: string;
  /** It is foreign, and a person said that it is to be adopted. */
  readonly adopts: boolean;
}

/** The chain that is meant, for whoever wants to act on it. A chain that is not the user's own is refused. */
export async function ownChain(
  input: CommonFlags & { chain: string; adopt?: boolean | undefined },
  caller: Caller,
  { mayAdopt = false } = {},
): Promise<OwnChain> {
  const { env } = caller.world;
  const home = locateHome(caller, input);
  const id = paddedId(input.chain);
  if ((await trackedByGit(home)).has(`${id}.jsonl`)) throw tracked(id, home);
  const store = chainStoreOf(home, env);
  const ownership = ownershipIn(store, id);
  if (ownership?.type === "moved" && input.adopt) {
    if (!recordMove(env, ownership.from, store.home)) caller.progress({ type: "notice", line: notKept(store.home) });
  } else if (ownership?.type === "foreign" && input.adopt && mayAdopt) {
    return { home, id, workspace: home.workspace, adopts: true };
  } else if (ownership && ownership.type !== "own") throw notOwn(id, ownership);
  if (!ownership || !liesApart(home)) return { home, id, workspace: home.workspace, adopts: false };
  const { readChain } = await import("../chain/inspect.ts");
  return { home, id, workspace: readChain(chainStoreOf(home, env), id).context.workspace, adopts: false };
}

export type Foreign = (id: string) => string | undefined;

/** Says why a chain is not acted on, in a few words for whoever only looks; undefined: it is the user's own. */
export async function foreignTo(home: Home, store: ChainStore): Promise<Foreign> {
  const tracked = await trackedByGit(home).catch((error: unknown) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
  return (id) => {
    const ownership = ownershipIn(store, id);
    if (!ownership) return undefined;
    if (!tracked) return "git does not say whether it tracks its journal";
    if (tracked.has(`${id}.jsonl`)) return "git tracks its journal";
    if (ownership.type === "moved") return `it was moved here from ${ownership.from}, and you have not confirmed that`;
    return ownership.type === "foreign" ? ownership.why : undefined;
  };
}

/** Journals that came with a repository, or that go with it: whoever may push to it could change them. */
async function trackedByGit(home: Home): Promise<ReadonlySet<string>> {
  const folder = join(contextsOf(home), "journal");
  if (!existsSync(folder) || !liesInRepository(realpathSync(folder))) return new Set();
  keepProgramsOutside(home);
  return new Set(await gitNames(folder, ["-c"]));
}

/** Starting git takes longer than all else that a look at a chain does. */
function liesInRepository(folder: string): boolean {
  return existsSync(join(folder, ".git")) || (dirname(folder) !== folder && liesInRepository(dirname(folder)));
}

function tracked(id: string, home: Home): UserError {
  return new UserError(
    "tracked_by_git",
    `Chain ${id} is foreign: git tracks its journal, so it can change with every commit that is checked out. Nothing was done with it.`,
    `Take it out of git, and keep the file: git rm -r --cached "${contextsOf(home)}"`,
    exitCodes.waiting,
  );
}

function notKept(home: string): string {
  return `We cannot store that this home moved to ${home}. Add --adopt to every command.`;
}
