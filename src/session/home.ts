import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ChainStore } from "../chain/ownership.ts";
import { sha256 } from "../util/hash.ts";
import type { World } from "../util/world.ts";
import type { SessionOptions } from "./options.ts";
import { movesOf, userSeal, type UserSeal } from "./key.ts";
import { findHome, homePath, userFolders, type Home } from "./places.ts";
import { isTrusted } from "./trust.ts";

/** What is looked at without being trusted keeps its chains with its user: nothing is taken from there, or put. */
export function locateHome(cwd: string, options: SessionOptions, env: World["env"]): Home {
  const home = findHome(cwd, options.home, env);
  if (options.home !== undefined || env["CLAUDE_EXEC_HOME"] || options.trust || isTrusted(home.workspace, env))
    return home;
  const path = join(userFolders(env).state, "looked-at", sha256(home.workspace).slice(0, 12));
  const exists = existsSync(path);
  return options.permission === "read" || (!home.exists && exists) ? { ...home, path, exists } : home;
}

export function contextsOf(home: Home): string {
  return join(home.path, "contexts");
}

/** The chains of a home. `make` makes the key of a user who has none yet. */
export function chainStoreOf(home: Home, env: World["env"], make = false): ChainStore & UserSeal {
  const moves = movesOf(env);
  const movedTo = (path: string) => moves.get(path);
  return { contexts: contextsOf(home), home: homePath(home), movedTo, ...userSeal(env, make) };
}

/** The prompts that were run on their own: each is a chain of one prompt, in a folder within the home. */
export function runsOf(store: ChainStore): ChainStore {
  const movedTo = (path: string) => {
    const to = store.movedTo(dirname(path));
    return to && join(to, "runs");
  };
  return { ...store, contexts: join(store.contexts, "runs"), home: join(store.home, "runs"), movedTo };
}
