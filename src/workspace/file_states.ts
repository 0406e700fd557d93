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
