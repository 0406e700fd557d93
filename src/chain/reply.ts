import { z } from "zod";
import { isSameText } from "../util/same_text.ts";
import { isRecord, parseJson } from "../util/json.ts";

/**
 * What a model answers with, whichever prompt it was given. Here `.default()` means: the schema we send asks for the
 * field, and a reply without it is accepted. `.optional()` means: the field may be left out. Providers allow only 24 of
 * the latter, and 16 unions.
 */
const fraction = z.number().refine((value) => value >= 0 && value <= 1, "must lie between 0 and 1");

/** Kinds of evidence. The rules at the head of each request say how each is cited. */
export const evidenceKinds = ["file", "search", "git", "command", "user", "prompt", "task"] as const;
const evidence = z.object({ kind: z.enum(evidenceKinds), ref: z.string() });

export const questionSchema = z.object({
  id: z.string().refine((id) => /^[a-z0-9_]{1,60}$/.test(id), "must be a short snake_case name"),
  question: z.string(),
  why: z.string().optional(),
  options: z.array(z.string()).optional(),
  settles: z.string().optional().describe("The area of the uncertainty that the answer settles, if there is one."),
});

export const solutionSchema = z.object({
  title: z.string().describe("A person reads the whole solution before they approve it: it has at most 350 words."),
  architecture: z.string().describe("What will be built and how: at most 60 words."),
  decisions: z
    .array(z.object({ choice: z.string(), because: z.string().default(""), rejected: z.string().default("") }))
    .default([])
    .describe("A choice has at most 20 words, its reason at most 15."),
  tradeoffs: z.array(z.string()).default([]),
  steps: z
    .array(z.string())
    .default([])
    .describe("At most 12 words each. A step names its tests, and not their cases."),
  risks: z.array(z.object({ risk: z.string(), mitigation: z.string().default("") })).default([]),
  assumptions: z
    .array(
      z.object({
        text: z.string(),
        if_wrong: z.string().default(""),
        covers: z
          .array(z.string())
          .default([])
          .describe("The areas and the ids of noted assumptions, as the state lists them, that this one stands for."),
      }),
    )
    .overwrite((list) => list.filter(({ text }, at) => list.findIndex((other) => isSameText(other.text, text)) === at))
    .default([])
    .describe(
      "The complete list, at most seven, each once, in 25 words with what happens if it is wrong. None repeats or contradicts a decision.",
    ),
  dropped: z
    .array(z.object({ id: z.string(), because: z.string() }))
    .default([])
    .describe("Noted assumptions on which the solution does not rest, and why not."),
  success_criteria: z.array(z.string()).default([]),
  remaining_concerns: z.array(z.string()).default([]),
  commands: z
    .array(z.string())
    .default([])
    .describe(
      "Commands other than the tests that will be run, each as it is typed; behind it in parentheses the hosts that it reaches.",
    ),
  files: z.array(
    z.object({
      path: z.string().overwrite((path) => path.replace(/^(\.\/+)+/, "")),
      role: z.enum(["code", "test", "doc"]),
      change: z.enum(["new", "edit", "delete"]).default("edit"),
      lines: z.number().default(0).describe("About how many lines are new or changed."),
    }),
  ),
  verification: z.object({
    kind: z.enum(["tests", "substitute", "person"]),
    check: z.string().default(""),
    command: z
      .string()
      .default("")
      .describe("If the workspace has no test command yet: the one that will run the new tests. Otherwise empty."),
  }),
});

const solutionParts = Object.keys(solutionSchema.shape) as [keyof Solution, ...(keyof Solution)[]];
const parts = solutionSchema.shape;
const patchSchema = z.array(
  z.object({
    part: z.enum(solutionParts),
    value: z.union([
      z.string(),
      z.array(z.string()),
      parts.decisions.unwrap(),
      parts.risks.unwrap(),
      parts.assumptions.unwrap(),
      parts.dropped.unwrap(),
      parts.files,
      parts.verification,
    ]),
  }),
);

