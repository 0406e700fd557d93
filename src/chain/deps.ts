import type { Model } from "../models/types.ts";
import type { PriceTable } from "../models/price_table.ts";
import type { Library } from "../library/library.ts";
import type { Prompt } from "../library/prompt.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { World } from "../util/world.ts";
import type { Sandbox } from "../programs/sandbox/types.ts";
import type { Permission } from "./consent.ts";
import type { Chain } from "./open.ts";

/** What a chain needs from the world to take its steps. */
export type PassedSum = { of: "day" | "project"; usd: number; threshold: number };

export interface Deps {
  readonly world: World;
  readonly model: Model;
  readonly routes: { readonly fast: string; readonly default: string; readonly smart: string };
  readonly maxTokens: number;
  readonly contextWindow: number;
  readonly warningThreshold: number;
  readonly prices: PriceTable;
  /** When the next request may be sent. See `ModelRequest`. */
  readonly pace?: () => number;
  /** The sums over all chains of the home that passed what their user set, each once. `spent`: what this chain spent, in dollars. */
  readonly passedSums?: ((spent: number) => Promise<readonly PassedSum[]>) | undefined;
  /** How the prompts of the home did so far, one line each. */
  readonly promptFigures?: () => Promise<string>;
  /** Hands a cost alert to the user's own command. Gives what went wrong with that, in one line. */
  readonly alert?: ((facts: object) => Promise<string | undefined>) | undefined;
  readonly library: Library;
  /** Looks at a prompt that a model wrote. It must have test cases, pass the linter, and ask for no right but to read. */
  readonly lintPrompt: (
    name: string,
    text: string,
    tests: string | undefined,
  ) => Promise<{ errors: string[]; prompt: Prompt | undefined }>;
  /** How many prompts the catalogue of a request lists at most. */
  readonly catalogueCore: number;
  readonly workspace: Workspace;
  /** Standing rules of the project, given to every chain. */
  readonly rules: string;
  readonly testTimeoutMs: number;
  readonly permission: Permission;
  /** Opened when it is first needed, and proved before it is used. */
  readonly sandbox: { open(): Promise<Sandbox>; close(): Promise<void> };
  /** The sandbox for commands that are tried and change nothing, or why none may be tried here. */
  readonly tries: Deps["sandbox"] | string;
  /** Signs of life while a step runs; nothing that needs keeping. */
  readonly progress: (sign: Progress) => void;
}

export type Progress =
  | { readonly type: "thinking"; readonly key: string; readonly prompt: string; readonly model: string }
  | { readonly type: "receiving"; readonly key: string; readonly characters: number }
  | { readonly type: "waiting"; readonly key: string; readonly delay_ms: number }
  | { readonly type: "retrying"; readonly key: string; readonly delay_ms: number; readonly reason: string }
  | { readonly type: "sandbox" | "notice"; readonly line: string }
  /** Told once, when a chain begins or goes on. */
  | { readonly type: "chain"; readonly id: string; readonly context_file: string }
  | { readonly type: "using"; readonly key: string; readonly tool: string; readonly input: string };

export interface Work {
  readonly chain: Chain;
  readonly deps: Deps;
  readonly signal: AbortSignal;
  /** There where prompts run beside each other: this one waits until the others have ended. */
  readonly defer?: (key: string, why: Deferred) => void;
  /** Called once a reply begins: from then on the provider's cache holds what the request began with. */
  readonly replyBegan?: () => void;
}

/** A new epoch must begin first, for room in the model's window or another engine; or others hold the budget reserved. */
export type Deferred = "context_full" | "other_engine" | "budget";
