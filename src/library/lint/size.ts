import { frontLine, type Remark } from "./finding.ts";
import type { Prompt } from "../prompt.ts";

type Class = Prompt["cost_estimate"];

/** Whether what a run adds, the prompt and a usual report, is what the front matter says it is. */
export function costClass(prompt: Prompt, front: string, tokens: number): Remark[] {
  const said = prompt.cost_estimate;
  const fitting = classes.filter((name) => fits(name, tokens));
  if (fitting.includes(said)) return [];
  const isBelow = classes.indexOf(said) < classes.indexOf(fitting[0]!);
  const nearest = isBelow ? fitting[0]! : fitting.at(-1)!;
  const measured = `${number(tokens + reply)} tokens: ${number(tokens)} of text and ${reply} for a usual report`;
  return [
    {
      line: frontLine(front, "cost_estimate"),
      rule: "cost-class",
      severity: "warning",
      what: `cost_estimate is ${said} (${spans[said]} tokens); measured are ${measured}`,
      why: "Budgets are reserved and prompts are chosen by this class.",
      mend: `Write cost_estimate: ${nearest}, or change the text's length.`,
    },
  ];
}

const classes = ["minimal", "low", "medium", "high"] as const satisfies Class[];
const spans: Record<Class, string> = {
  minimal: "under 100",
  low: "100 to 1,000",
  medium: "1,000 to 5,000",
  high: "more than 5,000",
};
const reply = 700;

/** A quarter beside the span is still the class; short prompts get short replies, and those of high ones vary. */
function fits(name: Class, tokens: number): boolean {
  switch (name) {
    case "minimal":
      return tokens <= 125;
    case "low":
      return tokens + reply >= 75 && tokens <= 1250;
    case "medium":
      return tokens + reply >= 750 && tokens + reply <= 6250;
    case "high":
      return tokens + reply >= 1250;
  }
}

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
