import { title } from "./narrate.ts";
import { wrap } from "./terminal.ts";
import { type Data, list, money, number, record, word } from "./values.ts";

/** Each way to go on with a damaged chain, in the order in which it is offered. */
export const recoveryWays: Record<string, string> = {
  continue: "continue from the last good state",
  phase: "run the last phase again with what is known",
  fresh: "start again, as a new chain, with what was learned",
};

export function recoverText(data: Data): string {
  const id = word(data["chain_id"]);
  const again = word(data["again"]);
  const { choice } = data;
  if (record(data["ending"])["type"] === "interrupted")
    return `Nothing was changed. Choose later: claude-exec recover ${id}${again}`;
  if (choice === undefined) return offerText(data);
  const kept = data["kept_as"] ? [`The damaged journal is kept as ${word(data["kept_as"])}.`] : [];
  const next = word(data["next_chain"]);
  const done =
    choice === "fresh"
      ? `Chain ${next} begins with what chain ${id} had learned. Chain ${id} stays as it is.`
      : choice === "phase"
        ? `Chain ${id} runs its last phase again, with what is known.`
        : `Chain ${id} continues from its last good state.`;
  return [done, ...kept, `Go on: claude-exec resume ${next}${again}`].join("\n");
}

/** What is done, what is lost, and the ways to go on. Nothing was changed yet. */
function offerText(data: Data): string {
  const command = `claude-exec recover ${word(data["chain_id"])}`;
  const ways = list(record(data["ending"])["choices"]).map(word);
  return [
    ...lossText(data),
    "",
    "Nothing was changed yet. Choose how to go on:",
    ...ways.map(
      (way, at) => `  ${at + 1}  ${recoveryWays[way]}\n     ${command} --choice ${way}${word(data["again"])}`,
    ),
  ].join("\n");
}

export function lossText(data: Data): string[] {
  const offer = record(data["ending"]);
  const done = record(offer["done"]);
  const lost = record(offer["lost"]);
  const files = list(done["files"]).map(word);
  const many = (amount: unknown, what: string) => `${number(amount as number)} ${what}${amount === 1 ? "" : "s"}`;
  const calls =
    lost["calls"] === null ? "it is not known how many answered calls" : many(lost["calls"], "answered call");
  return [
    `Chain ${word(data["chain_id"])}: ${word(offer["goal"])}`,
    word(offer["problem"]),
    `Phase: ${title(word(offer["phase"]))}`,
    `Done:  ${many(done["calls"], "answered call")} and ${many(done["prompts"], "report")}, for ${money(done["usd"])}${files.length > 0 ? `; changed: ${files.join(", ")}` : ""}`,
    `Lost:  ${number(lost["lines"]) > 0 ? `${many(lost["lines"], "line")}, among them ${calls}` : "no line"}`,
    ...(offer["known"] === true
      ? ["       What was found out in them is still in the context file, and is taken over."]
      : []),
    ...list(lost["reports"])
      .map(record)
      .map((report) => wrap(`Still readable: ${word(report["prompt"])}: ${word(report["summary"])}`, 100, "       ")),
  ];
}
