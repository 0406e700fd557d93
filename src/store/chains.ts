import { closeSync, lstatSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder, writeAtomic } from "../util/files.ts";
import { parseJson } from "../util/json.ts";
import { exitCodes, systemCode, UserError } from "../util/errors.ts";
import { sealText, unsealText, type Seal } from "./seal.ts";

/** Where the files of chains lie below a `contexts` folder. Put together without `join`, which a look at many chains feels. */
export function chainPaths(contexts: string, id: string) {
  return {
    journal: `${contexts}/journal/${id}.jsonl`,
    lock: `${contexts}/journal/${id}.lock`,
    spare: `${contexts}/journal/${id}.spare`,
    blobs: `${contexts}/blobs`,
    aside: `${contexts}/set-aside/${id}`,
    prompts: `${contexts}/prompts/${id}`,
    end: `${contexts}/journal-ends/${id}.json`,
    tree: `${contexts}/journal/${id}.tree`,
    inbox: `${contexts}/inbox/${id}`,
  };
}

/**
 * Takes the next free number by creating its journal exclusively: two processes never get the same one, and
 * removing old files never gives one out twice as long as a later one is there.
 */
export function takeChainId(contexts: string): string {
  makeFolder(join(contexts, "journal"));
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
  const numbered = [...ids].map((id) => ({ id, number: Number(id) }));
  return numbered.sort((a, b) => a.number - b.number).map(({ id }) => id);
}

/** The readable context file of each chain that has one, by id. */
export function contextFiles(contexts: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of namesIn(contexts)) {
    const id = /^chain-(\d+)-.*\.json$/.exec(name)?.[1];
    if (id !== undefined) files.set(id, `${contexts}/${name}`);
  }
  return files;
}

/** Where messages to one chain lie, and what seals them for it: `chain` is the hash of its first line. */
export interface Inbox {
  readonly folder: string;
  readonly seal: Seal;
  readonly chain: string;
}

/** Puts a message where the process that next works on the chain takes it in. Any process of its user may do so. */
export async function dropMessage({ folder, seal, chain }: Inbox, message: object, now: number): Promise<void> {
  refuseLinkedFolders([dirname(folder), folder]);
  const name = `${String(now).padStart(15, "0")}-${crypto.randomUUID()}.json`;
  writeAtomic(join(folder, name), sealText(seal, ["message", chain, name], JSON.stringify(message)));
}

/**
 * The messages that wait, oldest first. They stay until `removeMessage`: taken in first, removed after. Without its
 * seal a message is undefined: somebody else put it there, or wrote it for another chain.
 */
export async function waitingMessages({ folder, seal, chain }: Inbox): Promise<{ name: string; message: unknown }[]> {
  refuseLinkedFolders([dirname(folder), folder]);
  return namesIn(folder)
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .sort()
    .map((name) => {
      // What is no plain file (a pipe, a device) would keep whoever reads it waiting.
      const isFile = lstatSync(join(folder, name), { throwIfNoEntry: false })?.isFile();
      const text = unsealText(seal, ["message", chain, name], isFile ? readFileSync(join(folder, name), "utf8") : "");
      return { name, message: text === undefined ? undefined : parseJson(text) };
    });
}

export async function removeMessage({ folder }: Inbox, name: string): Promise<void> {
  rmSync(join(folder, name), { recursive: true, force: true });
}

/** What lies under a number before its chain begins was put there by somebody else. */
export function removeLeftovers(contexts: string, id: string): void {
  const { inbox, tree, spare, end, prompts } = chainPaths(contexts, id);
  refuseLinkedFolders([dirname(inbox), inbox, dirname(prompts), prompts]);
  for (const path of [inbox, tree, spare, end, prompts]) rmSync(path, { recursive: true, force: true });
}

/** Refuses paths that are links: behind a link lie the files of another home. */
export function refuseLinkedFolders(paths: readonly string[]): void {
  const link = paths.find((path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink());
  if (link === undefined) return;
  throw new UserError(
    "folder_is_link",
    `${link} is a link. Chains are kept in real folders. Nothing was read or changed.`,
    `Look where it leads, and remove the link: rm ${link}`,
    exitCodes.conflict,
  );
}

/** Every folder that chains are kept in. */
export function chainFolders(contexts: string): string[] {
  const names = ["journal", "journal-ends", "blobs", "inbox", "set-aside", "prompts"];
  return [contexts, ...names.map((name) => join(contexts, name))];
}

function namesIn(folder: string): string[] {
  try {
    // Asked first: a chain looks into its inbox at every step, mostly before there is one, and an error takes longer.
    return lstatSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder) : [];
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
