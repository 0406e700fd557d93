import type { Json } from "../util/json.ts";
import type { Next } from "../util/next.ts";
import type { Costs } from "../costs/books.ts";
import type {
  CompletedAs,
  Content,
  EventNamed,
  GeneratedPrompt,
  Gates,
  Intent,
  Limits,
  Page,
  PageSection,
  Phase,
  QueuedPrompt,
  Request,
  Role,
  Size,
  Source,
  Text,
  WorkMode,
} from "./events.ts";
import type { Finding, Question, Solution } from "./reply.ts";

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
  readonly findings: readonly OpenFinding[];
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
  /** How to commit what lies in the worktree, in the words of the prompt that advises on git. */
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

/** What a reviewer found. `id` is unique in the chain; only the reviewer itself closes it, or a person waives it. */
export type OpenFinding = Readonly<Finding & { by: string; standing: "open" | "closed" }>;

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
  /** Tests that were changed after the last red run. */
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
  | { type: "parked"; code: string; exit: number; message: string; next: readonly Next[] }
  | { type: "completed"; summary: string; at: string; ending: CompletedAs; unproved: readonly string[] }
>;

/** The files that its line names hold what they held when it was allowed; another content is another question. */
export type PermittedCommand = Readonly<Pick<Extract<Request, { kind: "command" }>, "line" | "sandboxed" | "files">>;

/** What one report can be recognised by. `names`: itself, and its evidence. `words`: how often a person had spoken. */
export type ReportTrace = Readonly<{
  names: readonly string[];
  pieces: readonly string[];
  decisions: readonly (readonly [key: string, choice: string])[];
  words: number;
}>;

export type Health = Readonly<{
  /** The last twenty reports of this epoch. */
  reports: readonly ReportTrace[];
  /** How many reports and refusals there were since the last measurement, and in words what that one saw. */
  since: number;
  refused: number;
  signs: string;
  /** The signs were bad, and no prompt has looked into them yet. */
  doubt: boolean;
  /** A fresh record is to be offered, or a person has accepted it. */
  offer: "due" | "accepted" | null;
}>;

