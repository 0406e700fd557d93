import type { World } from "../../util/world.ts";
import type { Inside } from "../run_command.ts";

/** Where commands run without network, writing to the workspace only. */
export interface Sandbox extends Inside {
  /** What it is, "bubblewrap, no network; …", or why there is none. */
  readonly detail: string;
  /** How to get one; null where it is on. */
  readonly hint: string | null;
  /** Another sandbox, whose commands may write only this folder; left out where it is off. What is closed stays closed. */
  readonly at?: (folder: string) => Promise<Sandbox>;
  close(): Promise<void>;
}

export interface SandboxOptions {
  /** The only folder that commands may write, besides a temporary one of their own. */
  readonly root: string;
  /** Absolute paths that are never written, be they there or not. */
  readonly protect: readonly string[];
  /** Absolute paths that are neither read nor written. */
  readonly conceal: readonly string[];
  /** Commands are only tried: they see the workspace read-only, and little else. */
  readonly tries?: boolean | undefined;
  readonly world: World;
}

/** Why there is no sandbox, and how to get one. */
export interface Lack {
  readonly detail: string;
  readonly hint: string;
}
