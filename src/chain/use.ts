import { foundText } from "../library/catalogue.ts";
import type { FileChange } from "../workspace/file_states.ts";
import { redact } from "../workspace/redact.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { toolNamed } from "../tools/catalogue.ts";
import { allows, type Reach } from "../tools/types.ts";
import { answer, type ToolStep } from "./answer.ts";
import { carryOut, tryCommand } from "./commands.ts";
import type { Item } from "./context.ts";
import type { Work } from "./deps.ts";
import { itemAt } from "./item.ts";
import { isForModels } from "./roles.ts";
import { printedBy, runTests } from "./test_runs.ts";
import { contentOf } from "./texts.ts";
import { changed, isMade, write, type WholeChange } from "./write.ts";

/** One tool call of a model: judged, planned, and only then, and only where it is allowed, carried out. */
export async function useTool(work: Work, step: ToolStep): Promise<unknown> {
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
  const findPrompts = async (query: string) => {
    const found = await library.search(query, 12);
    return foundText({ ...found, hits: found.hits.filter(({ prompt }) => isForModels(prompt)) });
  };
  const reach = { workspace, findPrompts, testOutput: (run: number) => printedBy(work, run) };
  const plan = await tool.plan(input, reach, signal);
  if (signal.aborted) return undefined;
  switch (plan.type) {
    case "refused":
      return answer(work, step, plan.text, true);
    case "look":
      return answer(work, step, plan.text, false, plan.seen);
    case "change":
      return write(work, step, await wholeChange(work, item, step, plan.change, reach), said(item, work));
    case "command":
      if (plan.purpose === "tests") return runTests(work, step.key, step, plan.again);
      return plan.purpose === "try"
        ? tryCommand(work, step, plan.line)
        : carryOut(work, step, plan.line, said(item, work));
  }
}

/** Together with what later calls of the turn make of the same file, up to the first that runs something. */
async function wholeChange(
  work: Work,
  item: Item,
  { call }: ToolStep,
  first: FileChange,
  reach: Reach,
): Promise<WholeChange> {
  const calls = item.turns.at(-1)?.calls ?? [];
  const also: ToolStep["call"][] = [];
  let change = first;
  const read: Workspace["read"] = (path, purpose) => {
    if (reach.workspace.plainPath(path) !== first.path) return reach.workspace.read(path, purpose);
    const { before, after } = change;
    if (!after) return { type: "absent", text: `There is no file ${JSON.stringify(path)}.` };
    return { type: "text", mode: before?.mode ?? 0o644, ...after };
  };
  for (const { id, tool: name, answer: ended } of calls.slice(calls.findIndex(({ id }) => id === call.id) + 1)) {
    const tool = toolNamed(name);
    if (!tool || ended || !allows(tool.needs, "try")) continue;
    const asThen = { ...reach, workspace: { ...reach.workspace, read } };
    const plan = await tool.plan(inputOf(item, id, work), asThen, work.signal);
    if (plan.type === "command") break;
    if (plan.type !== "change" || plan.change.path !== first.path) continue;
    change = { ...first, after: plan.change.after };
    also.push({ id, tool: name });
  }
  const changesNothing = change.after?.sha256 === first.before?.sha256;
  return changesNothing ? { change: first, also: [] } : { change, also };
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
