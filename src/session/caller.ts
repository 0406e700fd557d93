import type { Progress } from "../chain/deps.ts";
import type { Listener } from "../chain/open.ts";
import type { Pattern } from "../library/pattern.ts";
import type { Actor } from "../store/journal.ts";

export interface PatternOffer {
  readonly name: string;
  readonly pattern: Pattern;
  readonly likeness: number;
  /** Which words, stack, prompts and form it shares with the task. */
  readonly why: readonly string[];
}

/** Who asks for something, how they stop it, and who listens meanwhile. */
export interface Caller {
  readonly by: Actor;
  readonly signal: AbortSignal;
  /** Whether they can be asked what the engine could also decide by itself. */
  readonly asks?: boolean;
  readonly listen: Listener;
  readonly progress: (sign: Progress) => void;
  /**
   * Whether a pattern that fits a new task is applied; undefined: the person left. Left out, only a pattern that was named
   * is applied.
   */
  readonly offer?: (offer: PatternOffer) => Promise<boolean | undefined>;
}
