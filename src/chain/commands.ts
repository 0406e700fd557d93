import { commandProposal, leaveToRun, type Leave } from "./consent.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import { event } from "./events.ts";
import { engineActor, withLedger } from "./open.ts";
import { answer, answerTo, type ToolStep } from "./answer.ts";
import { effectsText, ended, ending, run, touchedEvents } from "./command_run.ts";
import { looksOnly } from "./write.ts";

/** Runs a model's command, where it may, and tells it what came of it. */
export async function carryOut(work: Work, step: ToolStep, line: string, said: string): Promise<void> {
  const { chain } = work;
  if (!isApproved(chain.context)) {
    return answer(work, step, "Commands run only after a person approved the solution.", true);
  }
  const open = chain.context.engine.open[step.key];
  const again = open?.effect === "command" && open.call === step.call.id;
  const leave = await mayRun(work, `${step.key}/${step.call.id}${again ? "/again" : ""}`, line, said, { again });
  if (!leave) return;
  if (leave.type === "refused") return answer(work, step, leave.text, true);
  const argv = ["sh", "-c", line];
  const done = await run(work, { key: step.key, call: step.call.id, purpose: "command", argv });
  if (!done) return;
  const { ran, effects } = done;
  const text = `${ending(ran)}\n${ran.output}${effectsText(effects)}`;
  const bodies = [
    ended(step.key, step.call.id, ran),
    answerTo(work, step, text, false, [{ kind: "command", ref: line }]),
    ...withLedger(engineActor, touchedEvents(step.key, argv, effects, true)).bodies,
  ];
  chain.append({ by: engineActor, bodies });
}

/** Undefined: it is not done now, and the journal says why. */
export async function mayRun(
  work: Work,
  key: string,
  line: string,
  said: string,
  { known = false, again = false }: { known?: boolean; again?: boolean },
): Promise<Exclude<Leave, { type: "ask" | "look_only" }> | undefined> {
  const { chain, deps } = work;
  const sandbox = await deps.sandbox.open();
  const request = commandProposal({ key, said, line, sandboxed: sandbox.on }, deps.workspace.root);
  const leave = leaveToRun(chain.context, request, deps.permission, { sandboxed: sandbox.on, known, again });
  switch (leave.type) {
    case "given":
    case "refused":
      return leave;
    case "look_only":
      chain.append({ by: engineActor, bodies: [looksOnly(`${line} was not run`)] });
      return undefined;
    case "ask":
      chain.append({
        by: engineActor,
        bodies: [event("permission_asked", { request: { ...request, why: leave.why } })],
      });
      return undefined;
  }
}

export function isApproved({ current_phase: phase, solution }: Context): boolean {
  return phase === "implementation" && solution?.standing === "approved";
}
