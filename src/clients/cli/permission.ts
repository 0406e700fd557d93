import { applyPatch, parsePatch, reversePatch } from "diff";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { count } from "../../util/count.ts";
import { diffSize, unifiedDiff } from "../../util/diff.ts";
import { readTextIfThere } from "../../util/files.ts";
import type { World } from "../../util/world.ts";
import {
  askLeave,
  askWhatElse,
  askWhyNot,
  isQuestion,
  type Asker,
  type Decision,
  type Leave,
  type Said,
  type Word,
} from "./ask.ts";
import {
  changeText,
  commandText,
  countsText,
  diffView,
  inOneLine,
  lostTestsText,
  visible,
  wholeDiff,
  type Request,
} from "./diff_view.ts";
import { openEditor } from "./editor.ts";
import { cutWords, harmless, wrap, type Screen } from "./terminal.ts";

type ChangeRequest = Extract<Request, { kind: "change" }>;

/** What a chain asks leave for; of a change also how the file would differ, and what it would hold. */
export interface Asked {
  readonly request: Request;
  readonly diff: string | null;
  readonly proposed: string | null;
  readonly since: string | null;
}

interface Desk {
  readonly screen: Screen;
  readonly asker: Asker;
  readonly env: World["env"];
}

/** Shows what a chain asks for and what a person says to it. Undefined: they left, which never means yes. */
export function askPermission({ request, diff, proposed, since }: Asked, desk: Desk): Said<Decision> {
  const { said } = request;
  desk.screen.print(said.trim() ? `\n${wrap(harmless(said.trim()), desk.screen.columns, "  │ ")}\n` : "");
  if (request.kind === "command") {
    desk.screen.print(commandText(request));
    if (request.why)
      desk.screen.print(desk.screen.style("dim", wrap(harmless(request.why), desk.screen.columns, "    ")));
    return askYesOrNo(request, `Run ${cutWords(inOneLine(request.line), 60)}?`, ["ask", "always"], desk);
  }
  if (request.kind === "lost_tests") {
    desk.screen.print(lostTestsText(request.lost).join("\n"));
    return askYesOrNo(request, "Go on without them?", ["ask"], desk);
  }
  return askChange(request, diff ?? "", proposed, since, desk);
}

async function askYesOrNo(request: Request, question: string, more: Word[], { screen, asker }: Desk): Said<Decision> {
  const leave = await askLeave(question, more, screen, asker);
  switch (leave?.type) {
    case "yes":
      return { operation: "allow", input: { request: request.id } };
    case "always":
      return { operation: "allow", input: { request: request.id, always: true } };
    default:
      return refusal(leave, request, asker);
  }
}

/** What a person says in place of yes. */
async function refusal(leave: Leave | undefined, request: Request, asker: Asker): Said<Decision> {
  const { type } = leave ?? {};
  const text = leave && "reason" in leave ? leave.reason : undefined;
  if (type === "ask" || (text && isQuestion(text))) return asked(text ?? (await askWhatElse(asker)), request);
  if (type === "no" || text) return rejected(text ?? (await askWhyNot(asker)), request);
  return undefined;
}

async function askChange(
  request: ChangeRequest,
  proposedDiff: string,
  proposed: string | null,
  since: string | null,
  { screen, asker, env }: Desk,
): Said<Decision> {
  let text = proposed;
  let diff = proposedDiff;
  let more = showChange(request, diff, screen, since);
  for (;;) {
    const own = text !== proposed;
    const leave = await askLeave(question(request, diff, own), words(request, own, more.length > 0), screen, asker);
    switch (leave?.type) {
      case "yes":
        return text === null || !own
          ? { operation: "allow", input: { request: request.id } }
          : allowedAs(text, request);
      case "all":
        return { operation: "allow", input: { request: request.id, always: true } };
      case "s":
        screen.print(more.join("\n"));
        more = [];
        continue;
      case "edit": {
        const edited = await asker.leaveTerminal(() => editedText(text ?? "", request.path, env, screen));
        if (edited === text) continue;
        text = edited;
        diff =
          text === proposed
            ? proposedDiff
            : unifiedDiff(textBefore(request, proposedDiff, proposed), text, request.path);
        break;
      }
      case "no":
        if (!own) return refusal(leave, request, asker);
        screen.print("  Your text is set aside; this is what was proposed.");
        text = proposed;
        diff = proposedDiff;
        break;
      default:
        return refusal(leave, request, asker);
    }
    more = showChange(request, diff, screen);
  }
}

