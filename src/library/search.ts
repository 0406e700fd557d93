import { readFileSync } from "node:fs";
import { type Hit, type IndexFile, wordPattern } from "../store/index_file.ts";
import { editDistance } from "../util/distance.ts";
import { unlessRefused } from "../util/errors.ts";
import type { Listed, Place } from "./prompt.ts";

export interface PromptHit {
  readonly prompt: Listed;
  /** The line of the file that answers the query best. */
  readonly line: number;
  readonly text: string;
  /** Since the index saw it. */
  readonly changed: boolean;
}

export interface Found {
  readonly hits: readonly PromptHit[];
  /** Words that no prompt holds, each with the one it was taken for. */
  readonly taken_for: Readonly<Record<string, string>>;
  /** Some of what was found is not as the index has it: others may fit as well. */
  readonly stale: boolean;
}

/** Looks the words of a query up; one that is nowhere is taken for the nearest that is somewhere. */
export function searchPrompts(
  index: IndexFile,
  kind: string,
  query: string,
  limit: number,
  placeOf: (file: string) => Place & { readonly name: string },
): Found {
  const asked = [...new Set([...query.matchAll(wordPattern)].map(([word]) => word.toLowerCase()))].slice(0, 32);
  const takenFor: Record<string, string> = {};
  const words = asked.map((word) => {
    const meant = index.holds(kind, word) ? word : nearest(index, kind, word);
    if (meant !== undefined && meant !== word) takenFor[word] = meant;
    return meant ?? word;
  });
  const { hits, stale } = wholeHits(index, kind, words, limit);
  const withPlace = (hit: Hit) => {
    const { name, file, folder, scope } = placeOf(hit.file);
    return { ...(hit.value as unknown as Listed), name, file, folder, scope };
  };
  return { hits: hits.map((hit) => withLine(withPlace(hit), hit.changed, words)), taken_for: takenFor, stale };
}

/** As many as there may be, after those that are no prompts are left out. */
function wholeHits(index: IndexFile, kind: string, words: readonly string[], limit: number) {
  for (let most = limit; ; most *= 2) {
    const found = index.search(kind, words, most);
    const stale = found.some(({ changed }) => changed);
    const whole = found.filter(({ value }) => value !== null && !isBroken(value));
    if (whole.length >= limit || found.length < most) return { hits: whole.slice(0, limit), stale };
  }
}

/** A file that cannot be read is among the problems that listing the library tells of. */
function isBroken(value: Hit["value"]): boolean {
  return value !== null && typeof value === "object" && "message" in value;
}

function nearest(index: IndexFile, kind: string, word: string): string | undefined {
  const most = word.length < 4 ? 0 : word.length < 6 ? 1 : word.length < 9 ? 2 : 3;
  if (most === 0) return undefined;
  return index
    .words(kind)
    .filter((known) => Math.abs(known.length - word.length) <= most)
    .map((known) => ({ known, distance: editDistance(word, known, most) + (known[0] === word[0] ? 0 : 0.5) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || (a.known < b.known ? -1 : 1))
    .slice(0, 8)
    .find(({ known }) => index.holds(kind, known))?.known;
}

/** The line that holds most of the words; those below the front matter first. */
function withLine(prompt: Listed, changed: boolean, words: readonly string[]): PromptHit {
  const wanted = words.map(folded);
  const stems = wanted.map((word) => word.slice(0, Math.max(3, word.length - 3)));
  const held = (line: string) => {
    const own = [...folded(line).matchAll(wordPattern)].map(([word]) => word);
    const exact = wanted.filter((word) => own.includes(word)).length;
    return exact + stems.filter((stem) => own.some((word) => word.startsWith(stem))).length;
  };
  const lines = changed ? [] : linesOf(prompt.file);
  const head = Math.max(0, lines.indexOf("---", 1));
  let best = { line: 1, text: prompt.purpose, held: 0 };
  for (const index of [...lines.keys()].map((at) => (at + head) % lines.length)) {
    const count = held(lines[index]!);
    if (count > best.held) best = { line: index + 1, text: lines[index]!.trim(), held: count };
  }
  return { prompt, line: best.line, text: best.text.slice(0, 200), changed };
}

/** Small letters without their accents, as the index takes them. */
function folded(text: string): string {
  return text
    .toLowerCase()
    .normalize("NFD")
    .replaceAll(/[\u0300-\u036f]/g, "");
}

/** None where the file went away since the index looked at it. */
function linesOf(file: string): string[] {
  return unlessRefused(() => readFileSync(file, "utf8").split(/\r?\n/)) ?? [];
}
