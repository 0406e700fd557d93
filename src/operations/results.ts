import { z } from "zod";
import { recoveryChoices } from "../chain/recover.ts";
import { workModes } from "../chain/modes.ts";
import { amounts, groupings, type Amounts } from "../costs/spending.ts";
import { findingSchema, questionSchema, reportSchema, solutionSchema } from "../chain/reply.ts";
import { costsSchema } from "../costs/books.ts";
import { exportedSchema, importedSchema, skippedSchema } from "../library/exchange/outcome.ts";
import { findingSchema as lintFindingSchema } from "../library/lint/finding.ts";
import { phases, scopes } from "../library/names.ts";
import { patternSchema } from "../library/pattern.ts";

/** A list that whoever gets it only reads. */
const listOf = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();
const texts = listOf(z.string());
const amount = z.number();
const known = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value).readonly();

/** What can be done now. See `Next` in util/next.ts. */
export const next = listOf(
  z.object({
    operation: z.exactOptional(z.string()),
    input: z.exactOptional(known(z.union([z.string(), z.number(), z.boolean(), texts, z.null()]))),
    why: z.string(),
  }),
);

/** What is wrong with something that is shown all the same. */
const trouble = { problem: z.string().nullable(), next };

const request = z.intersection(
  z.object({ id: z.string(), key: z.string(), said: z.string() }),
  z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("change"),
      path: z.string(),
      role: z.enum(["code", "test", "doc"]),
      before: z.string().nullable(),
      after: z.string().nullable(),
      /** A document that the approved solution does not name. */
      unplanned: z.exactOptional(z.literal(true)),
    }),
    z.object({
      kind: z.literal("command"),
      line: z.string(),
      why: z.string(),
      sandboxed: z.boolean(),
      files: z.exactOptional(known(z.string())),
    }),
    z.object({ kind: z.literal("lost_tests"), lost: z.array(z.string()) }),
  ]),
);

const { lost_calls: lostCalls, by_kind: tokenKinds } = costsSchema.shape;

const lost = z.object({
  lines: amount,
  calls: amount.nullable(),
  reports: listOf(z.object({ prompt: z.string(), summary: z.string() })),
});

const pageSections = listOf(
  z.object({
    title: z.string(),
    items: listOf(
      z.object({
        text: z.string(),
        kept: z.exactOptional(z.literal(true)),
        short: z.exactOptional(listOf(z.string())),
      }),
    ),
    rest: z.exactOptional(z.literal(true)),
  }),
);

/** What chains of one kind took. */
const { took } = patternSchema.shape;

const ending = z.discriminatedUnion("type", [
  z.object({ type: z.literal("completed"), summary: z.string() }),
  /** The task was a question, and this is its answer. */
  z.object({ type: z.literal("answered"), text: z.string() }),
  /** A person keeps the files as they are. `unproved`: what was not proved. */
  z.object({ type: z.literal("accepted"), reason: z.string(), unproved: texts }),
  z.object({
    type: z.literal("needs_answers"),
    questions: listOf(questionSchema.extend({ answer: z.string().nullable() })),
  }),
  z.object({
    type: z.literal("needs_approval"),
    presented: z.object({
      solution: solutionSchema,
      text: z.string(),
      hash: z.string(),
      base: known(z.string().nullable()),
      standing: z.enum(["presented", "approved", "open", "void"]),
    }),
    page: z.object({
      sections: pageSections,
      /** The page that a person judged last before this one. */
      before: z.object({ title: z.string(), sections: pageSections }).nullable(),
      /** The numbers of the assumptions that a person confirmed. */
      confirmed: texts,
      /** What a person asked last, about which solution, and what they were told. */
      asked: z.object({ solution: z.string(), question: z.string(), answer: z.string().nullable() }).nullable(),
      expected_usd: amount.nullable(),
    }),
  }),
  z.object({
    type: z.literal("needs_permission"),
    request,
    /** Of a change: how the file would differ, and what it would hold. */
    diff: z.string().nullable(),
    proposed: z.string().nullable(),
    /** How it differs from the version that a person turned down. */
    since: z.string().nullable(),
  }),
  z.object({ type: z.literal("parked"), code: z.string(), exit: amount, message: z.string(), next }),
  z.object({ type: z.literal("interrupted") }),
  /** What was asked for came about, and the chain was left there. */
  z.object({ type: z.literal("reached") }),
]);

