import type { Outcome, ResultOf } from "../../operations/operations.ts";
import type { Input } from "../../util/next.ts";
import { count } from "../../util/count.ts";
import { quoted } from "../../util/quoting.ts";
import {
  changes,
  diffText,
  openText,
  permissionText,
  rewindText,
  testsLine,
  worktree,
  type ChainStands,
} from "./change_report.ts";
import {
  exportedText,
  importedText,
  lintText,
  listText,
  openedText,
  promotedText,
  promptText,
  ranText,
  searchText,
  statsText,
} from "./library_report.ts";
import { costReportCsv, costReportText, groupLines, savedAndWasted } from "./cost_report.ts";
import { logText } from "./log_report.ts";
import { title } from "./narrate.ts";
import { comparedLines, memoryText, patternsText, savedPatternText } from "./pattern_report.ts";
import { inWords } from "./report_lines.ts";
import { commandLine, flagsText, nextLines } from "./next.ts";
import { offerText, recoveredText } from "./recover_report.ts";
import { approvalLines, assumptionsOn, headLine } from "./page.ts";
import { fit, foreignLines, lostCalls, problemText, statusText, sureText, tests, wholeTime } from "./status_report.ts";
import { harmless, wrap } from "./terminal.ts";
import { money, path, percent } from "./values.ts";

export interface Moment {
  /** Its person left at a question. */
  readonly left?: boolean;
  /** The folder of the app, in a rehearsal. */
  readonly demo?: string | undefined;
  readonly columns?: number;
  readonly now?: number;
  /** What is added up is printed as comma-separated values. */
  readonly csv?: boolean;
}

/** The result of an operation as a person reads it on stdout. */
export function reportText(outcome: Outcome, flags: Input = {}, moment: Moment = {}): string {
  return harmless(textOf(outcome, flags, moment));
}

function textOf(
  outcome: Outcome,
  flags: Input,
  { left = false, demo, columns = 100, now = 0, csv = false }: Moment,
): string {
  const { data } = outcome;
  if (outcome.operation === "tell") return `Kept for chain ${outcome.data.chain_id}: its next decision gets it.`;
  if ("delivered" in data) return `Delivered. Another process is at work on chain ${data.chain_id} and takes it in.`;
  if ("busy" in data)
    return [`Another process is working on chain ${data.chain_id}.`, ...nextLines(data.next, flags)].join("\n");
  if ("ending" in data) {
    const text = chainText(data, outcome.operation, flags, { left, demo, columns });
    // Code is shown as it is.
    return data.ending.type === "needs_permission" ? text : fit(text, columns);
  }
  if ("needs" in data && left)
    return `Nothing was changed. Choose later: ${commandLine("recover", { chain: data.chain_id }, flags)}`;
  if ("needs" in data) return offerText(data, flags);
  if ("next_chain" in data) return recoveredText(data, flags);
  if ("files_only" in data) return left ? "Nothing was changed." : rewindText(data, flags);
  if (outcome.operation === "status") return statusText(outcome.data, flags, columns, now);
  return otherText(outcome, flags, { columns, csv, left });
}

function otherText(
  outcome: Outcome,
  flags: Input,
  { columns, csv, left }: { readonly columns: number; readonly csv: boolean; readonly left: boolean },
): string {
  switch (outcome.operation) {
    case "log":
      return logText(outcome.data, flags, columns);
    case "chain-cost":
      return "goal" in outcome.data
        ? fit([...problemText(outcome.data, flags), costText(outcome.data, flags)].join("\n"), columns)
        : "";
    case "cost-report":
      return csv ? costReportCsv(outcome.data) : costReportText(outcome.data, flags);
    case "complete":
      return fit(completeText(outcome.data, flags), columns);
    case "save-pattern":
      return savedPatternText(outcome.data, flags, left);
    case "memory":
      return memoryText(outcome.data);
    case "patterns":
      return patternsText(outcome.data);
    case "patterns show":
      return `${outcome.data.text}\nIn ${path(outcome.data.file)}`;
    case "prompts list":
      return listText(outcome.data, flags);
    case "prompts search":
      return searchText(outcome.data);
    case "prompts show":
      return promptText(outcome.data);
    case "prompts new":
    case "prompts edit":
      return openedText(outcome.data);
    case "prompts lint":
      return lintText(outcome.data);
    case "prompts render":
      return `${outcome.data.text}\n\n(about ${outcome.data.tokens.toLocaleString("en")} tokens)`;
    case "prompts run":
      return ranText(outcome.data);
    case "prompts stats":
      return statsText(outcome.data);
    case "prompts import":
      return importedText(outcome.data);
    case "prompts export":
      return exportedText(outcome.data);
    case "prompts promote":
      return "busy" in outcome.data ? "" : promotedText(outcome.data, flags);
    case "trust":
      return `Trusted: ${outcome.data.trusted}`;
    case "install":
      return installText(outcome.data);
    case "doctor":
      return doctorText(outcome.data, flags);
    case "diff":
      return [...foreignLines(outcome.data), ...problemText(outcome.data, flags), diffText(outcome.data, flags)].join(
        "\n",
      );
    default:
      throw new Error(`There are no words for what ${outcome.operation} gave.`);
  }
}

