import { join } from "node:path";
import { gitNames } from "../programs/git_names.ts";
import type { LookedAt } from "../programs/program.ts";
import { entriesInside } from "./place.ts";

/** Names below a folder, in no order: of plain files, of links, and of whatever else may lie there. */
export interface Tree {
  readonly names: readonly string[];
  /** What git ignores and does not track; a folder ends in a slash and stands for all that is in it. */
  readonly ignored: readonly string[];
}

/** As git sees it, or all of it where there is no git work tree. Nothing of the project's is run. */
export async function treeOf(at: LookedAt): Promise<Tree> {
  const [names, ignored] = await Promise.all([
    gitNames(at, ["-co", "--exclude-standard"]),
    gitNames(at, ["-oi", "--exclude-standard", "--directory"]),
  ]);
  return names === undefined || names.length === 0
    ? { names: namesBelow(at.root), ignored: [] }
    : { names, ignored: ignored ?? [] };
}

/** As `treeOf`, and with what git ignores. */
export async function wholeTreeOf(at: LookedAt): Promise<readonly string[]> {
  return (await gitNames(at, ["-co"])) ?? namesBelow(at.root);
}

/** What went away meanwhile, may not be read, or lies too deep to be opened is left out: none of it can be read. */
function namesBelow(root: string): string[] {
  const names: string[] = [];
  const waiting = [""];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of entriesInside(join(root, folder))) {
      if (entry.name === ".git" || entry.name === "node_modules") continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) waiting.push(path);
      else names.push(path);
    }
  }
  return names;
}
