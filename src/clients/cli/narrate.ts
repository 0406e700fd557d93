import type { ChainLine } from "../../operations/operation.ts";
import { count } from "../../util/count.ts";
import { quotedLine } from "../../util/quoting.ts";
import { countsText, inOneLine, lossText, visible } from "./diff_view.ts";
import { inOneRow, inWords, reportLines } from "./report_lines.ts";
import { percent } from "./values.ts";
import { cutWords, harmless, wrap, type Screen, type Style } from "./terminal.ts";

/** The story of a chain as it happens, in lines that stay. Nothing is said that is not in the journal. */
export function narrate(line: ChainLine, screen: Screen, isWhole = false, looked = ""): void {
  const { style } = screen;
  const say = (mark: string, text: string) => {
    const colour = colourOf(mark);
    screen.print(hang(colour === undefined ? mark : style(colour, mark), harmless(text), screen.columns));
  };
  if (line.type === "result" && line.effect === "command" && line.told !== undefined)
    return screen.print(cutWords(harmless(ranText(line.run, line.told)), screen.columns));
  if (line.type !== "event") return;
  switch (line.event) {
    case "chain_started":
      screen.print(
        `${style("bold", inOneRow(harmless(line.goal), screen.columns - 8))}${line.size === "tiny" ? style("dim", "  (tiny)") : ""}`,
      );
      if (line.worktree) say("·", `Works in a git worktree of its own: ${line.worktree.path}`);
      if (line.worktree?.dirty) say("!", "What you have not committed is not in it.");
      return screen.print(`\n${style("bold", "Requirements clarification")}`);
    case "imported":
      return say(
        "·",
        line.adopted
          ? `Adopted. The foreign journal is kept as ${line.adopted.kept_as}.`
          : "What a context file knows is taken over.",
      );
    case "decision_taken":
      // Before anything is approved, what comes of it stands right below: a heading, a report, a question or the page.
      if (!isWhole && isBeforeApproval(line)) return undefined;
      return say("→", isWhole ? line.action.say : inOneRow(line.action.say, screen.columns - 4));
    case "report_recorded":
      for (const [mark, text] of reportLines(line, screen.columns - 4, looked)) say(mark, text);
      return undefined;
    case "reply_rejected":
      return say("!", `The reply could not be used: ${line.problems[0] ?? ""}`);
    case "asked_again":
      return say("!", `A stronger model is asked. The fast one's reply does not count: ${line.missing.join("; ")}`);
    case "gap_reported":
      return say("!", `No prompt fits: ${line.gaps.map(({ description }) => description).join("; ")}`);
    case "gap_judged":
      say("·", `Confidence with existing prompts: ${percent(line.confidence)} (recommended: ${line.verdict})`);
      return line.whole_task && line.verdict === "generate" ? say("!", "The whole task is new.") : undefined;
    case "generated_prompt": {
      const { name, purpose, forecast, effect, standing } = line.prompt;
      if (standing === "trial") return say("+", `Generated: ${name}  ${purpose}`);
      if (standing === "promoted") return say("✓", `${name} is in the library now: ${visible(line.file ?? "")}`);
      if (effect === null) return say("·", `${name} is not used.`);
      const tested = `Testing effectiveness … ${effectText({ effect, forecast })}`;
      if (standing === "dropped") return say("✗", `${tested}\nToo little: it is dropped. What it found out counts.`);
      const review = `\nIt waits for your review: claude-exec prompts promote ${name}`;
      return say("✓", `${tested}\nAdded to session prompts.${standing === "kept" ? "" : review}`);
    }
    case "questions_asked":
      return say("?", line.questions.map(({ question }) => question).join("\n"));
    case "question_answered":
      return say("·", `${line.id}: ${line.answer}${line.by.kind === "policy" ? `  (from ${line.by.name})` : ""}`);
    case "tests_settled":
      return line.how === "command" ? say("·", `Tests run with ${commandOf(line.argv)} from now on.`) : undefined;
    case "phase_changed": {
      const name = title(line.to);
      const why = ` · ${line.focus ? `focus: ${line.focus}` : line.reason}`;
      const head = inOneRow(name + harmless(areasInWords(why)), screen.columns);
      return screen.print(`\n${style("bold", name)}${style("dim", head.slice(name.length))}`);
    }
    case "gate_refused":
      return say("✗", `Refused (${line.to.replaceAll(/[-_]/g, " ")}): ${areasInWords(line.reasons.join(" "))}`);
    case "area_waived":
      return say("·", `${inWords(line.area)} is set aside: ${line.reason}`);
    case "size_changed":
      return say("·", `This task now counts as ${line.to}: ${line.reason}`);
    case "solution_presented":
      return screen.print(`\n${wrap(harmless(line.text), screen.columns, "  │ ")}\n`);
    case "approval_given":
      return say("✓", `Approved ${line.solution} by ${line.by.name}.`);
    case "approval_refused":
      return say("✗", `Rejected${line.reason ? `: ${line.reason}` : ""}.`);
    case "changes_requested":
      return say("·", `Changes asked for: ${line.request}`);
    case "hint_given":
      return say("·", `Told: ${line.text}`);
    case "more_info_asked":
      return say("·", `Asked: ${line.question}`);
    case "assumptions_answered":
      return say("·", line.answers.map(({ id, answer }) => `${id}: ${answer}`).join("\n"));
    case "round_begun":
      say("·", `${line.kind === "change" ? "Changes asked for" : "Asked"}: ${line.text}`);
      return screen.print(`\n${style("bold", "Requirements clarification")}`);
    case "approval_voided":
      return say("!", `The approval no longer holds. ${line.reason}`);
    case "message_ignored":
      return say("!", `Not taken in: ${line.reason}`);
    case "permission_asked":
      return say("?", askedFor(line.request));
    case "permission_given":
      return say(
        "✓",
        `Allowed by ${line.by.name}${line.always ? ", and what is like it" : ""}${line.edited === undefined ? "" : ", with changes of their own"}.`,
      );
    case "permission_refused":
      return line.question
        ? say("·", `Asked: ${line.reason}`)
        : say("✗", `Refused by ${line.by.name}${line.reason ? `: ${line.reason}` : "."}`);
    case "file_changed":
      return say(
        line.after === null ? "-" : line.before === null ? "+" : "~",
        `${visible(line.path)} (${line.role})${line.lines ? `  ${countsText(line.lines)}` : ""}`.trimEnd(),
      );
    case "files_touched":
      for (const { path, to } of line.set_aside ?? []) {
        const moved = `While ${commandOf(line.argv)} ran, ${visible(path)} appeared. That name is closed, so it was moved to ${visible(to)}.`;
        say("!", `${moved} If you made it, put it back:`);
        // In one line, so that it can be copied.
        screen.print(`    mv ${visible(quotedLine([to, path]))}`);
      }
      if (line.touched.length === 0) return undefined;
      return line.unsure
        ? say("!", `${commandOf(line.argv)} was cut short. Since it began, these changed: ${firstOf(line.touched)}`)
        : say("!", `${commandOf(line.argv)} also changed ${firstOf(line.touched)}`);
    case "rewound": {
      const many = `${count(line.files.length, "file is", "files are")} as`;
      const rest = `${many} before ${line.step}; what was thought since stays.`;
      return say("·", line.files_only ? rest : `Back to ${line.step}; ${many} before it.`);
    }
    case "tests_judged":
      return say(
        // Some steps are still to be written.
        line.verdict === "failing" && line.why !== undefined ? "·" : (verdictMarks[line.verdict] ?? "✗"),
        `${verdictWords(line)} (${commandOf(line.argv)}, ${(line.duration_ms / 1000).toFixed(1)} s)`,
      );
    case "red_repeated": {
      const { failing, why, unrepeated } = line;
      const failed = failing.length > 0 ? ` (${count(failing.length, "failing test")})` : "";
      if (why !== null) return say("!", `Ran the tests once more without the new code. ${why}`);
      if (unrepeated)
        return say("!", "The tests could not run once more without the new code, in a copy of the folder.");
      const passes = line.with_code ? ", and with it they pass" : "";
      return say("✓", `Checked in copies of the folder: without the new code the tests fail${failed}${passes}.`);
    }
    case "epoch_opened":
      if (line.number === 1) return undefined;
      return say("·", `${line.why ?? "The record had grown too long."} It begins afresh, from what is known.`);
    case "notes_read":
      return say(
        "·",
        `${count(line.notes.length, "note of earlier chains fits", "notes of earlier chains fit")} this task.`,
      );
    case "pattern_applied":
      return say("·", `Applied the pattern "${line.pattern.title}". Its questions come first; the rest is a proposal.`);
    case "context_edited":
      return say(
        "·",
        `Taken over from the edited context file: ${line.changes.map(({ path }) => path.join(".")).join(", ")}`,
      );
    case "prompts_queued":
      // What a model chose was said with its decision. What the engine or a person queued is said here.
      return line.considered ? undefined : say("·", line.why);
    case "recovered":
      return say(
        "·",
        line.lost_lines === 0
          ? "Damaged texts are frozen anew."
          : `Went on from the last whole line; ${count(line.lost_lines, "line was", "lines were")} lost.`,
      );
    case "cost_alerted":
      return say(
        "!",
        `${alertSubject[line.of ?? "chain"]} cost $${line.usd.toFixed(2)}, more than the $${line.threshold.toFixed(2)} you wanted to hear of.`,
      );
    case "chain_rated":
      return say("·", `Rated ${line.rating} of 5.`);
    case "lost_cost_entered":
      return say("·", `The lost calls cost $${line.usd.toFixed(2)} together.`);
    case "completed":
    case "parked":
    case "interrupted":
    case "resumed":
    case "ledger_extended":
    case "health_measured":
    case "change_shown":
      return undefined;
  }
}

