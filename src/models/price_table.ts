import { z } from "zod";

const Price = z.strictObject({
  /** The first day (UTC) on which it is asked for; left out: always was. */
  valid_from: z.iso.date().optional(),
  /** Holds for prompts of at most so many tokens, those read from or written to the cache included. */
  up_to_prompt_tokens: z.int().positive().optional(),
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  cache_write_5m: z.number().nonnegative(),
  cache_write_1h: z.number().nonnegative(),
  cache_read: z.number().nonnegative(),
});
export type Price = z.infer<typeof Price>;

/** US dollars per million tokens, by model. A user's table has this shape and wins model by model. */
export const PriceTable = z.record(
  z.string(),
  z.strictObject({ context_window: z.int().positive().optional(), prices: z.array(Price).nonempty() }),
);
export type PriceTable = z.infer<typeof PriceTable>;
