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
  | { readonly type: "command"; readonly purpose: "command"; readonly line: string }
  /** The call cannot be carried out; the text says why and is given to the model. */
  | { readonly type: "refused"; readonly text: string };

/** What was looked at, so that the journal can vouch for evidence: a file's lines, a search, a listing, a command. */
export interface Seen {
  readonly kind: "file" | "search" | "list" | "command";
  readonly ref: string;
}

/** What lies at a path: a file, told by its content and its mode bits, or a link and where it leads. */
export type FileState =
  | {
      readonly type: "file";
      readonly sha256: string;
      readonly mode: number;
      readonly size: number;
      /** Its content was not kept, being too large or not for us to read; the hash tells only how it looked. */
      readonly kept?: false;
    }
  | { readonly type: "link"; readonly target: string };

/** What happened to a path; null where there was neither a file nor a link. */
export interface Touched {
  readonly path: string;
  readonly before: FileState | null;
  readonly after: FileState | null;
}

export interface FileChange {
  /** Relative to the workspace, with forward slashes. */
  readonly path: string;
  /** Undefined: the file is new. */
  readonly before: { readonly sha256: string; readonly text: string; readonly mode: number } | undefined;
  /** Undefined: the file is deleted. */
  readonly after: { readonly sha256: string; readonly text: string } | undefined;
}

export interface CommandRun {
  readonly argv: readonly string[];
  /** Undefined when it was killed or could not be started. */
  readonly exit_code: number | undefined;
  readonly duration_ms: number;
  readonly timed_out: boolean;
  /** Whether it ran in the sandbox. */
  readonly sandboxed: boolean;
  /** Head and tail of what it printed, stdout and stderr in the order they came, bounded. */
  readonly output: string;
  readonly output_sha256: string;
}