const promptsSchema = z.array(
  z.object({ name: z.string(), inputs: z.array(z.object({ name: z.string(), value: z.string() })).default([]) }),
);
const runFirst = promptsSchema
  .default([])
  .describe("The prompts that run first in that phase, as in run_prompts. Empty: none is named.");

const doSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("run_prompts"),
    prompts: promptsSchema,
    considered: z.array(z.string()).optional(),
  }),
  z.object({ type: z.literal("ask_user"), questions: z.array(questionSchema) }),
  z.object({
    type: z.literal("report_gap"),
    gaps: z.array(
      z.object({
        description: z.string(),
        prompt_kind: z.string(),
        key_questions: z.array(z.string()).default([]),
        similar: z.array(z.string()).default([]),
      }),
    ),
  }),
  z.object({
    type: z.literal("present_solution"),
    report: z
      .string()
      .default("")
      .describe("The prompt whose report holds the solution. Empty: the newest solution that was reported."),
    patch: patchSchema
      .default([])
      .describe(
        "Parts of that solution to replace. Empty: present it as the user saw it last, or else as it was reported.",
      ),
  }),
  z.object({ type: z.literal("advance"), to: z.string(), reason: z.string().default(""), prompts: runFirst }),
  z.object({
    type: z.literal("go_back"),
    to: z.string(),
    focus: z.string().default(""),
    reason: z.string().default(""),
    prompts: runFirst,
  }),
  z.object({
    type: z.literal("set_test_command"),
    command: z.string().describe("As it is typed in the root of the workspace."),
    reason: z.string().default(""),
  }),
  z.object({ type: z.literal("answer"), text: z.string().describe("The answer to a task that is a question.") }),
  z.object({ type: z.literal("complete"), summary: z.string() }),
  z.object({ type: z.literal("give_up"), reason: z.string() }),
]);

export const actionSchema = z.object({ say: z.string().describe("One sentence for the user."), do: doSchema });

export const findingSchema = z.object({
  id: z.string().describe("Your own short name for it, the same whenever you report it."),
  severity: z.enum(["blocking", "major", "minor"]),
  where: z.string().describe("file:line, or the part that is missing"),
  what: z.string(),
  trigger: z.string().describe("The input or situation in which it shows."),
});

export const reportSchema = z.object({
  summary: z.string().describe("One sentence, two where a person asked something. Nothing that another part says."),
  account: z
    .string()
    .optional()
    .describe(
      "Only what is new and stands in no other part. Unless the prompt names a length: at most 80 words, 200 in discovery, 120 when measuring.",
    ),
  solution: solutionSchema.optional(),
  findings: z.array(findingSchema).optional().describe("All that hold now. After a fix: only what it left or brought."),
  discovered: z
    .array(
      z.object({
        key: z.string(),
        value: z.union([z.string(), z.array(z.string())]),
        evidence: z.array(evidence).optional(),
      }),
    )
    .optional(),
  notes: z
    .array(
      z.object({
        kind: z.enum(["assumption", "mistake_corrected", "pattern_identified", "not_checked", "free"]),
        text: z.string(),
      }),
    )
    .optional(),
  uncertainties: z
    .array(
      z.object({
        area: z.string(),
        confidence: fraction,
        blocking: z.boolean().default(false),
        resolved: z.boolean().default(false),
        resolution: z.string().optional(),
      }),
    )
    .optional(),
  confidence: z
    .array(z.object({ area: z.string(), score: fraction, evidence: z.array(evidence).default([]) }))
    .optional(),
  scores: z.array(z.object({ name: z.string(), value: z.number() })).optional(),
  decisions: z.array(z.object({ key: z.string(), choice: z.string(), because: z.string().optional() })).optional(),
  questions: z.array(questionSchema).optional(),
  artifacts: z.array(z.object({ kind: z.string(), name: z.string(), content: z.string() })).optional(),
});

const replySchema = z.object({ report: reportSchema.nullable(), action: actionSchema.nullable() });

export type Action = z.infer<typeof actionSchema>;
export type Report = z.infer<typeof reportSchema>;
export type Question = z.infer<typeof questionSchema>;
export type Solution = z.infer<typeof solutionSchema>;
export type Evidence = z.infer<typeof evidence>;
export type Finding = z.infer<typeof findingSchema>;

