import { judgeCommand } from "../programs/permissions/judge.ts";
import { isProbe } from "../programs/permissions/probes.ts";
import {
  commandProposal,
  leaveToRun,
  renewRequest,
  unanswered,
  wordsAbove,
  type Leave,
  type Permitted,
  type Proposal,
} from "./consent.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import { event, type Body } from "./events.ts";
import { engineActor, withLedger } from "./open.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Seen } from "../tools/types.ts";
import { answer, answerTo, type ToolStep } from "./answer.ts";
import { effectsText, ended, ending, run, runIn, touchedEvents } from "./command_run.ts";
import { looksOnly } from "./write.ts";

export const notApproved =
  "Commands run only after a person approved the solution. Before that, try_command runs one that changes nothing.";

/** Runs a model's command, where it may, and tells it what came of it. */
export async function carryOut(work: Work, step: ToolStep, line: string, said: string): Promise<unknown> {
  const { chain } = work;
  if (!isApproved(chain.context)) {
    return answer(work, step, notApproved, true);
  }
  if (await isTried(work, line)) return tryCommand(work, step, line);
  const open = chain.context.engine.open[step.key];
  const again = open?.effect === "command" && open.call === step.call.id;
  const leave = await mayRun(work, `${step.key}/${step.call.id}${again ? "/again" : ""}`, line, said, { again });
  if (!leave) return undefined;
  if (leave.type === "refused") return answer(work, step, leave.text, true);
  const argv = ["sh", "-c", line];
  const done = await run(work, { key: step.key, call: step.call.id, purpose: "command", argv }, leave.renewIfChanged);
  if (!done) return undefined;
  const { ran, effects } = done;
  const number = `command ${chain.context.engine.commands}`;
  const text = `${number}: ${ending(ran)}\n${ran.output}${effectsText(effects)}`;
  const bodies = [
    ended(step.key, step.call.id, ran, ran.output),
    await answerTo(work, step, text, false, seenAs(line, number)),
    ...withLedger(engineActor, touchedEvents(step.key, argv, effects, true)).bodies,
  ];
  return chain.append({ by: engineActor, bodies });
}

/** Nobody is asked about a probe: it runs where nothing can be changed, unless a rule of the user speaks of it. */
async function isTried({ deps: { tries, permission } }: Work, line: string): Promise<boolean> {
  if (!["ask", "edits"].includes(permission.mode) || typeof tries === "string" || !isProbe(line)) return false;
  const { verdict, ruled } = judgeCommand(line, permission.rules);
  return verdict === "ask" && !ruled && (await tries.open()).on;
}

const tried = { ms: 60_000, shownBytes: 4096 };

/** Runs a command that can change nothing, also before a solution is approved. So nobody is asked. */
export async function tryCommand(work: Work, step: ToolStep, line: string): Promise<unknown> {
  const { chain, deps, signal } = work;
  const no = (why: string) => answer(work, step, `try_command is refused: ${why}`, true);
  const { mode, rules } = deps.permission;
  if (mode === "read") return no("This chain may only look (permission: read).");
  const { verdict, why } = judgeCommand(line, rules);
  if (verdict === "deny") return answer(work, step, `${line} may not be run: ${why}`, true);
  if (typeof deps.tries === "string") return no(deps.tries);
  const sandbox = await deps.tries.open();
  if (!sandbox.on) return no(`There is no sandbox for it: ${sandbox.detail}.`);
  const { key, call } = step;
  const argv = ["sh", "-c", line];
  const intent: Body = { type: "intent", effect: "command", key, call: call.id, purpose: "try", argv };
  let number = "";
  const mayStart = async () => {
    await chain.append(({ engine }) => {
      number = `try ${engine.commands + 1}`;
      return [{ by: engineActor, bodies: [intent] }];
    });
    return true;
  };
  const ran = await runIn(work, deps.workspace.root, argv, mayStart, sandbox, tried.ms);
  // Nothing was changed, so a resumed chain simply tries it again.
  if (signal.aborted) return undefined;
  const printed = deps.workspace.redact(ran.output);
  const text = `${number}: ${ending(ran)}\n${endOf(printed)}`;
  const seen = seenAs(line, number);
  return chain.append({
    by: engineActor,
    bodies: [ended(key, call.id, ran, printed), await answerTo(work, step, text, false, seen)],
  });
}

/** A command is cited by its line, or by the number that its answer begins with. */
function seenAs(line: string, number: string): Seen[] {
  return [line, number].map((ref) => ({ kind: "command", ref }));
}

function endOf(output: string): string {
  const bytes = Buffer.from(output);
  const left = bytes.length - tried.shownBytes;
  if (left <= 0) return output;
  return `[${left} bytes left out]\n${bytes
    .subarray(left)
    .toString()
    .replace(/^\uFFFD+/, "")}`;
}

/** A person saw it in the solution, and the files that it names are as they were then, or as this chain wrote them. */
function isApprovedLine(
  { engine, solution }: Context,
  { line, files = {} }: Proposal<"command">,
  workspace: Workspace,
) {
  if (!engine.permits.approved.includes(line)) return false;
  const isKnown = (path: string) => {
    const now = workspace.read(path);
    return now.type === "text" && now.sha256 === (engine.files[path]?.after ?? solution?.base[path]);
  };
  return Object.keys(files).every((name) => isKnown(name.replace(/#scripts$/, "")));
}

/** Undefined: it is not done now, and the journal says why. */
export async function mayRun(
  work: Work,
  key: string,
  line: string,
  said: string,
  { known = false, again = false }: { known?: boolean; again?: boolean },
): Promise<Permitted | Extract<Leave, { type: "refused" }> | undefined> {
  const { chain, deps } = work;
  const { on: sandboxed } = await deps.sandbox.open();
  const judgeNow = () => {
    const words = wordsAbove(chain.context, key, said);
    const request = commandProposal({ key, said: words, line, sandboxed }, deps.workspace.root);
    const isKnown = known || isApprovedLine(chain.context, request, deps.workspace);
    return {
      request,
      leave: leaveToRun(chain.context, request, deps.permission, { sandboxed, known: isKnown, again }),
    };
  };
  const { request, leave } = judgeNow();
  switch (leave.type) {
    case "given": {
      const renewIfChanged = () => {
        const now = judgeNow();
        return now.leave.type === "given" ? undefined : renewRequest(request, now.request, "allowed");
      };
      return { type: "given", renewIfChanged };
    }
    case "refused":
      return leave;
    case "look_only":
      await chain.append({ by: engineActor, bodies: [looksOnly(`${line} was not run`)] });
      return undefined;
    case "ask": {
      const open = unanswered(chain.context, said);
      if (open !== undefined) return { type: "refused", text: open };
      await chain.append({
        by: engineActor,
        bodies: [event("permission_asked", { request: { ...request, why: leave.why } })],
      });
      return undefined;
    }
  }
}

export function isApproved({ current_phase: phase, solution }: Context): boolean {
  return phase === "implementation" && solution?.standing === "approved";
}