/** In milliseconds, as far as they are known. `waiting`: how much of the time the chain waited for its person. */
const durations = z.object({ total: amount.nullable(), waiting: amount, by_phase: known(amount) });

/** Once the chain is over. */
const changedLines = z.exactOptional(z.object({ added: amount, removed: amount }));

/** Open findings of reviewers. */
const findings = listOf(findingSchema.extend({ by: z.string() }));

const testRuns = listOf(
  z.object({
    verdict: z.string(),
    exit_code: amount.nullable(),
    why: z.exactOptional(z.string()),
    in_words: z.exactOptional(z.string()),
  }),
);

/** How a chain stands after it was let go on. */
export const chainStands = z.object({
  chain_id: z.string(),
  goal: z.string(),
  ending,
  phase: z.enum(phases),
  confidence: known(amount),
  /** What is still in doubt, and how many areas no longer are. */
  doubts: z.object({
    open: listOf(z.object({ area: z.string(), confidence: amount, blocking: z.boolean() })),
    settled: amount,
    /** What no existing prompt covers, and the confidence with existing prompts. */
    gap: z.object({ text: z.string(), confidence: amount }).nullable(),
  }),
  cost: z.object({ usd: amount, tokens: amount, unpriced_calls: amount, notional_usd: amount, lost_calls: lostCalls }),
  files: listOf(z.object({ path: z.string(), new: z.boolean(), deleted: z.boolean(), lines: changedLines })),
  mode: z.enum(workModes),
  tests_changed: texts,
  findings,
  not_checked: texts,
  touched: texts,
  worktree: z
    .object({ folder: z.string(), path: z.string(), commands: texts, advice: z.string().nullable() })
    .nullable(),
  /** How the tests are run, and where that was found. */
  tests: z.object({ command: z.string().nullable(), found_in: z.string(), confirmed: z.boolean() }),
  test_runs: testRuns,
  /** Once the chain is over. */
  durations: z.exactOptional(durations),
  /** Decided after the approval, and not part of what was approved. Once the chain is over. */
  decided: z.exactOptional(texts),
  /** The pattern that was applied, what its chains took, and what this one took. Once the chain is over. */
  applied: z.exactOptional(z.object({ title: z.string(), before: took, took: took.element })),
  solution_hash: z.string().nullable(),
  context_file: z.string(),
  /** Where the app of a rehearsal lies. */
  rehearsal: z.exactOptional(z.object({ folder: z.string() })),
});

/** Nothing was done, since another process works on the chain. */
export const busy = z.object({ chain_id: z.string(), busy: z.literal(true), next });
/** Another process works on the chain, and takes it in. */
export const delivered = z.object({ chain_id: z.string(), delivered: z.literal(true) });

/** Of every operation that lets a chain go on. */
export const chainResult = z.union([chainStands, busy, delivered]);

const visit = z.object({
  phase: z.string(),
  started: z.string().nullable(),
  ended: z.string().nullable(),
  iterations: amount,
  prompts_executed: texts,
  clarifications: texts,
  duration: z.string().nullable(),
});

