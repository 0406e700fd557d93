import { notOwn, type Ownership } from "../chain/ownership.ts";
import { ownershipIn, readChain } from "../chain/inspect.ts";
import { paddedId } from "../store/chains.ts";
import { gitNames } from "../tools/git_names.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { contextsOf, keepProgramsOutside, locateHome, shelfOf, type Caller, type CommonFlags } from "./app.ts";
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
  const ownership = ownershipIn(shelfOf(home, env), id);
  if (ownership?.type === "moved" && input.adopt) {
    const { home: here } = shelfOf(home, env);
    if (!recordMove(env, ownership.from, here)) caller.progress({ type: "notice", line: notKept(here) });
  } else if (ownership?.type === "foreign" && input.adopt && mayAdopt) {
    return { home, id, workspace: home.workspace, adopts: true };
  } else if (ownership && ownership.type !== "own") throw notOwn(id, ownership);
  const named = ownership && liesApart(home) ? readChain(shelfOf(home, env), id).context.workspace : home.workspace;
  return { home, id, workspace: named, adopts: false };
}

/** Why a chain is not acted on, in a few words for whoever only looks; undefined: it is the user's own. */
export function whyForeign(ownership: Ownership, id: string, tracked: ReadonlySet<string>): string | undefined {
  if (tracked.has(`${id}.jsonl`)) return "git tracks its journal";
  if (ownership.type === "moved")
    return `its home was moved here from ${ownership.from}, and you have not confirmed that`;
  return ownership.type === "foreign" ? ownership.why : undefined;
}

/** Journals that came with a repository, or that go with it: whoever may push to it could change them. */
export async function trackedByGit(home: Home): Promise<ReadonlySet<string>> {
  keepProgramsOutside(home);
  return new Set(await gitNames(`${contextsOf(home)}/journal`, ["-c"]));
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
  return `That chains were moved to ${home} cannot be remembered here: add --adopt each time.`;
}
