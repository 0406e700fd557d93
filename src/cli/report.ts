import { changes, diffText, permissionText, rewindText, unchecked, worktree } from "./change_report.ts";
import { percent, title } from "./narrate.ts";
import { recoverText } from "./recover_report.ts";
import {
  exchangedText,
  lintText,
  listText,
  openedText,
  promptText,
  ranText,
  searchText,
  statsText,
} from "./library_report.ts";
import { harmless, wrap } from "./terminal.ts";
import { quoted } from "../util/quoting.ts";
import type { Json } from "../util/json.ts";
import { type Data, list, money, number, record, word } from "./values.ts";

/** The result of an operation as a person reads it on stdout. */
export function reportText(operation: string, data: Data): string {
  const text = textOf(operation, data);
  return harmless(text);
}

function textOf(operation: string, data: Data): string {
  if (data["delivered"])
    return `Delivered. Another process is at work on chain ${word(data["chain_id"])} and takes it in.`;
  if (operation === "recover") return recoverText(data);
  if ("ending" in data) return chainText(data, operation);
  switch (operation) {
    case "status":
      return statusText(data);
    case "chain-cost":
      return [...problemText(data), costText(data)].join("\n");
    case "prompts list":
      return listText(data);
    case "prompts search":
      return searchText(data);
    case "prompts show":
      return promptText(data);
    case "prompts new":
    case "prompts edit":
      return openedText(data);
    case "prompts lint":
      return lintText(data);
    case "prompts render":
      return `${word(data["text"])}\n\n(about ${number(data["tokens"]).toLocaleString("en")} tokens)`;
    case "prompts run":
      return ranText(data);
    case "prompts stats":
      return statsText(data);
    case "prompts import":
    case "prompts export":
      return exchangedText(data);
    case "trust":
      return `Trusted: ${word(data["trusted"])}`;
    case "doctor":
      return doctorText(data);
    case "diff":
      return [...foreignLines(data), ...problemText(data), diffText(data)].join("\n");
    case "rewind":
      return rewindText(data);
    default:
      return JSON.stringify(data, null, 2);
  }
}

/** How a chain stands at the end of a turn: what happened, what is kept, what to type next. */
function chainText(data: Data, operation: string): string {
  const id = word(data["chain_id"]);
  const again = word(data["again"]);
  const same = `${id}${again}`;
  const home = /^ --home ('[^']*'|\S+)/.exec(again)?.[0] ?? "";
  const ending = record(data["ending"]);
  const file = word(data["context_file"]);
  const demo = data["rehearsal"] === true;
  const lines: string[] = [];
  switch (word(ending["type"])) {
    case "completed":
      lines.push(`Chain ${id} is done. ${word(ending["summary"])}`, "", ...changes(data), ...tests(data));
      lines.push(...unchecked(data), ...worktree(data));
      if (data["mode"] === "plan-only") lines.push(`Build it: claude-exec resume ${same} --mode tdd`);
      break;
    case "needs_answers":
      lines.push(`Chain ${id} waits for answers:`);
      for (const question of list(ending["questions"]).map(record)) {
        lines.push(
          `  ${word(question["id"])}: ${word(question["question"])}${question["options"] ? `  (${list(question["options"]).map(word).join(" | ")})` : ""}`,
        );
      }
      lines.push(
        "",
        `Answer: claude-exec answer ${same} ${list(ending["questions"])
          .map((question) => `${word(record(question)["id"])}="…"`)
          .join(" ")}`,
      );
      break;
    case "needs_approval": {
      const presented = record(ending["presented"]);
      lines.push(
        wrap(word(presented["text"]), 100, "  "),
        "",
        `Chain ${id} waits for approval of ${word(presented["hash"])}.`,
      );
      lines.push(
        `Approve:  claude-exec approve ${same} ${word(presented["hash"])}`,
        `Change:   claude-exec change ${same} "what should be different"`,
        `Ask:      claude-exec ask ${same} "your question"`,
        `Reject:   claude-exec reject ${same} "why"`,
      );
      break;
    }
    case "needs_permission":
      lines.push(...permissionText(ending, id, same));
      break;
    case "parked":
      lines.push(`Chain ${id} is paused. ${word(ending["message"])}`, word(ending["hint"]));
      if (record(list(data["test_runs"]).at(-1))["why"]) lines.push("", ...tests(data));
      break;
    case "interrupted":
      lines.push(
        `Paused. Everything up to here is kept, and nothing is paid twice. Resume: claude-exec resume ${same}`,
      );
      break;
    default:
      lines.push(`Chain ${id} stands at ${title(word(data["phase"])).toLowerCase()}.`);
  }
  if (operation === "uncertainty-check" || word(ending["type"]) === "reached")
    lines.push(...confidence(record(data["confidence"])));
  const cost = record(data["cost"]);
  const unpriced =
    number(cost["unpriced_calls"]) > 0 ? ` (the price of ${number(cost["unpriced_calls"])} calls is not known)` : "";
  lines.push(
    "",
    `${again.includes(" --replay ") ? "Would have cost" : "Cost"}: ${money(cost["usd"])}, ${number(cost["tokens"]).toLocaleString("en")} tokens${unpriced}. Details: claude-exec chain-cost ${id}${home}`,
  );
  lines.push(...lostCalls(cost["lost_calls"], id, home));
  lines.push(`Context: ${file}`);
  if (demo && word(ending["type"]) === "completed") lines.push(...demoText(data, file));
  return lines.join("\n");
}

