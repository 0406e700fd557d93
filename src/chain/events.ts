import type { Usage, ReplyBlock, Outcome } from "../models/types.ts";
import type { CommandRun, Seen } from "../tools/types.ts";
import { phases, type Phase } from "../library/prompt.ts";
import type { Json } from "../util/json.ts";
import type { Question, Report, Solution, Action } from "./reply.ts";
import type { Line, Unstamped } from "../store/journal.ts";

export { phases, type Phase };
export type Size = "normal" | "tiny";

/** Line 1. */
export type Header = {
  readonly type: "header";
  readonly format: 1;
  readonly chain_id: string;
  readonly engine: string;
};

/** Written before money is spent or the world is touched: it freezes what is about to happen. */
export type Intent =
  | {
      readonly type: "intent";
      readonly effect: "model";
      readonly key: string;
      readonly turn: number;
      readonly prompt: {
        readonly name: string;
        readonly scope: string;
        readonly sha256: string;
        readonly route: "fast" | "default" | "smart";
      };
      readonly request: FrozenRequest;
      /** What this call may cost at most; booked as it stands when the call's fate stays unknown. */
      readonly reserved: { readonly usd: number | null; readonly tokens: number };
    }
  | {
      readonly type: "intent";
      readonly effect: "change";
      readonly key: string;
      readonly call: string;
      readonly path: string;
      /** Hash of the file's content before, kept as a blob; null where there is no file yet. */
      readonly before: string | null;
      readonly after: string;
    }
  | {
      readonly type: "intent";
      readonly effect: "command";
      readonly key: string;
      readonly call: string | null;
      readonly purpose: "tests";
      readonly argv: readonly string[];
    };

/** Everything a request is made of: what is shared by its place, what is its own in full. */
export interface FrozenRequest {
  readonly model: string;
  readonly effort: "low" | "medium" | "high";
  readonly max_tokens: number;
  readonly epoch: number;
  /** How many ledger blocks of the epoch it carries. */
  readonly ledger: number;
  /** The step's own text; given with its first turn. */
  readonly tail?: string;
  /** What is said to the model about its last reply, where that could not be used. */
  readonly note?: string;
}

export type Text = { readonly text: string } | { readonly blob: string };

export type Result =
  | {
      readonly type: "result";
      readonly effect: "model";
      readonly key: string;
      readonly turn: number;
      readonly outcome: StoredOutcome;
      readonly booked: Booking;
    }
  | {
      readonly type: "result";
      readonly effect: "tool";
      readonly key: string;
      readonly call: string;
      readonly tool: string;
      readonly is_error: boolean;
      readonly content: Text;
      readonly seen: readonly Seen[];
    }
  | {
      readonly type: "result";
      readonly effect: "command";
      readonly key: string;
      readonly call: string | null;
      readonly run: CommandRun;
    };

export type StoredOutcome =
  | {
      readonly type: "replied";
      readonly stop: "end_turn" | "tool_use";
      readonly content: readonly ReplyBlock[] | { readonly blob: string };
      readonly calls: readonly { readonly id: string; readonly tool: string }[];
    }
  | { readonly type: Exclude<Outcome["type"], "replied">; readonly reason?: string; readonly message?: string };

export interface Booking {
  readonly phase: string;
  readonly prompt: string;
  readonly model: string;
  readonly usage: Usage;
  /** Null: the price of this model is not known. */
  readonly usd: number | null;
  /** True where a call was sent and nobody knows what became of it. */
  readonly unknown?: boolean;
}

export interface QueuedPrompt {
  readonly key: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, string>>;
}

export interface Gates {
  readonly requirements: number;
  readonly ambiguity: number;
  readonly overall: number;
  readonly area: number;
  readonly unproven: number;
  readonly simplicity: number;
  readonly quality: readonly string[];
}

export interface Limits {
  readonly budget_usd: number | null;
  readonly budget_tokens: number | null;
  readonly turns: number;
  readonly turns_per_prompt: number;
  readonly rounds: number;
  readonly repeats: number;
}

