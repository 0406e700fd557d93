import { z } from "zod";
import { sha256 } from "../util/hash.ts";
import { wholeFileLimit } from "../workspace/file.ts";
import type { Fingerprint } from "../workspace/file_states.ts";
import { redact } from "../workspace/redact.ts";
import { linesOf } from "./search.ts";
import { tool } from "./tool.ts";
import type { Plan } from "./types.ts";
import type { Workspace } from "../workspace/workspace.ts";

export const writeFileTool = tool({
  name: "write_file",
  description: "Write a whole file, new or in place of what is there. Prefer edit_file for a file that exists.",
  needs: "edit",
  input: z.strictObject({ path: z.string(), content: z.string() }),
  plan({ path, content }, { workspace }) {
    const found = workspace.read(path, "write");
    if (found.type === "refused") return found;
    if (found.type === "absent") return changeOf(workspace, path, undefined, content);
    const text = usesCrlf(found.text) && !content.includes("\r") ? toCrlf(content) : content;
    const mark = found.text.startsWith(byteOrderMark) && !text.startsWith(byteOrderMark) ? byteOrderMark : "";
    return changeOf(workspace, path, found, mark + text);
  },
});

export const editFileTool = tool({
  name: "edit_file",
  description:
    "Replace text in a file. `old` is the exact text, white space included and without line numbers; it must occur once, or set `all` to replace it everywhere.",
  needs: "edit",
  input: z.strictObject({
    path: z.string(),
    old: z.string().min(1),
    new: z.string(),
    all: z.boolean().optional(),
  }),
  plan({ path, old, new: fresh, all = false }, { workspace }) {
    const found = workspace.read(path, "write");
    if (found.type !== "text") return { type: "refused", text: found.text };
    const crlf = usesCrlf(found.text);
    const convert = crlf && !found.text.includes(old) ? toCrlf : (text: string) => text;
    const pieces = found.text.split(convert(old));
    const matches = pieces.length - 1;
    if (matches === 0) return { type: "refused", text: `old does not occur in ${path}.${nearest(found.text, old)}` };
    if (matches > 1 && !all) {
      const before = pieces.slice(0, Math.min(matches, 10)).map((_, at) => pieces.slice(0, at + 1).join(convert(old)));
      const where = before.map((part) => part.split("\n").length).join(", ") + (matches > 10 ? ", …" : "");
      const text = `old occurs ${matches} times in ${path} (lines ${where}). Give more of the lines around it, or set all.`;
      return { type: "refused", text };
    }
    return changeOf(workspace, path, found, pieces.join(crlf && !fresh.includes("\r") ? toCrlf(fresh) : fresh));
  },
});

export const deleteFileTool = tool({
  name: "delete_file",
  description: "Delete a text file.",
  needs: "edit",
  input: z.strictObject({ path: z.string() }),
  plan({ path }, { workspace }) {
    const state = workspace.stateOf(path);
    if (state?.type === "refused") return state;
    if (state?.type === "link") {
      return { type: "refused", text: `${JSON.stringify(path)} is a symbolic link: name the file it leads to.` };
    }
    const found = workspace.read(path, "write");
    if (found.type !== "text") return { type: "refused", text: found.text };
    const plain = workspace.plainPath(path);
    if (typeof plain !== "string") return plain;
    return { type: "change", change: { path: plain, before: fileOf(found), after: undefined } };
  },
});

function fileOf({ sha256, text, mode }: Fingerprint): Fingerprint {
  return { sha256, text, mode };
}

/** A change is planned for the file itself, also where it was named through a link. */
function changeOf(workspace: Workspace, path: string, found: Fingerprint | undefined, text: string): Plan {
  const plain = workspace.plainPath(path);
  if (typeof plain !== "string") return plain;
  const before = found && fileOf(found);
  const after = { sha256: sha256(text), text };
  if (before?.sha256 === after.sha256) return { type: "refused", text: `${plain} already holds exactly this text.` };
  if (before && marks(text) > marks(before.text) && redact(before.text) !== before.text) {
    const hint = "edit_file leaves them as they are";
    return { type: "refused", text: `The new text would put "[redacted …]" in place of secrets in ${plain}: ${hint}.` };
  }
  const unfit = unfitText(text);
  if (unfit !== undefined) return { type: "refused", text: `The new text for ${plain} ${unfit}.` };
  return { type: "change", change: { path: plain, before, after } };
}

/** Why a text cannot be the whole of a file, in words that follow its name. */
export function unfitText(text: string): string | undefined {
  if (text.includes("\0")) return "holds a NUL character";
  return Buffer.byteLength(text) > wholeFileLimit ? `is larger than ${wholeFileLimit / 1_000_000} MB` : undefined;
}

function marks(text: string): number {
  return text.split("[redacted ").length;
}

const byteOrderMark = "\uFEFF";

function usesCrlf(text: string): boolean {
  return text[text.indexOf("\n") - 1] === "\r";
}

function toCrlf(text: string): string {
  return text.replace(/\r?\n/g, "\r\n");
}

/** The line most like the first line of `old`, so that the next try can hit it. */
function nearest(text: string, old: string): string {
  const wanted = linesOf(old).find((line) => line.trim() !== "");
  if (wanted === undefined) return "";
  let best = { score: 0, at: 0, line: "" };
  for (const [index, line] of linesOf(text).entries()) {
    const score = likeness(line.trim(), wanted.trim());
    if (score > best.score) best = { score, at: index + 1, line };
  }
  return best.score < 0.5 ? "" : ` The nearest is line ${best.at}: ${JSON.stringify(best.line.slice(0, 200))}`;
}

/** How many pairs of neighbouring letters two lines share, from 0 to 1. */
function likeness(one: string, other: string): number {
  if (one === other) return 1;
  const pairs = (text: string) => new Set(Array.from(text.slice(0, 200), (_, at) => text.slice(at, at + 2)));
  const [left, right] = [pairs(one), pairs(other)];
  return (2 * left.intersection(right).size) / Math.max(1, left.size + right.size);
}
