import type { ChainLine } from "../app/operation.ts";
import { quotedLine } from "../util/quoting.ts";
import { visible } from "./diff_view.ts";
import { harmless, wrap, type Screen } from "./terminal.ts";

/** The story of a chain as it happens, in lines that stay. Nothing is said that is not in the journal. */
export function narrate(line: ChainLine, screen: Screen): void {
  if (line.type !== "event") return;
  const { style } = screen;
  const say = (mark: string, text: string) => screen.print(hang(mark, harmless(text), screen.columns));
  switch (line.event) {
    case "chain_started":
      screen.print(`${style("bold", harmless(line.goal))}${line.size === "tiny" ? style("dim", "  (tiny)") : ""}`);
      if (line.worktree) say("·", `Works in a git worktree of its own: ${line.worktree.path}`);
      if (line.worktree?.dirty) say(style("yellow", "!"), "What you have not committed is not in it.");
      return screen.print(`\n${style("bold", "Requirements clarification")}`);
    case "imported":
      return say(
        "·",
        line.adopted
          ? `Adopted. The foreign journal is kept as ${line.adopted.kept_as}.`
          : "What a context file knows is taken over.",
      );
    case "decision_taken":
      return say(style("dim", "→"), line.action.say);
    case "report_recorded":
      say(reportMark(line, style), `${line.prompt}: ${line.report.summary}${scores(line)}`);
      for (const text of uncheckedIn(line.report)) say(style("yellow", "–"), `not checked: ${text}`);
      return undefined;
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
    case "permission_asked":
      return say(style("cyan", "?"), askedFor(line.request));
    case "permission_given":
      return say(
        style("green", "✓"),
        `Allowed by ${line.by.name}${line.always ? ", for the rest of this chain" : ""}${line.edited === undefined ? "" : ", with changes of their own"}.`,
      );
    case "permission_refused":
      return line.question
        ? say("·", `Asked: ${line.reason}`)
        : say(style("yellow", "✗"), `Refused by ${line.by.name}${line.reason ? `: ${line.reason}` : "."}`);
    case "file_changed":
      return say(fileMark(line, style), `${visible(line.path)} (${line.role})`);
    case "files_touched":
      for (const { path, to } of line.set_aside ?? []) {
        const moved = `While ${commandOf(line.argv)} ran, ${visible(path)} appeared. That name is closed, so it was moved to ${visible(to)}.`;
        say(style("yellow", "!"), `${moved} If you made it, put it back:`);
        // In one line, so that it can be copied.
        screen.print(`    mv ${visible(quotedLine([to, path]))}`);
      }
      if (line.touched.length === 0) return undefined;
      return line.unsure
        ? say(
            style("yellow", "!"),
            `${commandOf(line.argv)} was cut short. Since it began, these changed: ${firstOf(line.touched)}`,
          )
        : say(style("yellow", "!"), `${commandOf(line.argv)} also changed ${firstOf(line.touched)}`);
    case "rewound":
      return say("·", wentBack(line));
    case "tests_judged":
      return say(
        verdictMark(line.verdict, style),
        `${line.argv.join(" ")}: exit ${line.exit_code ?? "none"} in ${(line.duration_ms / 1000).toFixed(1)} s, ${line.why === undefined ? verdictWords[line.verdict] : `${line.verdict}. ${line.why}`}`,
      );
    case "red_repeated": {
      const came = line.unrepeated ? "It could not run there." : "The tests fail there, as they must.";
      const counts = line.why === null && !line.unrepeated;
      const control = line.with_code ? `; with it, on such a copy: exit ${line.with_code.exit_code ?? "none"}` : "";
      const text = `${line.argv.join(" ")}, without the new code: exit ${line.exit_code ?? "none"}${control}. ${line.why ?? came}`;
      return say(counts ? style("green", "✓") : style("yellow", "!"), text);
    }
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
        line.lost_lines === 0
          ? "Damaged texts are frozen anew."
          : `Went on from the last whole line; ${line.lost_lines} ${line.lost_lines === 1 ? "line was" : "lines were"} lost.`,
      );
    case "cost_alerted":
      return say(
        style("yellow", "!"),
        `This chain has cost $${line.usd.toFixed(2)}, more than the $${line.threshold.toFixed(2)} you wanted to hear of.`,
      );
    case "lost_cost_entered":
      return say("·", `The lost calls cost $${line.usd.toFixed(2)} together.`);
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
  "failing at baseline": "failing before any change",
  red: "red: the new tests fail, as they must",
  unproven: "the new tests pass already, so they prove nothing yet",
  broken: "the tests did not run as they should, so they prove nothing",
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

type Recorded = Extract<ChainLine, { event: "report_recorded" }>;
type Report = Recorded["report"];

/** Only what was looked at in full is ticked off, and of what is built only what stands in nobody's way. */
function reportMark({ key, report }: Recorded, style: Screen["style"]): string {
  const stops = report.uncertainties?.some(({ blocking, resolved }) => blocking && !resolved) ?? false;
  if (stops && key.startsWith("implementation/")) return style("red", "✗");
  return uncheckedIn(report).length > 0 ? style("yellow", "–") : style("green", "✓");
}

function uncheckedIn({ notes = [] }: Report): string[] {
  return notes.flatMap(({ kind, text }) => (kind === "not_checked" ? [text] : []));
}

function askedFor(request: Extract<ChainLine, { event: "permission_asked" }>["request"]): string {
  if (request.kind === "command") return `Waits for permission to run: ${visible(request.line)}`;
  if (request.kind === "lost_tests")
    return `Waits for permission to go on without tests that no longer run: ${request.lost.map(visible).join(", ")}`;
  const what = request.after === null ? "delete" : "write";
  return `Waits for permission to ${what} ${visible(request.path)} (${request.role})`;
}

type FileChanged = Extract<ChainLine, { event: "file_changed" }>;

function fileMark({ before, after }: FileChanged, style: Screen["style"]): string {
  if (after === null) return style("red", "-");
  return style("green", before === null ? "+" : "~");
}

/** Of a command that went through a shell, what was typed. */
function commandOf(argv: readonly string[]): string {
  const typed = argv.length === 3 && argv[0] === "sh" && argv[1] === "-c" ? argv[2] : undefined;
  return visible(typed ?? argv.join(" "));
}

function firstOf(touched: readonly { path: string }[]): string {
  const shown = touched.slice(0, 5).map(({ path }) => visible(path));
  return `${shown.join(", ")}${touched.length > shown.length ? `, and ${touched.length - shown.length} more` : ""}`;
}

function wentBack({ step, files, files_only: filesOnly }: Extract<ChainLine, { event: "rewound" }>): string {
  const many = `${files.length} ${files.length === 1 ? "file is" : "files are"} as`;
  if (filesOnly) return `${many} before ${step}; what was thought since stays.`;
  return `Back to ${step}; ${many} before it.`;
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
