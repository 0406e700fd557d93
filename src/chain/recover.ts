import { renameSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, UserError } from "../util/errors.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { chainPaths, contextFiles } from "../store/chains.ts";
import { engineCall } from "./called.ts";
import type { Context } from "./context.ts";
import { event } from "./events.ts";
import { notOwn } from "./ownership.ts";
import { hold, lockOf, readOwned, viewName, type Beginning, type Chain } from "./open.ts";

export interface Recovered {
  readonly lost_lines: number;
  /** The damaged journal's name; null where the journal is whole and only texts beside it were damaged. */
  readonly kept_as: string | null;
  readonly viewPath: string;
}

/**
 * Makes a damaged chain one that can be resumed. A damaged journal is kept, and cut behind its last whole line;
 * without any, the context file is taken up instead. Damaged texts are frozen anew, and the step at work begins again.
 */
export function recoverChain(beginning: Beginning, id: string): Recovered {
  const { contexts, by, now } = beginning;
  const { journal: path } = chainPaths(contexts, id);
  const lock = lockOf(contexts, id);
  let chain: Chain | undefined;
  try {
    const { reading, ownership } = readOwned(beginning, id) ?? {};
    if (!reading || !ownership) throw nothingToRecover(id);
    if (ownership.type !== "own") throw notOwn(id, ownership);
    const text = readTextIfThere(path) ?? "";
    const lost_lines = text.split("\n").filter(Boolean).length - reading.lines.length;
    const file = contextFiles(contexts).get(id);
    if (lost_lines > 0 && reading.lines.length === 0 && file === undefined) throw nothingLeft(id, path);

    const name = `${id}.jsonl.damaged-${new Date(now()).toISOString().replace(/[:.]/g, "-")}`;
    const kept_as = lost_lines > 0 ? name : null;
    if (kept_as) renameSync(path, join(path, "..", kept_as));
    if (file !== undefined && reading.lines.length === 0) return { lost_lines, kept_as, viewPath: file };
    if (kept_as) writeAtomic(path, text.slice(0, lengthOf(text, reading.lines.length)));

    const viewPath = file ?? join(contexts, viewName(id, reading.lines));
    chain = hold(beginning, id, viewPath, reading, lock);
    if (!kept_as && texts(chain.context).every((hash) => isWhole(chain, hash))) throw nothingToRecover(id);
    const lost = kept_as
      ? `The journal was damaged: ${lost_lines} ${lost_lines === 1 ? "line" : "lines"} behind the last whole one were lost. The damaged journal is kept as ${kept_as}.`
      : "The journal is whole; texts beside it were damaged and are frozen anew. The step at work begins again.";
    const { why, prompts } = engineCall(chain.context, "error_recovery", "The chain was recovered.", { lost });
    const looks = chain.context.state.type === "completed" ? [] : [event("prompts_queued", { why, prompts })];
    chain.append({ by, bodies: [event("recovered", { lost_lines, kept_as }), ...looks] });
    chain.writeView(true);
    return { lost_lines, kept_as, viewPath };
  } finally {
    if (chain) chain.close();
    else lock.release();
  }
}

function lengthOf(text: string, lines: number): number {
  let length = 0;
  for (let line = 0; line < lines; line++) length = text.indexOf("\n", length) + 1;
  return length;
}

/** The texts beside the journal that the next steps need. */
function texts({ engine: { epoch, item } }: Context): string[] {
  const said = (item?.turns ?? []).flatMap(({ content, calls }) => [
    content,
    ...calls.map(({ answer }) => answer?.content),
  ]);
  const kept = said.flatMap((text) => (text && "blob" in text ? [text.blob] : []));
  return epoch ? [epoch.tools, ...epoch.system, ...kept] : kept;
}

function isWhole(chain: Chain | undefined, hash: string): boolean {
  try {
    chain?.blobs.get(hash);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

function nothingToRecover(id: string): UserError {
  return new UserError("nothing_to_recover", `The journal of chain ${id} is whole.`, `Go on: claude-exec resume ${id}`);
}

function nothingLeft(id: string, path: string): UserError {
  const message = `No line of the journal of chain ${id} is whole, and it has no context file. Nothing was changed.`;
  return new UserError(
    "nothing_left",
    message,
    `Restore ${path} from a backup, or begin again: claude-exec new "…"`,
    exitCodes.conflict,
  );
}
