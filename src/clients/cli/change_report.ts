import { extname } from "node:path";
import { changeText, commandText, countsText, lostTestsText, type Request, visible, wholeDiff } from "./diff_view.ts";
import type { ResultOf } from "../../operations/operations.ts";
import type { Input } from "../../util/next.ts";
import { commandLine, flagsText, nextLines } from "./next.ts";
import { hang } from "./narrate.ts";
import { wrap } from "./terminal.ts";
import { path } from "./values.ts";

/** How a chain stands. */
export type ChainStands = Extract<ResultOf<"new">, { ending: object }>;

interface Waiting {
  readonly request: Request;
  readonly diff: string | null;
}

/** What a chain waits for permission to do, and every way to answer; `same` names the chain and its flags. */
export function permissionText({ request, diff }: Waiting, id: string, same: string, columns: number): string[] {
  const said = request.said.trim() ? [wrap(request.said.trim(), columns, "  │ "), ""] : [];
  return [
    `Chain ${id} waits for permission:`,
    ...said,
    ...requestText(request, diff ?? ""),
    "",
    ...waysToAnswer(request, same),
  ];
}

function waysToAnswer(request: Request, same: string): string[] {
  const allow = `claude-exec allow ${same} ${request.id}`;
  return [
    `Allow:   ${allow}`,
    ...(request.kind === "change" && request.after !== null
      ? [`Edit:    ${allow} --edited mine${extname(request.path)}`]
      : []),
    `Reject:  claude-exec reject ${same} "why" --request ${request.id}`,
    `Ask:     claude-exec ask ${same} "your question" --request ${request.id}`,
  ];
}

function requestText(request: Request, diff: string): string[] {
  if (request.kind === "command") return [commandText(request), ...(request.why ? [`    ${request.why}`] : [])];
  if (request.kind === "lost_tests") return lostTestsText(request.lost);
  return [changeText(request, diff), ...wholeDiff(diff)];
}

export function diffText({ chain_id: id, waiting, changes: changed }: ResultOf<"diff">, flags: Input): string {
  const asked = waiting
    ? [
        `Chain ${id} waits for permission (${waiting.request.id}):`,
        ...requestText(waiting.request, waiting.diff ?? ""),
        "",
        ...waysToAnswer(waiting.request, `${id}${flagsText(flags)}`),
        "",
      ]
    : [];
  if (changed.length === 0) return [...asked, `Chain ${id} has changed no file.`].join("\n");
  const files = changed.flatMap((file) => [
    `  ${visible(file.path)}  +${file.added} −${file.removed}`,
    ...wholeDiff(file.diff),
    "",
  ]);
  return [
    ...asked,
    `Changed by chain ${id}:`,
    ...files,
    `Take it back: ${commandLine("rewind", { chain: id }, flags)}`,
  ].join("\n");
}

export function rewindText(data: Extract<ResultOf<"rewind">, { to: string }>, flags: Input): string {
  const { chain_id: id, files } = data;
  const lost = data.not_kept.map(path);
  const wordOf = (done: string) => (data.preview || done === "written" ? acts[done] : undefined) ?? done;
  const head = data.preview
    ? `Chain ${id} would go back to before ${data.to}${data.files_only ? ", its files only" : ""}. Nothing has been put back yet.`
    : data.files_only
      ? `The files of chain ${id} are as they were before ${data.to}; its history stays.`
      : `Chain ${id} stands before ${data.to} again.`;
  return [
    head,
    ...files.slice(0, 20).map((file) => `  ${wordOf(file.done).padEnd(9)}  ${path(file.path)}`),
    ...(files.length > 20 ? [`  … and ${files.length - 20} more`] : []),
    ...(lost.length === 0 ? [] : ["Not put back, as what was in them was not kept:", ...lost.map((one) => `  ${one}`)]),
    ...nextLines(data.next, flags),
  ].join("\n");
}

const acts: Record<string, string> = { removed: "remove", written: "put back" };

