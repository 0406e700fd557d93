import { isAbsolute } from "node:path";
import { follow, isInside } from "./place.ts";

/** Where programs are looked for, without folders of the workspace: whoever may write there could plant one. */
export function pathOutside(root: string, path: string): string {
  const folders = path.split(":").filter((folder) => isAbsolute(folder));
  return folders.filter((folder) => !isInside(root, folder) && !leadsInside(root, folder)).join(":");
}

function leadsInside(root: string, folder: string): boolean {
  const way = follow(folder);
  return typeof way === "string" || isInside(root, way.real);
}
