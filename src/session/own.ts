import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { notOwn, ownershipIn, type ChainStore, type NotOwn, type Ownership } from "../chain/ownership.ts";
import { gitNames } from "../programs/git_names.ts";
import { UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { envOutside } from "../workspace/path_outside.ts";
import { contextsOf } from "./home.ts";
import { recordMove } from "./key.ts";
import { liesApart, refuseLinks, type Home } from "./places.ts";

/** The home whose chains are asked about. */
export interface OwnHome {
  readonly home: Home;
  readonly store: ChainStore;
  readonly env: World["env"];
  readonly notice: (line: string) => void;
}

export interface OwnChain {
  readonly id: string;
  /** The folder that the chain works on: the home's project, or for a home elsewhere the one its sealed journal names. */
  readonly workspace: string;
  /** It is foreign, and a person said that it is to be adopted. */
  readonly adopts: boolean;
}

/** The chain that is meant, for whoever wants to act on it. A chain that is not the user's own is refused. */
export async function ownChain(
  { home, store, env, notice }: OwnHome,
  id: string,
  { adopt = false, mayAdopt = false }: { adopt?: boolean | undefined; mayAdopt?: boolean } = {},
): Promise<OwnChain> {
  refuseLinks(home);
  const ownership = (await ownershipsIn(home, store, env))(id);
  if (ownership?.type === "moved" && adopt) {
    const { from = "" } = ownership;
    if (!recordMove(env, from, store.home)) notice(notStored(store.home));
  } else if (ownership?.type === "foreign" && adopt && mayAdopt) {
    return { id, workspace: home.workspace, adopts: true };
  } else if (ownership && ownership.type !== "own") throw notOwn(id, ownership);
  if (!ownership || !liesApart(home)) return { id, workspace: home.workspace, adopts: false };
  const { inspectChain } = await import("../chain/inspect.ts");
  return { id, workspace: inspectChain(store, id).context.workspace, adopts: false };
}

/** Whose chain each is. Whoever acts on chains and whoever only looks at them goes by this answer. */
async function ownershipsIn(home: Home, store: ChainStore, env: World["env"]): Promise<OwnershipOf> {
  let tracked: ReadonlySet<string> = new Set();
  let trouble: UserError | undefined;
  try {
    tracked = await trackedByGit(home, env);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    trouble = error;
  }
  return (id, known) => {
    const ownership = known ?? ownershipIn(store, id);
    const type = "tracked_by_git";
    if (ownership && trouble) {
      return { type, why: `git does not say whether it tracks its journal (${trouble.message})`, next: trouble.next };
    }
    if (!ownership || !tracked.has(`${id}.jsonl`)) return ownership;
    const why = "git tracks its journal, so it can change with every commit that is checked out";
    const untrack = `git rm -r --cached "${contextsOf(home)}"`;
    return { type, why, next: [{ why: `Take it out of git, and keep the file: ${untrack}` }] };
  };
}

/** Why a chain is only looked at, and what its user can do about that; undefined where it is the user's own. */
export async function foreignTo(home: Home, store: ChainStore, env: World["env"]): Promise<Foreign> {
  const ownershipOf = await ownershipsIn(home, store, env);
  return (id, known) => {
    const ownership = ownershipOf(id, known);
    return ownership?.type === "own" ? undefined : ownership;
  };
}

/** `known`: what its journal said of it, where that was read and did not change since. */
type OwnershipOf = (id: string, known?: Ownership) => Ownership | undefined;

export type Foreign = (id: string, known?: Ownership) => NotOwn | undefined;

/** The journals that git tracks. Whoever may push to the repository could change them. */
async function trackedByGit(home: Home, env: World["env"]): Promise<ReadonlySet<string>> {
  const folder = join(contextsOf(home), "journal");
  if (!existsSync(folder) || !liesInRepository(realpathSync(folder))) return new Set();
  return new Set(await gitNames({ root: folder, env: envOutside(home.workspace, env) }, ["-c"]));
}

/** Git is started only where there is a repository: that takes longer than all else in a look at a chain. */
function liesInRepository(folder: string): boolean {
  return existsSync(join(folder, ".git")) || (dirname(folder) !== folder && liesInRepository(dirname(folder)));
}

function notStored(home: string): string {
  return `We cannot store that this home moved to ${home}. You have to confirm it with every command.`;
}
