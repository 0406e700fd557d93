import { realpathSync } from "node:fs";
import { join } from "node:path";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { userFolders } from "./places.ts";
import type { World } from "../util/world.ts";

/** Nothing of a workspace is read before its user said that it may be: a config, a prompt or a rule can mislead. */
export function isTrusted(workspace: string, env: World["env"]): boolean {
  const real = realpathSync(workspace);
  return trusted(env).some((folder) => real === folder || real.startsWith(`${folder}/`));
}

export function trust(workspace: string, env: World["env"]): string {
  const real = realpathSync(workspace);
  writeAtomic(
    trustFile(env),
    `${JSON.stringify({ folders: [...new Set([...trusted(env), real])].sort() }, null, 2)}\n`,
  );
  return real;
}

export function untrusted(workspace: string, look = ""): UserError {
  return new UserError(
    "untrusted",
    `The folder ${workspace} is not trusted yet. Nothing in it was read.`,
    `If you know what is in it: claude-exec trust "${workspace}", or add --trust${look}`,
    exitCodes.waiting,
  );
}

function trusted(env: World["env"]): string[] {
  const text = readTextIfThere(trustFile(env));
  if (text === undefined) return [];
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
  return folders.filter((folder): folder is string => typeof folder === "string");
}

function trustFile(env: World["env"]): string {
  return join(userFolders(env).config, "trusted.json");
}