export type ChainEvent =
  | {
      readonly type: "event";
      readonly event: "chain_started";
      readonly goal: string;
      readonly slug: string;
      readonly size: Size;
      readonly workspace: string;
      readonly gates: Gates;
      readonly limits: Limits;
      readonly test_command: readonly string[] | null;
    }
  | { readonly type: "event"; readonly event: "imported"; readonly context: Readonly<Record<string, Json>> }
  | { readonly type: "event"; readonly event: "context_edited"; readonly changes: readonly Edit[] }
  | {
      readonly type: "event";
      readonly event: "epoch_opened";
      readonly number: number;
      readonly tools: string;
      readonly system: readonly string[];
      readonly bytes: number;
      readonly digest: string | null;
    }
  | { readonly type: "event"; readonly event: "ledger_extended"; readonly text: string }
  | { readonly type: "event"; readonly event: "decision_taken"; readonly key: string; readonly action: Action }
  | {
      readonly type: "event";
      readonly event: "prompts_queued";
      readonly why: string;
      readonly prompts: readonly QueuedPrompt[];
      readonly from?: string;
    }
  | {
      readonly type: "event";
      readonly event: "reply_rejected";
      readonly key: string;
      readonly problems: readonly string[];
    }
  | {
      readonly type: "event";
      readonly event: "report_recorded";
      readonly key: string;
      readonly prompt: string;
      readonly report: Report;
      /** Scores as they count, beside what was claimed. */
      readonly counted: readonly {
        readonly area: string;
        readonly score: number;
        readonly claimed: number;
        readonly missing: readonly string[];
      }[];
      readonly assumptions: readonly string[];
      /** Whether this report changed what is known. */
      readonly moved: boolean;
      /** Whether it rests on something this journal holds, so that later reports may rest on it. */
      readonly grounded: boolean;
    }
  | {
      readonly type: "event";
      readonly event: "gap_reported";
      readonly gaps: readonly { readonly description: string; readonly prompt_kind: string }[];
    }
  | { readonly type: "event"; readonly event: "questions_asked"; readonly questions: readonly Question[] }
  | {
      readonly type: "event";
      readonly event: "question_answered";
      readonly id: string;
      readonly answer: string;
      readonly from?: string;
    }
  | {
      readonly type: "event";
      readonly event: "phase_changed";
      readonly from: Phase;
      readonly to: Phase;
      readonly reason: string;
      readonly focus: string;
    }
  | { readonly type: "event"; readonly event: "gate_refused"; readonly to: string; readonly reasons: readonly string[] }
  | {
      readonly type: "event";
      readonly event: "area_waived";
      readonly area: string;
      readonly reason: string;
      readonly from?: string;
    }
  | { readonly type: "event"; readonly event: "size_changed"; readonly to: Size; readonly reason: string }
  | {
      readonly type: "event";
      readonly event: "solution_presented";
      readonly solution: Solution;
      readonly text: string;
      readonly id: string;
      readonly base: Readonly<Record<string, string | null>>;
    }
  | { readonly type: "event"; readonly event: "approval_given"; readonly solution: string; readonly from?: string }
  | {
      readonly type: "event";
      readonly event: "approval_refused";
      readonly solution: string;
      readonly reason: string;
      readonly from?: string;
    }
  | {
      readonly type: "event";
      readonly event: "more_info_asked";
      readonly solution: string;
      readonly question: string;
      readonly from?: string;
    }
  | {
      readonly type: "event";
      readonly event: "changes_requested";
      readonly solution: string;
      readonly request: string;
      readonly from?: string;
    }
  | { readonly type: "event"; readonly event: "approval_voided"; readonly reason: string }
  | { readonly type: "event"; readonly event: "message_ignored"; readonly reason: string; readonly from: string }
  | {
      readonly type: "event";
      readonly event: "file_changed";
      readonly path: string;
      readonly role: "code" | "test" | "doc";
      readonly before: string | null;
      readonly after: string;
    }
  | {
      readonly type: "event";
      readonly event: "tests_judged";
      readonly verdict: Verdict;
      readonly argv: readonly string[];
      readonly exit_code: number | null;
      readonly duration_ms: number;
      readonly output_sha256: string;
      readonly tree_sha256: string;
      readonly output: string;
    }
  | {
      readonly type: "event";
      readonly event: "parked";
      readonly code: string;
      readonly exit: number;
      readonly message: string;
      readonly hint: string;
    }
  | { readonly type: "event"; readonly event: "resumed"; readonly limits?: Partial<Limits> }
  | { readonly type: "event"; readonly event: "recovered"; readonly lost_lines: number; readonly kept_as: string }
  | { readonly type: "event"; readonly event: "completed"; readonly summary: string };

/** `unproven`: the tests pass although only tests were written, so they prove nothing about what is missing. */
export type Verdict = "baseline" | "red" | "unproven" | "failing" | "green";

export interface Edit {
  readonly path: readonly string[];
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

export type Body = Unstamped<Header | Intent | Result | ChainEvent>;
export type ChainLine = Line<Body>;

/** An event without the word that marks it as one. */
export function event<E extends ChainEvent["event"]>(
  name: E,
  fields: Omit<Extract<ChainEvent, { event: E }>, "type" | "event">,
): ChainEvent {
  return { type: "event", event: name, ...fields } as ChainEvent;
}
