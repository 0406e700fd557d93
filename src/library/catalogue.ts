import type { Phase, Scope } from "./names.ts";
import type { Listed } from "./prompt.ts";
import type { SearchResult } from "./search.ts";
import { oneLine, shorten } from "../util/shorten.ts";

/**
 * The library as the model sees it, in the part of a request that is cached: the same prompts give the same bytes,
 * in whatever order they come. A line is `name — purpose [input, optional?] (right)`, with the right only where it is more than looking; it stays one line whatever a
 * prompt says, and the purpose is cut at 120 characters.
 */
export function catalogueText(prompts: readonly Listed[]): string {
  const folders = Map.groupBy(prompts.toSorted(byName), ({ folder }) => oneLine(folder) || "other");
  const section = (folder: string) => `## ${folder}\n${folders.get(folder)!.map(line).join("")}`;
  return [...folders.keys()].sort().map(section).join("\n");
}

/**
 * The prompts a catalogue holds where it cannot hold all: the shipped ones, then those nearest to the work, by name.
 * The same prompts give the same core.
 */
export function coreOf(prompts: readonly Listed[], most: number): Listed[] {
  const near: readonly Scope[] = ["builtin", "workspace", "team", "user", "custom"];
  const order = (prompt: Listed) => near.indexOf(prompt.scope);
  return prompts.toSorted((a, b) => order(a) - order(b) || byName(a, b)).slice(0, most);
}

/** What a search found, in the catalogue's words. */
export function foundText({ hits, taken_for }: Pick<SearchResult, "hits" | "taken_for">): string {
  const taken = Object.entries(taken_for).map(([asked, meant]) => `Nothing says "${asked}"; looked for "${meant}".\n`);
  const lines = hits.map(({ prompt }) => prompt);
  return `${taken.join("")}${lines.length > 0 ? lines.map(line).join("") : "No prompt fits."}`.trim();
}

/** Those that name this phase as theirs: first whose first it is, then by name. */
export function madeFor(prompts: readonly Listed[], phase: Phase): Listed[] {
  const rank = ({ phases }: Listed) => phases.indexOf(phase);
  return prompts.filter((prompt) => rank(prompt) >= 0).sort((a, b) => rank(a) - rank(b) || byName(a, b));
}

function line({ name, purpose, inputs, tools }: Listed): string {
  const shown = inputs.length > 4 ? [...inputs.slice(0, 4), "…"] : inputs;
  const brackets = shown.length > 0 ? ` [${shown.join(", ")}]` : "";
  return `${name} — ${shorten(oneLine(purpose), 120)}${brackets}${tools === "none" || tools === "read" ? "" : ` (${tools})`}\n`;
}

function byName(a: Listed, b: Listed): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
