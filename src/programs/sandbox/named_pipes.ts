import { tmpdir } from "node:os";
import { join } from "node:path";
import { reader } from "../../workspace/closed_paths.ts";
import { entriesInside, follow, isInside } from "../../workspace/place.ts";
import type { World } from "../../util/world.ts";

/** Looking into each of them at every command would take too long. */
const mostFolders = 500;

/**
 * Finds named pipes outside the workspace, in the folders where programs make them and one folder below: a read-only
 * mount keeps nobody from writing to a named pipe, so a sandbox must hide it.
 */
export function pipeFinder(root: string, env: World["env"]): () => string[] {
  const read = reader((folder) => {
    const entries = entriesInside(folder).map((entry) => ({ entry, path: join(folder, entry.name) }));
    const pipes = entries.filter(({ entry }) => entry.isFIFO()).map(({ path }) => path);
    const below = entries.filter(({ entry }) => entry.isDirectory()).map(({ path }) => path);
    return { pipes, below: below.length > mostFolders ? [] : below };
  });
  const named = [tmpdir(), "/tmp", "/var/tmp", "/run", env["XDG_RUNTIME_DIR"], env["HOME"]];
  const real = named.flatMap((path) => {
    const way = follow(path ?? "/tmp");
    return typeof way === "string" || way.missing.length > 0 ? [] : [way.real];
  });
  const places = [...new Set(real)];
  return () => {
    const folders = places.flatMap((place) => [place, ...(read(place)?.below ?? [])]);
    return [...new Set(folders)].flatMap((folder) => read(folder)?.pipes ?? []).filter((path) => !isInside(root, path));
  };
}
