import type { Booking } from "../costs/books.ts";
import type { ReplyBlock, Outcome } from "../models/types.ts";
import type { CommandRun } from "../programs/run_command.ts";
import type { Rights, Seen } from "../tools/types.ts";
import type { Touched } from "../workspace/file_states.ts";
import type { NamedFiles } from "../programs/permissions/named_files.ts";
import { phases, type Phase } from "../library/names.ts";
import type { Pattern } from "../library/pattern.ts";
import type { Json } from "../util/json.ts";
import { nextList, type Next, type Advice } from "../util/next.ts";
import type { Line, Unstamped } from "../store/journal.ts";
import type { WorkMode } from "./modes.ts";
import type { Action, Question, Report, Solution } from "./reply.ts";

export { phases, type Phase };
export type Size = "normal" | "tiny";
export type Role = "code" | "test" | "doc";
export type Route = "fast" | "default" | "smart";
export type { WorkMode };

/** Every line of a journal, without its stamp. Lines are never changed, and neither is what is folded from them. */
export type Body = Unstamped<Header | Intent | Result | ChainEvent>;
export type ChainLine = Line<Body>;

/**
 * Line 1. Format 2 is sealed: `key` is the id of the key that its hashes are made with, `home` the path of the home that
 * it was begun in. Format 1 has neither, and hashes that anybody can make. `parent` is the chain that began this one.
 */
export type Header = {
  type: "header";
  format: 1 | 2;
  chain_id: string;
  engine: string;
  parent: string | null;
  key?: string;
  home?: string;
};

/** Written before money is spent or the world is touched: it freezes what is about to happen. */
export type Intent =
  | {
      type: "intent";
      effect: "model";
      key: string;
      turn: number;
      prompt: Source;
      request: FrozenRequest;
      /** The lines of files that its text shows. */
      seen?: readonly Seen[];
      /** What it will probably cost. */
      expected: Reserve;
      /** The most it can cost. */
      reserved: Reserve;
    }
  | Change
  | {
      type: "intent";
      effect: "command";
      key: string;
      call: string | null;
      /** What is only tried changes nothing. Older chains call it a command. */
      purpose: "tests" | "command" | "try";
      argv: readonly string[];
    };

/** Hashes of the whole file; null where there is none. What lay there before is kept as a blob of that name. */
export type Change = {
  type: "intent";
  effect: "change";
  key: string;
  call: string;
  path: string;
  before: string | null;
  after: string | null;
  /** The permission bits the file had. */
  mode?: number;
  /** Later calls of the same turn that change the same file: what they make of it is part of `after`. */
  also?: readonly { id: string; tool: string }[];
};

/** The prompt as it was when its step began. */
export type Source = { name: string; scope: string; sha256: string; route: Route; tools: Rights };

export type Reserve = { usd: number | null; tokens: number };

/** Everything a request is made of: what is shared by its place, what is its own in full. */
export interface FrozenRequest {
  model: string;
  /** The model of the route "default", where the fast one is asked in its place. */
  instead_of?: string;
  effort: "low" | "medium" | "high";
  max_tokens: number;
  epoch: number;
  /** How many ledger entries of the epoch stand at its head. */
  ledger: number;
  /** It begins without the conversation of its phase. */
  fresh?: true;
  /** The step's own text; given with its first turn. */
  tail?: string;
  /** What is said to the model about its last reply, where that could not be used. */
  note?: string;
}

/** What came back. Longer texts lie beside the journal, as blobs. */
export type Result =
  | { type: "result"; effect: "model"; key: string; turn: number; outcome: StoredOutcome; booked: Booking }
  | {
      type: "result";
      effect: "tool";
      key: string;
      call: string;
      tool: string;
      is_error: boolean;
      content: Text;
      seen: readonly Seen[];
    }
  /** `told`: the last line that a model's command printed, for the person who follows the chain. */
  | { type: "result"; effect: "command"; key: string; call: string | null; run: CommandRun; told?: string };

export type Text = { text: string } | { blob: string };
export type Content = readonly ReplyBlock[] | { blob: string };

export type StoredOutcome =
  | { type: "replied"; stop: "end_turn" | "tool_use"; content: Content; calls: readonly { id: string; tool: string }[] }
  | { type: Exclude<Outcome["type"], "replied">; reason?: string; message?: string };

/** That the state changed, by name. `from` names the inbox message that brought it about. */
export type EventNamed<Name extends keyof Events> = { type: "event"; event: Name } & Events[Name];
export type ChainEvent = { [Name in keyof Events]: EventNamed<Name> }[keyof Events];

