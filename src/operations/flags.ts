import { z } from "zod";
import { text } from "../session/options.ts";

/** In digits: `Number` would also take "", " 5 ", "0x10" and "1e2". */
export const wholeNumber = z.preprocess(
  (value) => (typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value),
  z.number("is not a whole number").int("is not a whole number").positive("is not above 0"),
);

/** An amount of dollars in plain digits: `Number` would also take "0x10" and "1e308". */
export const plainAmount = /^\d{1,9}(\.\d{1,9})?$/;

/** An amount that `pattern` describes, or "none". */
const budget = (pattern: RegExp, message: string) =>
  z.string().refine((amount) => amount === "none" || (pattern.test(amount) && /[1-9]/.test(amount)), message);

export const adopt = z
  .boolean()
  .optional()
  .describe("Take over a foreign chain, or confirm that its home was moved here");
/** For operations that need a chain of this user's own. */
export const confirmMove = adopt.describe("Confirm that the home of this chain was moved here");
export const running = {
  answers: text.optional().describe("JSON file with answers to questions, by id or wording"),
  approve_policy: z
    .enum(["ask", "auto"], "is neither ask nor auto")
    .default("ask")
    .describe("auto approves solutions that nobody has read"),
  budget_usd: budget(plainAmount, "is neither an amount above 0 nor none")
    .optional()
    .describe("Pause before this much money is passed (none: no limit)"),
  budget_tokens: budget(/^\d{1,15}$/, "is neither a whole number above 0 nor none")
    .optional()
    .describe("Pause before so many tokens are passed (none: no limit)"),
  test_command: text.trim().optional().describe("How the tests are run, words separated by spaces"),
  turns: wholeNumber.optional().describe("Pause after so many calls of the model"),
  turns_per_prompt: wholeNumber.optional().describe("Pause after so many calls within one step"),
};
export type Running = z.infer<z.ZodObject<typeof running>>;

export const chainNumber = z.string().regex(/^\d+$/, "is a chain's number, such as 001").describe("The chain's number");

/** Left out, it means the newest chain that fits: `Operation.newest` says which. */
export const chainId = z
  .string()
  .regex(/^(\d+|newest)$/, "is a chain's number, such as 001")
  .default("newest")
  .describe("The chain's number; left out, the newest that fits");

/** What every operation takes that lets a chain go on. */
export const runningChain = { chain: chainId, ...running, adopt: confirmMove };
export type RunningChain = z.infer<z.ZodObject<typeof runningChain>>;
