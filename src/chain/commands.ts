import { commandProposal, leaveToRun, renewRequest, type Leave, type Permitted } from "./consent.ts";
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
  const done = await run(work, { key: step.key, call: step.call.id, purpose: "command", argv }, leave.renewIfChanged);
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
): Promise<Permitted | Extract<Leave, { type: "refused" }> | undefined> {
  const { chain, deps } = work;
  const { on: sandboxed } = await deps.sandbox.open();
  const judgeNow = () => {
    const request = commandProposal({ key, said, line, sandboxed }, deps.workspace.root);
    return { request, leave: leaveToRun(chain.context, request, deps.permission, { sandboxed, known, again }) };
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
