import type { Finding } from "./finding.ts";
import { variable } from "../render.ts";

export interface ComparedText {
  readonly file: string;
  readonly body: string;
  readonly bodyLine: number;
}

/**
 * Texts that share half of their runs of five words, or more: the later file names the earlier one it is nearest to.
 * Exact for up to 500 texts. Above, the 32 smallest hashes of each decide who is compared, and texts of one mould
 * are compared with the first 50 of it.
 */
export function nearDuplicates(texts: readonly ComparedText[], others: readonly ComparedText[] = []): Finding[] {
  const sorted = [...others, ...[...texts].sort((a, b) => (a.file < b.file ? -1 : 1))];
  const runs = sorted.map(({ body }) => runsOfWords(body));
  const few = sorted.length <= 500;
  const owners = new Map<number, number[]>();
  return sorted.flatMap(({ file, bodyLine }, index): Finding[] => {
    const candidates = new Set<number>();
    for (const run of few ? runs[index]! : runs[index]!.subarray(0, 32)) {
      const those = owners.get(run);
      if (!those) owners.set(run, [index]);
      else {
        for (const other of those) candidates.add(other);
        if (few || those.length < 50) those.push(index);
      }
    }
    let best = { other: -1, share: 0 };
    for (const other of [...candidates].sort((a, b) => a - b)) {
      const share = shareOf(runs[index]!, runs[other]!);
      if (share > best.share) best = { other, share };
    }
    if (best.share < 0.5 || index < others.length) return [];
    const percent = Math.floor(best.share * 100);
    return [
      {
        file,
        line: bodyLine,
        rule: "near-duplicate",
        severity: "warning",
        what: `${percent}% of this text and ${sorted[best.other]!.file} are the same`,
        why: "Of two prompts that say the same, the choice is a matter of luck, and a repair reaches only one.",
        mend: "Keep one of them, or cut each down to what only it knows.",
      },
    ];
  });
}

/** The hash of every run of five words, variables left out, sorted and each once. */
function runsOfWords(body: string): Float64Array {
  const words =
    body
      .replaceAll(variable, " ")
      .toLowerCase()
      .match(/[\p{L}\p{N}_]+/gu) ?? [];
  const hashes = words.map(hashOfWord);
  const runs = new Set<number>();
  for (let end = 5; end <= hashes.length; end++) runs.add(hashOfRun(hashes, end - 5));
  return Float64Array.from(runs).sort();
}

function hashOfWord(word: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at++) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  return hash;
}

/** 53 bits: among millions of runs, two different ones with the same hash are not to be expected. */
function hashOfRun(words: readonly number[], from: number): number {
  let high = 0x9e3779b9;
  let low = 0x85ebca6b;
  for (let at = from; at < from + 5; at++) {
    high = Math.imul(high ^ words[at]!, 0x2c1b3c6d);
    high ^= high >>> 15;
    low = Math.imul(low + words[at]!, 0x297a2d39);
    low ^= low >>> 13;
  }
  return (high >>> 0) * 2 ** 21 + (low >>> 11);
}

/** How much two sets have in common, of all that is in either. */
function shareOf(one: Float64Array, other: Float64Array): number {
  const [few, many] = one.length < other.length ? [one.length, other.length] : [other.length, one.length];
  if (few * 2 < many) return 0;
  let common = 0;
  for (let a = 0, b = 0; a < one.length && b < other.length;) {
    if (one[a] === other[b]) common++;
    if (one[a]! <= other[b]!) {
      if (one[a] === other[b]) b++;
      a++;
    } else b++;
  }
  return common / (one.length + other.length - common);
}