const alertSubject = {
  chain: "This chain has",
  day: "All chains of this home together have today",
  project: "All chains of this home together have",
};

/** "91% uncertainty reduction (forecast 85%)" */
export function effectText({ effect, forecast }: { effect: number | null; forecast: number | null }): string {
  return `${percent(effect ?? 0)} uncertainty reduction${forecast === null ? "" : ` (forecast ${percent(forecast)})`}`;
}

function colourOf(mark: string): Style | undefined {
  if ("✓+~".includes(mark)) return "green";
  if ("✗●-".includes(mark)) return "red";
  return mark === "!" ? "yellow" : mark === "?" ? "cyan" : mark === "→" ? "dim" : undefined;
}

/** A step of a phase in which nothing may be written yet. */
export const isBeforeApproval = ({ key }: { readonly key: string }) => !key.startsWith("implementation/");

/** "logout_of_tokens blocks" → "logout of tokens blocks" */
const areasInWords = (text: string) => text.replaceAll(/\b[a-z]+(?:_[a-z]+)+\b/g, inWords);

type Judged = Extract<ChainLine, { event: "tests_judged" }>;

/** "red: 18 of 1,274 tests fail, as planned" */
function verdictWords({ verdict, why, in_words, exit_code, output }: Judged): string {
  if (why !== undefined && (verdict !== "broken" || exit_code === 0)) return `${verdict}: ${why}`;
  const came = in_words ?? (exit_code === 0 ? "the tests pass" : `exit ${exit_code ?? "none"}`);
  const isMissing = verdict === "red" && somethingMissing.test(/^- .+?: (.+)$/m.exec(output)?.[1] ?? "");
  const cause = why === undefined ? "" : `, ${why.replace(/\.$/, "")}`;
  return `${verdict}: ${came}${cause}${verdictEnds[verdict] ?? ""}${isMissing ? ": what they call does not exist yet" : ""}`;
}

