import { nextLines } from "../../src/clients/cli/next.ts";
import type { Input, Next } from "../../src/util/next.ts";

/** What the command line prints of what can be done now. */
export function printed(next: unknown, flags: Input = {}): string {
  return nextLines(next as readonly Next[], flags).join("\n");
}

/** The same, with what the command line prints in place of its data. */
export function withPrinted(told: object, flags: Input = {}): Record<string, unknown> {
  const { next, ...rest } = told as Record<string, unknown>;
  return { ...rest, hint: printed(next, flags) };
}