export type TestsSettled =
  | { how: "command"; argv: readonly string[] }
  /** Go on although the tests fail, and count only failures other than these. */
  | { how: "go_on"; known_failing: readonly string[] }
  /** Run them before the approval in the workspace itself, since they do not work where nothing can be written. */
  | { how: "in_workspace" }
  | { how: "again" }
  /**
   * The last run, before the approval, was on the very files that are there now: it is the baseline. `setup`: what it
   * was measured with, now that it is known which files are tests and which are code.
   */
  | { how: "baseline_holds"; setup?: string };
/**
 * One line of the approval page. `kept`: no screen is too small to show it. `short`: what a screen shows in place of the
 * text, the longest first.
 */
export type PageItem = { text: string; kept?: true; short?: readonly string[] };
/** `rest`: it is shown only to a person who asks for everything. */
export type PageSection = { title: string; items: readonly PageItem[]; rest?: true };

export type Page = { title: string; sections: readonly PageSection[] };

type Asked = { solution: string; from?: string };

interface Events {
  chain_started: {
    goal: string;
    slug: string;
    size: Size;
    mode: WorkMode;
    worktree?: { path: string; folder: string; head: string; dirty: boolean };
    workspace: string;
    gates: Gates;
    limits: Limits;
    test_command: readonly string[] | null;
    /** Where it was found, in words. */
    test_command_from?: string;
    /** Left out by older chains: then it counts as true. */
    is_deployed?: boolean;
  };
  /**
   * `parts`: what counts of it besides its knowledge.
   * `adopted`: it was the journal of a foreign chain, and under which name that is kept.
   */
  imported: {
    context: Readonly<Record<string, Json>>;
    parts: readonly ImportedPart[];
    adopted?: { why: string; kept_as: string };
  };
  /** Before the first step, a person applied a pattern to the task. `likeness`: null where they named it themselves. */
  pattern_applied: { name: string; likeness: number | null; pattern: Pattern };
  /** The notes of the home's `memory` folder that fit the task: from earlier chains, or written by a person. */
  notes_read: { notes: readonly string[] };
  context_edited: { changes: readonly Edit[] };
  /** Names of blobs, and how many bytes they have together. `schema` null: it was not kept. */
  epoch_opened: {
    number: number;
    tools: string;
    system: readonly string[];
    schema: string | null;
    bytes: number;
    digest: string | null;
    /** In words, for a person. Left out by older chains. */
    why?: string;
  };
  /** `brief`: what the conversation is told in place of it, where the reply that brought it about stands above. */
  ledger_extended: { text: string; brief?: string };
  /** The change as reviewers see it: the approved files with what they hold, and the text they are shown. */
  change_shown: { files: Readonly<Record<string, string | null>>; text: string };
  decision_taken: { key: string; action: Action };
  /** `considered`: the prompts that were weighed when these were chosen. */
  prompts_queued: {
    why: string;
    prompts: readonly QueuedPrompt[];
    considered?: readonly string[];
    /** A person is shown what this prompt writes, and asked, before that is run. */
    shown_first?: true;
    from?: string;
  };
  /** `cut_at`: it was cut off after so many tokens, and gets more room. */
  reply_rejected: { key: string; problems: readonly string[]; cut_at?: number };
  /** `moved`: it changed what is known. `grounded`: it rests on something held, so that others may rest on it. */
  report_recorded: {
    key: string;
    prompt: string;
    report: Report;
    counted: readonly Counted[];
    assumptions: readonly string[];
    moved: boolean;
    grounded: boolean;
    /** A gate that this prompt answers for stays shut after its report. */
    shut?: true;
  };
  /** A reply of the fast model that was not taken in: it lacks evidence, or could not be used. `again`: who is asked now. */
  asked_again: { key: string; prompt: string; missing: readonly string[]; again: QueuedPrompt };
  /** 0 to 10, and in words what speaks against the record. */
  health_measured: { score: number; signs: string };
  gap_reported: { gaps: readonly { description: string; prompt_kind: string }[] };
  /** How far existing prompts reach. `whole_task`: the gap is the goal itself. */
  gap_judged: { gap: string; confidence: number; verdict: "use" | "combine" | "generate"; whole_task: boolean };
  /** A prompt was written for this chain, or tried there, or a person promoted it to `file`. */
  generated_prompt: { prompt: GeneratedPrompt; file?: string };
  /** `about_tests`: the last question is the engine's own about the tests, and "yes" means this command. */
  questions_asked: { questions: readonly Question[]; about_tests?: { proposed: readonly string[] | null } };
  /** What a person's words, or their yes, settle about the tests. */
  tests_settled: TestsSettled;
  question_answered: { id: string; answer: string; from?: string };
  /** `solution`: the presented one in words, where parts of it were replaced, so that no report holds it whole. */
  phase_changed: { from: Phase; to: Phase; reason: string; focus: string; solution?: string };
  gate_refused: { to: string; reasons: readonly string[] };
  area_waived: { area: string; reason: string; from?: string };
  size_changed: { to: Size; reason: string };
  /**
   * `of`: the prompt that reported it. `patched`: the parts that were replaced when it was presented. `earlier`: those
   * that were replaced when it was presented before, with the id of that presentation.
   */
  solution_presented: {
    solution: Solution;
    /** All that the approval binds. */
    text: string;
    /** The same in parts, so that a screen can show the most important ones. Left out by older chains. */
    page?: readonly PageSection[];
    id: string;
    base: Readonly<Record<string, string | null>>;
    of?: string;
    patched?: readonly string[];
    earlier?: Readonly<Record<string, string>>;
  };
  approval_given: Asked;
  approval_refused: Asked & { reason: string };
  more_info_asked: Asked & { question: string };
  changes_requested: Asked & { request: string };
  /** What a person says by themselves while the chain is at work. */
  hint_given: { text: string; from?: string };
  /** `id`: the assumption's number on the page, such as "A2". `covers`: what its answer resolves. */
  assumptions_answered: Asked & {
    answers: readonly { id: string; text: string; covers: readonly string[]; answer: string; confirmed: boolean }[];
  };
  approval_voided: { reason: string };
  message_ignored: { reason: string; from: string };
  permission_asked: { request: Request };
  /** `always`: also what is like it, for the rest of the chain. `edited`: the text that a person put in place of the model's. */
  permission_given: { id: string; always: boolean; edited?: string; lost?: readonly string[]; from?: string };
  /** `lost`, here and above: what no longer runs, where that is what was asked about. */
  permission_refused: { id: string; reason: string; question: boolean; lost?: readonly string[]; from?: string };
  /** `lines`: how many were added and removed. Left out by older chains. */
  file_changed: {
    path: string;
    role: Role;
    before: string | null;
    after: string | null;
    touched?: Touched;
    lines?: { added: number; removed: number };
  };
  /** What a command did to the files, beside what it printed. */
  files_touched: {
    key: string;
    argv: readonly string[];
    touched: readonly Touched[];
    /** A model's command did it, on purpose: approved files count as it left them. */
    meant?: true;
    /** The command was cut short, so that somebody else may have done it since. */
    unsure?: true;
    /** New files of a name that is closed, and where they were moved to. */
    set_aside?: readonly { path: string; to: string }[];
  };
  /** Everything after line `to` has no life any more, save its cost; with `files_only` only its files. */
  rewound: { to: number; step: string; files: readonly Touched[]; files_only: boolean };
  tests_judged: {
    verdict: Verdict;
    argv: readonly string[];
    exit_code: number | null;
    duration_ms: number;
    output_sha256: string;
    tree_sha256: string;
    output: string;
    /** Its number in the chain, under which it is cited as evidence. Left out by older chains, as is all that follows. */
    run?: number;
    /** How many commands the model had run before. */
    commands?: number;
    /** What it was measured with: the blob of a `TestSetup`. */
    setup?: string;
    /** Names of the tests that failed; where red was repeated, of those that failed there. */
    failing?: readonly string[];
    skipped?: number;
    /** The counts in words, as far as the output says: "18 of 1,274 tests fail". */
    in_words?: string;
    /** How many passed, as far as the output says. */
    passed?: number;
    /** It ran before the approval, where nothing could be written. */
    tried?: true;
    /** The blob of all that was printed. */
    printed?: string;
    /** What the run itself changed in the workspace. */
    touched?: readonly Touched[];
    /** Why tests that passed prove nothing, or why some may fail still. */
    why?: string;
  };
  /** Today's tests and runner ran on a copy in which the code is as it was at red. `why` null: what passed counts. */
  red_repeated: {
    argv: readonly string[];
    exit_code: number | null;
    duration_ms: number;
    output: string;
    failing: readonly string[];
    /** What differs from red, of the tests and the runner. */
    differs: readonly string[];
    why: string | null;
    /** It could not be repeated, although nothing differs. */
    unrepeated?: string;
    /** The same tests on such a copy with the new code, where they must pass. */
    with_code?: { exit_code: number | null; output: string };
  };
  /** A person says what all lost calls so far really cost together. */
  lost_cost_entered: { usd: number; from?: string };
  /** How well it went, from 1 to 5, in the words of its user. */
  chain_rated: { rating: number };
  /** `of`: the sum that passed it, of all chains of the home; left out, it is what this chain cost. */
  cost_alerted: { usd: number; threshold: number; of?: "day" | "project" };
  parked: { code: string; exit: number; message: string; next: readonly Next[] };
  /** A run ended before its chain waited or was done. `why`: in words. */
  interrupted: { why: string };
  resumed: { limits?: Partial<Limits>; test_command?: readonly string[]; mode?: WorkMode };
  /** `kept_as` null: no line was damaged; lines were missing at the end, or texts beside the journal were damaged. */
  recovered: { lost_lines: number; kept_as: string | null };
  /** `unproved`: what was not proved when a person accepted the files as they are. */
  completed: { summary: string; ending?: CompletedAs; unproved?: readonly string[]; from?: string };
  /** A person comes back to a finished chain. `limits`: what its new round may cost, beside what was spent before. */
  round_begun: {
    kind: "change" | "question";
    text: string;
    limits: Partial<Pick<Limits, "budget_usd" | "budget_tokens">>;
    from?: string;
  };
}

