import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Library } from "../library/library.ts";
import type { IndexFile } from "../store/index_file.ts";
import { sha256 } from "../util/hash.ts";
import type { World } from "../util/world.ts";
import type { Config } from "./config.ts";
import { packageFolder, userFolders, type Home } from "./places.ts";

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

export async function openPrompts(
  folders: ReturnType<typeof promptFolders>,
  config: Config,
  index: IndexFile,
): Promise<Library> {
  const { openLibrary } = await import("../library/library.ts");
  return openLibrary(folders, { index, allowed: config.prompts.may_replace });
}

/** A team's checkout may hold more than prompts; then they lie in a folder called so. */
function promptsOf(checkout: string): string {
  const inside = join(checkout, "prompts");
  return existsSync(inside) ? inside : checkout;
}

/** What was read of a home's prompts and chains, in the user's cache folder. */
export async function openIndex(home: Home, env: World["env"]): Promise<IndexFile> {
  const { openIndexFile } = await import("../store/index_file.ts");
  const name = sha256(home.path).slice(0, 16);
  return openIndexFile(join(userFolders(env).cache, `${name}.sqlite`));
}
