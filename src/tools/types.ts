import type { z } from "zod";
import type { FileChange } from "../workspace/file_states.ts";
import type { Workspace } from "../workspace/workspace.ts";

/** What a prompt may do to the user's code, from nothing to running its commands. `try` runs what can change nothing. */
const rights = ["none", "read", "try", "edit", "run"] as const;
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
  /** What the test run of this number printed, as far as it is kept. */
  readonly testOutput?: (run: number) => string | undefined;
}

export type Plan =
  | { readonly type: "look"; readonly text: string; readonly seen: readonly Seen[] }
  | { readonly type: "change"; readonly change: FileChange }
  | { readonly type: "command"; readonly purpose: "tests"; readonly again: boolean }
  | { readonly type: "command"; readonly purpose: "command" | "try"; readonly line: string }
  /** The call cannot be carried out; the text says why and is given to the model. */
  | { readonly type: "refused"; readonly text: string };

/**
 * What was looked at, so that the journal can vouch for evidence. The `ref` of a file is its lines (`src/a.ts:1-20`), of
 * a search its pattern, also without a hit, of a look into git the tool and the path (`git_log src/a.ts`, or only
 * `git_log`), of a command its line and its number (`try 2`, `command 3`).
 */
export interface Seen {
  readonly kind: "file" | "search" | "git" | "list" | "command";
  readonly ref: string;
}
