import { isFolder, readTextIfThere, writeAtomic } from "../util/files.ts";
import { exitCodes, unlessRefused, UserError } from "../util/errors.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { quoted } from "../util/quoting.ts";

/** How far a journal was written. It is kept apart from the journal, so that a shortened journal is noticed. */
export interface JournalEnd {
  readonly n: number;
  readonly hash: string;
  /** How many model calls had been answered by then; null where it is not known. */
  readonly calls: number | null;
}

/** Undefined where there is none, or none that can be read: chains from before it was kept have none. */
export function readJournalEnd(path: string): JournalEnd | undefined {
  if (isFolder(path)) {
    const message = `${path} is a folder, but a file belongs there. Nothing was changed.`;
    const hint = `Move it away: mv ${quoted(path)} ${quoted(`${path}.away`)}`;
    throw new UserError("end_is_folder", message, hint, exitCodes.conflict);
  }
  return journalEndIn(parseJson(readTextIfThere(path) ?? ""));
}

export function journalEndIn(value: unknown): JournalEnd | undefined {
  if (!isRecord(value) || !Number.isSafeInteger(value["n"]) || typeof value["hash"] !== "string") return undefined;
  return {
    n: Number(value["n"]),
    hash: value["hash"],
    calls: typeof value["calls"] === "number" ? value["calls"] : null,
  };
}

/** Not synced, and no reason to stop a chain where it cannot be written: an end that lags behind is no damage. */
export function writeJournalEnd(path: string, end: JournalEnd): void {
  unlessRefused(() => writeAtomic(path, JSON.stringify(end), { durable: false }));
}
