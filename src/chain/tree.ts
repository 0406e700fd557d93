import { readSnapshot, snapshotText, type Snapshot } from "../tools/snapshot.ts";
import type { Chain } from "./open.ts";

/** How the workspace lay before the command that is running: its files, and the names that are closed. */
export interface Tree {
  readonly snapshot: Snapshot;
  readonly closed: readonly string[];
}

export function noteTree({ tree }: Chain, { snapshot, closed }: Tree): void {
  tree.write(`${JSON.stringify(closed)}\n${snapshotText(snapshot)}`);
}

/** Undefined: no command was running when the chain last stopped. */
export function notedTree({ tree }: Chain): Tree | undefined {
  const text = tree.read();
  if (text === undefined) return undefined;
  const end = text.indexOf("\n");
  const snapshot = readSnapshot(text.slice(end + 1));
  return { snapshot, closed: JSON.parse(text.slice(0, end)) as string[] };
}