/** What is guessed in a cost, what it can be at most, and how the real one is entered. */
function lostCalls(given: Json | undefined, id: string, home: string): string[] {
  const lost = list(given).map(record);
  if (lost.length === 0) return [];
  const sum = (key: string) => lost.reduce((total, call) => total + number(call[key]), 0);
  const count = sum("calls");
  const calls = count === 1 ? "one call whose reply was lost" : `${count} calls whose replies were lost`;
  const most = `${count === 1 ? "That call" : "Those calls"} cost ${money(sum("most_usd"))} at most.`;
  return [
    lost.some(({ usd }) => usd === null)
      ? `This does not include ${calls}, because no price is known.`
      : `This includes ${money(sum("usd"))}, our estimate for ${calls}. ${most}`,
    `Enter what the provider charged: claude-exec chain-cost ${id}${home} --lost <dollars>`,
  ];
}

/** What a person wants to know before they answer: money, tokens, confidence. */
export function standing(data: Data): string {
  const cost = record(data["cost"]);
  const { overall } = record(data["confidence"]);
  return `${money(cost["usd"])} · ${number(cost["tokens"]).toLocaleString("en")} tokens · confidence ${percent(number(overall))}`;
}

function demoText(data: Data, file: string): string[] {
  return [
    `         jq '.confidence_scores, .cost_tracking.by_phase' ${quoted(file)}`,
    "",
    `This was a rehearsal: the model was recorded, everything else was real. The app is in ${word(data["folder"])}`,
    "For a real run, in a project of yours:",
    "  export ANTHROPIC_API_KEY=…",
    '  claude-exec "Add JWT authentication to my app"',
  ];
}

function tests(data: Data): string[] {
  const runs = list(data["test_runs"]).map(record);
  const why = runs.at(-1)?.["why"];
  const words = runs.length === 0 ? [] : [`Tests: ${runs.map((run) => word(run["verdict"])).join(" → ")}`];
  return typeof why === "string" ? [...words, wrap(why, 100, "  ")] : words;
}

function confidence(scores: Data): string[] {
  return Object.entries(scores).map(
    ([area, score]) => `  ${area.padEnd(24)} ${bar(number(score))} ${percent(number(score))}`,
  );
}

function bar(value: number): string {
  const full = Math.round(value * 20);
  return `${"█".repeat(full)}${"░".repeat(20 - full)}`;
}

function statusText(data: Data): string {
  const chains = list(data["chains"]).map(record);
  if (chains.length === 0) return 'No chains yet. Begin one: claude-exec "what is to be done"';
  if (data["all"] === true) return chains.map(statusLine).join("\n");
  return chains.map((chain) => statusBlock(chain, word(data["again"]))).join("\n\n");
}

function statusLine(chain: Data): string {
  const id = word(chain["chain_id"]);
  if (chain["goal"] === undefined) return `${id}  damaged    ${word(chain["problem"])}`;
  if (chain["foreign"])
    return `${id}  foreign    ${word(chain["goal"]).split("\n")[0]!.slice(0, 70)}  (${word(chain["foreign"])})`;
  const damage = chain["problem"] ? `  (damaged: claude-exec status ${id})` : "";
  const status = record(chain["status"]);
  const scores = record(chain["confidence_scores"]);
  return `${id}  ${word(status["state"]).padEnd(9)}  ${percent(number(scores["overall"])).padStart(4)}  ${money(record(chain["cost_tracking"])["estimated_cost"]).padStart(7)}  ${word(chain["goal"]).split("\n")[0]!.slice(0, 70)}${damage}`;
}

function statusBlock(chain: Data, home: string): string {
  const id = word(chain["chain_id"]);
  if (chain["goal"] === undefined) return `Chain ${id}: ${word(chain["problem"])}\n${word(chain["hint"])}`;
  const status = record(chain["status"]);
  const state = word(status["state"]);
  const visits = list(chain["phase_history"]).map(record);
  const phases = [...new Set(visits.map((visit) => word(visit["phase"])))].map((phase) => {
    const own = visits.filter((visit) => word(visit["phase"]) === phase);
    const current = phase === word(chain["current_phase"]) && state !== "completed";
    const time = timeOf(own);
    return current ? `→ ${title(phase)}` : `✓ ${doneWords[phase] ?? title(phase)}${time === null ? "" : ` (${time})`}`;
  });
  const lines = [...foreignLines(chain), `Chain ${id}: ${word(chain["goal"])}`, ...phases];
  lines.push(`Total time: ${timeOf(visits) ?? "not known"}`);
  const cost = record(chain["cost_tracking"]);
  lines.push(`Total cost: ${money(cost["estimated_cost"])}`, ...lostCalls(cost["lost_calls"], id, home));
  lines.push(`Confidence: ${percent(number(record(chain["confidence_scores"])["overall"]))}`);
  lines.push(...tests({ test_runs: record(chain["evidence"])["runs"] }));
  lines.push(
    state === "completed"
      ? "Completed."
      : `${title(state)}${status["waiting_for"] ? `: ${word(status["waiting_for"])}` : "."}`,
  );
  if (chain["problem"]) lines.push(...problemText(chain));
  else if (status["hint"]) lines.push(`Next: ${word(status["hint"])}`);
  if (chain["context_file"]) lines.push(`Context: ${word(chain["context_file"])}`);
  return lines.join("\n");
}

