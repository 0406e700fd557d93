import { z } from "zod";
import { formats } from "./format.ts";

const texts = z.array(z.string()).readonly();

/** A file that was left out, and why. */
export const skippedSchema = z.object({ file: z.string(), why: z.string() });
export type Skipped = Readonly<z.infer<typeof skippedSchema>>;

export const importedSchema = z.object({
  /** Below the folder that was imported, as are `siblings`. */
  file: z.string(),
  siblings: texts,
  name: z.string(),
  /** Below the folder that was written to. */
  to: z.string(),
  format: z.enum(formats),
  /** What decided the format. */
  rule: z.string(),
  /** The tools it wanted and does not get. */
  asked_for: texts,
  /** It was there already, to the byte. */
  unchanged: z.boolean(),
});
export type Imported = Readonly<z.infer<typeof importedSchema>>;

export const exportedSchema = z.object({
  file: z.string(),
  /** Below the folder that was written to. */
  files: texts,
  how: z.enum(["given back", "copied", "translated"]),
  format: z.enum(formats),
  /** Keys of our front matter that could not be kept: the other tool has no place for them, or the original says otherwise. */
  lost: texts,
  unchanged: z.boolean(),
});
export type Exported = Readonly<z.infer<typeof exportedSchema>>;