export type Engine = Readonly<{
  gates: Gates;
  limits: Limits;
  /** What a person applied before the first step. */
  applied: Pick<EventNamed<"pattern_applied">, "name" | "pattern"> | null;
  test_command: readonly string[] | null;
  tests: Readonly<{
    /** Where the command was found, in words. */
    found_in: string;
    /** A person said so, or approved a solution that names it. */
    confirmed: boolean;
    /** The engine's own question about the tests that is open, and the command with which tests run once the person says yes. */
    question: Readonly<{ id: string; proposed: readonly string[] | null }> | null;
    /** Tests that failed before anything was changed, which a person knows of; null: nobody was asked. */
    known_failing: readonly string[] | null;
    in_workspace: boolean;
  }>;
  /** What the user wrote last where no question was asked: to refuse a change or command, or to ask about one. */
  said: readonly string[];
  /** Their user told them something that no decision has heard yet. */
  unheard: boolean;
  /** How many decisions each phase has seen; part of every key. */
  decisions: Readonly<Record<string, number>>;
  item: Item | null;
  /** Prompts of one decision that only look, at work at the same time. */
  group: readonly Item[];
  queue: readonly QueuedPrompt[];
  /** The prompts that have run alone in this phase, oldest first: what they read and said goes on in the next request. */
  conversation: readonly Item[];
  epoch: Readonly<Pick<EventNamed<"epoch_opened">, "number" | "tools" | "system" | "schema" | "bytes">> | null;
  ledger: readonly LedgerEntry[];
  ledger_bytes: number;
  /** How many tokens the last request had in this epoch. */
  request_tokens: number;
  /** How many tokens the replies to each prompt had. */
  outputs: Readonly<Record<string, readonly number[]>>;
  /** The last call of each model: when, in which epoch, and with how many ledger blocks. */
  sent: Readonly<Record<string, Readonly<{ at: string; epoch: number; ledger: number }>>>;
  /** Effects that were announced and whose end is not known, by the key of their step. */
  open: Readonly<Record<string, Intent>>;
  /** What a person is asked to allow, and what was said to the last such question. */
  request: Request | null;
  consent: Consent | null;
  /**
   * What is allowed for the rest of the chain: all changes of approved files, and commands to the letter. `approved`:
   * commands that a person saw in the solution that they approved.
   */
  permits: Readonly<{ changes: boolean; commands: readonly PermittedCommand[]; approved: readonly string[] }>;
  /** Inbox messages that were taken in. */
  taken: readonly string[];
  /** The lines read of each file. */
  seen: Readonly<Record<string, readonly (readonly [number, number])[]>>;
  searched: readonly string[];
  /** Lines of files that reports cited, those of the newest report first. */
  cited: readonly string[];
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
  /** How many commands were begun, tries among them: the number under which the next one is cited follows. */
  commands: number;
  /** How often approved files were changed, and how often they had been when each prompt last reported. */
  changes: number;
  reported: Readonly<Record<string, number>>;
  untested: boolean;
  alerted: boolean;
  health: Health;
  /** Whether the workspace holds something that is deployed; then a change of it is checked for that. */
  is_deployed: boolean;
  /** How many changes of files a person has read and allowed. */
  allowed_changes: number;
  /** What the model says in conclusion, once it calls the work complete. */
  completion: string | null;
  /** The assumptions there were when they were last checked. */
  validated: readonly string[];
  /** Every assumption that a report noted or a person left to the model, oldest first. See `assumptionId`. */
  noted: readonly string[];
  /** Every assumption that a person was shown, by its number. */
  assumed: Readonly<Record<string, string>>;
  /**
   * The page of the presented solution, the page that a person judged last before it, and the numbers of the assumptions
   * that were confirmed. `judged`: the page that a person judged last of all.
   */
  page: Readonly<{
    now: readonly PageSection[];
    before: Page | null;
    judged: Page | null;
    confirmed: readonly string[];
  }> | null;
  /** What a person asked last about a presented solution, and what they were told. */
  asked: Readonly<{ solution: string; question: string; answer: string | null }> | null;
  /** The key of the last request that was shown with words of the model. */
  spoken: string | null;
  /** What no existing prompt covers, as long as no generated prompt does either. `confidence`: with existing prompts. */
  gap: Readonly<{ text: string; confidence: number }> | null;
  /** Prompts that were written for this chain, by name. Nobody else can run them. */
  generated: Readonly<Record<string, GeneratedPrompt>>;
  /** A person is asked before a generated prompt runs for the first time. */
  shown_first: boolean;
  /** The text of the last version of each file that a person did not let be written. */
  turned_down: Readonly<Record<string, string | null>>;
  /** Solutions that were reported, the newest last; one for each prompt. `earlier`: as when they are presented. */
  proposed: readonly Readonly<{ prompt: string; solution: Solution; earlier?: Readonly<Record<string, string>> }>[];
  /** The approved files as the reviewers were shown them last. */
  shown: Readonly<Record<string, string | null>>;
  /** `kept`: as it was written for the solution that was approved before. */
  files: Readonly<Record<string, { before: string | null; after: string | null; role: Role; kept?: true }>>;
  /** What files held at the last test run, of those that the chain changed since. */
  tested: Readonly<Record<string, string | null>>;
  /** What files held at first that an earlier solution changed and that the approved one does not name. */
  left: Readonly<Record<string, string | null>>;
}>;

/** `brief`: what is told of it where the reply that brought it about stands above. */
export type LedgerEntry = Readonly<{ text: string; brief: string }>;

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
  /** How many ledger entries there were when it began: it is told all of them. */
  told: number;
  /** It begins without the conversation of its phase, and its own does not go on. */
  fresh: boolean;
  source: Source | null;
  model: string | null;
  turns: readonly Turn[];
  rejected: number;
  /** The last reply was cut off after so many tokens. */
  cut_at?: number;
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
  findings: [],
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
    applied: null,
    test_command: null,
    tests: { found_in: "", confirmed: false, question: null, known_failing: null, in_workspace: false },
    said: [],
    unheard: false,
    decisions: {},
    item: null,
    group: [],
    queue: [],
    conversation: [],
    epoch: null,
    ledger: [],
    ledger_bytes: 0,
    request_tokens: 0,
    outputs: {},
    sent: {},
    open: {},
    request: null,
    consent: null,
    permits: { changes: false, commands: [], approved: [] },
    taken: [],
    seen: {},
    searched: [],
    cited: [],
    grounded: [],
    repeats: {},
    rounds: [],
    refusals: 0,
    gate: null,
    focus: "",
    turns: 0,
    runs: 0,
    commands: 0,
    changes: 0,
    reported: {},
    untested: false,
    alerted: false,
    health: { reports: [], since: 0, refused: 0, signs: "", doubt: false, offer: null },
    is_deployed: true,
    allowed_changes: 0,
    completion: null,
    validated: [],
    noted: [],
    assumed: {},
    page: null,
    asked: null,
    spoken: null,
    gap: null,
    generated: {},
    shown_first: false,
    turned_down: {},
    proposed: [],
    shown: {},
    files: {},
    tested: {},
    left: {},
  },
};