/** How a chain stands at the end of a turn: what happened, what is kept, what to type next. */
function chainText(
  data: ChainStands,
  operation: string,
  flags: Input,
  { left, demo, columns }: Pick<Moment, "left" | "demo"> & { readonly columns: number },
): string {
  const { chain_id: id, context_file: file, cost } = data;
  const same = `${id}${flagsText(flags)}`;
  const ending = left ? ({ type: "interrupted" } as const) : data.ending;
  const lines: string[] = [];
  switch (ending.type) {
    case "completed":
    case "accepted":
      if (ending.type === "completed") lines.push(paragraphs(`Chain ${id} is done. ${ending.summary}`, data), "");
      else lines.push(`Chain ${id} is accepted as it is: ${ending.reason}`, "");
      lines.push(...changes(data, flags));
      if (ending.type === "accepted" && ending.unproved.length > 0)
        lines.push("Not proved:", ...ending.unproved.map((text) => `  - ${text}`), "");
      lines.push(...tests(data), ...openText(data, columns, flags), ...worktree(data, columns));
      if (ending.type === "completed" && data.mode === "plan-only")
        lines.push(`Build it: claude-exec resume ${same} --mode tdd`);
      break;
    case "answered":
      lines.push(ending.text);
      break;
    case "needs_answers":
      lines.push(headLine(data, columns), "", `Chain ${id} waits for answers:`, `  ${testsLine(data)}`);
      for (const { id: name, question, options } of ending.questions)
        lines.push(`  ${name}: ${question}${options ? `  (${options.join(" | ")})` : ""}`);
      lines.push("", `Answer: claude-exec answer ${same} ${ending.questions.map((one) => `${one.id}="…"`).join(" ")}`);
      break;
    case "needs_approval": {
      const presented = ending.presented;
      const head = headLine(data, columns);
      const { before, asked } = ending.page;
      const isTold = before !== null || (operation === "ask" && asked !== null);
      if (isTold && ["ask", "change", "answer"].includes(operation)) {
        const news = approvalLines(data, columns, (_, text) => text, { operation, solution: null, page: null });
        lines.push(head, "", ...news);
      } else lines.push(head, "", wrap(presented.text, columns, "  "));
      if (presented.standing === "approved") {
        lines.push("", `It was approved. Go on: ${commandLine("resume", { chain: id }, flags)}`);
        break;
      }
      const [assumed] = assumptionsOn(data);
      lines.push("", `Chain ${id} waits for approval of ${presented.hash}.`);
      lines.push(
        ...(assumed ? [`Assumed:  claude-exec answer ${same} ${assumed}="no, …"`] : []),
        `Approve:  claude-exec approve ${same} ${presented.hash}`,
        `Change:   claude-exec change ${same} "what should be different"`,
        `Ask:      claude-exec ask ${same} "your question"`,
        `Reject:   claude-exec reject ${same} "why"`,
      );
      break;
    }
    case "needs_permission":
      lines.push(headLine(data, columns), "", ...permissionText(ending, id, same, columns));
      break;
    case "parked":
      lines.push(`Chain ${id} is paused. ${ending.message}`, ...nextLines(ending.next, flags));
      if (data.test_runs.at(-1)?.why) lines.push("", ...tests(data));
      break;
    case "interrupted":
      lines.push("Paused. Everything up to here is kept, and nothing is paid twice.");
      lines.push(`Resume: claude-exec resume ${same}`);
      break;
    default:
      lines.push(`Chain ${id} stands at ${title(data.phase).toLowerCase()}.`);
  }
  if (operation === "uncertainty-check" || ending.type === "reached")
    lines.push(...doubtLines(data), ...gapLines(data, flags));
  const unpriced = cost.unpriced_calls > 0 ? ` (the price of ${count(cost.unpriced_calls, "call")} is not known)` : "";
  const notional = notionalText(cost.notional_usd);
  lines.push(
    "",
    `${flags["replay"] ? "Would have cost" : "Cost"}: ${money(cost.usd)}, ${cost.tokens.toLocaleString("en")} tokens${unpriced}${notional}. Details: ${commandLine("chain-cost", { chain: id }, flags)}`,
  );
  if (data.durations) lines.push(`Time: ${wholeTime(data.durations)}`);
  if (data.applied) lines.push(...comparedLines(data.applied));
  lines.push(...lostCalls(cost.lost_calls, id, flags));
  if (ending.type === "completed" && data.files.length > 0) {
    lines.push(`Look at the changes: ${commandLine("diff", { chain: id }, flags)}`);
    lines.push(`Take them back:      ${commandLine("rewind", { chain: id }, flags)}`);
  }
  lines.push(`Context: ${file}`);
  if (id === "001" && ending.type === "completed" && demo === undefined && file.includes("/.claude-exec/contexts/"))
    lines.push("Git ignores your chains. Settings, rules and prompts in .claude-exec may be committed.");
  if (demo !== undefined && ending.type === "completed") lines.push(...demoText(demo, file));
  return lines.join("\n");
}

