import type { ResultOf } from "../../operations/operations.ts";
import type { Input } from "../../util/next.ts";
import { findingLines, fixing, type ChainStands } from "./change_report.ts";
import { inOneLine } from "./diff_view.ts";
import { title } from "./narrate.ts";
import { commandLine, nextLines } from "./next.ts";
import { inWords } from "./report_lines.ts";
import { cutWords, wrap } from "./terminal.ts";
import { money, percent } from "./values.ts";

type Status = ResultOf<"status">;
type Shown = Extract<Status["chains"][number], { goal: string }>;

export function statusText({ all, chains }: Status, flags: Input, columns: number, now: number): string {
  if (chains.length === 0) return 'No chains yet. Begin one: claude-exec "what is to be done"';
  if (all) return chains.map(statusLine).join("\n");
  return fit(chains.map((chain) => statusBlock(chain, flags, now)).join("\n\n"), columns);
}

function statusLine(chain: Status["chains"][number]): string {
  const id = chain.chain_id;
  if (!("goal" in chain)) return `${id}  damaged    ${chain.problem}`;
  const goal = cutWords(chain.goal.split("\n")[0]!, 70);
  if (chain.foreign) return `${id}  foreign    ${goal}  (${chain.foreign})`;
  const damage = chain.problem ? `  (damaged: claude-exec status ${id})` : "";
  return `${id}  ${chain.status.state.padEnd(9)}  ${sureText(chain.confidence_scores).padStart(16)}  ${money(chain.cost_tracking.estimated_cost).padStart(7)}  ${goal}${damage}`;
}

function statusBlock(chain: Status["chains"][number], flags: Input, now: number): string {
  const id = chain.chain_id;
  if (!("goal" in chain)) return [`Chain ${id}: ${chain.problem}`, ...nextLines(chain.next, flags)].join("\n");
  const { status, durations, cost_tracking: cost } = chain;
  const phases = [...new Set(chain.phase_history.map(({ phase }) => phase))].map((phase) => {
    const ms = durations.by_phase[phase];
    const time = ms === undefined ? "" : ` (${timeText(ms)})`;
    const isDone = phase !== chain.current_phase || ["completed", "answered", "accepted"].includes(status.state);
    return isDone ? `✓ ${doneWords[phase] ?? title(phase)}${time}` : `→ ${title(phase)}${time}`;
  });
  const lines = [
    ...foreignLines(chain),
    `Chain ${id}: ${chain.goal}`,
    ...phases,
    `Total time: ${wholeTime(durations)}`,
    `Total cost: ${money(cost.estimated_cost)}`,
    ...lostCalls(cost.lost_calls, id, flags),
    `Confidence: ${sureText(chain.confidence_scores)}`,
    ...confidenceBars(chain),
    ...tests({ test_runs: chain.evidence.runs }),
    ...findingLines(chain.findings, Infinity),
    ...stateText(chain, now),
    ...(["completed", "accepted"].includes(status.state) ? fixing(chain, flags) : []),
  ];
  if (chain.problem) lines.push(...problemText(chain, flags));
  else if (status.state !== "running") lines.push(...nextLines(status.next, flags));
  if (chain.context_file) lines.push(`Context: ${chain.context_file}`);
  return lines.join("\n");
}

/** "  requirements  ██████████████|█░  95%, needs 90%" */
function confidenceBars({ confidence_scores: scores, needed = {} }: Shown): string[] {
  const rows = Object.entries(scores).filter(([area]) => needed[area] !== undefined);
  const width = Math.max(0, ...rows.map(([area]) => area.length));
  return rows.map(([area, score]) => {
    const need = needed[area]!;
    const cells = Array.from({ length: 16 }, (_, at): string => (at < Math.round(score * 16) ? "█" : "░"));
    cells.splice(Math.round(need * 16), 0, "|");
    return `  ${inWords(area).padEnd(width)}  ${cells.join("")} ${percent(score).padStart(4)}, needs ${percent(need)}`;
  });
}

/** Before anything is measured, the whole stands at 0 and no area has a score. */
export function sureText({ overall = 0, ...scores }: ChainStands["confidence"]): string {
  return overall === 0 && Object.keys(scores).length === 0 ? "not measured yet" : percent(overall);
}

/** Every line wrapped at words. One with a command or a path stays whole, so that it can be copied. */
export function fit(text: string, columns: number): string {
  const copied =
    /: +(?:claude-exec|mv) |^ +(?:git|jq|export|claude-exec) |^(?:Context:|The app is in|Its changes lie) /;
  return text
    .split("\n")
    .map((line) => (copied.test(line) ? line : wrap(line, columns, "")))
    .join("\n");
}

