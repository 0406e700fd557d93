import { sha256 } from "../util/hash.ts";
import { judgeCommand, judgePath, type Mode, type Rules } from "../programs/permissions/judge.ts";
import { changedFiles, namedFiles } from "../programs/permissions/named_files.ts";
import type { Context, Edited } from "./context.ts";
import type { Request } from "./events.ts";

/** What the user lets chains do, as their settings and flags say. */
export interface Permission {
  readonly mode: Mode;
  readonly rules: Rules;
  /** Commands that would run in a sandbox run without one where there is none. */
  readonly unsandboxed: boolean;
}

export type Leave =
  | { readonly type: "given"; readonly edited: Edited | null }
  | { readonly type: "refused"; readonly text: string }
  /** A person is to be asked; `why` says what of it needs them. */
  | { readonly type: "ask"; readonly why: string }
  /** The mode allows looking only. */
  | { readonly type: "look_only" };

/** `renewIfChanged` gives the request to ask about, if a named file changed since and the permission holds no more. */
export interface Permitted {
  readonly type: "given";
  readonly renewIfChanged: () => Proposal<"command"> | undefined;
}

/** Whether a change of an approved file may be made now, and in which words it may not. */
export function leaveToChange(context: Context, request: Proposal<"change">, permission: Permission): Leave {
  const { verdict, why, ruled = false } = judgePath(request.path, "write", permission.rules);
  if (verdict === "deny") return { type: "refused", text: `${request.path} may not be written: ${why}` };
  if (permission.mode === "read") return { type: "look_only" };
  const said = answered(context, request.id);
  if (said) return said;
  if (request.unplanned) return { type: "ask", why: "It is not part of the approved solution." };
  const open = permission.mode === "edits" || permission.mode === "full" || context.engine.permits.changes;
  return verdict === "allow" || (open && !ruled) ? given : { type: "ask", why };
}

/**
 * `known`: the approved command of the tests, which a person has seen with the solution. `again`: it was cut short,
 * and what it did until then may be done twice.
 */
export function leaveToRun(
  context: Context,
  request: Proposal<"command">,
  permission: Permission,
  { sandboxed, known, again }: { sandboxed: boolean; known: boolean; again: boolean },
): Leave {
  const { verdict, why, ruled = false } = judgeCommand(request.line, permission.rules);
  if (verdict === "deny") return { type: "refused", text: `${request.line} may not be run: ${why}` };
  if (permission.mode === "read") return { type: "look_only" };
  const said = answered(context, request.id);
  if (said) return said;
  const permits = context.engine.permits.commands.filter(
    (one) => one.line === request.line && (sandboxed || !one.sandboxed),
  );
  const changed = permits.map((one) => changedFiles(one.files ?? {}, request.files ?? {}));
  if (changed.some((paths) => paths.length === 0)) return given;
  const asked = changed.at(-1) ? changedSince(changed.at(-1)!, "allowed", why) : why;
  if (again) return { type: "ask", why: "It was cut short, and may have done some of its work already." };
  if (!sandboxed && !permission.unsandboxed) {
    return { type: "ask", why: "There is no sandbox: it could read and change whatever you can." };
  }
  const open = known || permission.mode === "full";
  return verdict === "allow" || (open && !ruled) ? given : { type: "ask", why: asked };
}

function changedSince(paths: readonly string[], what: string, why: string): string {
  return `Since it was ${what}, this changed: ${paths.join(", ")}. ${why}`;
}

/** Something to be asked about; its id is bound to all that is shown of it. */
export type Proposal<Kind extends Request["kind"] = Request["kind"]> = Extract<Request, { kind: Kind }>;

export function proposal<Kind extends Request["kind"]>(what: Omit<Proposal<Kind>, "id">): Proposal<Kind> {
  return { ...what, id: sha256(JSON.stringify(what)).slice(0, 12) } as Proposal<Kind>;
}

/** A command as a person is asked about it, bound to what the files that it names hold now. */
export function commandProposal(
  { key, said, line, sandboxed }: Pick<Proposal<"command">, "key" | "said" | "line" | "sandboxed">,
  root: string,
): Proposal<"command"> {
  const files = namedFiles(root, line);
  const bound = Object.keys(files).length > 0 ? { files } : {};
  return proposal<"command">({ kind: "command", key, said, line, why: "", sandboxed, ...bound });
}

/** The command that waits for a person, as it is to be asked about anew: a file that it names changed since. */
export function renewedRequest({ engine: { request } }: Context, root: string): Proposal<"command"> | undefined {
  if (request?.kind !== "command") return undefined;
  return renewRequest(request, commandProposal(request, root), "asked");
}

/** The same request as `now`, and which files changed since `before`. Undefined: none did. */
export function renewRequest(before: Proposal<"command">, now: Proposal<"command">, since: "asked" | "allowed") {
  const changed = changedFiles(before.files ?? {}, now.files ?? {});
  return changed.length === 0 ? undefined : { ...now, why: changedSince(changed, since, before.why).trim() };
}

const given: Leave = { type: "given", edited: null };

function answered({ engine: { consent } }: Context, id: string): Leave | undefined {
  if (consent?.id !== id) return undefined;
  if (consent.type === "given") return { type: "given", edited: consent.edited };
  return { type: "refused", text: consent.question ? question(consent.reason) : refusal(consent.reason) };
}

/** What a model said along with its calls is shown once, above the first of them that is asked about. */
export function wordsAbove({ engine: { item, spoken } }: Context, key: string, said: string): string {
  const callOf = (request: string) => request.replace(/\/again$/, "");
  const isAbove =
    spoken !== null &&
    callOf(spoken) !== callOf(key) &&
    item?.turns.at(-1)?.calls.some(({ id }) => `${item.key}/${id}` === callOf(spoken));
  return isAbove ? "" : said;
}

/** Why a change or command cannot be put before a person yet: they asked something, and it came without a word. */
export function unanswered({ engine: { consent } }: Context, said: string): string | undefined {
  const isAsked = consent?.type === "refused" && consent.question;
  return isAsked && said.trim() === "" ? question(consent.reason) : undefined;
}

function refusal(reason: string): string {
  return `A person refused this${reason ? `: ${reason}` : " and gave no reason"}. Nothing was done. Do it differently, or leave it.`;
}

function question(asked: string): string {
  return `Before deciding, a person asks: ${asked}\nNothing was done yet. Answer in words, and along with them make the call again, as it was or better.`;
}
