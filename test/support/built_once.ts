import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { temporaryFolder } from "./temporary.ts";
import type { Place } from "./cli.ts";

/**
 * A place that many tests of a file begin with: built by the first that asks for it, and put back for each other one as
 * it was then. It stays where it is, because a chain belongs to the path of its home.
 */
export function builtOnce<Built extends { readonly place: Place }>(build: () => Promise<Built>): () => Promise<Built> {
  let building: Promise<{ built: Built; copies: readonly (readonly [from: string, to: string])[] }> | undefined;
  const first = async () => {
    const built = await build();
    const copies = [built.place.workspace, built.place.beside].map((at) => [temporaryFolder("copy-"), at] as const);
    for (const [copy, at] of copies) execFileSync("cp", ["-a", `${at}/.`, copy]);
    return { built, copies };
  };
  return async () => {
    if (!building) return (await (building = first())).built;
    const { built, copies } = await building;
    for (const [copy, at] of copies) {
      rmSync(at, { recursive: true });
      execFileSync("cp", ["-a", copy, at]);
    }
    return built;
  };
}