/** What a context file knows of a chain, by the names that it has there. */
export const chainKnown = z.object({
  goal: z.string(),
  started: z.string().nullable(),
  size: z.string(),
  current_phase: z.string(),
  phase_history: listOf(visit),
  confidence_scores: known(amount),
  cost_tracking: costsSchema,
  status: z.object({ state: z.string(), waiting_for: z.string().nullable(), next }),
  uncertainties: listOf(
    z.object({
      area: z.string(),
      confidence: amount,
      resolved: z.boolean(),
      blocking: z.boolean(),
      resolution: z.string().nullable(),
      by: z.string(),
    }),
  ),
  questions: listOf(questionSchema.extend({ answer: z.string().nullable() })),
  evidence: z.object({ runs: testRuns }),
});
/** A chain as `status` shows it. */
const chainSummary = chainKnown.extend({
  /** Only while a process is at work on it: what it does, and since when. */
  running: z.exactOptional(z.object({ what: z.string(), since: z.string() })),
  durations,
  findings,
  /** The confidence that the gates ask for, of each area that was measured. */
  needed: z.exactOptional(known(amount)),
  chain_id: z.string(),
  /** Why the chain is only looked at; null: it is its user's own. */
  foreign: z.string().nullable(),
  context_file: z.string().nullable(),
  ...trouble,
});
/** One that cannot be read. */
const unreadable = z.object({
  chain_id: z.string(),
  foreign: z.string().nullable(),
  context_file: z.string().nullable(),
  problem: z.string(),
  next,
});

export const statusResult = z.object({ all: z.boolean(), chains: listOf(z.union([chainSummary, unreadable])) });

/** Of calls, by the names that src/costs/spending.ts describes. */
const sums = Object.fromEntries(amounts.map((name) => [name, amount])) as Record<keyof Amounts, typeof amount>;
const group = z.object({ name: z.string(), ...sums, share: amount });

export const costResult = z.union([
  delivered,
  z.object({
    chain_id: z.string(),
    goal: z.string(),
    foreign: z.string().nullable(),
    ...trouble,
    duration_ms: amount.nullable(),
    waiting_ms: amount,
    prompts_executed: amount,
    tokens: amount,
    usd: amount,
    calls: amount,
    usd_per_call: amount,
    complete: z.boolean(),
    unpriced_calls: amount,
    notional_usd: amount,
    unknown_calls: amount,
    unknown_usd: amount,
    unknown_tokens: amount,
    lost_calls: lostCalls,
    by_phase: known(amount),
    by_prompt: listOf(z.object({ name: z.string(), calls: amount, tokens: amount, usd: amount, share: amount })),
    by_kind: tokenKinds,
    /** All that was spent. Null: the chain is foreign or damaged, or it was never in a journal of ours. */
    total: z.object(sums).nullable(),
    by_model: listOf(group),
  }),
]);

export const costReportResult = z.object({
  days: amount,
  /** Days of UTC, both included. */
  from: z.string(),
  to: z.string(),
  by: z.enum(groupings),
  chains: amount,
  runs: amount,
  total: z.object(sums),
  /** Null: no chain spent anything. */
  average_usd: amount.nullable(),
  unpriced_models: texts,
  /** Calls whose date lies in the future; they count as made today. */
  calls_in_future: amount,
  groups: listOf(group),
  most_expensive: listOf(
    z.object({ chain: z.string(), goal: z.string(), usd: amount, tokens: amount, is_expensive: z.boolean() }),
  ),
  endings: z.object({ succeeded: amount, stopped: amount, open: amount, rate: amount.nullable() }),
  trend: listOf(z.object({ day: z.string(), usd: amount, tokens: amount })),
  forecast: z
    .object({ month: z.string(), spent_usd: amount, per_day_usd: amount, days_left: amount, usd: amount })
    .nullable(),
  advice: listOf(
    z.object({
      about: z.enum(["repairs", "abandoned", "long_chain"]),
      chain: z.string(),
      prompt: z.string(),
      saving_usd: amount,
    }),
  ),
  /** How many chains are foreign, so that nothing of them is counted. */
  foreign: amount,
  /** Why chains could not be read. */
  unread: texts,
});

