import { readSnapshot, type Snapshot } from "../workspace/snapshot.ts";
import { event } from "./events.ts";
import { engineActor, type Chain } from "./open.ts";

/**
 * How the workspace lay before the command that was running when the chain last stopped; undefined: there was none.
 * What somebody else wrote there is removed, and the journal says so.
 */
export async function notedTree(chain: Chain): Promise<Snapshot | undefined> {
  const text = chain.tree.read();
  if (text !== null) return text === undefined ? undefined : readSnapshot(text);
  const reason = "The saved list of files from before a command was not written by this chain. It was ignored.";
  await chain.append({ by: engineActor, bodies: [event("message_ignored", { reason, from: `${chain.id}.tree` })] });
  chain.tree.remove();
  return undefined;
}
