import type { ModelRequest, TextBlock, ToolDefinition } from "../models/types.ts";
import type { Blobs } from "../store/blobs.ts";
import type { Listed, Prompt } from "../library/prompt.ts";
import { madeFor } from "../library/catalogue.ts";
import type { Context, Item, LedgerEntry } from "./context.ts";
import { assumedText, isNoted, openAssumptions } from "./assumptions.ts";
import type { Rights } from "../tools/types.ts";
import { phases, type FrozenRequest } from "./events.ts";
import { typed } from "../tools/test_command.ts";
import { gate, percent, reviewersOf } from "./gates.ts";
import { earlierIn } from "./item.ts";
import { replyJsonSchema } from "./reply.ts";
import { demanded, interpreters, isForModels } from "./roles.ts";
import { transcriptOf } from "./transcript.ts";

/**
 * The request of a step, put together from the journal alone: sent twice, it is the same to the byte. It holds the
 * ledger as it was when the conversation of the phase began, that conversation, and the step itself.
 */
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
  const blocks = blocksOf(ledger, frozen.ledger);
  const own = { ...item, note: frozen.note ?? null };
  const [first, ...rest] = transcriptOf(earlierIn(context, item), own, frozen.model, blobs);
  const newest = blocks.at(-1);
  const head = newest ? [...blocks.slice(0, -1), { ...newest, cache: "5m" as const }] : [];
  return {
    key,
    model: frozen.model,
    effort: frozen.effort,
    maxTokens: frozen.max_tokens,
    tools: parsed(blobs.get(epoch.tools)) as ToolDefinition[],
    system: system.map((text, index): TextBlock => ({
      type: "text",
      text,
      ...(index === system.length - 1 ? { cache: "1h" as const } : {}),
    })),
    messages: [{ role: "user", content: [...head, ...(first!.content as TextBlock[])] }, ...rest],
    schema: epoch.schema === null ? replyJsonSchema() : (parsed(blobs.get(epoch.schema)) as Record<string, unknown>),
  };
}

/** The blocks of the last head, by its last entry: the next head is mostly the same one, or one with a few entries more. */
const headsKept = new WeakMap<LedgerEntry, readonly TextBlock[]>();

function blocksOf(ledger: readonly LedgerEntry[], count: number): readonly TextBlock[] {
  const last = ledger[count - 1];
  if (!last) return [];
  const known = headsKept.get(last);
  if (known) return known;
  let from = count - 1;
  while (from > 0 && !headsKept.has(ledger[from - 1]!)) from -= 1;
  const nearest = ledger[from - 1];
  const before = nearest ? headsKept.get(nearest)! : [];
  const blocks = [...before, ...ledger.slice(from, count).map(({ text }): TextBlock => ({ type: "text", text }))];
  if (nearest) headsKept.delete(nearest);
  headsKept.set(last, blocks);
  return blocks;
}

/** How many prompts a decision is offered by name, beside the whole catalogue. */
export const offeredAtOnce = 8;

/** The controller's text stands at the head of every request, so its own step only asks for the decision. */
const decideNow = `Choose the next action by the rules of the phase controller. This step has no tools. If the user answered something, record in the \`report\` what follows from it. If the user asked something, answer in its \`summary\`: they are shown it. If something is open that only they can tell, ask it in its \`questions\`: only then \`action\` is null. If none of this is so, \`report\` is null.`;

/** The part of a step that is new: what happened since the last step, where the chain stands, and the prompt it runs. */
export function tailText(
  context: Context,
  item: Item,
  prompt: Pick<Prompt, "tools">,
  body: string,
  prompts: readonly Listed[],
  left: string,
): string {
  const isController = item.expects === "action";
  const made = isOffered(context, item)
    ? shortList(context, prompts).flatMap(({ name }) => (name === item.prompt ? [] : [name]))
    : [];
  const lines = [
    `# Step ${item.key}`,
    ...stateLines(context, item),
    `Budget left: ${left}.`,
    ...(isController ? [] : [`Tools of this step: ${rightsText[prompt.tools]}.`]),
    ...(made.length > 0 ? [`Prompts that fit now: ${made.join(", ")}.`] : []),
  ];
  const news = newsFor(context, item);
  const told = news.length > 0 ? [`## Since your last step\n${news.join("\n")}`] : [];
  return [lines.join("\n"), ...told, isController ? decideNow : body].join("\n\n");
}

/**
 * Only the first step of a phase, and steps that do nothing but decide, are told which prompts fit now. What runs in
 * implementation is the engine's to choose.
 */
export function isOffered(context: Context, item: Item): boolean {
  const isFirst = earlierIn(context, item).length === 0 && !item.fresh;
  return item.expects === "action" || (isFirst && context.current_phase !== "implementation");
}

const rightsText: Readonly<Record<Rights, string>> = {
  none: "none",
  read: "those that read, and not try_command",
  try: "those that read, and try_command",
  edit: "those that read and write files, try_command and run_tests",
  run: "all",
};

/** The ledger entries that the conversation of this phase has not been told yet. */
function newsFor(context: Context, item: Item): string[] {
  const { ledger } = context.engine;
  const last = earlierIn(context, item).at(-1);
  if (!last) return [];
  return ledger.slice(last.told).flatMap(({ brief }) => (brief === "" ? [] : [brief]));
}

