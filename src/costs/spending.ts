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
  /** Prompts that came to their report or decision, and by how much the overall confidence rose with it. */
  "runs",
  "confidence_moved",
] as const;
export type Amounts = Record<(typeof amounts)[number], number>;

/** What was spent on one day (UTC) in one phase, by one prompt and on one model. Amounts that are 0 are left out. */
export type SpendingRow = { day: string; phase: string; prompt: string; model: string } & Partial<Amounts>;

/** What one chain spent. The index keeps this: where its form changes, its kind there needs another name. */
export type ChainSpending = {
  goal: string;
  /** Succeeded: completed, answered or accepted. Stopped: it gave up or was rejected. Open: all others. */
  state: "succeeded" | "stopped" | "open";
  rows: SpendingRow[];
  /** By how much the second half of its calls cost more than the first. */
  grew_usd: number;
};

/** What a chain spent, by its number; of one prompt that was run on its own, the number follows "runs/". */
export type SpendingOf = ChainSpending & { readonly chain: string };
export type Spent = SpendingRow & { readonly chain: string };

const nothing = Object.fromEntries(amounts.map((name) => [name, 0])) as Amounts;

export function sumOf(parts: readonly Partial<Amounts>[], names: readonly (keyof Amounts)[] = amounts): Amounts {
  const sum = { ...nothing };
  for (const part of parts) for (const name of names) sum[name] += part[name] ?? 0;
  return sum;
}

/** The rows added up by what `key` says of each, the most expensive first. */
export function addUp<Row extends Partial<Amounts>>(rows: readonly Row[], key: (row: Row) => string) {
  const usd = rows.reduce((sum, row) => sum + (row.usd ?? 0), 0);
  return [...Map.groupBy(rows, key)]
    .map(([name, some]) => ({ name, ...sumOf(some) }))
    .map((sum) => ({ ...sum, share: usd > 0 ? sum.usd / usd : 0 }))
    .sort((a, b) => b.usd - a.usd || b.tokens - a.tokens || (a.name < b.name ? -1 : 1));
}
