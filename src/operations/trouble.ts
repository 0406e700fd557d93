import { forChain } from "../chain/events.ts";
import { systemCode, UserError } from "../util/errors.ts";
import type { Next } from "../util/next.ts";

/** An error that says what can be done now: which chain it struck, and what the machine denied. A bug stays one. */
export function mendable(error: unknown, id: string | undefined, same = false): unknown {
  const goOn = (why: string): Next =>
    id === undefined || same ? { input: {}, why } : { operation: "resume", input: { chain: id }, why };
  if (error instanceof UserError) {
    const next = error.next.map((one) => (isSameAgain(one) ? goOn(one.why) : one));
    return saying(error, id === undefined ? next : forChain(next, id));
  }
  const kept = id === undefined ? "Nothing was changed." : "Everything up to the step before is kept.";
  switch (denialOf(error)) {
    case "full":
      return new UserError("disk_full", `The disk is full. ${kept}`, goOn("Free some space, then go on"));
    case "forbidden": {
      const what = `${pathOf(error)} may not be read or written.`;
      return new UserError("not_permitted", `${what} ${kept}`, goOn("Give yourself the right to it, then go on"));
    }
    case "unusable": {
      const what = `${pathOf(error)} cannot be used (${systemCode(error)}).`;
      const next = goOn("Name another path, or repair this one, then go on");
      return new UserError("path_unusable", `${what} ${kept}`, next);
    }
    case "broken":
      return new UserError("disk_failed", `The disk failed (EIO). ${kept}`, goOn("Check the disk, then go on"));
    case undefined:
      return error;
  }
}

/** The same, for what strikes a chain in the middle of a turn: it always ends with how to go on. */
export function resumable(error: unknown, id: string): unknown {
  const known = mendable(error, id);
  if (!(known instanceof UserError) || known.next.some(({ operation }) => operation !== undefined)) return known;
  const why = "Everything before is kept. Then go on";
  return saying(known, [...known.next, { operation: "resume", input: { chain: id }, why }]);
}

function saying({ code, message, exitCode }: UserError, next: readonly Next[]): UserError {
  return new UserError(code, message, next, exitCode);
}

/** What lies below the operations knows none of them. In the middle of a chain to go on is to resume it. */
function isSameAgain({ operation, input }: Next): boolean {
  return operation === undefined && input !== undefined && Object.keys(input).length === 0;
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
