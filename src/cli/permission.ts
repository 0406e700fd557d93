import { applyPatch, parsePatch, reversePatch } from "diff";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { unifiedDiff } from "../util/diff.ts";
import { readTextIfThere } from "../util/files.ts";
import type { World } from "../util/world.ts";
import { askLeave, askWhatElse, askWhyNot, type Next, type Said, type Word } from "./ask.ts";
import { changeText, commandText, diffView, lostTestsText, wholeDiff, type Request } from "./diff_view.ts";
import { openEditor } from "./editor.ts";
import { harmless, wrap, type Screen } from "./terminal.ts";

type ChangeRequest = Extract<Request, { kind: "change" }>;

interface Desk {
  readonly screen: Screen;
  readonly signal: AbortSignal;
  readonly env: World["env"];
}

/** Shows what a chain asks for and what a person says to it. Undefined: they left, which never means yes. */
export function askPermission(ending: Record<string, unknown>, desk: Desk): Said<Next> {
  const request = ending["request"] as Request;
  const { said } = request;
  desk.screen.print(said.trim() ? `\n${wrap(harmless(said.trim()), desk.screen.columns, "  │ ")}\n` : "");
  if (request.kind === "command") {
    desk.screen.print(commandText(request));
    if (request.why)
      desk.screen.print(desk.screen.style("dim", wrap(harmless(request.why), desk.screen.columns, "    ")));
    return askYesOrNo(request, "Run it?", ["ask", "always"], desk);
  }
  if (request.kind === "lost_tests") {
    desk.screen.print(lostTestsText(request.lost).join("\n"));
    return askYesOrNo(request, "Go on without them?", ["ask"], desk);
  }
  return askChange(request, ending["diff"] as string, ending["proposed"] as string | null, desk);
}

async function askYesOrNo(request: Request, question: string, more: Word[], { screen, signal }: Desk): Said<Next> {
  const leave = await askLeave(question, more, screen, signal);
  switch (leave?.type) {
    case "yes":
      return { name: "allow", request: request.id };
    case "always":
      return { name: "allow", request: request.id, always: true };
    case "no":
      return rejected(await askWhyNot(signal), request);
    case "ask":
      return asked(await askWhatElse(signal), request);
    case "different":
      return rejected(leave.reason, request);
    default:
      return undefined;
  }
}

async function askChange(
  request: ChangeRequest,
  proposedDiff: string,
  proposed: string | null,
  { screen, signal, env }: Desk,
): Said<Next> {
  let text = proposed;
  let diff = proposedDiff;
  let more = showChange(request, diff, screen);
  for (;;) {
    const own = text !== proposed;
    const leave = await askLeave(question(request, own), words(request, own, more), screen, signal);
    switch (leave?.type) {
      case "yes":
        return text === null || !own ? { name: "allow", request: request.id } : allowedAs(text, request);
      case "all":
        return { name: "allow", request: request.id, always: true };
      case "s":
        more = false;
        screen.print(wholeDiff(diff, screen.style).join("\n"));
        continue;
      case "edit": {
        const edited = await editedText(text ?? "", request.path, env, screen);
        if (edited === text) continue;
        text = edited;
        diff =
          text === proposed
            ? proposedDiff
            : unifiedDiff(textBefore(request, proposedDiff, proposed), text, request.path);
        break;
      }
      case "no":
        if (!own) return rejected(await askWhyNot(signal), request);
        screen.print("  Your text is set aside; this is what was proposed.");
        text = proposed;
        diff = proposedDiff;
        break;
      case "ask":
        return asked(await askWhatElse(signal), request);
      case "different":
        return rejected(leave.reason, request);
      default:
        return undefined;
    }
    more = showChange(request, diff, screen);
  }
}

function question({ after }: ChangeRequest, own: boolean): string {
  return own ? "Write this?" : after === null ? "Delete it?" : "Write it?";
}

function words({ after }: ChangeRequest, own: boolean, more: boolean): Word[] {
  const known: Word[] = own ? ["edit"] : after === null ? ["ask", "all"] : ["edit", "ask", "all"];
  return more ? [...known, "s"] : known;
}

/** True where not all of it could be shown. */
function showChange(request: ChangeRequest, diff: string, screen: Screen): boolean {
  const { style } = screen;
  const { lines, hidden, shortened } = diffView(diff, screen);
  screen.print([changeText(request, diff, style), ...lines].join("\n"));
  const rest = [
    ...(hidden > 0 ? [`${hidden} more ${hidden === 1 ? "line" : "lines"}`] : []),
    ...(shortened > 0 ? [`${shortened} ${shortened === 1 ? "line is" : "lines are"} cut`] : []),
  ];
  if (rest.length > 0) screen.print(style("dim", `  … ${rest.join(", ")}: s shows all`));
  return rest.length > 0;
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

function allowedAs(text: string, { id, path }: ChangeRequest): Next {
  const file = privateFile(text, path);
  return { name: "allow", request: id, edited: file.path, after: file.remove };
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

function rejected(reason: string | undefined, { id }: Request): Next | undefined {
  return reason === undefined ? undefined : { name: "reject", reason, request: id };
}

function asked(question: string | undefined, { id }: Request): Next | undefined {
  return question === undefined ? undefined : { name: "ask", question, request: id };
}
