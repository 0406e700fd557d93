import type { Progress } from "../chain/deps.ts";
import type { Listener } from "../chain/open.ts";
import type { Actor } from "../store/journal.ts";

/** Who asks for something, how they stop it, and who listens meanwhile. */
export interface Caller {
  readonly by: Actor;
  readonly signal: AbortSignal;
  readonly listen: Listener;
  readonly progress: (sign: Progress) => void;
}
