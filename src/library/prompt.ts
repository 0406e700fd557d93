import type { z } from "zod";
import type { frontMatter } from "./fields.ts";

// oxfmt-ignore
export const phases = [
  "requirements-clarification", "context-building", "uncertainty-analysis", "solution-approval", "implementation",
] as const;
export type Phase = (typeof phases)[number];

/** Nearest first: a name belongs to the first scope that has it, but for the shipped system prompts. */
export const scopes = ["workspace", "team", "user", "builtin", "custom"] as const;
export type Scope = (typeof scopes)[number];

/** Where a prompt lies; `folder` is the first one under its scope's root, or "" at the root itself. */
export interface Place {
  readonly file: string;
  readonly folder: string;
  readonly scope: Scope;
}

export const inputTypes = ["text", "line", "path", "number", "boolean"] as const;

/** A `line` is folded to one line; a `text` can hold anything, and stands in a fence that is named as data. */
export interface Input {
  readonly type: (typeof inputTypes)[number];
  readonly description: string;
  readonly required: boolean;
  readonly default?: string;
}

export const costEstimates = ["minimal", "low", "medium", "high"] as const;

export interface Prompt extends Place, Readonly<Omit<z.infer<typeof frontMatter>, "name">> {
  readonly name: string;
  /** Keys of the front matter that are not ours, as they stand there. */
  readonly extra: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly bodyLine: number;
  /** Of the file's bytes. */
  readonly sha256: string;
}

/** A prompt as the library lists it: all that choosing needs, without its text. */
export interface Listed extends Pick<
  Prompt,
  "name" | "title" | "purpose" | "cost_estimate" | "phases" | "tools" | "model" | "tags" | keyof Place
> {
  /** Their names, with a ? behind those that may be left out. */
  readonly inputs: readonly string[];
}

/** The name that a file or a person means, or undefined where no prompt can be called that. */
export function promptName(written: string): string | undefined {
  const name = written.replaceAll("-", "_");
  return /^[a-z0-9_]{3,50}$/.test(name) ? name : undefined;
}
