export const groupings = ["phase", "prompt", "model", "chain", "day"] as const;

/** What is added up of calls. Each call that brought nothing is wasted once: as lost, else as a repair, else as abandoned. */
export const amounts = [
  "calls",
  "tokens",
  "input",
  "output",
  "cache_read",
  "cache_write",
  "usd",
  /** Calls of a model whose price is not known. */
  "unpriced",
  /** What the same tokens would have cost without the provider's cache, less what they cost. */
  "saved_usd",
  "wasted_usd",
  /** Their reply could not be used. */
  "repairs",
  "repairs_usd",
  /** A rewind took back the branch of the history that they belong to. */
  "abandoned",
  "abandoned_usd",
  /** Their reply was lost on the way. */
  "lost",
  "lost_usd",
  /** Their reply was played from a recording, so that nobody paid for them. They are counted in the sums above as well. */
  "replayed",
  "replayed_usd",
  /** Calls of the fast model, those of them whose prompt was asked again, and what the usual model would have cost more. */
  "fast",
  "fast_again",
  "fast_saved_usd",
  /** Prompts that came to their report or decision, and by how much the overall confidence rose with it. */
  "runs",
  "confidence_moved",
] as const;
export type Amounts = Record<(typeof amounts)[number], number>;

/** How a prompt did, over its runs. `measured`: in so many runs it scored areas; the sums after it are over these runs. */
export const effects = ["ms", "measured", "reduction", "reduction_squared"] as const;

export const dimensions = ["day", "phase", "prompt", "model", "version"] as const;

/**
 * What was spent on one day (UTC) in one phase, by one version of one prompt and on one model. Amounts that are 0 are
 * left out.
 */
export type SpendingRow = Record<(typeof dimensions)[number], string> &
  Partial<Amounts & Record<(typeof effects)[number], number>>;

/** What one chain spent. The figures of a home keep this: where its form changes, `form` there needs another number. */
export type ChainSpending = {
  goal: string;
  /** From 1 to 5, as its user rated it. */
  rating: number | null;
  /** The telling words of its goal, with "-" between them. */
  slug: string;
  /** Succeeded: completed, answered or accepted. Stopped: it gave up or was rejected. Open: all others. */
  state: "succeeded" | "stopped" | "open";
  rows: SpendingRow[];
  /** By how much the second half of its calls cost more than the first. */
  grew_usd: number;
};

/** `chain`: its number; that of a prompt that was run on its own follows "runs/". */
export type Spent = SpendingRow & { readonly chain: string };

export function sumOf(parts: readonly Partial<Amounts>[]): Amounts {
  const sum = Object.fromEntries(amounts.map((name) => [name, 0])) as Amounts;
  for (const part of parts) for (const name of amounts) sum[name] += part[name] ?? 0;
  return sum;
}

/** The most expensive first. */
export function withShares<Sum extends { name: string } & Pick<Amounts, "usd" | "tokens">>(sums: readonly Sum[]) {
  const usd = sums.reduce((all, sum) => all + sum.usd, 0);
  return sums
    .map((sum) => ({ ...sum, share: usd > 0 ? sum.usd / usd : 0 }))
    .sort((a, b) => b.usd - a.usd || b.tokens - a.tokens || (a.name < b.name ? -1 : 1));
}

/** The rows added up by what `key` says of each, the most expensive first. */
export function addUp<Row extends Partial<Amounts>>(rows: readonly Row[], key: (row: Row) => string) {
  return withShares([...Map.groupBy(rows, key)].map(([name, some]) => ({ name, ...sumOf(some) })));
}
