import type { ResultOf } from "../../operations/operations.ts";
import type { Input } from "../../util/next.ts";
import { count } from "../../util/count.ts";
import { title } from "./narrate.ts";
import { commandLine, nextLines } from "./next.ts";
import { money } from "./values.ts";

type Recovery = ResultOf<"recover">;
/** A damaged chain whose person is to choose how it goes on. */
export type Offer = Extract<Recovery, { needs: "choice" }>;

export function recoveredText(data: Extract<Recovery, { choice: string }>, flags: Input): string {
  const { chain_id: id, next_chain: next } = data;
  const kept = data.kept_as === null ? [] : [`The damaged journal is kept as ${data.kept_as}.`];
  const done = {
    fresh: `Chain ${next} begins with what chain ${id} had learned. Chain ${id} stays as it is.`,
    phase: `Chain ${id} runs its last phase again, with what is known.`,
    continue: `Chain ${id} continues from its last good state.`,
  }[data.choice];
  return [done, ...kept, ...nextLines(data.next, flags)].join("\n");
}

/** What is done, what is lost, and the ways to go on. Nothing was changed yet. */
export function offerText(data: Offer, flags: Input): string {
  const { chain_id: chain, choices, next } = data;
  return [
    ...lossText(data),
    "",
    "Nothing was changed yet. Choose how to go on:",
    ...choices.map(
      (choice, at) => `  ${at + 1}  ${next[at]?.why}\n     ${commandLine("recover", { chain, choice }, flags)}`,
    ),
  ].join("\n");
}

export function lossText({ chain_id, goal, problem, phase, done, lost, known }: Offer): string[] {
  const calls = lost.calls === null ? "it is not known how many answered calls" : count(lost.calls, "answered call");
  const changed = done.files.length > 0 ? `; changed: ${done.files.join(", ")}` : "";
  return [
    `Chain ${chain_id}: ${goal}`,
    problem,
    `Phase: ${title(phase)}`,
    `Done:  ${count(done.calls, "answered call")} and ${count(done.prompts, "report")}, for ${money(done.usd)}${changed}`,
    `Lost:  ${lost.lines > 0 ? `${count(lost.lines, "line")}, among them ${calls}` : "no line"}`,
    ...(known ? ["       What was found out in them is still in the context file, and is taken over."] : []),
    ...lost.reports.map(({ prompt, summary }) => `       Still readable: ${prompt}: ${summary}`),
  ];
}
