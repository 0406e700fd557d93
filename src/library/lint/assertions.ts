import { z } from "zod";
import { editDistance } from "../../util/distance.ts";
import { isRecord } from "../../util/json.ts";
import { quoted } from "./finding.ts";
import { type FormTrouble, formTrouble } from "./form.ts";

/** What is wrong with one assertion of promptfoo's format; one that is kept elsewhere (`$ref`) is not looked at. */
export function assertionTrouble(item: unknown): FormTrouble[] {
  if (isRecord(item) && typeof item["$ref"] === "string") return [];
  if (!isRecord(item) || item["type"] !== "assert-set") return singleTrouble(item);
  const inside: unknown[] = Array.isArray(item["assert"]) ? item["assert"] : [];
  return [
    ...formTrouble(setForm, item),
    ...inside.flatMap((item, index) =>
      singleTrouble(item).map(({ inner, what }) => {
        return { inner: ["assert", index, ...inner], what: `${index + 1}: ${what}` };
      }),
    ),
  ];
}

function singleTrouble(item: unknown): FormTrouble[] {
  const troubles = formTrouble(form, item);
  if (troubles.length > 0 || !isRecord(item)) return troubles;
  const what = valueTrouble(String(item["type"]).replace(/^not-/, ""), item["value"]);
  return what === undefined ? [] : [{ inner: ["value"], what }];
}

// oxfmt-ignore
const baseTypes: ReadonlySet<string> = new Set([
  "agent-rubric", "answer-relevance", "bleu", "classifier", "contains", "contains-all", "contains-any", "contains-html",
  "contains-json", "contains-sql", "contains-xml", "context-faithfulness", "context-recall", "context-relevance",
  "conversation-relevance", "cost", "equals", "factuality", "finish-reason", "g-eval", "gleu", "guardrails", "human",
  "icontains", "icontains-all", "icontains-any", "is-html", "is-json", "is-refusal", "is-sql",
  "is-valid-function-call", "is-valid-openai-function-call", "is-valid-openai-tools-call", "is-xml", "javascript",
  "latency", "levenshtein", "llm-rubric", "max-score", "meteor", "model-graded-closedqa", "model-graded-factuality",
  "moderation", "perplexity", "perplexity-score", "pi", "python", "regex", "rouge-n", "ruby", "search-rubric",
  "select-best", "similar", "similar:cosine", "similar:dot", "similar:euclidean", "skill-used", "starts-with",
  "tool-call-f1", "trace-error-spans", "trace-span-count", "trace-span-duration", "trajectory:goal-success",
  "trajectory:step-count", "trajectory:tool-args-match", "trajectory:tool-sequence", "trajectory:tool-used", "webhook",
  "word-count",
]);

const typeOfAssertion = z.string().refine((type) => baseTypes.has(type.replace(/^not-/, "")), {
  error: ({ input }) => {
    const type = String(input).slice(0, 60);
    const near = [...baseTypes].find((known) => editDistance(type.replace(/^not-/, ""), known, 2) <= 2);
    return `there is no assertion ${quoted(type)}${near === undefined ? "" : `; ${near} is one`}`;
  },
});

const whatever = z.unknown().optional();
const form = z.strictObject({
  type: typeOfAssertion,
  value: whatever,
  config: whatever,
  threshold: z.number().optional(),
  weight: z.number().min(0).optional(),
  provider: whatever,
  rubricPrompt: whatever,
  metric: z.string().optional(),
  transform: whatever,
  contextTransform: whatever,
});

const setForm = z.strictObject({
  type: z.literal("assert-set"),
  assert: z.array(z.unknown()).min(1, "is empty"),
  weight: z.number().min(0).optional(),
  metric: z.string().optional(),
  threshold: z.number().optional(),
  config: whatever,
});

const wantText = new Set(["contains", "icontains", "starts-with", "llm-rubric", "factuality", "model-graded-closedqa"]);
const wantList = new Set(["contains-any", "contains-all", "icontains-any", "icontains-all"]);
const wantAny = new Set(["equals", "javascript", "python", "ruby", "similar", "g-eval", "levenshtein"]);

function valueTrouble(type: string, value: unknown): string | undefined {
  const missing = value === undefined || value === null || value === "";
  if (type === "regex") {
    if (typeof value !== "string" || missing) return "value: regex wants a pattern";
    return patternTrouble(value);
  }
  if (wantList.has(type)) {
    const fine = Array.isArray(value) ? value.length > 0 && value.every(isText) : isText(value) && !missing;
    return fine ? undefined : `value: ${type} wants a list of texts, or one text with commas`;
  }
  if (wantText.has(type)) return isText(value) && !missing ? undefined : `value: ${type} wants a text`;
  return wantAny.has(type) && missing ? `value: ${type} wants one` : undefined;
}

function isText(value: unknown): boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}

function patternTrouble(pattern: string): string | undefined {
  try {
    return void new RegExp(pattern);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `value: ${quoted(pattern)} is no pattern (${error.message.split(": ").at(-1)})`;
  }
}
