import type { ModelRequest, TextBlock, ToolDefinition } from "../models/types.ts";
import type { Blobs } from "../store/blobs.ts";
import type { Listed, Prompt } from "../library/prompt.ts";
import { madeFor } from "../library/catalogue.ts";
import type { Context, Item } from "./context.ts";
import type { FrozenRequest } from "./events.ts";
import { blocking, percent } from "./gates.ts";
import { replyJsonSchema } from "./reply.ts";
import { transcriptOf } from "./transcript.ts";

/** The request of a step, put together from the journal alone: sent twice, it is the same to the byte. */
export function buildRequest(
  context: Context,
  item: Item,
  frozen: FrozenRequest,
  blobs: Blobs,
  key: string,
): ModelRequest {
  const { epoch, ledger } = context.engine;
  if (!epoch) throw new Error("A request needs a ledger epoch.");
  const system = epoch.system.map((hash) => blobs.get(hash));
  const blocks = ledger.slice(0, frozen.ledger);
  const tail = item.tail ?? "";
  const note = item.turns[0] ? item.turns[0].note : frozen.note;
  const first: TextBlock[] = [
    ...blocks.map((text, index): TextBlock => ({
      type: "text",
      text,
      ...(index === blocks.length - 1 ? { cache: "5m" as const } : {}),
    })),
    { type: "text", text: note ? `${tail}\n\n${note}` : tail },
  ];
  return {
    key,
    model: frozen.model,
    effort: frozen.effort,
    maxTokens: frozen.max_tokens,
    tools: toolsOf(blobs.get(epoch.tools)),
    system: system.map((text, index): TextBlock => ({
      type: "text",
      text,
      ...(index === system.length - 1 ? { cache: "1h" as const } : {}),
    })),
    messages: [{ role: "user", content: first }, ...transcriptOf(item.turns, frozen.note ?? null, blobs)],
    schema: schema(),
  };
}

/** How many prompts a decision is offered by name, beside the whole catalogue. */
export const offeredAtOnce = 16;

/** What is new in a step: where the chain stands, and the prompt it runs. The ledger before it holds the rest. */
export function tailText(
  context: Context,
  key: string,
  body: string,
  prompts: readonly Listed[],
  left: string,
): string {
  const { engine, solution } = context;
  const { overall = 0, ...scores } = context.confidence_scores;
  const open = context.uncertainties.filter(({ resolved }) => !resolved).slice(-12);
  const lines = [
    `# Step ${key}`,
    `Phase: ${context.current_phase}. Size: ${context.size}. Overall confidence: ${percent(overall)} (${
      Object.entries(scores)
        .map(([area, score]) => `${area} ${percent(score)}`)
        .join(", ") || "nothing measured"
    }).`,
    `Budget left: ${left}.`,
  ];
  if (open.length > 0)
    lines.push(
      `Open: ${open.map(({ area, confidence, blocking }) => `${area} (${percent(confidence)}${blocking ? ", blocking" : ""})`).join(", ")}.`,
    );
  if (engine.focus) lines.push(`Focus: ${engine.focus}`);
  if (engine.gate) lines.push(`Refused last: ${engine.gate.to}: ${engine.gate.reasons.join(" ")}`);
  if (solution?.standing === "approved") {
    lines.push(`Approved files: ${solution.solution.files.map(({ path, role }) => `${path} (${role})`).join(", ")}.`);
  }
  const made = key.endsWith("/controller") ? madeFor(prompts, context.current_phase).slice(0, offeredAtOnce) : [];
  if (made.length > 0) lines.push(`Prompts made for this phase: ${made.map(({ name }) => name).join(", ")}.`);
  return `${lines.join("\n")}\n\n${body}`;
}

/** The values the engine itself can fill in for a prompt's declared inputs. */
export function engineInputs(context: Context, prompt: Prompt): Record<string, string> {
  const known: Record<string, string> = {
    focus: context.engine.focus,
    phase: context.current_phase,
    overall: percent(context.confidence_scores["overall"] ?? 0),
    blocking: blocking(context)
      .map(({ area }) => area)
      .join(", "),
    refused: context.engine.gate?.reasons.join(" ") ?? "",
  };
  return Object.fromEntries(Object.entries(known).filter(([name, value]) => name in prompt.inputs && value !== ""));
}

let parsedTools: { readonly json: string; readonly tools: readonly ToolDefinition[] } | undefined;

function toolsOf(json: string): readonly ToolDefinition[] {
  if (parsedTools?.json !== json) parsedTools = { json, tools: JSON.parse(json) as ToolDefinition[] };
  return parsedTools.tools;
}

let cachedSchema: Record<string, unknown> | undefined;

function schema(): Record<string, unknown> {
  return (cachedSchema ??= replyJsonSchema());
}