/** What languages say of a function, method or module that is not there. */
const somethingMissing =
  /is not a (?:function|constructor)|is not defined|has no attribute|undefined (?:method|function)|^(?:Import|Name|Reference|ModuleNotFound)Error|cannot (?:find|import)|does not provide an export/i;

const verdictEnds: Partial<Record<Judged["verdict"], string>> = {
  red: ", as planned",
  baseline: ", before any change",
  "failing at baseline": ", before any change",
  unproven: " before there is any code, so the new tests prove nothing yet",
  broken: ". The tests did not run as they should, so they prove nothing",
};

const verdictMarks: Partial<Record<Judged["verdict"], string>> = { green: "✓", red: "●", baseline: "·" };

function askedFor(request: Extract<ChainLine, { event: "permission_asked" }>["request"]): string {
  if (request.kind === "command") return `Waits for permission to run: ${inOneLine(request.line)}`;
  if (request.kind === "lost_tests")
    return `Waits for permission to go on without tests that no longer run: ${request.lost.map(lossText).join(", ")}`;
  const what = request.after === null ? "delete" : "write";
  return `Waits for permission to ${what} ${visible(request.path)} (${request.role})${request.unplanned ? ", which is not part of the approved solution" : ""}`;
}

type CommandRun = Extract<ChainLine, { effect: "command"; run: object }>["run"];

/** What a model's command came to, in one line: the exit code stands first, so that it is never cut off. */
function ranText({ argv, exit_code, timed_out }: CommandRun, told: string): string {
  const exit = timed_out ? "timed out" : `exit ${exit_code ?? "none"}`;
  return `  $ ${exit}: ${commandOf(argv)}${told ? ` · ${told}` : ""}`;
}

/** Of a command that went through a shell, what was typed. */
function commandOf(argv: readonly string[]): string {
  const typed = argv.length === 3 && argv[0] === "sh" && argv[1] === "-c" ? argv[2] : undefined;
  return inOneLine(typed ?? argv.join(" "));
}

function firstOf(touched: readonly { path: string }[]): string {
  const shown = touched.slice(0, 5).map(({ path }) => visible(path));
  return `${shown.join(", ")}${touched.length > shown.length ? `, and ${touched.length - shown.length} more` : ""}`;
}

export function title(phase: string): string {
  const words = phase.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function hang(mark: string, text: string, columns: number): string {
  return `  ${mark} ${wrap(text, columns, "    ").trimStart()}`;
}
