import { readSnapshot, type Snapshot } from "../tools/snapshot.ts";
import type { Chain } from "./open.ts";

/** How the workspace lay before the command that was running when the chain last stopped; undefined: there was none. */
export function notedTree({ tree }: Chain): Snapshot | undefined {
  const text = tree.read();
  return text === undefined ? undefined : readSnapshot(text);
}
