import type { ChainLine } from "../app/operation.ts";
import { harmless, wrap, type Screen } from "./terminal.ts";

/** The story of a chain as it happens, in lines that stay. Nothing is said that is not in the journal. */
export function narrate(line: ChainLine, screen: Screen): void {
  if (line.type !== "event") return;
  const { style } = screen;
  const say = (mark: string, text: string) => screen.print(hang(mark, harmless(text), screen.columns));
  switch (line.event) {
    case "chain_started":
      return screen.print(
        `${style("bold", harmless(line.goal))}${line.size === "tiny" ? style("dim", "  (tiny)") : ""}\n\n${style("bold", "Requirements clarification")}`,
      );
    case "imported":
      return say("·", "Taken over from a context file that has no journal.");
    case "decision_taken":
      return say(style("dim", "→"), line.action.say);
    case "report_recorded":
      return say(style("green", "✓"), `${line.prompt}: ${line.report.summary}${scores(line)}`);
    case "reply_rejected":
      return say(style("yellow", "!"), `The reply could not be used: ${line.problems[0] ?? ""}`);
    case "gap_reported":
      return say(style("yellow", "!"), `No prompt fits: ${line.gaps.map(({ description }) => description).join("; ")}`);
    case "questions_asked":
      return say(style("cyan", "?"), line.questions.map(({ question }) => question).join("\n"));
    case "question_answered":
      return say(
        style("cyan", "·"),
        `${line.id}: ${line.answer}${line.by.kind === "policy" ? `  (from ${line.by.name})` : ""}`,
      );
    case "phase_changed":
      return screen.print(
        `\n${style("bold", title(line.to))}${line.focus ? style("dim", `  focus: ${harmless(line.focus)}`) : ""}`,
      );
    case "gate_refused":
      return say(style("yellow", "✗"), `Refused (${line.to}): ${line.reasons.join(" ")}`);
    case "area_waived":
      return say("·", `${line.area} is set aside: ${line.reason}`);
    case "size_changed":
      return say("·", `This task now counts as ${line.to}: ${line.reason}`);
    case "solution_presented":
      return screen.print(`\n${wrap(harmless(line.text), screen.columns, "  │ ")}\n`);
    case "approval_given":
      return say(style("green", "✓"), `Approved ${line.solution} by ${line.by.name}.`);
    case "approval_refused":
      return say(style("yellow", "✗"), `Rejected${line.reason ? `: ${line.reason}` : ""}.`);
    case "changes_requested":
      return say("·", `Changes asked for: ${line.request}`);
    case "more_info_asked":
      return say("·", `Asked: ${line.question}`);
    case "approval_voided":
      return say(style("yellow", "!"), `The approval no longer holds. ${line.reason}`);
    case "message_ignored":
      return say(style("yellow", "!"), `Not taken in: ${line.reason}`);
    case "file_changed":
      return say(style("green", line.before === null ? "+" : "~"), `${line.path} (${line.role})`);
    case "tests_judged":
      return say(
        verdictMark(line.verdict, style),
        `${line.argv.join(" ")}: exit ${line.exit_code ?? "none"} in ${(line.duration_ms / 1000).toFixed(1)} s, ${verdictWords[line.verdict]}`,
      );
    case "epoch_opened":
      return line.number > 1 ? say("·", "The record was condensed, so that it fits the model's context.") : undefined;
    case "context_edited":
      return say(
        "·",
        `Taken over from the edited context file: ${line.changes.map(({ path }) => path.join(".")).join(", ")}`,
      );
    case "recovered":
      return say(
        "·",
        line.kept_as === null
          ? "Damaged texts are frozen anew."
          : `Went on from the last whole line; ${line.lost_lines} were lost.`,
      );
    case "cost_alerted":
      return say(
        style("yellow", "!"),
        `This chain has cost $${line.usd.toFixed(2)}, more than the $${line.threshold.toFixed(2)} you wanted to hear of.`,
      );
    case "completed":
    case "parked":
    case "resumed":
    case "prompts_queued":
    case "ledger_extended":
      return undefined;
  }
}

const verdictWords = {
  baseline: "before any change",
  red: "red: the new tests fail, as they must",
  unproven: "the new tests pass already, so they prove nothing yet",
  failing: "still failing",
  green: "green",
};

function verdictMark(verdict: keyof typeof verdictWords, style: Screen["style"]): string {
  return verdict === "green"
    ? style("green", "✓")
    : verdict === "red"
      ? style("red", "●")
      : verdict === "baseline"
        ? "·"
        : style("yellow", "✗");
}

function scores({ counted }: Extract<ChainLine, { event: "report_recorded" }>): string {
  const parts = counted.map(
    ({ area, score, claimed }) =>
      `${area} ${percent(score)}${score < claimed ? ` (claimed ${percent(claimed)} without evidence)` : ""}`,
  );
  return parts.length > 0 ? `  [${parts.join(", ")}]` : "";
}

export function title(phase: string): string {
  const words = phase.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function percent(value: number): string {
  return `${Math.round(value * 100)}%`;
}

function hang(mark: string, text: string, columns: number): string {
  return `  ${mark} ${wrap(text, columns, "    ").trimStart()}`;
}
