import type { Json } from "../util/json.ts";
import type { Costs } from "../costs/books.ts";
import type {
  Content,
  EventNamed,
  Gates,
  Intent,
  Limits,
  Phase,
  QueuedPrompt,
  Request,
  Role,
  Size,
  Source,
  Text,
  WorkMode,
} from "./events.ts";
import type { Question, Solution } from "./reply.ts";

/**
 * What a chain knows: the seed's fields first, ours after, and in `engine` what only the engine needs. It is only
 * ever replaced, never changed.
 */
export interface Context {
  readonly chain_id: string;
  readonly goal: string;
  readonly started: string;
  readonly size: Size;
  readonly mode: WorkMode;
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
  readonly session_memory: Memory;
  readonly cost_tracking: Costs;
  readonly prompts_executed: readonly string[];
  readonly last_response: string | null;
  readonly last_gap_detected: Json;
  readonly solution: PresentedSolution | null;
  readonly evidence: Proof;
  /** Where the chain works in place of the workspace, and the whole worktree that folder is part of. */
  readonly worktree: Readonly<{ folder: string; path: string }> | null;
  /** How git_advisor would commit what lies in the worktree. */
  readonly git_advice: string | null;
  /** What nobody could look at, in the words of the prompt that should have. */
  readonly not_checked: readonly string[];
  /** Files that commands changed, beside those that were approved. */
  readonly touched: readonly string[];
  readonly state: State;
  readonly engine: Engine;
}

export type PhaseVisit = Readonly<{
  phase: Phase;
  /** Null where a context file that was taken over does not say it. */
  started: string | null;
  ended: string | null;
  iterations: number;
  prompts_executed: readonly string[];
  clarifications: readonly string[];
  /** Only of a visit that was taken over, in the words of its file. */
  duration?: string;
}>;

export type Uncertainty = Readonly<{
  area: string;
  confidence: number;
  resolved: boolean;
  blocking: boolean;
  resolution: string | null;
  by: string;
}>;

export type AskedQuestion = Readonly<Question & { answer: string | null }>;

export type Approval = Readonly<{
  phase: Phase;
  presented: string;
  hash: string;
  user_response: string;
  by: string;
  timestamp: string;
}>;

export type Memory = Readonly<{
  files_modified: readonly string[];
  tests_written: readonly string[];
  mistakes_corrected: readonly string[];
  patterns_identified: readonly string[];
  assumptions: readonly string[];
  notes: readonly string[];
  context_health: number | null;
}>;

export type PresentedSolution = Readonly<{
  solution: Solution;
  text: string;
  hash: string;
  base: Readonly<Record<string, string | null>>;
  standing: "presented" | "approved" | "open" | "void";
}>;

/** Only what the engine recorded itself. */
export type Proof = Readonly<{
  runs: readonly EventNamed<"tests_judged">[];
  /** How many runs there were when the solution was approved: earlier ones prove nothing about it. */
  since: number;
  red: boolean;
  green: boolean;
  /** Tests that were changed after they had been seen to fail. */
  changed_after_red: readonly string[];
  /** Since the last command, today's tests were seen to fail on a copy without the new code. */
  repeated: boolean;
  /** Tests that no longer run, by name: true where a person allowed it, false where they did not. */
  losses: Readonly<Record<string, boolean>>;
  /** Prompts whose report came after the last change and the last green run. */
  reviewed: readonly string[];
}>;

export type State = Readonly<
  | { type: "running" }
  | { type: "parked"; code: string; exit: number; message: string; hint: string }
  | { type: "completed"; summary: string; at: string }
>;

/** The files that its line names hold what they held when it was allowed; another content is another question. */
export type PermittedCommand = Readonly<Pick<Extract<Request, { kind: "command" }>, "line" | "sandboxed" | "files">>;

