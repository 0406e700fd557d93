import { nextList, type Next, type Advice } from "./next.ts";

/**
 * What the user can mend. Anything else that is thrown is a bug; what the world does to us (a rate limit, a
 * failing test) is data and is never thrown.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: string;
  readonly next: readonly Next[];
  readonly exitCode: number;

  constructor(code: string, message: string, next: Advice, exitCode: number = exitCodes.failed) {
    super(message);
    this.code = code;
    this.next = nextList(next);
    this.exitCode = exitCode;
  }
}

/** 2 is kept free: hooks of Claude Code read it as "block". */
export const exitCodes = {
  done: 0,
  failed: 1,
  waiting: 10,
  confidence: 11,
  budget: 12,
  verification: 13,
  conflict: 14,
  usage: 64,
  notConfigured: 78,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

/** The exit code of a run that was asked to stop; the reason of its AbortSignal is the name of the process signal. */
export function exitCodeOfStop({ reason }: AbortSignal): number {
  if (reason === "SIGHUP") return exitCodes.hungUp;
  return reason === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted;
}

/** The code of a system error such as ENOSPC, or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What `work` gives, or undefined where the system refuses it: for any reason, or for one of these (ENOENT …). */
export function unlessRefused<Result>(work: () => Result, ...reasons: readonly string[]): Result | undefined {
  try {
    return work();
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || (reasons.length > 0 && !reasons.includes(code))) throw error;
    return undefined;
  }
}

/** What `work` gives, or undefined where it throws what a user can fix. */
export function unlessUserError<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
