import { isAbsolute } from "node:path";
import type { World } from "../util/world.ts";
import { follow, isInside } from "./place.ts";

/**
 * Variables for the programs that we start ourselves. Their PATH holds no folder of the workspace, because whoever may
 * write in the workspace could put a program named git there; npm puts its node_modules/.bin first.
 */
export function envOutside(root: string, env: World["env"]): World["env"] {
  const folders = (env["PATH"] ?? "").split(":");
  return { ...env, PATH: folders.filter((folder) => isAbsolute(folder) && !leadsInside(root, folder)).join(":") };
}

function leadsInside(root: string, folder: string): boolean {
  const way = follow(folder);
  return typeof way === "string" || isInside(root, folder) || isInside(root, way.real);
}