/** How a chain came to its end: with a proved change, with the answer to a question, or because a person accepted it. */
export type CompletedAs = "completed" | "answered" | "accepted";

export type ImportedPart = "phase" | "costs" | "approvals" | "generated_prompts";

/** A score as it counts, beside what was claimed, and the evidence that is not held. */
export type Counted = { area: string; score: number; claimed: number; missing: readonly string[] };

/**
 * `unproven`: the tests pass, but nobody saw them fail without the code.
 * `broken`: no test ran, so there is nothing to be told from it.
 */
export type Verdict = "baseline" | "failing at baseline" | "red" | "unproven" | "broken" | "failing" | "green";

/**
 * What a person is asked to allow before it is done. `id` is bound to exactly this. `files` are those that the line of a
 * command names, with what they held when it was asked.
 */
export type Request = {
  id: string;
  key: string;
  /** What the model said along with its call. */
  said: string;
} &
  /** `unplanned`: a document that the approved solution does not name. */
  (
    | { kind: "change"; path: string; role: Role; before: string | null; after: string | null; unplanned?: true }
    | { kind: "command"; line: string; why: string; sandboxed: boolean; files?: NamedFiles }
    /** Tests that were there and no longer run, by the name of their file or their own. */
    | { kind: "lost_tests"; lost: string[] }
  );

