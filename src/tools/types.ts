import type { z } from "zod";
import type { Workspace } from "./workspace.ts";

/** What a prompt may do to the user's code, from nothing to running its commands. */
const rights = ["none", "read", "edit", "run"] as const;
export type Rights = (typeof rights)[number];

export function allows(granted: Rights, needed: Rights): boolean {
  return rights.indexOf(granted) >= rights.indexOf(needed);
}

/**
 * A tool plans first and touches nothing but by reading: `look` is finished with its answer; a `change` or a
 * `command` is journalled by the engine before it is carried out (`workspace.apply`, `runCommand`).
 */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly needs: Rights;
  readonly input: z.ZodType;
  plan(input: unknown, reach: Reach, signal: AbortSignal): Promise<Plan>;
}

/** What tools can get at. */
export interface Reach {
  readonly workspace: Workspace;
  /** Looks through the whole library, in words for a model. */
  readonly findPrompts: (query: string) => Promise<string>;
}

export type Plan =
  | { readonly type: "look"; readonly text: string; readonly seen: readonly Seen[] }
  | { readonly type: "change"; readonly change: FileChange }
  | { readonly type: "command"; readonly purpose: "tests" }
  /** The call cannot be carried out; the text says why and is given to the model. */
  | { readonly type: "refused"; readonly text: string };

/** What was looked at, so that the journal can vouch for evidence: a file's lines, a search, a listing. */
export interface Seen {
  readonly kind: "file" | "search" | "list";
  readonly ref: string;
}

export interface FileChange {
  /** Relative to the workspace, with forward slashes. */
  readonly path: string;
  /** Undefined: the file is new. */
  readonly before: { readonly sha256: string; readonly text: string; readonly mode: number } | undefined;
  readonly after: { readonly sha256: string; readonly text: string };
}

export interface CommandRun {
  readonly argv: readonly string[];
  /** Undefined when it was killed or could not be started. */
  readonly exit_code: number | undefined;
  readonly duration_ms: number;
  readonly timed_out: boolean;
  /** Head and tail of what it printed, stdout and stderr in the order they came, bounded. */
  readonly output: string;
  readonly output_sha256: string;
}
