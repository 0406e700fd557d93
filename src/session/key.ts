import { closeSync, fdatasyncSync, linkSync, openSync, readFileSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { sealWith, type Seal } from "../store/seal.ts";
import { exitCodes, systemCode, UserError } from "../util/errors.ts";
import { makeFolder, readTextIfThere, writeAtomic, writeFully } from "../util/files.ts";
import { sha256 } from "../util/hash.ts";
import { isRecord, parseJson } from "../util/json.ts";
import type { World } from "../util/world.ts";
import { userFolders } from "./places.ts";

/** The folder of the user's key, and of the list of homes that were moved. No command and no tool sees it. */
export function keyFolder(env: World["env"]): string {
  return join(userFolders(env).state, "key");
}

export interface UserSeal {
  readonly seal: Seal;
  /** Why the key could not be stored: it is forgotten when this process ends. Undefined where it is stored. */
  readonly notStoredBecause?: string;
}

/** The key of a process that cannot store one. This process can continue the chains that it begins with it. */
const ownKey = randomBytes(32);

/**
 * The seal of this user: of CLAUDE_EXEC_KEY, else of the key in the state folder. `make` makes that key where there is
 * none yet; whoever only looks makes nothing.
 */
export function userSeal(env: World["env"], make: boolean): UserSeal {
  const given = env["CLAUDE_EXEC_KEY"];
  if (given) return { seal: sealWith(Buffer.from(sha256("claude-exec key\n", longEnough(given)), "hex")) };
  const path = join(keyFolder(env), "key");
  try {
    const key = readKey(path) ?? (make ? makeKey(path) : undefined);
    if (key) return { seal: sealWith(key) };
    return { seal: sealWith(ownKey), notStoredBecause: "there is none yet" };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || error instanceof UserError) throw error;
    return { seal: sealWith(ownKey), notStoredBecause: `${path} cannot be ${make ? "made or " : ""}read (${code})` };
  }
}

function longEnough(text: string): string {
  const given = text.trim();
  const different = new Set(given).size;
  if (given.length >= 32 && different >= 10) return given;
  throw new UserError(
    "key_too_short",
    `CLAUDE_EXEC_KEY has ${given.length} characters, ${different} of them different. A key of fewer than 32, or with fewer than 10 different ones, could be guessed.`,
    "Make one: openssl rand -hex 32",
    exitCodes.notConfigured,
  );
}

function readKey(path: string): Buffer | undefined {
  const text = readTextIfThere(path);
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{64}\n$/.test(text)) return Buffer.from(text.trim(), "hex");
  throw new UserError(
    "key_damaged",
    `${path} holds no key. Nothing was done.`,
    "Restore it from a backup. Or remove it: then a new key is made, and every chain so far has to be adopted.",
    exitCodes.notConfigured,
  );
}

/** Of two processes that make it at the same time, both get the key that was there first, and never half of one. */
function makeKey(path: string): Buffer | undefined {
  makeFolder(join(path, ".."));
  const made = `${path}.${crypto.randomUUID()}`;
  try {
    const file = openSync(made, "wx", 0o600);
    try {
      writeFully(file, Buffer.from(`${randomBytes(32).toString("hex")}\n`));
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(made, path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(made, { force: true });
  }
  return readKey(path);
}

/** Where homes were moved to, as this user confirmed. A file that cannot be read confirms nothing: it is asked again. */
export function movesOf(env: World["env"]): ReadonlyMap<string, string> {
  const path = join(keyFolder(env), "moves.json");
  let known: unknown;
  try {
    known = parseJson(readFileSync(path, "utf8"));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  const pairs = isRecord(known) ? Object.entries(known) : [];
  const kept = pairs.filter((pair): pair is [string, string] => typeof pair[1] === "string");
  return new Map([...kept, ...confirmed]);
}

/** Moves that were confirmed in this process: here they hold even if they cannot be stored. */
const confirmed = new Map<string, string>();

/** Stores where a home was moved to. False: it could not be stored, and holds in this process only. */
export function recordMove(env: World["env"], from: string, to: string): boolean {
  const moves = new Map(movesOf(env)).set(from, to);
  // Whoever moves a home back ends the move away from there.
  moves.delete(to);
  confirmed.set(from, to);
  confirmed.delete(to);
  try {
    writeAtomic(join(keyFolder(env), "moves.json"), `${JSON.stringify(Object.fromEntries(moves), null, 2)}\n`);
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}
