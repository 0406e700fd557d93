import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Library } from "../library/library.ts";
import type { IndexFile } from "../store/index_file.ts";
import { sha256 } from "../util/hash.ts";
import type { World } from "../util/world.ts";
import { locateHome, type Caller } from "./app.ts";
import type { Config } from "./config.ts";
import { packageFolder, userFolders, type Home } from "./places.ts";
import { isTrusted, trust } from "./trust.ts";

/** Where prompts of each scope lie, the nearest first. Without a home only those of the user and the shipped ones. */
export function promptFolders(home: Home | undefined, config: Config, env: World["env"]) {
  const own = home && home.path !== packageFolder ? [join(home.path, "prompts")] : [];
  return [
    ...own.map((path) => ({ scope: "workspace" as const, path })),
    ...config.prompts.team.map((path) => ({ scope: "team" as const, path: promptsOf(path) })),
    { scope: "user" as const, path: join(userFolders(env).config, "prompts") },
    { scope: "builtin" as const, path: join(packageFolder, "prompts") },
    { scope: "custom" as const, path: join(home?.path ?? packageFolder, config.prompts.custom_dir) },
  ];
}

export async function openPrompts(home: Home | undefined, config: Config, env: World["env"]): Promise<Library> {
  const { openLibrary } = await import("../library/library.ts");
  const index = await openIndex(home, env);
  return openLibrary(promptFolders(home, config, env), { index, allowed: config.prompts.may_replace });
}

/** A team's checkout may hold more than prompts; then they lie in a folder called so. */
function promptsOf(checkout: string): string {
  const inside = join(checkout, "prompts");
  return existsSync(inside) ? inside : checkout;
}

/** What was read of a home's prompts and chains, in the user's cache folder. */
export async function openIndex(home: Home | undefined, env: World["env"]): Promise<IndexFile> {
  const { openIndexFile } = await import("../store/index_file.ts");
  const name = sha256(home?.path ?? "shipped").slice(0, 16);
  return openIndexFile(join(userFolders(env).cache, `${name}.sqlite`));
}

/** The library as it is for whoever only looks: a home's own prompts count where its folder is trusted. */
export async function libraryOf(caller: Caller, input: { home?: string | undefined; trust?: boolean | undefined }) {
  const { env } = caller.world;
  const place = locateHome(caller, input);
  if (input.trust) trust(place.workspace, env);
  const trusted = isTrusted(place.workspace, env);
  const { readSettings } = await import("./read_settings.ts");
  const given = { env, now: caller.world.now() };
  const { config, notes } = readSettings(trusted ? place.path : undefined, userFolders(env).config, given);
  for (const line of notes) caller.progress({ type: "notice", line });
  const home = trusted && place.exists ? place : undefined;
  const folders = promptFolders(home, config, env);
  return { library: await openPrompts(home, config, env), place, trusted, home, config, folders };
}
