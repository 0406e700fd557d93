import { realpathSync } from "node:fs";
import { join } from "node:path";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { isRecord, parseJson } from "../util/json.ts";
import type { Next } from "../util/next.ts";
import { isInside } from "../workspace/place.ts";
import { userFolders } from "./places.ts";
import type { World } from "../util/world.ts";

/** Nothing of a workspace is read before its user said that it may be: a config, a prompt or a rule can mislead. */
export function isTrusted(workspace: string, env: World["env"]): boolean {
  const real = realpathSync(workspace);
  return readTrust(env).folders.some((folder) => real === folder || real.startsWith(`${folder}/`));
}

/** Also says whether code of the folder may run in the sandbox before anything is approved. */
export function trust(workspace: string, env: World["env"], tries = true): string {
  const real = realpathSync(workspace);
  const { folders, tries: known } = readTrust(env);
  const all = { folders: [...new Set([...folders, real])].sort(), tries: { ...known, [real]: tries } };
  writeAtomic(trustFile(env), `${JSON.stringify(all, null, 2)}\n`);
  return real;
}

/** Undefined: nobody was asked, because the folder was trusted before the question said that code may run. */
export function mayTry(workspace: string, env: World["env"]): boolean | undefined {
  const { tries } = readTrust(env);
  const answers = Object.entries(tries).filter(([folder]) => isInside(folder, realpathSync(workspace)));
  return answers.sort(([one], [other]) => other.length - one.length)[0]?.[1];
}

export function untrusted(workspace: string, look: readonly Next[] = []): UserError {
  return new UserError(
    "untrusted",
    `The folder ${workspace} is not trusted yet. Nothing in it was read.`,
    [
      { operation: "trust", input: { folder: workspace }, why: "If you know what is in it" },
      { input: { trust: true }, why: "Or trust it along with the same command" },
      ...look,
    ],
    exitCodes.waiting,
  );
}

function readTrust(env: World["env"]): { folders: string[]; tries: Record<string, boolean> } {
  const text = readTextIfThere(trustFile(env));
  if (text === undefined) return { folders: [], tries: {} };
  const json = parseJson(text);
  const folders = isRecord(json) ? json["folders"] : undefined;
  if (!Array.isArray(folders)) {
    throw new UserError(
      "trust_unreadable",
      `${trustFile(env)} cannot be read, so no folder counts as trusted.`,
      "Remove that file, and trust your folders again.",
      exitCodes.notConfigured,
    );
  }
  const tries = isRecord(json) && isRecord(json["tries"]) ? Object.entries(json["tries"]) : [];
  return {
    folders: folders.filter((folder): folder is string => typeof folder === "string"),
    tries: Object.fromEntries(tries.flatMap(([folder, may]) => (typeof may === "boolean" ? [[folder, may]] : []))),
  };
}

function trustFile(env: World["env"]): string {
  return join(userFolders(env).config, "trusted.json");
}
