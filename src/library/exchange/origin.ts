import { z } from "zod";
import { refuse } from "./folder.ts";
import { formats } from "./format.ts";

/** Where an imported prompt came from. The original itself lies in `keptFolder`. */
const origin = z.object({ format: z.enum(formats), path: z.string() });
export type Origin = z.infer<typeof origin>;

/** Undefined: the prompt was written here. */
export function originOf(data: Readonly<Record<string, unknown>>): Origin | undefined {
  if (!Object.hasOwn(data, "imported")) return undefined;
  const read = origin.safeParse(data["imported"]);
  if (read.success) return read.data;
  const { path, message } = read.error.issues[0]!;
  throw refuse(`imported.${path.join(".")}: ${message}`);
}

/** Next to a prompt: its original and the files that belong to it, each with an ending that keeps it out of the library. */
export function keptFolder(path: string): string {
  return path.replace(/\.md$/i, ".files");
}
