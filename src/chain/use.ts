import { foundText } from "../library/catalogue.ts";
import { redact } from "../tools/redact.ts";
import { toolNamed } from "../tools/catalogue.ts";
import { allows } from "../tools/types.ts";
import { answer, type ToolStep } from "./answer.ts";
import { carryOut } from "./commands.ts";
import type { Item } from "./context.ts";
import type { Work } from "./deps.ts";
import { itemAt } from "./item.ts";
import { runTests } from "./test_runs.ts";
import { contentOf } from "./texts.ts";
import { changed, isMade, write } from "./write.ts";

/** One tool call of a model: judged, planned, and only then, and only where it is allowed, carried out. */
export async function useTool(work: Work, step: ToolStep): Promise<void> {
  const { chain, deps, signal } = work;
  const item = itemAt(chain.context, step.key);
  if (!item?.source) throw new Error(`${step.key} is not at work.`);
  const input = inputOf(item, step.call.id, work);
  const tool = toolNamed(step.call.tool);
  const granted = item.source.tools;
  deps.progress({ type: "using", key: step.key, tool: step.call.tool, input: brief(input) });

  if (!tool) return answer(work, step, `There is no tool ${step.call.tool}.`, true);
  if (!allows(granted, tool.needs))
    return answer(
      work,
      step,
      `${item.prompt} may ${granted === "none" ? "use no tools" : `only ${granted}`}; ${tool.name} is refused.`,
      true,
    );
  // While others look, nothing changes under their eyes.
  if (work.defer && allows(tool.needs, "edit")) {
    return answer(work, step, `${tool.name} is refused: other prompts are looking at the same time.`, true);
  }
  const open = chain.context.engine.open[step.key];
  if (open?.effect === "change" && open.call === step.call.id && isMade(work, open)) return changed(work, step, open);
  if ((tool.needs === "read" || tool.needs === "none") && repeated(item, step, input, work))
    return answer(work, step, "The same call was made just before: its result is above. Do something else.", true);
  const { workspace, library } = deps;
  const findPrompts = async (query: string) => foundText(await library.search(query, 12));
  const plan = await tool.plan(input, { workspace, findPrompts }, signal);
  if (signal.aborted) return;
  switch (plan.type) {
    case "refused":
      return answer(work, step, plan.text, true);
    case "look":
      return answer(work, step, plan.text, false, plan.seen);
    case "change":
      return write(work, step, plan.change, said(item, work));
    case "command":
      return plan.purpose === "tests"
        ? runTests(work, step.key, step)
        : carryOut(work, step, plan.line, said(item, work));
  }
}

function inputOf(item: Item, id: string, { chain }: Work): unknown {
  const block = contentOf(item.turns.at(-1)?.content ?? [], chain.blobs).find(
    (part) => part.type === "tool_use" && part.id === id,
  );
  return block?.type === "tool_use" ? block.input : undefined;
}

/** What the model said along with its calls: it may answer a person's question there. */
function said(item: Item, { chain }: Work): string {
  const parts = contentOf(item.turns.at(-1)?.content ?? [], chain.blobs);
  const words = parts.flatMap((part) => (part.type === "text" ? [part.text.trim()] : []));
  return redact(words.filter(Boolean).join("\n")).slice(0, 2000);
}

/** Whether both turns before made this very call. Only looking again is idle: what was refused may be allowed now. */
function repeated(item: Item, step: ToolStep, input: unknown, { chain }: Work): boolean {
  const same = item.turns
    .slice(0, -1)
    .slice(-2)
    .filter((turn) =>
      contentOf(turn.content, chain.blobs).some(
        (part) =>
          part.type === "tool_use" &&
          part.name === step.call.tool &&
          JSON.stringify(part.input) === JSON.stringify(input),
      ),
    );
  return same.length === 2;
}

function brief(input: unknown): string {
  const values = typeof input === "object" && input !== null ? Object.values(input) : [];
  const first = values.find((value) => typeof value === "string");
  return typeof first === "string" ? first.split("\n")[0]!.slice(0, 80) : "";
}
