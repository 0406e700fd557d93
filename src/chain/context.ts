import type { Json } from "../util/json.ts";
import type { ReplyBlock } from "../models/types.ts";
import type { ChainEvent, FrozenRequest, Gates, Limits, Phase, QueuedPrompt, Size, Text } from "./events.ts";
import type { Question, Solution } from "./reply.ts";

/** What a chain knows: the seed's fields first, ours after, and in `engine` what only the engine needs. */
export interface Context {
  readonly chain_id: string;
  readonly goal: string;
  readonly started: string;
  readonly size: Size;
  readonly workspace: string;
  readonly current_phase: Phase;
  readonly phase_history: readonly PhaseVisit[];
  readonly discovered: Readonly<Record<string, Json>>;
  readonly uncertainties: readonly Uncertainty[];
  readonly confidence_scores: Readonly<Record<string, number>>;
  readonly waived: Readonly<Record<string, string>>;
  readonly scores: Readonly<Record<string, number>>;
  readonly decisions: Readonly<Record<string, string>>;
  readonly questions: readonly AskedQuestion[];
  readonly generated_prompts: readonly Json[];
  readonly approval_history: readonly Approval[];
  readonly session_memory: {
    readonly files_modified: readonly string[];
    readonly tests_written: readonly string[];
    readonly mistakes_corrected: readonly string[];
    readonly patterns_identified: readonly string[];
    readonly assumptions: readonly string[];
    readonly notes: readonly string[];
    readonly context_health: number | null;
  };
  readonly cost_tracking: {
    readonly tokens_used: number;
    readonly estimated_cost: number;
    /** Calls whose price is not known: what they cost is not in `estimated_cost`. */
    readonly unpriced_calls: number;
    readonly by_phase: Readonly<Record<string, number>>;
    readonly by_prompt: Readonly<Record<string, PromptCost>>;
    readonly by_kind: {
      readonly input: number;
      readonly output: number;
      readonly cache_read: number;
      readonly cache_write: number;
    };
    /** Calls that were sent and whose answer was lost in a crash: counted at what was reserved for them. */
    readonly unknown_calls: number;
    readonly unknown_cost: number;
  };
  readonly prompts_executed: readonly string[];
  readonly last_response: string | null;
  readonly last_gap_detected: Json;
  readonly solution: PresentedSolution | null;
  readonly evidence: Proof;
  readonly state: State;
  readonly engine: Engine;
}

export interface PhaseVisit {
  readonly phase: Phase;
  readonly started: string;
  readonly ended: string | null;
  readonly iterations: number;
  readonly prompts_executed: readonly string[];
  readonly clarifications: readonly string[];
}

export interface Uncertainty {
  readonly area: string;
  readonly confidence: number;
  readonly resolved: boolean;
  readonly blocking: boolean;
  readonly resolution: string | null;
  readonly by: string;
}

export type AskedQuestion = Question & { readonly answer: string | null };

export interface Approval {
  readonly phase: Phase;
  readonly presented: string;
  readonly hash: string;
  readonly user_response: string;
  readonly by: string;
  readonly timestamp: string;
}

export interface PromptCost {
  readonly calls: number;
  readonly tokens: number;
  readonly usd: number;
}

export interface PresentedSolution {
  readonly solution: Solution;
  readonly text: string;
  readonly hash: string;
  readonly base: Readonly<Record<string, string | null>>;
  readonly standing: "presented" | "approved" | "open" | "void";
}

/** Only what the engine recorded itself. */
export interface Proof {
  readonly runs: readonly Extract<ChainEvent, { event: "tests_judged" }>[];
  readonly red: boolean;
  readonly green: boolean;
  /** Prompts whose report came after the last change and the last green run. */
  readonly reviewed: readonly string[];
}

export type State =
  | { readonly type: "running" }
  | {
      readonly type: "parked";
      readonly code: string;
      readonly exit: number;
      readonly message: string;
      readonly hint: string;
    }
  | { readonly type: "completed"; readonly summary: string; readonly at: string };

export interface Engine {
  readonly gates: Gates;
  readonly limits: Limits;
  readonly test_command: readonly string[] | null;
  readonly decisions: Readonly<Record<string, number>>;
  readonly item: Item | null;
  readonly queue: readonly QueuedPrompt[];
  readonly epoch: {
    readonly number: number;
    readonly tools: string;
    readonly system: readonly string[];
    readonly bytes: number;
  } | null;
  readonly ledger: readonly string[];
  readonly ledger_bytes: number;
  /** An effect that was announced and whose end is not known. */
  readonly open: OpenEffect | null;
  readonly taken: readonly string[];
  readonly seen: Readonly<Record<string, readonly (readonly [number, number])[]>>;
  readonly searched: readonly string[];
  readonly grounded: readonly string[];
  /** How often each prompt was asked for since anything last changed. */
  readonly repeats: Readonly<Record<string, number>>;
  readonly rounds: readonly number[];
  readonly refusals: number;
  readonly gate: { readonly to: string; readonly reasons: readonly string[] } | null;
  readonly focus: string;
  readonly turns: number;
  readonly runs: number;
  readonly untested: boolean;
  readonly files: Readonly<
    Record<string, { readonly before: string | null; readonly after: string; readonly role: "code" | "test" | "doc" }>
  >;
}

/** A prompt at work, with its tool loop. */
export interface Item {
  readonly key: string;
  readonly prompt: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly expects: "action" | "report";
  readonly tail: string | null;
  /** How many ledger blocks its requests carry: those there were when it began. */
  readonly ledger: number;
  readonly source: {
    readonly name: string;
    readonly scope: string;
    readonly sha256: string;
    readonly route: "fast" | "default" | "smart";
  } | null;
  readonly model: string | null;
  readonly turns: readonly Turn[];
  readonly rejected: number;
  readonly note: string | null;
}

export interface Turn {
  readonly note: string | null;
  readonly stop: "end_turn" | "tool_use";
  readonly content: readonly ReplyBlock[] | { readonly blob: string };
  readonly calls: readonly Call[];
  /** Whether its reply was taken in: judged, or rejected. */
  readonly settled: boolean;
}

export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly answer: { readonly content: Text; readonly is_error: boolean } | null;
}

export type OpenEffect =
  | {
      readonly effect: "model";
      readonly key: string;
      readonly turn: number;
      readonly request: FrozenRequest;
      readonly reserved: { readonly usd: number | null; readonly tokens: number };
    }
  | {
      readonly effect: "change";
      readonly key: string;
      readonly call: string;
      readonly path: string;
      readonly before: string | null;
      readonly after: string;
    }
  | { readonly effect: "command"; readonly key: string; readonly call: string | null };

/** The areas that always count. */
export const areas = ["requirements", "technical_approach", "implementation_details"] as const;
