import { existsSync, readFileSync } from "node:fs";
import type { Permission } from "../chain/consent.ts";
import { compile, type Mode } from "../programs/permissions/judge.ts";
import { exitCodes, systemCode, UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import type { Config } from "./config.ts";

export interface PermissionFlags {
  readonly permission?: Mode | undefined;
  readonly unsandboxed?: boolean | undefined;
}

/** What chains may do: a flag says it for one command, the user's own config for all; a robot may look only. */
export function permissionOf(
  { permissions }: Config,
  flags: PermissionFlags,
  { trusted, hidden, env }: { trusted: boolean; hidden: readonly string[]; env: World["env"] },
): Permission {
  const mode = flags.permission ?? permissions.mode ?? (isAutomatic(env) ? "read" : "ask");
  if (mode === "full" && process.geteuid?.() === 0 && !inContainer()) throw fullAsRoot();
  return {
    mode: trusted ? mode : "read",
    rules: compile(permissions, hidden),
    unsandboxed: flags.unsandboxed ?? permissions.unsandboxed,
  };
}

/** As the makers of build servers have agreed. */
function isAutomatic(env: World["env"]): boolean {
  const { CI = "" } = env;
  return CI !== "" && CI !== "0" && CI.toLowerCase() !== "false";
}

function fullAsRoot(): UserError {
  return new UserError(
    "full_as_root",
    "The permission mode full is refused to root outside a container: a mistake could take the whole machine along. Nothing was begun.",
    { input: { permission: "edits" }, why: "Work as an ordinary user, or let it ask" },
    exitCodes.usage,
  );
}

function inContainer(): boolean {
  if (existsSync("/.dockerenv") || existsSync("/run/.containerenv")) return true;
  try {
    return /docker|kubepods|containerd|libpod|lxc/.test(readFileSync("/proc/1/cgroup", "utf8"));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}
