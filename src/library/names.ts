// oxfmt-ignore
export const phases = [
  "requirements-clarification", "context-building", "uncertainty-analysis", "solution-approval", "implementation",
] as const;
export type Phase = (typeof phases)[number];

/** Nearest first: a name belongs to the first scope that has it, but for the shipped system prompts. */
export const scopes = ["workspace", "team", "user", "builtin", "custom"] as const;
export type Scope = (typeof scopes)[number];

export const costEstimates = ["minimal", "low", "medium", "high"] as const;

/** The name that a file or a person means, or undefined where no prompt can be called that. */
export function promptName(written: string): string | undefined {
  const name = written.replaceAll("-", "_");
  return /^[a-z0-9_]{3,50}$/.test(name) ? name : undefined;
}