/**
 * A prompt that was written for this chain. `text` and `tests` name blobs. `areas` are the doubts that it is to reduce.
 * `forecast`: the effect that its author expects, which counts for nothing. `effect`: what its first run came to.
 */
export type GeneratedPrompt = {
  name: string;
  purpose: string;
  text: string;
  tests: string;
  reason: string;
  areas: readonly string[];
  forecast: number | null;
  effect: number | null;
  standing: "trial" | "kept" | "pending_review" | "dropped" | "promoted";
};

export type Edit = { path: readonly string[]; before: Json | undefined; after: Json | undefined };

/** `together`: it only looks, and runs beside the others of its decision that do. */
export type QueuedPrompt = {
  key: string;
  name: string;
  inputs: Readonly<Record<string, string>>;
  together?: true;
};

export interface Gates {
  requirements: number;
  ambiguity: number;
  overall: number;
  area: number;
  unproven: number;
  simplicity: number;
  quality: readonly string[];
}

export interface Limits {
  budget_usd: number | null;
  budget_tokens: number | null;
  /** Advice once when it is passed; nothing stops. */
  cost_alert_usd: number | null;
  turns: number;
  turns_per_prompt: number;
  rounds: number;
  repeats: number;
}

/** An event without the words that mark it as one. */
export function event<Name extends keyof Events>(name: Name, fields: Events[Name]): EventNamed<Name> {
  return { type: "event", event: name, ...fields };
}

/** The chain stops here until somebody resumes it. `next` names no chain; see `forChain`. */
export function park(code: string, exit: number, message: string, next: Advice): EventNamed<"parked"> {
  return event("parked", { code, exit, message, next: nextList(next) });
}

/** Adds the number of the chain where whoever said what can be done did not know it. */
export function forChain(next: readonly Next[], chain: string): Next[] {
  return next.map((one) =>
    aboutChain.has(one.operation) && one.input?.["chain"] === undefined
      ? { ...one, input: { chain, ...one.input } }
      : one,
  );
}

const aboutChain = new Set<string | undefined>(["ask", "recover", "resume", "waive"]);
