import type { z } from "zod";
import { quoted } from "./finding.ts";

/** What is wrong with data, and where within it. */
export interface FormTrouble {
  readonly inner: readonly PropertyKey[];
  readonly what: string;
}

export function formTrouble(form: z.ZodType, value: unknown): FormTrouble[] {
  const { error } = form.safeParse(value, { error: ({ input }) => (input === undefined ? "is missing" : undefined) });
  return (error?.issues ?? []).map((issue) => {
    if (issue.code === "unrecognized_keys") {
      return { inner: [...issue.path, issue.keys[0]!], what: `there is no key ${listed(issue.keys)}` };
    }
    return { inner: issue.path, what: [...issue.path.map(String), issue.message].join(": ") };
  });
}

export function listed(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return names.slice(0, 3).map(quoted).join(", ") + more;
}
