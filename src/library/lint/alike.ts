import type { Finding } from "./finding.ts";
import { variable } from "../render.ts";

export interface ComparedText {
  readonly file: string;
  readonly body: string;
  readonly bodyLine: number;
}

/** Texts that share half of their runs of five words, or more: the later file names the earlier one it is nearest to. */
export function nearDuplicates(texts: readonly ComparedText[], others: readonly ComparedText[] = []): Finding[] {
  const sorted = [...others, ...[...texts].sort((a, b) => (a.file < b.file ? -1 : 1))];
  const runs = sorted.map(({ body }) => runsOfWords(body));
  const owners = new Map<string, number[]>();
  return sorted.flatMap(({ file, bodyLine }, index): Finding[] => {
    const common = new Map<number, number>();
    for (const run of runs[index]!) {
      const those = owners.get(run) ?? [];
      for (const other of those) common.set(other, (common.get(other) ?? 0) + 1);
      those.push(index);
      owners.set(run, those);
    }
    const shares = [...common].map(([other, shared]) => {
      return { other, share: shared / (runs[index]!.size + runs[other]!.size - shared) };
    });
    const [best] = shares.sort((a, b) => b.share - a.share || a.other - b.other);
    if (best === undefined || best.share < 0.5 || index < others.length) return [];
    return [
      {
        file,
        line: bodyLine,
        rule: "near-duplicate",
        severity: "warning",
        what: `${Math.floor(best.share * 100)}% of this text and ${sorted[best.other]!.file} are the same`,
        why: "Of two prompts that say the same, the choice is a matter of luck, and a repair reaches only one.",
        mend: "Keep one of them, or cut each down to what only it knows.",
      },
    ];
  });
}

/** Every run of five words, variables left out. */
function runsOfWords(body: string): ReadonlySet<string> {
  const text = body.replaceAll(variable, " ").toLowerCase();
  const words = text.match(/[\p{L}\p{N}_]+/gu) ?? [];
  return new Set(words.slice(4).map((_, start) => words.slice(start, start + 5).join(" ")));
}
