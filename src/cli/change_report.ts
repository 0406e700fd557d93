import { extname } from "node:path";
import { changeText, commandText, lostTestsText, type Request, visible, wholeDiff } from "./diff_view.ts";
import { wrap } from "./terminal.ts";
import { type Data, list, number, path, record, word } from "./values.ts";

/** What a chain waits for leave to do, and every way to answer; `same` names the chain and its flags. */
export function permissionText(ending: Data, id: string, same: string): string[] {
  const request = record(ending["request"]) as unknown as Request;
  const said = request.said.trim() ? [wrap(request.said.trim(), 100, "  │ "), ""] : [];
  const shown = requestText(request, word(ending["diff"]));
  return [`Chain ${id} waits for leave:`, ...said, ...shown, "", ...waysToAnswer(request, same)];
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

export function diffText(data: Data): string {
  const id = word(data["chain_id"]);
  const waiting = record(data["waiting"]);
  const request = waiting["request"] as unknown as Request | undefined;
  const changed = list(data["changes"]).map(record);
  const asked = request
    ? [
        `Chain ${id} waits for leave (${request.id}):`,
        ...requestText(request, word(waiting["diff"])),
        "",
        ...waysToAnswer(request, `${id}${word(data["again"])}`),
        "",
      ]
    : [];
  if (changed.length === 0) return [...asked, `Chain ${id} has changed no file.`].join("\n");
  const files = changed.flatMap((file) => [
    `  ${visible(word(file["path"]))}  +${number(file["added"])} −${number(file["removed"])}`,
    ...wholeDiff(word(file["diff"])),
    "",
  ]);
  return [
    ...asked,
    `Changed by chain ${id}:`,
    ...files,
    `Take it back: claude-exec rewind ${id}${word(data["again"])}`,
  ].join("\n");
}

export function rewindText(data: Data): string {
  const id = word(data["chain_id"]);
  const files = list(data["files"]).map(record);
  const lost = list(data["not_kept"]).map(path);
  const head = data["files_only"]
    ? `The files of chain ${id} are as they were before ${word(data["to"])}; its history stays.`
    : `Chain ${id} stands before ${word(data["to"])} again.`;
  return [
    head,
    ...files.slice(0, 20).map((file) => `  ${word(file["done"]).padEnd(9)}  ${path(file["path"])}`),
    ...(files.length > 20 ? [`  … and ${files.length - 20} more`] : []),
    ...(lost.length === 0 ? [] : ["Not put back, as what was in them was not kept:", ...lost.map((one) => `  ${one}`)]),
    `Next: ${word(data["next"])}`,
  ].join("\n");
}

/** Files that were approved, and what commands changed beside them. */
export function changes(data: Data): string[] {
  const files = list(data["files"]).map(record);
  const touched = list(data["touched"]).map(path);
  const shown = touched.slice(0, 20);
  const more = touched.length > shown.length ? [`  and ${touched.length - shown.length} more`] : [];
  return [
    ...(files.length === 0
      ? []
      : [
          "Changed:",
          ...files.map((file) => `  ${file["deleted"] ? "-" : file["new"] ? "+" : "~"} ${path(file["path"])}`),
          "",
        ]),
    ...(touched.length === 0 ? [] : ["Changed by commands:", ...shown.map((one) => `  ! ${one}`), ...more, ""]),
  ];
}

/** What nobody could look at. */
export function unchecked(data: Data): string[] {
  const section = (title: string, key: string) => {
    const texts = list(data[key]).map(word);
    return texts.length === 0 ? [] : ["", title, ...texts.map((text) => `  – ${text}`)];
  };
  return [
    ...section("Not checked:", "not_checked"),
    ...section("Tests changed after they had been seen to fail:", "tests_changed"),
  ];
}

/** Where the changes lie, and how to take them from there. */
export function worktree(data: Data): string[] {
  const { path: folder, commands, advice } = record(data["worktree"]);
  if (folder === undefined) return [];
  const shown = list(commands).map((command) => `  ${word(command)}`);
  const advised = typeof advice === "string" ? ["", wrap(advice.trim(), 100, "  │ ")] : [];
  return ["", `Its changes lie uncommitted in a git worktree: ${path(folder)}`, ...shown, ...advised];
}