/** A summary of several sentences is a list of them, if its author made no lines. What was not checked is said below. */
function paragraphs(text: string, { not_checked }: Pick<ChainStands, "not_checked">): string {
  const [head = "", ...all] = text.trim().split(/(?<=[.!?])\s+(?=\p{Lu})/u);
  const sentences = all.filter((sentence) => not_checked.length === 0 || !/^not checked\b/i.test(sentence));
  const isList = sentences.length > 1 && !text.trim().includes("\n");
  return isList ? [head, ...sentences.map((sentence) => `  - ${sentence}`)].join("\n") : text;
}

/** Of costs that Claude Code made: its user may have a subscription. */
function notionalText(usd: number): string {
  return usd > 0 ? ` (${money(usd)} of it calculated: a subscription may not bill it)` : "";
}

/** What a person wants to know before they answer: money, tokens, confidence. */
export function standing({ cost, confidence: scores }: ChainStands): string {
  const overall = scores["overall"] ?? 0;
  return `${money(cost.usd)} · ${cost.tokens.toLocaleString("en")} tokens · confidence ${percent(overall)}`;
}

function demoText(folder: string, file: string): string[] {
  return [
    `         jq '.confidence_scores, .cost_tracking.by_phase' ${quoted(file)}`,
    "",
    "This was a rehearsal: the model was recorded, everything else was real.",
    `The app is in ${folder}`,
    "For a real run, in a project of yours:",
    "  export ANTHROPIC_API_KEY=…",
    '  claude-exec "Add JWT authentication to my app"',
  ];
}

function doubtLines({ confidence, doubts: { open, settled } }: ChainStands): string[] {
  const sure = `Confidence: ${sureText(confidence)}.`;
  if (open.length === 0) return [`${sure} Nothing is open: ${count(settled, "area is", "areas are")} settled.`];
  const lines = open.map(
    (one) => `  ? ${inWords(one.area)} (${percent(one.confidence)}${one.blocking ? ", blocks the solution" : ""})`,
  );
  const rest = settled === 0 ? [] : [`${count(settled, "more area is", "more areas are")} settled.`];
  return [`${sure} Open:`, ...lines, ...rest];
}

