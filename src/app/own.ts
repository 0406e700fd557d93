import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { notOwn, ownershipIn, type ChainStore, type NotOwn, type Ownership } from "../chain/ownership.ts";
import { paddedId } from "../store/chains.ts";
import { gitNames } from "../tools/git_names.ts";
import { UserError } from "../util/errors.ts";
import { contextsOf, keepProgramsOutside, locateHome, chainStoreOf, type Caller, type CommonFlags } from "./app.ts";
import { recordMove } from "./key.ts";
import { liesApart, refuseLinks, type Home } from "./places.ts";

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
  refuseLinks(home);
  const id = paddedId(input.chain);
  const store = chainStoreOf(home, env);
  const ownership = (await ownershipsIn(home, store))(id);
  if (ownership?.type === "moved" && input.adopt) {
    const { from = "" } = ownership;
    if (!recordMove(env, from, store.home)) caller.progress({ type: "notice", line: notStored(store.home) });
  } else if (ownership?.type === "foreign" && input.adopt && mayAdopt) {
    return { home, id, workspace: home.workspace, adopts: true };
  } else if (ownership && ownership.type !== "own") throw notOwn(id, ownership);
  if (!ownership || !liesApart(home)) return { home, id, workspace: home.workspace, adopts: false };
  const { inspectChain } = await import("../chain/inspect.ts");
  return { home, id, workspace: inspectChain(chainStoreOf(home, env), id).context.workspace, adopts: false };
}

/** Whose chain each is. Whoever acts on chains and whoever only looks at them goes by this answer. */
export async function ownershipsIn(home: Home, store: ChainStore): Promise<(id: string) => Ownership | undefined> {
  let tracked: ReadonlySet<string> = new Set();
  let trouble: UserError | undefined;
  try {
    tracked = await trackedByGit(home);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    trouble = error;
  }
  return (id) => {
    const ownership = ownershipIn(store, id);
    const type = "tracked_by_git";
    if (ownership && trouble) {
      return { type, why: `git does not say whether it tracks its journal (${trouble.message})`, hint: trouble.hint };
    }
    if (!ownership || !tracked.has(`${id}.jsonl`)) return ownership;
    const why = "git tracks its journal, so it can change with every commit that is checked out";
    return { type, why, hint: `Take it out of git, and keep the file: git rm -r --cached "${contextsOf(home)}"` };
  };
}

/** Why a chain is only looked at, and what its user can do about that; undefined where it is the user's own. */
export async function foreignTo(home: Home, store: ChainStore): Promise<Foreign> {
  const ownershipOf = await ownershipsIn(home, store);
  return (id) => {
    const ownership = ownershipOf(id);
    return ownership?.type === "own" ? undefined : ownership;
  };
}

export type Foreign = (id: string) => NotOwn | undefined;

/** The journals that git tracks. Whoever may push to the repository could change them. */
async function trackedByGit(home: Home): Promise<ReadonlySet<string>> {
  const folder = join(contextsOf(home), "journal");
  if (!existsSync(folder) || !liesInRepository(realpathSync(folder))) return new Set();
  keepProgramsOutside(home);
  return new Set(await gitNames(folder, ["-c"]));
}

/** Git is started only where there is a repository: that takes longer than all else in a look at a chain. */
function liesInRepository(folder: string): boolean {
  return existsSync(join(folder, ".git")) || (dirname(folder) !== folder && liesInRepository(dirname(folder)));
}

function notStored(home: string): string {
  return `We cannot store that this home moved to ${home}. Add --adopt to every command.`;
}
