import { addUp, type Spent } from "./spending.ts";

/**
 * What could be saved, as far as a figure says so, by the chain and the prompt in which most of it could be.
 * - repairs: the replies of this prompt that could not be used, in all chains
 * - abandoned: what a rewind of this chain took back
 * - long_chain: how much more the second half of the calls of an expensive chain cost than the first
 * `spent`: the rows of all chains that wasted something or are expensive; `usd`: what was spent in all.
 * The largest savings come first, at most five. Below a cent, and below a hundredth of what was spent, nothing is said.
 */
export function adviceOf(
  spent: readonly Spent[],
  expensive: readonly { readonly name: string; readonly grew_usd: number }[],
  usd: number,
) {
  const wasted = spent.filter(({ wasted_usd = 0 }) => wasted_usd > 0);
  const found = [
    ...addUp(wasted, ({ prompt }) => prompt).map((sum) => ["repairs", sum.name, sum.repairs_usd] as const),
    ...addUp(wasted, ({ chain }) => chain).map((sum) => ["abandoned", sum.name, sum.abandoned_usd] as const),
    ...expensive.map(({ name, grew_usd }) => ["long_chain", name, grew_usd] as const),
  ];
  const kinds = { repairs: "repairs_usd", abandoned: "abandoned_usd", long_chain: "usd" } as const;
  return found
    .filter(([, , saving]) => saving >= Math.max(0.01, usd / 100))
    .sort(([, , a], [, , b]) => b - a)
    .slice(0, 5)
    .map(([about, name, saving_usd]) => {
      const [given, wanted] = about === "repairs" ? (["prompt", "chain"] as const) : (["chain", "prompt"] as const);
      const rows = spent.filter((row) => row[given] === name);
      const [most] = addUp(rows, (row) => row[wanted]).sort((a, b) => b[kinds[about]] - a[kinds[about]]);
      const named = { [given]: name, [wanted]: most?.name ?? "" } as Record<"prompt" | "chain", string>;
      return { about, ...named, saving_usd };
    });
}