/** What no existing prompt covers, and the command by which one is written. */
function gapLines({ chain_id: chain, doubts: { gap } }: ChainStands, flags: Input): string[] {
  return gap
    ? [
        `No existing prompt covers "${gap.text}" (${percent(gap.confidence)}). Write one: ${commandLine("create-prompt", { chain, auto: true }, flags)}`,
      ]
    : [];
}

function costText(data: Extract<ResultOf<"chain-cost">, { goal: string }>, flags: Input): string {
  const { by_prompt: rows, by_kind: kinds, by_model: models } = data;
  const names = [...[...rows, ...models].map((row) => row.name), ...Object.keys(data.by_phase)];
  const width = Math.max(10, ...names.map(({ length }) => length));
  const amount = (kind: keyof typeof kinds) => kinds[kind].toLocaleString("en");
  // A context file of another tool says how many tokens, but not of which kind, nor in how many calls.
  const ofKinds = Object.values(kinds).some((tokens) => tokens > 0)
    ? ` (fresh ${amount("input")}, cache read ${amount("cache_read")}, cache written ${amount("cache_write")}, output ${amount("output")})`
    : "";
  const isCounted = data.calls > 0 || data.usd === 0;
  return [
    ...foreignLines(data),
    `Chain ${data.chain_id} (${data.goal}):`,
    `  - Total tokens: ${data.tokens.toLocaleString("en")}${ofKinds}`,
    `  - Estimated cost: ${money(data.usd)}${!data.complete ? `, without ${count(data.unpriced_calls, "call")} whose price is not known` : ""}${notionalText(data.notional_usd)}`,
    ...lostCalls(data.lost_calls, data.chain_id, flags).map((line) => `  - ${line}`),
    `  - Duration: ${wholeTime({ total: data.duration_ms, waiting: data.waiting_ms })}`,
    `  - Prompts executed: ${data.prompts_executed}, calls: ${isCounted ? data.calls : "not known"}`,
    ...(isCounted ? [`  - Cost per call: ${money(data.usd_per_call)}`] : []),
    ...(data.total ? savedAndWasted(data.total) : []).map((text) => `  - ${text}`),
    "",
    "By phase:",
    ...Object.entries(data.by_phase).map(([phase, usd]) => `  ${phase.padEnd(width)}  ${money(usd)}`),
    "",
    "By prompt:",
    ...groupLines(rows, width),
    ...(models.length > 0 ? ["", "By model:", ...groupLines(models, width)] : []),
  ].join("\n");
}

function completeText({ chain_id: id, goal, finished, checks, rating, next }: ResultOf<"complete">, flags: Input) {
  return [
    `Chain ${id} is ${finished ? "complete" : "not complete"}: ${goal}`,
    ...checks.map(
      ({ what, is, why }) =>
        `${is === null ? "·" : is ? "✓" : "✗"} ${what}${is === null ? ": not checked" : ""}${why && ` (${why})`}`,
    ),
    ...(rating === null ? [] : [`Rated ${rating} of 5.`]),
    ...nextLines(next, flags),
  ].join("\n");
}

function installText({ folder, written, removed, kept, hook }: ResultOf<"install">): string {
  const each = (sign: string, paths: readonly string[], more = "") => paths.map((path) => `  ${sign} ${path}${more}`);
  const lines = [...each("+", written), ...each("-", removed), ...each("·", kept, "  is yours, and stays")];
  const hooks = {
    set: "A session that is resumed or compacted is told where the newest chain stands (settings.json).",
    removed: "The hook in settings.json is gone.",
    unchanged: "",
    unreadable: "settings.json cannot be read as settings, so the hook was left as it is.",
  };
  const changed = lines.length > 0 || hook === "set" || hook === "removed";
  return [
    changed ? `In ${folder}:` : `Nothing to do in ${folder}.`,
    ...lines,
    ...(hooks[hook] ? [hooks[hook]] : []),
  ].join("\n");
}

function doctorText(data: ResultOf<"doctor">, flags: Input): string {
  const marks = { yes: "✓", no: "✗", optional: "·" };
  return [
    `claude-exec ${data.version}`,
    ...data.checks.map(
      (check) =>
        `${marks[check.ok]} ${check.what.padEnd(8)} ${check.found}${nextLines(check.next, flags)
          .map((line) => `\n           ${line}`)
          .join("")}`,
    ),
  ].join("\n");
}
