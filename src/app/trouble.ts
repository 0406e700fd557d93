import { systemCode, UserError } from "../util/errors.ts";
import { quoted } from "../util/quoting.ts";
import type { CommonFlags } from "./app.ts";

/** An error in words that end with what to type next: which chain it struck, and what the machine denied. A bug stays one. */
export function mendable(error: unknown, id: string | undefined, flags: CommonFlags, same = false): unknown {
  const again =
    id === undefined || same ? "type the same again." : `type: claude-exec resume ${id}${flagsAgain(flags)}`;
  if (error instanceof UserError) return naming(error, again, id, flags);
  const kept = id === undefined ? "Nothing was changed." : "Everything up to the step before is kept.";
  switch (denialOf(error)) {
    case "full":
      return new UserError("disk_full", `The disk is full. ${kept}`, `Free some space, then ${again}`);
    case "forbidden": {
      const what = `${pathOf(error)} may not be read or written.`;
      return new UserError("not_permitted", `${what} ${kept}`, `Give yourself the right to it, then ${again}`);
    }
    case "unusable": {
      const what = `${pathOf(error)} cannot be used (${systemCode(error)}).`;
      return new UserError("path_unusable", `${what} ${kept}`, `Name another path, or repair this one, then ${again}`);
    }
    case "broken":
      return new UserError("disk_failed", `The disk failed (EIO). ${kept}`, `Check the disk, then ${again}`);
    case undefined:
      return error;
  }
}

/** The same, for what strikes a chain in the middle of a turn: it always ends with how to go on. */
export function resumable(error: unknown, id: string, flags: CommonFlags): unknown {
  const known = mendable(error, id, flags);
  if (!(known instanceof UserError) || known.hint.includes("claude-exec")) return known;
  const hint = `${known.hint} Everything before is kept; then go on: claude-exec resume ${id}${flagsAgain(flags)}`;
  return new UserError(known.code, known.message, hint, known.exitCode);
}

/** What a command has to repeat to find the same chain and the same model again. */
export function flagsAgain({ home, replay, model, permission, unsandboxed }: CommonFlags): string {
  const named = Object.entries({ home, replay, model, permission });
  const values = named.map(([flag, value]) => (value === undefined ? "" : ` --${flag} ${quoted(value)}`));
  return values.join("") + (unsandboxed ? " --unsandboxed" : "");
}

/** What lies below the chain does not know which one it serves. */
function naming(error: UserError, again: string, id: string | undefined, flags: CommonFlags): UserError {
  const { code, message, hint, exitCode } = error;
  const known = hint
    .replace("then resume the chain.", `then ${again}`)
    .replace("recover <chain>", `recover ${id ?? "<chain>"}${flagsAgain({ home: flags.home })}`);
  return known === hint ? error : new UserError(code, message, known, exitCode);
}

/** What the machine denied; undefined for anything else. */
export function denialOf(error: unknown): "full" | "forbidden" | "broken" | "unusable" | undefined {
  switch (systemCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return "full";
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return "forbidden";
    case "EIO":
      return "broken";
    case "ENOTDIR":
    case "EISDIR":
    case "ELOOP":
    case "ENAMETOOLONG":
      return "unusable";
    // Making a folder fails so where a file or a broken link has its name.
    case "ENOENT":
    case "EEXIST":
      return error instanceof Error && "syscall" in error && error.syscall === "mkdir" ? "unusable" : undefined;
    case "ERR_SQLITE_ERROR":
      return lockDenial(error);
    default:
      return undefined;
  }
}

/** SQLite, which keeps our locks, has numbers of its own for the same. */
function lockDenial(error: unknown): "full" | "forbidden" | "broken" | undefined {
  const number = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  return ({ 8: "forbidden", 10: "broken", 13: "full", 14: "forbidden" } as const)[number];
}

function pathOf(error: unknown): string {
  const path = error instanceof Error && "path" in error ? error.path : undefined;
  return typeof path === "string"
    ? path.replace(/\/\.[\da-f-]{36}\.tmp$/, "").slice(0, 300)
    : systemCode(error) === "ERR_SQLITE_ERROR"
      ? "The chain's lock"
      : "A file of ours";
}