/** It names the file, because the head of a long diff has scrolled away. */
function question({ after, path }: ChangeRequest, diff: string, own: boolean): string {
  const counts = countsText(diffSize(diff));
  return `${own ? "Write your text to" : after === null ? "Delete" : "Write"} ${visible(path)}?${counts ? ` (${counts})` : ""}`;
}

function words({ after, unplanned }: ChangeRequest, own: boolean, more: boolean): Word[] {
  const all: Word[] = unplanned ? [] : ["all"];
  const known: Word[] = own ? ["edit"] : after === null ? ["ask", ...all] : ["edit", "ask", ...all];
  return more ? [...known, "s"] : known;
}

/** Shows a change, or what is new since the version that was turned down, and returns what `s` shows besides. */
function showChange(request: ChangeRequest, diff: string, screen: Screen, since: string | null = null): string[] {
  const { style } = screen;
  const { lines, hidden, shortened, rest } = diffView(since ?? diff, screen);
  const head = lines.length === 0 ? "The same as the version before." : "Different from the version before:";
  screen.print([changeText(request, diff, style), ...(since === null ? [] : [`    ${head}`]), ...lines].join("\n"));
  const left = [
    ...(hidden > 0 ? [count(hidden, "more line")] : []),
    ...(shortened > 0 ? [`${count(shortened, "line is", "lines are")} cut`] : []),
  ].join(", ");
  const more = since === null ? rest : wholeDiff(diff, style);
  const what = since === null ? "s shows the rest" : "s shows the whole change";
  if (more.length > 0) screen.print(style("dim", `  … ${left}${left ? ": " : ""}${what}`));
  return more;
}

/** What lies there now: the proposed text with its own diff taken back. */
export function textBefore({ before, path }: ChangeRequest, diff: string, proposed: string | null): string | null {
  if (before === null) return null;
  const [patch] = parsePatch(diff.slice(diff.indexOf("@@")));
  const text = patch && applyPatch(proposed ?? "", reversePatch(patch), { autoConvertLineEndings: false });
  if (typeof text !== "string") throw new Error(`The diff of ${path} does not fit its text.`);
  return text;
}

/** The text as the person left it in their editor. */
async function editedText(text: string, path: string, env: World["env"], screen: Screen): Promise<string> {
  const file = privateFile(text, path);
  try {
    const trouble = await openEditor(file.path, env);
    if (trouble) screen.print(`  ! ${trouble}`);
    const isFile = statSync(file.path, { throwIfNoEntry: false })?.isFile() === true;
    const edited = isFile ? readTextIfThere(file.path) : undefined;
    if (edited === undefined) screen.print("  ! The editor left no file.");
    if (edited === text) screen.print("  The text is as it was.");
    return edited ?? text;
  } finally {
    file.remove();
  }
}

function allowedAs(text: string, { id, path }: ChangeRequest): Decision {
  const file = privateFile(text, path);
  return { operation: "allow", input: { request: id, edited: file.path }, after: file.remove };
}

/** A file for nobody but this user, called so that an editor knows its language. */
function privateFile(text: string, path: string): { readonly path: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "claude-exec-edit-"));
  const remove = () => {
    process.off("exit", remove);
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", remove);
  const ending = /^\.\w{1,20}$/.exec(extname(path))?.[0] ?? "";
  const file = join(folder, `proposed${ending}`);
  writeFileSync(file, text, { mode: 0o600, flag: "wx" });
  return { path: file, remove };
}

function rejected(reason: string | undefined, { id }: Request): Decision | undefined {
  return reason === undefined ? undefined : { operation: "reject", input: { reason, request: id } };
}

function asked(question: string | undefined, { id }: Request): Decision | undefined {
  return question === undefined ? undefined : { operation: "ask", input: { question, request: id } };
}
