import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { parseJson } from "../util/json.ts";
import { systemCode, UserError } from "../util/errors.ts";

/** Where the files of chains lie below a `contexts` folder. */
export function chainPaths(contexts: string, id: string) {
  return {
    journal: join(contexts, "journal", `${id}.jsonl`),
    lock: join(contexts, "journal", `${id}.lock`),
    spare: join(contexts, "journal", `${id}.spare`),
    blobs: join(contexts, "blobs"),
    aside: join(contexts, "set-aside", id),
    tree: join(contexts, "journal", `${id}.tree`),
    inbox: join(contexts, "inbox", id),
  };
}

/**
 * Takes the next free number by creating its journal exclusively: two processes never get the same one, and
 * removing old files never gives one out twice as long as a later one is there.
 */
export function takeChainId(contexts: string): string {
  mkdirSync(join(contexts, "journal"), { recursive: true, mode: 0o700 });
  for (let number = Math.max(0, ...chainIds(contexts).map(Number)) + 1; ; number++) {
    const id = paddedId(number);
    try {
      closeSync(openSync(chainPaths(contexts, id).journal, "wx", 0o600));
      return id;
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }
}

/** A chain's number as its files carry it, however it was written. */
export function paddedId(number: number | string): string {
  return String(number)
    .replace(/^0+(?=\d)/, "")
    .padStart(3, "0");
}

/** Every chain that has a journal or a context file, oldest first. */
export function chainIds(contexts: string): string[] {
  const ids = new Set([
    ...namesIn(join(contexts, "journal")).flatMap((name) => /^(\d+)\.jsonl$/.exec(name)?.[1] ?? []),
    ...contextFiles(contexts).keys(),
  ]);
  return [...ids].sort((a, b) => Number(a) - Number(b));
}

/** The readable context file of each chain that has one, by id. */
export function contextFiles(contexts: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of namesIn(contexts)) {
    const id = /^chain-(\d+)-.*\.json$/.exec(name)?.[1];
    if (id !== undefined) files.set(id, join(contexts, name));
  }
  return files;
}

/** Puts a message where the process that next works on the chain takes it in. Any process may do so. */
export function dropMessage(inbox: string, message: object, now: number): void {
  const name = `${String(now).padStart(15, "0")}-${crypto.randomUUID()}.json`;
  writeAtomic(join(inbox, name), JSON.stringify(message));
}

/** The messages that wait, oldest first. They stay until `removeMessage`: taken in first, removed after. */
export function waitingMessages(inbox: string): { name: string; message: unknown }[] {
  return namesIn(inbox)
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .sort()
    .map((name) => ({ name, message: parseJson(readTextIfThere(join(inbox, name)) ?? "") }));
}

export function removeMessage(inbox: string, name: string): void {
  rmSync(join(inbox, name), { force: true });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    if (systemCode(error) !== "EACCES") throw error;
    throw new UserError(
      "unreadable",
      `The folder ${folder} cannot be read.`,
      `Give yourself the right to it: chmod u+rwx ${folder}`,
    );
  }
}