/** First of all that is shown of a chain: whether it is one's own. */
function foreignLines(chain: Data): string[] {
  return chain["foreign"] ? [`This chain is foreign: ${word(chain["foreign"])}. Nothing is done with it.`] : [];
}

/** What is wrong with a chain's files, beside what is known of it all the same. */
function problemText(data: Data): string[] {
  return data["problem"] ? [`Damaged: ${word(data["problem"])}`, word(data["hint"])] : [];
}

const doneWords: Record<string, string> = {
  "requirements-clarification": "Requirements clarified",
  "context-building": "Context built",
  "uncertainty-analysis": "Uncertainty analysed",
  "solution-approval": "Solution approved",
  implementation: "Implementation complete",
};

/** How long these visits took together, as far as it is known; null where nothing is known of any. */
function timeOf(visits: readonly Data[]): string | null {
  const spans = visits.flatMap((visit) => span(visit) ?? []);
  return spans.length === 0 ? null : minutes(spans.reduce((sum, ms) => sum + ms, 0));
}

/** A visit that lasts still counts nothing; one of another tool's file says its time in words, such as "3 minutes". */
function span(visit: Data): number | undefined {
  const started = Date.parse(word(visit["started"]));
  if (!Number.isNaN(started)) return visit["ended"] ? Date.parse(word(visit["ended"])) - started : 0;
  const [, amount, unit] = /^(\d+(?:\.\d+)?) (second|minute|hour)s?$/.exec(word(visit["duration"])) ?? [];
  return unit ? Number(amount) * { second: 1000, minute: 60_000, hour: 3_600_000 }[unit as "second"] : undefined;
}

function minutes(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60
    ? `${seconds} s`
    : seconds < 5400
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;
}

function costText(data: Data): string {
  const rows = list(data["by_prompt"]).map(record);
  const names = [...rows.map((row) => word(row["name"])), ...Object.keys(record(data["by_phase"]))];
  const width = Math.max(10, ...names.map(({ length }) => length));
  const kinds = record(data["by_kind"]);
  const amount = (kind: string) => number(kinds[kind]).toLocaleString("en");
  // A context file of another tool says how many tokens, but not of which kind, nor in how many calls.
  const ofKinds = Object.values(kinds).some((tokens) => number(tokens) > 0)
    ? ` (fresh ${amount("input")}, cache read ${amount("cache_read")}, cache written ${amount("cache_write")}, output ${amount("output")})`
    : "";
  const isCounted = number(data["calls"]) > 0 || number(data["usd"]) === 0;
  return [
    ...foreignLines(data),
    `Chain ${word(data["chain_id"])} (${word(data["goal"])}):`,
    `  - Total tokens: ${number(data["tokens"]).toLocaleString("en")}${ofKinds}`,
    `  - Estimated cost: ${money(data["usd"])}${data["complete"] === false ? `, without ${number(data["unpriced_calls"])} calls whose price is not known` : ""}`,
    ...lostCalls(data["lost_calls"], word(data["chain_id"]), word(data["again"])).map((line) => `  - ${line}`),
    `  - Duration: ${data["duration_ms"] === null ? "not known" : minutes(number(data["duration_ms"]))}`,
    `  - Prompts executed: ${number(data["prompts_executed"])}, calls: ${isCounted ? number(data["calls"]) : "not known"}`,
    ...(isCounted ? [`  - Cost per call: ${money(data["usd_per_call"])}`] : []),
    "",
    "By phase:",
    ...Object.entries(record(data["by_phase"])).map(([phase, usd]) => `  ${phase.padEnd(width)}  ${money(usd)}`),
    "",
    "By prompt:",
    ...rows.map(
      (row) =>
        `  ${word(row["name"]).padEnd(width)}  ${money(row["usd"]).padStart(8)}  ${percent(number(row["share"])).padStart(4)}  ${number(row["calls"])} ${number(row["calls"]) === 1 ? "call" : "calls"}, ${number(row["tokens"]).toLocaleString("en")} tokens`,
    ),
  ].join("\n");
}

function doctorText(data: Data): string {
  const checks = list(data["checks"]).map(record);
  const marks: Record<string, string> = { yes: "✓", no: "✗", optional: "·" };
  return [
    `claude-exec ${word(data["version"])}`,
    ...checks.map(
      (check) =>
        `${marks[word(check["ok"])] ?? "?"} ${word(check["what"]).padEnd(8)} ${word(check["found"])}${check["hint"] ? `\n           ${word(check["hint"])}` : ""}`,
    ),
  ].join("\n");
}
