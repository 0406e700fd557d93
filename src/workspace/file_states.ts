import { z } from "zod";

/** What lies at a path: a file, told by its content and its mode bits, or a link and where it leads. */
export const fileState = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("file"),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    mode: z.int().min(0).max(0o7777),
    size: z.int().min(0),
    /** Its content was not kept, being too large or not for us to read; the hash tells only how it looked. */
    kept: z.literal(false).exactOptional(),
  }),
  z.strictObject({ type: z.literal("link"), target: z.string().min(1) }),
]);
export type FileState = Readonly<z.infer<typeof fileState>>;

/** What happened to a path; null where there was neither a file nor a link. */
export interface Touched {
  readonly path: string;
  readonly before: FileState | null;
  readonly after: FileState | null;
}

export interface Fingerprint {
  readonly sha256: string;
  readonly text: string;
  readonly mode: number;
}

export interface FileChange {
  /** Relative to the workspace, with forward slashes. */
  readonly path: string;
  /** Undefined: the file is new. */
  readonly before: Fingerprint | undefined;
  /** Undefined: the file is deleted. */
  readonly after: Omit<Fingerprint, "mode"> | undefined;
}
