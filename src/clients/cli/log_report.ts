import type { ChainLine } from "../../operations/operation.ts";
import type { ResultOf } from "../../operations/operations.ts";
import type { Input } from "../../util/next.ts";
import { hang, narrate } from "./narrate.ts";
import { inWords, wholeReport } from "./report_lines.ts";
import { foreignLines, problemText } from "./status_report.ts";
import { wrap, type Screen } from "./terminal.ts";
import { money } from "./values.ts";

/** The story of a chain from its journal, with every report in full below the name of its step. */
export function logText(data: ResultOf<"log">, flags: Input, columns: number): string {
  const printed: string[] = [];
  const print = (text: string) => printed.push(text);
  const screen: Screen = { columns, print, style: (_, text) => text, live: () => undefined, close: () => undefined };
  const looked = new Map<string, string[]>();
  let isStopped = false;
  for (const line of data.lines as unknown as ChainLine[]) {
    const say = (mark: string, text: string) => print(hang(mark, text, columns));
    const when = `${line.at.slice(0, 16).replace("T", " ")} UTC`;
    const name = line.type === "event" ? line.event : "";
    if (isStopped && name !== "resumed") say("·", `${when}: Went on.`);
    isStopped = name === "interrupted" || name === "parked";
    if (line.type === "result" && line.effect === "tool") {
      const refs = line.seen.map(({ kind, ref }) => `${kind} ${ref}`);
      looked.set(line.key, [...(looked.get(line.key) ?? []), ...refs]);
      if (line.is_error && "text" in line.content)
        say("✗", `${line.tool} was refused: ${line.content.text.replaceAll(/\s+/g, " ")}`);
    } else if (line.type === "result" && line.effect === "model" && line.booked.lost) {
      const { most_usd } = line.booked.lost;
      const cost = most_usd === null ? "What it cost is not known." : `It cost ${money(most_usd)} at most.`;
      say("!", `The reply to a call of ${line.booked.prompt} was lost. ${cost}`);
    } else if (line.type !== "event") narrate(line, screen, true);
    else if (line.event === "interrupted") say("!", `${when}: Stopped: ${line.why}.`);
    else if (line.event === "parked") say("!", `${when}: Stopped: ${line.message}`);
    else if (line.event === "resumed") {
      const { limits, mode, test_command } = line;
      const settings = Object.entries({ ...limits, mode, tests: test_command?.join(" ") });
      const said = settings.flatMap(([name, value]) =>
        value === undefined ? [] : [`${inWords(name)} ${value ?? "none"}`],
      );
      say("·", `${when}: Went on${said.length > 0 ? `: ${said.join(", ")}` : ""}.`);
    } else if (line.event === "completed") say("✓", `${when}: ${line.ending ?? "completed"}: ${line.summary}`);
    else if (line.event === "report_recorded") {
      const looks = [...new Set(looked.get(line.key))].join(", ");
      const report = [...wholeReport(line), ...(looks ? [`Looked at: ${looks}`] : [])];
      printed.push("", `  ${line.key}`, wrap(report.join("\n"), columns, "    "), "");
    } else narrate(line, screen, true);
  }
  const head = [...foreignLines(data), ...problemText(data, flags), `Chain ${data.chain_id}: ${data.goal}`];
  return [...head, ...printed].join("\n");
}
