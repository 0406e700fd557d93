import { readFileSync } from "node:fs";
import { type Hit, type IndexFile, wordPattern } from "../store/index_file.ts";
import { editDistance } from "../util/distance.ts";
import { unlessRefused } from "../util/errors.ts";
import type { Listed } from "./prompt.ts";

export interface PromptHit {
  readonly prompt: Listed;
  /** The line of the file that answers the query best. */
  readonly line: number;
  readonly text: string;
}

export interface SearchResult {
  readonly hits: readonly PromptHit[];
  /** Words that no prompt holds, each with the one it was taken for. */
  readonly taken_for: Readonly<Record<string, string>>;
  /** A file that was found has changed since it was read: other files may fit as well. */
  readonly isStale: boolean;
}

/** Looks the words of a query up in the index; a word that no prompt holds is taken for the nearest one held. */
export function searchPrompts(
  index: IndexFile,
  kind: string,
  query: string,
  limit: number,
  listedOf: (hit: Hit) => readonly Listed[],
): SearchResult {
  const asked = [...new Set([...query.matchAll(wordPattern)].map(([word]) => word.toLowerCase()))].slice(0, 32);
  const takenFor: Record<string, string> = {};
  const words = asked.map((word) => {
    const meant = index.holds(kind, word) ? word : nearest(index.words(kind), word);
    if (meant !== undefined && meant !== word) takenFor[word] = meant;
    return meant ?? word;
  });
  const found = index.search(kind, words, limit);
  const hits = found.flatMap(listedOf).map((prompt) => withLine(prompt, words));
  return { hits, taken_for: takenFor, isStale: found.some(({ changed }) => changed) };
}

function nearest(known: ReadonlySet<string>, word: string): string | undefined {
  const most = word.length < 4 ? 0 : word.length < 6 ? 1 : word.length < 9 ? 2 : 3;
  if (most === 0) return undefined;
  return [...known]
    .filter((other) => Math.abs(other.length - word.length) <= most)
    .map((other) => ({ other, distance: editDistance(word, other, most) + (other[0] === word[0] ? 0 : 0.5) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))[0]?.other;
}

/** The line that holds most of the words; those below the front matter first. */
function withLine(prompt: Listed, words: readonly string[]): PromptHit {
  const wanted = words.map(folded);
  const stems = wanted.map((word) => word.slice(0, Math.max(3, word.length - 3)));
  const held = (line: string) => {
    const own = [...folded(line).matchAll(wordPattern)].map(([word]) => word);
    const exact = wanted.filter((word) => own.includes(word)).length;
    return exact + stems.filter((stem) => own.some((word) => word.startsWith(stem))).length;
  };
  const lines = unlessRefused(() => readFileSync(prompt.file, "utf8").split(/\r?\n/)) ?? [];
  const head = Math.max(0, lines.indexOf("---", 1));
  let best = { line: 1, text: prompt.purpose, held: 0 };
  for (const index of [...lines.keys()].map((at) => (at + head) % lines.length)) {
    const count = held(lines[index]!);
    if (count > best.held) best = { line: index + 1, text: lines[index]!.trim(), held: count };
  }
  return { prompt, line: best.line, text: best.text.slice(0, 200) };
}

/** Small letters without their accents, as the index takes them. */
function folded(text: string): string {
  return text
    .toLowerCase()
    .normalize("NFD")
    .replaceAll(/[\u0300-\u036f]/g, "");
}