/** What the chain does now or waits for; open questions in their own words. */
function stateText({ status, running, questions }: Shown, now: number): string[] {
  const { state, waiting_for: reason } = status;
  switch (state) {
    case "running": {
      const { what = "", since = "" } = running ?? {};
      return [`Running: ${what}, for ${timeText(Math.max(0, now - Date.parse(since)))}.`];
    }
    case "waiting": {
      const open = status.next[0]?.operation === "answer" ? questions.filter(({ answer }) => answer === null) : [];
      return [
        `Waiting for you: ${inOneLine(reason ?? "")}.`,
        ...open.map(({ id, question }) => `  ${id}: ${question}`),
      ];
    }
    case "stopped":
      return [reason === null ? "Stopped." : `Stopped: ${reason}`];
    default:
      return [`Ended: ${state}.`];
  }
}

/** What stands above everything else about a chain that was not made here. Empty: it was. */
export function foreignLines(chain: Pick<Shown, "foreign">): string[] {
  return chain.foreign ? [`This chain is foreign: ${chain.foreign}. Nothing is done with it.`] : [];
}

/** What is wrong with a chain's files, beside what is known of it all the same. */
export function problemText(data: Pick<Shown, "problem" | "next">, flags: Input): string[] {
  return data.problem ? [`Damaged: ${data.problem}`, ...nextLines(data.next, flags)] : [];
}

/** What is guessed in a cost, what it can be at most, and how the real one is entered. */
export function lostCalls(lost: ChainStands["cost"]["lost_calls"], chain: string, flags: Input): string[] {
  if (lost.length === 0) return [];
  const sum = (key: "calls" | "usd" | "most_usd") => lost.reduce((total, call) => total + (call[key] ?? 0), 0);
  const count = sum("calls");
  const calls = count === 1 ? "one call whose reply was lost" : `${count} calls whose replies were lost`;
  const most = `${count === 1 ? "That call" : "Those calls"} cost ${money(sum("most_usd"))} at most.`;
  return [
    lost.some(({ usd }) => usd === null)
      ? `This does not include ${calls}, because no price is known.`
      : `This includes ${money(sum("usd"))}, our estimate for ${calls}. ${most}`,
    `Enter what the provider charged: ${commandLine("chain-cost", { chain, lost: "<dollars>" }, flags)}`,
  ];
}

/** "Tests: before: 18 of 1,292 tests fail · the new tests failed first, as planned · now: all 1,310 pass but …" */
export function tests({ test_runs: runs }: Pick<ChainStands, "test_runs">): string[] {
  // The command may have been corrected since the very first run. A run can also break while the chain builds.
  const first = runs.findLast(({ verdict }) => verdict.endsWith("baseline")) ?? runs[0];
  const last = runs.at(-1);
  if (!first || !last) return [];
  const before = beforeWords[first.verdict];
  const red = runs.findLast(({ verdict }) => verdict === "red");
  const story = [
    ...(before === undefined ? [] : [`before: ${first.in_words ?? before}`]),
    ...(red ? [`the new tests failed first${red.in_words ? ` (${red.in_words})` : ""}, as planned`] : []),
    ...(last.verdict === "red" || (last === first && before !== undefined) ? [] : [`now: ${nowText(last)}`]),
  ];
  return [`Tests: ${story.join(" · ")}`, ...(last.why === undefined ? [] : [`  ${last.why}`])];
}

const beforeWords: Record<string, string> = {
  baseline: "the tests pass",
  "failing at baseline": "the tests fail",
  broken: "no test ran",
};

function nowText({ verdict, exit_code: exit, in_words: counts }: ChainStands["test_runs"][number]): string {
  if (verdict === "green" && exit) {
    const [, failed, all] = /^([\d,]+) of ([\d,]+) /.exec(counts ?? "") ?? [];
    return all ? `all ${all} pass but the ${failed} that failed before` : "all pass but those that failed before";
  }
  if (verdict === "unproven") return "the tests pass, but that proves nothing yet";
  return counts ?? beforeWords[verdict] ?? (verdict === "green" ? "all pass" : "the tests fail");
}

const doneWords: Record<string, string> = {
  "requirements-clarification": "Requirements clarified",
  "context-building": "Context built",
  "uncertainty-analysis": "Uncertainty analysed",
  "solution-approval": "Solution approved",
  implementation: "Implementation complete",
};

/** `30 min, 12 min of it waiting for you` */
export function wholeTime({ total, waiting }: { readonly total: number | null; readonly waiting: number }): string {
  if (total === null) return "not known";
  return timeText(total) + (waiting < 1000 ? "" : `, ${timeText(waiting)} of it waiting for you`);
}

export function timeText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60
    ? `${seconds} s`
    : seconds < 5400
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;
}