/** Files that are not read, and why. */
const unusedFiles = listOf(z.object({ file: z.string(), why: z.string() }));
/** `chains`: how many were distilled; null: the notes were only shown. */
export const memoryResult = z.object({
  folder: z.string(),
  chains: amount.nullable(),
  notes: listOf(z.object({ file: z.string(), text: z.string() })),
  problems: unusedFiles,
});
export const patternsResult = z.object({
  folder: z.string(),
  patterns: listOf(z.object({ name: z.string(), title: z.string(), stack: texts, took })),
  problems: unusedFiles,
});
/** `text`: all of it, as the file holds it. */
export const patternResult = z.object({ name: z.string(), title: z.string(), file: z.string(), text: z.string() });
/** `preview`: it is only shown, and nothing was saved. */
export const savedPatternResult = patternResult.extend({ chain_id: z.string(), preview: z.boolean(), next });

export const completeResult = z.object({
  chain_id: z.string(),
  goal: z.string(),
  finished: z.boolean(),
  /** `is` null: not checked. */
  checks: listOf(z.object({ what: z.string(), is: z.boolean().nullable(), why: z.string() })),
  rating: amount.nullable(),
  next,
});

export const logResult = z.object({
  chain_id: z.string(),
  goal: z.string(),
  foreign: z.string().nullable(),
  ...trouble,
  /** Lines of the journal, in the form of `--stream-json`. */
  lines: listOf(z.looseObject({ n: amount, at: z.string(), type: z.string() })),
});

export const diffResult = z.object({
  chain_id: z.string(),
  foreign: z.string().nullable(),
  ...trouble,
  waiting: z.object({ request, diff: z.string().nullable() }).nullable(),
  changes: listOf(z.object({ path: z.string(), added: amount, removed: amount, diff: z.string() })),
});

export const rewindResult = z.union([
  busy,
  z.object({
    chain_id: z.string(),
    to: z.string(),
    files_only: z.boolean(),
    /** It was only shown: nothing was changed, and `files` says what would be. */
    preview: z.boolean(),
    /** It brought back what the last rewind took away. */
    undone: z.boolean(),
    files: listOf(z.object({ path: z.string(), done: z.enum(["as it was", "removed", "written"]) })),
    not_kept: texts,
    next,
  }),
]);

const recoveryOffer = {
  chain_id: z.string(),
  context_file: z.string().nullable(),
  problem: z.string(),
  goal: z.string(),
  phase: z.enum(phases),
  done: z.object({ prompts: amount, calls: amount, usd: amount, files: texts }),
  lost,
  known: z.boolean(),
  choices: listOf(z.enum(recoveryChoices)),
};
export const recoverResult = z.union([
  busy,
  /** Nothing was changed: a person is to choose. */
  z.object({ ...recoveryOffer, needs: z.literal("choice"), next }),
  z.object({
    chain_id: z.string(),
    choice: z.enum(recoveryChoices),
    next_chain: z.string(),
    lost,
    kept_as: z.string().nullable(),
    context_file: z.string(),
    next,
  }),
]);

