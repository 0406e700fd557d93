import { typed } from "../tools/test_command.ts";
import { replay } from "./apply.ts";
import type { ChainLine } from "./events.ts";
import { correctionsIn, cut } from "./pattern.ts";
import { plainText } from "../util/same_text.ts";

/** Something that a chain learned for good. What has one subject and two contents is a contradiction. */
export type Learnt = { subject: string; text: string; chain: string; day: string };

/** What a finished chain learned that a person or its proof bears out: no other claim of a model is kept. */
export function learntIn(lines: readonly ChainLine[]): Learnt[] {
  const { chain_id: chain, decisions, state, session_memory: memory } = replay(lines);
  if (state.type !== "completed" || state.ending === "answered") return [];
  const day = state.at.slice(0, 10);
  const learnt = (subject: string, text: string) => ({ subject: cut(subject, 60), text: cut(text, 200), chain, day });
  const said = lines.flatMap((line) => {
    if (line.type === "event" && line.event === "tests_settled" && line.how === "command" && line.by.kind === "person")
      return [learnt("test command", typed(line.argv))];
    if (line.type === "event" && line.event === "assumptions_answered")
      return line.answers.flatMap(({ text, confirmed }) => (confirmed ? [learnt("", `Confirmed: ${text}`)] : []));
    return [];
  });
  return [
    ...lines.flatMap(correctionsIn).map((text) => learnt("", text)),
    ...memory.mistakes_corrected.map((text) => learnt("", `Mistake: ${text}`)),
    ...said,
    ...Object.entries(decisions).map(([key, choice]) => learnt(key.replaceAll("_", " "), choice)),
  ];
}

export const mostNotes = 100;

/**
 * One line for each thing that chains learned, with its sources. Where chains differ on one subject, the line names each
 * of them, and chooses none. What does not fit is left out: contradictions stay longest, then what several chains say.
 */
export function notesOf(learnt: readonly Learnt[]): string[] {
  const subjects = Map.groupBy(learnt, ({ subject, text }) => plainText(subject || text));
  const notes = [...subjects.values()].map((same) => {
    const contents = [...Map.groupBy(same, ({ text }) => plainText(text)).values()];
    const [{ subject, text }] = same as [Learnt];
    const about = subject ? `${subject}: ` : "";
    const day = same.reduce((latest, one) => (one.day > latest ? one.day : latest), "");
    if (contents.length === 1) {
      const chains = new Set(same.map(({ chain }) => chain)).size;
      return { text: `${about}${text} ${sources(same)}`, rank: chains, day };
    }
    const differing = contents.map((one) => `${JSON.stringify(one.at(-1)!.text)} ${sources(one)}`).join(" against ");
    return { text: `Contradiction on ${about}${differing}`, rank: Number.MAX_VALUE, day };
  });
  const ranked = notes.sort((a, b) => b.rank - a.rank || (a.day < b.day ? 1 : -1));
  return ranked.slice(0, mostNotes).map(({ text }) => text);
}

/** "(chain 003, 2026-11-02; chain 007, 2026-11-20)" */
function sources(learnt: readonly Learnt[]): string {
  const each = [...new Set(learnt.map(({ chain, day }) => `chain ${chain}, ${day}`))];
  return `(${[...each.slice(0, 3), ...(each.length > 3 ? [`and ${each.length - 3} more`] : [])].join("; ")})`;
}
