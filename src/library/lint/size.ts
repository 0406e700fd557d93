import { frontLine, type Remark } from "./finding.ts";
import type { Prompt } from "../prompt.ts";

/** Whether what a run adds, the prompt and a usual report, is what the front matter says it is. */
export function costClass({ cost_estimate }: Prompt, front: string, tokens: number): Remark[] {
  const sum = tokens + reply;
  const said = classes.findIndex(({ name }) => name === cost_estimate);
  const fitting = [...classes.keys()].filter((at) => sum >= classes[at]!.least && sum <= classes[at]!.most);
  if (fitting.includes(said)) return [];
  const nearest = classes[said < fitting[0]! ? fitting[0]! : fitting.at(-1)!]!.name;
  const measured = `${number(sum)} tokens: ${number(tokens)} of text and ${reply} for a usual report`;
  return [
    {
      line: frontLine(front, "cost_estimate"),
      rule: "cost-class",
      severity: "warning",
      what: `cost_estimate is ${cost_estimate} (${classes[said]!.span} tokens); measured are ${measured}`,
      why: "Budgets are reserved and prompts are chosen by this class.",
      mend: `Write cost_estimate: ${nearest}, or change the text's length.`,
    },
  ];
}

const reply = 700;
/** A quarter beside the span is still the class. Short prompts get short replies, and the replies of long ones vary. */
const classes: readonly { name: Prompt["cost_estimate"]; span: string; least: number; most: number }[] = [
  { name: "minimal", span: "under 100", least: 0, most: 125 + reply },
  { name: "low", span: "100 to 1,000", least: 75, most: 1250 + reply },
  { name: "medium", span: "1,000 to 5,000", least: 750, most: 6250 },
  { name: "high", span: "more than 5,000", least: 1250, most: Infinity },
];

export function lengths({ body, bodyLine, purpose, extra }: Prompt, front: string): Remark[] {
  const words = body.match(/\S+/g)?.length ?? 0;
  const remarks: Remark[] = [];
  // Rules at the head of every request are read from the provider's cache, and no prompt has to repeat them.
  const most = String(extra["caller"]).includes("at the head of every request") ? 900 : 600;
  if (words < 150 || words > most) {
    const short = words < 150;
    remarks.push({
      line: bodyLine,
      rule: "length",
      severity: "warning",
      what: `the text has ${number(words)} ${words === 1 ? "word" : "words"}, ${short ? "fewer than 150" : `more than ${most}`}`,
      why: short
        ? "So short a text seldom says what the model would not do anyway."
        : "What matters drowns: the model weighs every sentence, and each run pays for all of them.",
      mend: short
        ? "Add where to look first, what misleads and what counts as evidence."
        : "Cut what would be true in any prompt, or make two prompts of it.",
    });
  }
  if (purpose.length > 120) {
    remarks.push({
      line: frontLine(front, "purpose"),
      rule: "length",
      severity: "warning",
      what: `purpose has ${number(purpose.length)} characters, more than 120`,
      why: "It stands in the catalogue that every step is sent with.",
      mend: "Say in one sentence what the prompt is for.",
    });
  }
  return remarks;
}

function number(count: number): string {
  return count.toLocaleString("en-US");
}