/** Files that were approved, and what commands changed beside them. */
export function changes(data: ChainStands, flags: Input): string[] {
  const files = data.files.map((file) => {
    const mark = file.deleted ? "-" : file.new ? "+" : "~";
    return `  ${mark} ${path(file.path)}${file.lines ? `  ${countsText(file.lines)}` : ""}`.trimEnd();
  });
  const touched = data.touched.map((one) => `  ! ${path(one)}`);
  const diff = commandLine("diff", { chain: data.chain_id }, flags);
  const decided = data.decided?.map((text) => `  → ${text}`) ?? [];
  return [
    ...(files.length === 0 ? [] : ["Changed:", ...firstOf(files, mostFiles, diff)]),
    ...(touched.length === 0 ? [] : ["Changed by commands:", ...firstOf(touched, mostFiles, diff)]),
    ...(decided.length === 0 ? [] : ["Decided while building, not part of what you approved:", ...decided]),
  ];
}

/** How the tests are run, and how to correct it, for whoever is about to answer something. */
export function testsLine({
  tests: { command, found_in },
  test_runs,
}: Pick<ChainStands, "tests" | "test_runs">): string {
  if (command === null) return "Tests: no command was found, so the solution will name one.";
  const correct = /^(?:found|the command)/.test(found_in) ? ". If wrong, add: tests run with …" : "";
  const last = test_runs.at(-1)?.in_words;
  return `Tests: ${command}${found_in ? ` (${found_in})` : ""}${last ? `: ${last}` : ""}${correct}`;
}

const mostFiles = 6;
const mostFindings = 9;
const mostUnchecked = 3;

/** The first of them, how many more there are, and the command that shows them: a report fits one screen. */
function firstOf(lines: readonly string[], most: number, command: string): string[] {
  if (lines.length <= most) return [...lines];
  return [...lines.slice(0, most - 1), `  and ${lines.length - most + 1} more: ${command}`];
}

type Findings = Pick<ChainStands, "chain_id" | "findings">;

/** Findings that stop nothing, the worst first. */
export function findingLines(findings: Findings["findings"], columns: number): string[] {
  const order = ["blocking", "major", "minor"];
  const sorted = [...findings].sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  return sorted.map(({ severity, where, what, id }) => hang("!", `${where}: ${what} (${severity}, ${id})`, columns));
}

/** A new round fixes what is open. */
export function fixing({ chain_id: chain, findings }: Findings, flags: Input): string[] {
  if (findings.length === 0) return [];
  const request = `Fix ${findings.map(({ id }) => id).join(", ")}`;
  return [`  Fix them: ${commandLine("change", { chain, request }, flags)}`];
}

/** What is open although the chain is done: findings that stop nothing, and what nobody could look at, each once. */
export function openText(data: ChainStands, columns: number, flags: Input): string[] {
  const { findings, not_checked, tests_changed } = data;
  const found = findingLines(findings, columns);
  const unchecked = [...new Set(not_checked.map((text) => text.replace(/\.$/, "")))];
  const log = commandLine("log", { chain: data.chain_id }, flags);
  const named = unchecked.slice(0, mostUnchecked).join("; ");
  const more = unchecked.length > mostUnchecked ? `; and ${unchecked.length - mostUnchecked} more` : "";
  const doubts = named === "" ? [] : [hang("!", `not checked: ${named}${more}`, columns)];
  const shown = [...firstOf(found, mostFindings, log), ...fixing(data, flags), ...doubts];
  const all = unchecked.length > mostUnchecked ? [`  All of it: ${log}`] : [];
  const changed = "Test files that changed after the last red run";
  const rewritten = firstOf(
    tests_changed.map((one) => `  ! ${path(one)}`),
    mostFiles,
    commandLine("diff", { chain: data.chain_id }, flags),
  );
  return [
    ...(shown.length === 0 ? [] : ["", "Open:", ...shown, ...all]),
    ...(rewritten.length === 0
      ? []
      : ["", `${changed}, in which they failed before the code was written:`, ...rewritten]),
  ];
}

/** Where the changes lie, and how to take them from there. */
export function worktree({ worktree: beside }: ChainStands, columns: number): string[] {
  if (beside === null) return [];
  const shown = beside.commands.map((command) => `  ${command}`);
  const advised = beside.advice === null ? [] : ["", wrap(beside.advice.trim(), columns, "  │ ")];
  return ["", `Its changes lie uncommitted in a git worktree: ${path(beside.path)}`, ...shown, ...advised];
}
