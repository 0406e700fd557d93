import { messageOf, UserError } from "../../util/errors.ts";
import type { Input } from "../../util/next.ts";
import { nextLines } from "./next.ts";
import { fit } from "./status_report.ts";
import { harmless } from "./terminal.ts";

/** What happened, what is kept, what to type next; a bug is told apart from all that. */
export function errorText(error: unknown, again: Input, columns: number): string {
  if (!(error instanceof UserError)) {
    const stack = error instanceof Error ? error.stack : messageOf(error);
    return `This is a bug in claude-exec, not a mistake of yours. What was journalled is kept.\n${stack}`;
  }
  return fit(harmless([error.message, ...nextLines(error.next, again)].join("\n")), columns);
}
