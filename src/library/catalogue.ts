import type { Phase, Prompt } from "./prompt.ts";

/**
 * The library as the model sees it, in the part of a request that is cached: the same prompts give the same bytes,
 * in whatever order they come. A line is `name — purpose [input, optional?] (rights)`; it stays one line whatever a
 * prompt says, and the purpose is cut at 120 characters.
 */
export function catalogueText(prompts: readonly Prompt[]): string {
  const folders = Map.groupBy(prompts.toSorted(byName), ({ folder }) => oneLine(folder) || "other");
  const section = (folder: string) => `## ${folder}\n${folders.get(folder)!.map(line).join("")}`;
  return [...folders.keys()].sort().map(section).join("\n");
}

/** The engine runs these two itself; all others are for the model to choose. */
export function isListed({ name }: Prompt): boolean {
  return name !== "new_case" && name !== "phase_controller";
}

/** Those a model may choose that name this phase as theirs, by name. */
export function madeFor(prompts: readonly Prompt[], phase: Phase): Prompt[] {
  return prompts.filter((prompt) => isListed(prompt) && prompt.phases.includes(phase)).sort(byName);
}

function line({ name, purpose, inputs, tools }: Prompt): string {
  const named = Object.entries(inputs).map(([input, { required }]) => (required ? input : `${input}?`));
  const brackets = named.length > 0 ? ` [${named.join(", ")}]` : "";
  const short = oneLine(purpose).replace(/^(.{119}).{2,}$/u, "$1…");
  return `${name} — ${short}${brackets}${tools === "none" ? "" : ` (${tools})`}\n`;
}

function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
}

function byName(a: Prompt, b: Prompt): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