export type Engine = Readonly<{
  gates: Gates;
  limits: Limits;
  test_command: readonly string[] | null;
  /** How many decisions each phase has seen; part of every key. */
  decisions: Readonly<Record<string, number>>;
  item: Item | null;
  /** Prompts of one decision that only look, at work at the same time. */
  group: readonly Item[];
  queue: readonly QueuedPrompt[];
  epoch: Readonly<{ number: number; tools: string; system: readonly string[]; bytes: number }> | null;
  ledger: readonly string[];
  ledger_bytes: number;
  /** How many tokens the replies to each prompt had. */
  outputs: Readonly<Record<string, readonly number[]>>;
  /** The last call of each model: when, in which epoch, and with how many ledger blocks. */
  sent: Readonly<Record<string, Readonly<{ at: string; epoch: number; ledger: number }>>>;
  /** Effects that were announced and whose end is not known, by the key of their step. */
  open: Readonly<Record<string, Intent>>;
  /** What a person is asked to allow, and what was said to the last such question. */
  request: Request | null;
  consent: Consent | null;
  /** What is allowed for the rest of the chain: all changes of approved files, and commands to the letter. */
  permits: Readonly<{ changes: boolean; commands: readonly PermittedCommand[] }>;
  /** Inbox messages that were taken in. */
  taken: readonly string[];
  /** The lines read of each file. */
  seen: Readonly<Record<string, readonly (readonly [number, number])[]>>;
  searched: readonly string[];
  /** Prompts whose report rests on something held. */
  grounded: readonly string[];
  /** How often each prompt was asked for since anything last changed. */
  repeats: Readonly<Record<string, number>>;
  /** The overall confidence at the end of each round of exploration. */
  rounds: readonly number[];
  refusals: number;
  gate: Readonly<{ to: string; reasons: readonly string[] }> | null;
  focus: string;
  turns: number;
  runs: number;
  /** How often approved files were changed, and how often they had been when each prompt last reported. */
  changes: number;
  reported: Readonly<Record<string, number>>;
  untested: boolean;
  alerted: boolean;
  files: Readonly<Record<string, { before: string | null; after: string | null; role: Role }>>;
}>;

/** Hashes of the text that the model proposed, and of what a person made of it. */
export type Edited = Readonly<{ proposed: string; text: string }>;

export type Consent = Readonly<
  | { id: string; type: "given"; edited: Edited | null }
  | { id: string; type: "refused"; reason: string; question: boolean }
>;

/** A prompt at work, with its tool loop. */
export type Item = Readonly<{
  key: string;
  prompt: string;
  inputs: Readonly<Record<string, string>>;
  expects: "action" | "report";
  tail: string | null;
  /** How many ledger blocks its requests carry: those there were when it began. */
  ledger: number;
  source: Source | null;
  model: string | null;
  turns: readonly Turn[];
  rejected: number;
  note: string | null;
}>;

/** `settled`: its reply was taken in, by being judged or rejected. */
export type Turn = Readonly<{
  note: string | null;
  stop: "end_turn" | "tool_use";
  content: Content;
  calls: readonly Call[];
  settled: boolean;
}>;

export type Call = Readonly<{
  id: string;
  tool: string;
  answer: Readonly<{ content: Text; is_error: boolean }> | null;
}>;

/** The areas that always count. */
export const areas = ["requirements", "technical_approach", "implementation_details"] as const;

export const emptyContext: Context = {
  chain_id: "",
  goal: "",
  started: "",
  size: "normal",
  mode: "tdd",
  workspace: "",
  current_phase: "requirements-clarification",
  phase_history: [],
  discovered: {},
  uncertainties: [],
  confidence_scores: { overall: 0 },
  waived: {},
  scores: {},
  decisions: {},
  questions: [],
  generated_prompts: [],
  approval_history: [],
  session_memory: {
    files_modified: [],
    tests_written: [],
    mistakes_corrected: [],
    patterns_identified: [],
    assumptions: [],
    notes: [],
    context_health: null,
  },
  cost_tracking: {
    tokens_used: 0,
    estimated_cost: 0,
    unpriced_calls: 0,
    by_phase: {},
    by_prompt: {},
    by_kind: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    unknown_calls: 0,
    unknown_cost: 0,
    unknown_tokens: 0,
    lost_calls: [],
  },
  prompts_executed: [],
  last_response: null,
  last_gap_detected: null,
  solution: null,
  evidence: {
    runs: [],
    since: 0,
    red: false,
    green: false,
    changed_after_red: [],
    repeated: false,
    losses: {},
    reviewed: [],
  },
  worktree: null,
  git_advice: null,
  not_checked: [],
  touched: [],
  state: { type: "running" },
  engine: {
    gates: { requirements: 0.9, ambiguity: 0.3, overall: 0.8, area: 0.6, unproven: 0.6, simplicity: 7, quality: [] },
    limits: {
      budget_usd: null,
      budget_tokens: null,
      cost_alert_usd: null,
      turns: 400,
      turns_per_prompt: 30,
      rounds: 6,
      repeats: 3,
    },
    test_command: null,
    decisions: {},
    item: null,
    group: [],
    queue: [],
    epoch: null,
    ledger: [],
    ledger_bytes: 0,
    outputs: {},
    sent: {},
    open: {},
    request: null,
    consent: null,
    permits: { changes: false, commands: [] },
    taken: [],
    seen: {},
    searched: [],
    grounded: [],
    repeats: {},
    rounds: [],
    refusals: 0,
    gate: null,
    focus: "",
    turns: 0,
    runs: 0,
    changes: 0,
    reported: {},
    untested: false,
    alerted: false,
    files: {},
  },
};