/** A reviewer, which begins fresh, is told only of its own findings, and nobody of what the engine does by itself. */
function stateLines(context: Context, { fresh, prompt }: Pick<Item, "fresh" | "prompt">): string[] {
  const { engine, solution, current_phase: phase } = context;
  const { overall = 0, ...scores } = context.confidence_scores;
  const measured = Object.entries(scores).map(([area, score]) => `${area} ${percent(score)}`);
  const open = context.uncertainties.filter(({ resolved }) => !resolved).slice(-12);
  const findings = context.findings
    .filter(({ standing, by }) => standing === "open" && (!fresh || by === prompt))
    .slice(-12);
  const assumed = openAssumptions(context);
  const written = Object.entries(engine.files).flatMap(([path, { kept }]) => (kept ? [] : [path]));
  const others = reviewersOf(context).filter((name) => name !== prompt);
  const unmet = gate(context, phases[phases.indexOf(phase) + 1] ?? "done");
  const exit = unmet.filter(
    (reason) => !reason.startsWith("The engine") && !others.some((name) => reason.includes(name)),
  );
  return [
    `Phase: ${phase}. Size: ${context.size}. Overall confidence: ${percent(overall)} (${measured.join(", ") || "nothing measured"}).`,
    `Tests run with: ${engine.test_command ? typed(engine.test_command) : "no command found"}.`,
    ...(exit.length > 0 ? [`Before this phase ends: ${exit.join(" ")}`] : []),
    ...(unmet.length > 0 ? [] : ["This phase may end now."]),
    ...(open.length > 0
      ? [
          `Open: ${open.map(({ area, confidence, blocking }) => `${area} (${percent(confidence)}${blocking ? ", blocking" : ""})`).join(", ")}.`,
        ]
      : []),
    ...(findings.length > 0
      ? [`Open findings: ${findings.map(({ id, by, severity }) => `${id} of ${by} (${severity})`).join(", ")}.`]
      : []),
    ...(assumed.length > 0 && phase !== "implementation"
      ? [
          `Assumptions of the solution cover: ${assumed.map((one) => (isNoted(context, one.id) ? assumedText(one) : one.id)).join(", ")}.`,
        ]
      : []),
    ...(engine.focus ? [`Focus: ${engine.focus}`] : []),
    ...(engine.gate ? [`Refused last: ${engine.gate.to}: ${engine.gate.reasons.join(" ")}`] : []),
    ...(solution?.standing === "approved"
      ? [`Approved files: ${solution.solution.files.map(({ path, role }) => `${path} (${role})`).join(", ")}.`]
      : []),
    ...(written.length > 0 ? [`Changed so far: ${written.join(", ")}.`] : []),
  ];
}

/**
 * The prompts that the rules of a phase demand, then those made for it that reduce what is open. Reviews and the
 * interpreters of a framework are left out: the engine runs them by itself.
 */
export function shortList(context: Context, prompts: readonly Listed[]): readonly Listed[] {
  const phase = context.current_phase;
  const open = context.uncertainties.filter(({ resolved }) => !resolved).map(({ area }) => area);
  const words = [...open.map((area) => area.replaceAll("_", " ")), context.engine.focus].flatMap(wordsOf);
  const wanted = new Set(words);
  const preferred = context.engine.applied?.pattern.prompts ?? [];
  const fit = (prompt: Listed) =>
    wordsIn(prompt).filter((word) => wanted.has(word)).length + (preferred.includes(prompt.name) ? 100 : 0);
  const isDemanded = ({ name }: Listed) => demanded[phase].includes(name);
  const { quality } = context.engine.gates;
  const isFree = (prompt: Listed) =>
    isForModels(prompt) && !isDemanded(prompt) && ![...quality, ...Object.keys(interpreters)].includes(prompt.name);
  const made = madeFor(prompts.filter(isFree), phase);
  const fitting = made.map((prompt) => ({ prompt, fit: fit(prompt) })).filter(({ fit: words }) => words > 0);
  const ranked = fitting.sort((one, other) => other.fit - one.fit);
  return [...prompts.filter(isDemanded), ...ranked.map(({ prompt }) => prompt)].slice(0, offeredAtOnce);
}

/** The values the engine itself can fill in for a prompt's declared inputs. */
export function engineInputs({ engine }: Context, { inputs }: Pick<Prompt, "inputs">): Record<string, string> {
  return engine.focus !== "" && Object.hasOwn(inputs, "focus") ? { focus: engine.focus } : {};
}

/** The words of a prompt are asked for at each decision, and stay the same. */
const wordsKept = new WeakMap<Listed, readonly string[]>();

function wordsIn(prompt: Listed): readonly string[] {
  const { name, purpose, tags } = prompt;
  const words = wordsKept.get(prompt) ?? [name.replaceAll("_", " "), purpose, ...tags].flatMap(wordsOf);
  wordsKept.set(prompt, words);
  return words;
}

function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(/[a-z]{4,}/g) ?? []).map((word) => word.replace(/s$/, ""));
}

/** Tools and schema stay the same for many requests. */
const known = new Map<string, unknown>();

function parsed(json: string): unknown {
  if (!known.has(json)) known.set(json, JSON.parse(json));
  return known.get(json);
}
