import type { Deps } from "../chain/deps.ts";
import { openWorkspace } from "../workspace/workspace.ts";
import { rulesName, type Home } from "./places.ts";

/** The rules of a trusted project: those in its home, then those at its own root. Empty where it has none. */
export function rulesOf({ path, workspace }: Home, { world, progress }: Pick<Deps, "world" | "progress">): string {
  const texts = [...new Set([path, workspace])].flatMap((folder) => {
    // Read as any file of a workspace: a link that leads out of it, or to a key, is not followed.
    const found = openWorkspace(folder, { hide: [], env: world.env }).read(rulesName);
    if (found.type === "refused") progress({ type: "notice", line: `No rules were read in ${folder}: ${found.text}` });
    return found.type === "text" ? [found.text] : [];
  });
  return texts.join("\n");
}