/** The schema every request of a chain carries, byte for byte the same: changing it would empty the cache. */
export function replyJsonSchema(): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(replySchema, {
    io: "output",
    override: ({ jsonSchema }) => {
      delete jsonSchema.default;
      if (!jsonSchema.oneOf) return;
      jsonSchema.anyOf = jsonSchema.oneOf; // the form that providers take
      delete jsonSchema.oneOf;
    },
  });
  return schema;
}

/** What a reply holds that can be used, and what is wrong with the rest, in words that a model can act on. */
export interface Reply {
  readonly report: Report | null;
  readonly action: Action | null;
  /** Why the reply cannot be used at all. */
  readonly problems: readonly string[];
  /** Why its action cannot be used although its report can. */
  readonly actionProblems: readonly string[];
  /** The type of an action that cannot be used. */
  readonly named?: string;
}

export function readReply(text: string, expected: "action" | "report"): Reply {
  const none = { report: null, action: null, actionProblems: [] };
  const json = parseJson(withoutFence(text));
  if (!isRecord(json)) {
    const problem = 'The reply is not one JSON object. Answer with {"report": …, "action": …} and nothing around it.';
    return { ...none, problems: [problem] };
  }
  const given = twoParts(json);
  const report = read(reportSchema, "report", given["report"]);
  const action = read(actionSchema, "action", given["action"]);
  const isEmpty = !report.value && !action.value && report.problems.length + action.problems.length === 0;
  const missing =
    expected === "report" && !report.value && report.problems.length === 0
      ? ["This step needs a report. Its action may be null."]
      : isEmpty
        ? [needsAction]
        : [];
  const isUsable = missing.length === 0 && report.problems.length === 0 && (action.value || report.value);
  const problems = isUsable ? [] : [...missing, ...report.problems, ...action.problems].slice(0, 6);
  const isReportAlone = expected === "action" && !action.value && action.problems.length === 0;
  const actionProblems = isReportAlone ? [needsAction] : action.problems;
  const { do: what } = isRecord(given["action"]) ? given["action"] : {};
  const named = !action.value && isRecord(what) && typeof what["type"] === "string" ? { named: what["type"] } : {};
  return isUsable
    ? { report: report.value, action: action.value, problems, actionProblems, ...named }
    : { ...none, problems };
}

const needsAction = "This step needs an action. Its report may be null.";

function read<Part extends z.ZodType>(schema: Part, name: string, given: unknown) {
  if (given === null || given === undefined) return { value: null, problems: [] };
  const parsed = schema.safeParse(given);
  if (parsed.success) return { value: parsed.data, problems: [] };
  const problems = parsed.error.issues.map(({ path, message }) => `${[name, ...path].join(".")}: ${message}`);
  return { value: null, problems: problems.slice(0, 6) };
}

/** Replies of earlier versions had one part, `{"reply": {"kind": "report", …}}`, and journals hold such replies. */
function twoParts(json: Record<string, unknown>): Record<string, unknown> {
  const whole = isRecord(json["reply"]) ? json["reply"] : json;
  const { kind, ...rest } = whole;
  if (kind === "action") return withOwnSolution(rest);
  if (kind !== "report") return whole;
  const { findings, ...report } = rest;
  return { report: typeof findings === "string" ? { ...report, account: findings } : rest };
}

/** The action that presented a solution held all of it. */
function withOwnSolution(action: Record<string, unknown>): Record<string, unknown> {
  const { do: what, say } = action;
  if (!isRecord(what) || !("artifact" in what)) return { action };
  const { artifact, ...present } = what;
  return { report: { summary: say, solution: artifact }, action: { say, do: present } };
}

/** Some models wrap JSON in a fence or a sentence; the object inside is what was meant. */
function withoutFence(text: string): string {
  const start = text.indexOf("{");
  const end = text.lastIndexOf("}");
  return start >= 0 && end > start ? text.slice(start, end + 1) : text;
}