const listed = {
  name: z.string(),
  folder: z.string(),
  scope: z.enum(scopes),
  purpose: z.string(),
  cost_estimate: z.string(),
  tools: z.string(),
  model: z.string(),
  tags: texts,
  phases: listOf(z.enum(phases)),
};
export const promptsListResult = z.object({
  prompts: listOf(z.object(listed)),
  problems: listOf(z.object({ file: z.string(), message: z.string(), next })),
  /** The workspace whose own prompts were left out, as nobody trusts it. */
  untrusted: z.string().nullable(),
});
export const promptsSearchResult = z.object({
  query: z.string(),
  taken_for: known(z.string()),
  hits: listOf(z.object({ ...listed, file: z.string(), line: amount, text: z.string() })),
});
export const promptsShowResult = z.object({
  ...listed,
  title: z.string().optional(),
  file: z.string(),
  good_for: texts,
  uncertainty_reduction: texts,
  example_context_needs: texts,
  inputs: known(
    z.object({
      type: z.string(),
      description: z.string(),
      required: z.boolean(),
      default: z.exactOptional(z.string()),
    }),
  ),
  produces: texts,
  examples: listOf(z.unknown()),
  extra: known(z.unknown()),
  body: z.string(),
  sha256: z.string(),
  hides: listOf(z.object({ scope: z.enum(scopes), file: z.string() })),
  tokens: amount,
});
export const promptsRenderResult = z.object({ name: z.string(), text: z.string(), tokens: amount });
export const promptsLintResult = z.object({
  files: amount,
  errors: amount,
  warnings: amount,
  findings: listOf(lintFindingSchema),
});
const spent = z.object({ usd: amount, tokens: amount });
export const promptsRunResult = z.object({
  prompt: z.string(),
  report: reportSchema,
  cost: spent,
  record: z.string(),
});
const promptFigure = {
  runs: amount,
  calls: amount,
  tokens: amount,
  usd: amount,
  confidence_moved: amount,
  repairs: amount,
  tokens_per_run: amount,
  ms_per_run: amount,
  /** Null: no run of it scored an area. `low` and `high`, at 95 %, are null after one run. */
  reduction: z.object({ mean: amount, low: amount.nullable(), high: amount.nullable(), measured: amount }).nullable(),
  /** Of the chains that it ran in, 1 to 5. */
  rating: z.object({ mean: amount, chains: amount }).nullable(),
  last_used: z.string(),
};
export const promptsStatsResult = z.object({
  chains: amount,
  name: z.string().nullable(),
  prompts: listOf(
    z.object({
      prompt: z.string(),
      ...promptFigure,
      common_patterns: texts,
      versions: listOf(z.object({ version: z.string(), ...promptFigure })),
    }),
  ),
  /** The same by the keys of the source documents. */
  prompt_metrics: z.record(
    z.string(),
    z.object({
      usage_count: amount,
      avg_uncertainty_reduction: amount.nullable(),
      avg_tokens: amount,
      user_satisfaction: amount.nullable(),
      common_patterns: texts,
      promotion_status: z.string().nullable(),
      created_from_chain: z.string().nullable(),
    }),
  ),
  /** Why chains could not be read. */
  unread: texts,
});
/** Of `prompts new` and `prompts edit`: the file that a person opens now. */
export const openedResult = z.object({
  name: z.string(),
  scope: z.enum(scopes),
  file: z.string(),
  copied_from: z.exactOptional(z.string().nullable()),
  /** A model wrote it. */
  generated: z.exactOptional(
    z.object({
      summary: z.string(),
      cost: spent,
      record: z.string(),
    }),
  ),
});
const skipped = listOf(skippedSchema);
export const importedResult = z.object({
  scope: z.enum(scopes),
  to: z.string(),
  dry_run: z.boolean(),
  imported: listOf(importedSchema),
  skipped,
});
export const exportedResult = z.object({
  to: z.string(),
  dry_run: z.boolean(),
  exported: listOf(exportedSchema),
  skipped,
});

/** A prompt that a chain keeps, as its journal has it. */
const kept = { name: z.string(), chain: z.string(), purpose: z.string(), reason: z.string(), standing: z.string() };
const measured = { areas: texts, effect: amount.nullable(), forecast: amount.nullable() };
const generated = z.object({ ...kept, ...measured, text: z.string(), tests: z.string() });
export const promotedResult = z.union([
  busy,
  z.object({ waiting: listOf(generated) }),
  generated.extend({ file: z.string(), diff: z.string(), hash: z.string(), promoted: z.boolean(), next }),
]);

export const trustResult = z.object({ trusted: z.string() });
export const installResult = z.object({
  folder: z.string(),
  written: listOf(z.string()),
  removed: listOf(z.string()),
  /** They are the user's own, or were changed since. */
  kept: listOf(z.string()),
  hook: z.enum(["set", "removed", "unchanged", "unreadable"]),
});
export const doctorResult = z.object({
  version: z.string(),
  checks: listOf(z.object({ what: z.string(), ok: z.enum(["yes", "no", "optional"]), found: z.string(), next })),
});
