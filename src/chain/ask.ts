import { exitCodes } from "../util/errors.ts";
import { bookAttempts, noUsage, phaseKey } from "../costs/books.ts";
import { reserve, type Reserved } from "../costs/budget.ts";
import { countOffline, tokensAtMost } from "../costs/estimate.ts";
import { contextWindowOf, priceOf, worstCase } from "../models/prices.ts";
import type { Message, Model, ModelRequest, Outcome } from "../models/types.ts";
import { renderPrompt } from "../library/render.ts";
import type { Context, Item, OpenEffect } from "./context.ts";
import type { Deps, Work } from "./deps.ts";
import type { Body, FrozenRequest, Intent, Result, StoredOutcome } from "./events.ts";
import { openEpoch } from "./epoch.ts";
import { park, reject } from "./judge.ts";
import type { Step } from "./next.ts";
import { engineActor } from "./open.ts";
import { buildRequest, engineInputs, tailText } from "./request.ts";
import { settle } from "./settle.ts";

type CallStep = Extract<Step, { type: "call_model" }>;

/**
 * One call of a model: reserved, announced in the journal, sent, and taken in. A call that a crash left in the
 * air is sent once more from its frozen bytes, and the lost one is booked at what was reserved for it.
 */
export async function callModel(work: Work, step: CallStep): Promise<void> {
  const { chain, deps } = work;
  const { open } = chain.context.engine;
  const lost = open?.effect === "model" ? open : undefined;
  if (lost) chain.append({ by: engineActor, bodies: [lostCall(chain.context, lost)] });

  const item = chain.context.engine.item ?? newItem(step, chain.context);
  const prompt = item.tail === null ? await deps.library.find(step.item.prompt) : undefined;
  const tail = prompt ? await freshTail(chain.context, step, prompt, deps) : (item.tail ?? "");
  const source = prompt
    ? { name: prompt.name, scope: prompt.scope, sha256: prompt.sha256, route: prompt.model }
    : item.source;
  if (!source) throw new Error(`${step.key} has a text and no prompt.`);
  const frozen = lost ? withoutTail(lost.request) : freeze(item, source.route, chain.context, deps);

  const request = buildRequest(chain.context, { ...item, tail }, frozen, chain.blobs, `${step.key}/turn-${step.turn}`);
  const reserved = lost
    ? { ok: true as const, ...lost.reserved, maxTokens: frozen.max_tokens }
    : await reserveCall(chain.context, request, deps, work.signal);
  if (!reserved.ok)
    return chain.append({ by: engineActor, bodies: [outOfBudget(chain.context, reserved, frozen.model)] });

  const intent: Intent = {
    type: "intent",
    effect: "model",
    key: step.key,
    turn: step.turn,
    prompt: source,
    request: { ...frozen, max_tokens: reserved.maxTokens, ...(prompt ? { tail } : {}) },
    reserved: { usd: reserved.usd, tokens: reserved.tokens },
  };
  chain.append({ by: engineActor, bodies: [intent] });
  deps.progress({ type: "thinking", key: step.key, prompt: step.item.prompt, model: frozen.model });
  const outcome = await ask(deps.model, { ...request, maxTokens: reserved.maxTokens }, work, step.key);
  await takeIn(work, step, outcome);
}

async function ask(model: Model, request: ModelRequest, { deps, signal }: Work, key: string): Promise<Outcome> {
  for await (const sign of model.ask(request, signal)) {
    switch (sign.type) {
      case "outcome":
        return sign.outcome;
      case "progress":
        deps.progress({ type: "receiving", key, characters: sign.characters });
        break;
      case "retrying":
        deps.progress({ type: "retrying", key, delay_ms: sign.delayMs, reason: sign.reason });
        break;
      case "started":
        break;
    }
  }
  throw new Error(`The model ${model.name} ended without an outcome.`);
}

/** The reply and what follows from it, in one write. */
async function takeIn(work: Work, step: CallStep, outcome: Outcome): Promise<void> {
  const { chain, deps } = work;
  const { context } = chain;
  const price = (model: string, usage: Parameters<typeof priceOf>[2]) =>
    priceOf(model, deps.world.now(), usage, deps.prices);
  const result: Result = {
    type: "result",
    effect: "model",
    key: step.key,
    turn: step.turn,
    outcome: stored(outcome, work),
    booked: {
      phase: phaseKey(context.current_phase),
      prompt: step.item.prompt,
      model: context.engine.item?.model ?? "",
      ...bookAttempts(outcome.attempts, price),
    },
  };
  const by = { kind: "model" as const, name: result.booked.model, door: deps.model.name };
  const batch = { by, bodies: [result] };
  switch (outcome.type) {
    case "replied":
      if (outcome.stop === "tool_use") return chain.append(batch);
      return settle(work, step.key, outcome.content, batch);
    case "cancelled":
      return chain.append(batch);
    case "cut":
      return chain.append(
        batch,
        rejection(
          context,
          step,
          "It was cut off at the limit of its length. Be briefer; write a long file in several edits.",
        ),
      );
    case "paused":
      return chain.append(batch, rejection(context, step, "You paused. Go on and answer."));
    case "context_exceeded": {
      chain.append(batch);
      const first = context.engine.ledger.length > 1 || (context.engine.item?.turns.length ?? 0) > 0;
      if (first) return openEpoch(work, "The model's context is full.");
      return chain.append({
        by: engineActor,
        bodies: [
          park(
            "context_exceeded",
            exitCodes.failed,
            "Even a fresh start of the context does not fit into the model's window.",
            "Everything is kept. Use a model with a larger window: claude-exec resume {id} --model <model>",
          ),
        ],
      });
    }
    case "refused":
      return chain.append(batch, {
        by: engineActor,
        bodies: [
          park(
            "refused",
            exitCodes.failed,
            `The model refused this step${outcome.reason ? ` (${outcome.reason})` : ""}.`,
            'Everything before is kept. Say what it should know (claude-exec ask {id} "…") or use another model: claude-exec resume {id} --model <model>',
          ),
        ],
      });
    case "failed":
      return chain.append(batch, { by: engineActor, bodies: [failure(outcome)] });
  }
}

function rejection(context: Context, step: CallStep, problem: string) {
  const item = context.engine.item ?? newItem(step, context);
  return { by: engineActor, bodies: reject(item, [problem]) };
}

function failure(outcome: Extract<Outcome, { type: "failed" }>): Body {
  const again = "Everything before is kept, and nothing is paid twice. Go on: claude-exec resume {id}";
  switch (outcome.reason) {
    case "authentication":
    case "permission":
      return park(
        outcome.reason,
        exitCodes.notConfigured,
        `The provider does not accept the key: ${outcome.message}`,
        `Set a valid ANTHROPIC_API_KEY. ${again}`,
      );
    case "spend_limit":
      return park(
        outcome.reason,
        exitCodes.budget,
        `The provider's spend limit is reached: ${outcome.message}`,
        `Raise it with the provider. ${again}`,
      );
    case "unknown_model":
      return park(
        outcome.reason,
        exitCodes.notConfigured,
        `The provider does not know this model: ${outcome.message}`,
        "Name another: claude-exec resume {id} --model <model>",
      );
    case "invalid_request":
      return park(
        outcome.reason,
        exitCodes.failed,
        `The provider rejected the request: ${outcome.message}`,
        "Everything before is kept. Try another model: claude-exec resume {id} --model <model>",
      );
    case "not_recorded":
      return park(
        outcome.reason,
        exitCodes.failed,
        outcome.message,
        "A recording only knows the way it was recorded. For a real run set ANTHROPIC_API_KEY, then: claude-exec resume {id}",
      );
    case "rate_limited":
    case "overloaded":
    case "server_error":
    case "network":
    case "stalled":
    case "bad_stream":
      return park(outcome.reason, exitCodes.failed, `The model could not be reached: ${outcome.message}`, again);
  }
}

function stored(outcome: Outcome, { chain }: Work): StoredOutcome {
  if (outcome.type !== "replied") {
    const { type } = outcome;
    const reason = "reason" in outcome ? outcome.reason : undefined;
    const message = "message" in outcome ? outcome.message : undefined;
    return { type, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
  }
  const json = JSON.stringify(outcome.content);
  const calls = outcome.content.flatMap((block) =>
    block.type === "tool_use" ? [{ id: block.id, tool: block.name }] : [],
  );
  return {
    type: "replied",
    stop: outcome.stop,
    content: json.length > inlineLimit ? { blob: chain.blobs.put(json) } : outcome.content,
    calls,
  };
}

/** Longer texts lie beside the journal, so that its lines stay readable. */
export const inlineLimit = 4096;

function lostCall(context: Context, lost: Extract<OpenEffect, { effect: "model" }>): Result {
  return {
    type: "result",
    effect: "model",
    key: lost.key,
    turn: lost.turn,
    outcome: { type: "failed", reason: "unknown", message: "The process ended while this call was in the air." },
    booked: {
      phase: phaseKey(context.current_phase),
      prompt: context.engine.item?.prompt ?? "",
      model: lost.request.model,
      usage: noUsage,
      usd: lost.reserved.usd,
      unknown: true,
    },
  };
}

async function freshTail(
  context: Context,
  step: CallStep,
  prompt: Awaited<ReturnType<Deps["library"]["find"]>>,
  deps: Deps,
): Promise<string> {
  const body = renderPrompt(prompt, { ...engineInputs(context, prompt), ...step.item.inputs });
  const { prompts } = step.item.expects === "action" ? await deps.library.all() : { prompts: [] };
  return tailText(context, step.key, body.trim(), prompts, budgetLeft(context));
}

export function budgetLeft({ engine, cost_tracking: costs }: Context): string {
  const { budget_usd: usd, budget_tokens: tokens } = engine.limits;
  const parts = [
    ...(usd === null ? [] : [`$${Math.max(0, usd - costs.estimated_cost).toFixed(2)} of $${usd.toFixed(2)}`]),
    ...(tokens === null ? [] : [`${Math.max(0, tokens - costs.tokens_used)} of ${tokens} tokens`]),
    `${Math.max(0, engine.limits.turns - engine.turns)} calls`,
  ];
  return parts.join(", ");
}

/** Inside a tool loop the model stays the one that began it; a step that has not begun follows the settings. */
function freeze(item: Item, route: "fast" | "default" | "smart", context: Context, deps: Deps): FrozenRequest {
  return {
    model: item.turns.length > 0 && item.model ? item.model : deps.routes[route],
    effort: route === "fast" ? "low" : route === "smart" ? "high" : "medium",
    max_tokens: deps.maxTokens * (item.rejected > 0 ? 2 : 1),
    epoch: context.engine.epoch?.number ?? 0,
    ledger: item.ledger,
    ...(item.note ? { note: item.note } : {}),
  };
}

function withoutTail({ tail: _tail, ...request }: FrozenRequest): FrozenRequest {
  return request;
}

async function reserveCall(
  context: Context,
  request: ModelRequest,
  deps: Deps,
  signal: AbortSignal,
): Promise<Reserved> {
  const { limits } = context.engine;
  const now = deps.world.now();
  const { epoch, ledger_bytes: ledger } = context.engine;
  const bytes = (epoch?.bytes ?? 0) + ledger + loopBytes(request);
  const call = (inputTokens: number) =>
    reserve({
      budgetUsd: limits.budget_usd,
      budgetTokens: limits.budget_tokens,
      spentUsd: context.cost_tracking.estimated_cost,
      spentTokens: context.cost_tracking.tokens_used,
      inputTokens,
      maxTokens: request.maxTokens,
      worstCase: (input, output) => worstCase(request.model, now, input, output, deps.prices),
    });
  const bound = call(tokensAtMost(bytes));
  if (bound.ok || bound.why === "price_unknown") return bound;
  const counted = await deps.model.countTokens?.(request, signal);
  return call(counted ?? (await countOffline(wholeText(request))));
}

/** Of everything after the ledger: the tail, and what a tool loop has added. */
function loopBytes({ messages }: ModelRequest): number {
  const [first, ...rest] = messages;
  return (
    Buffer.byteLength(blockText(first?.content.at(-1))) +
    rest.reduce(
      (sum, { content }) => sum + content.reduce((all, block) => all + Buffer.byteLength(blockText(block)), 0),
      0,
    )
  );
}

function blockText(block: Message["content"][number] | undefined): string {
  if (!block) return "";
  return "text" in block ? block.text : "content" in block ? block.content : JSON.stringify(block);
}

function wholeText({ system, messages }: ModelRequest): string {
  return [...system, ...messages.flatMap(({ content }): readonly Message["content"][number][] => content)]
    .map(blockText)
    .join("\n");
}

function outOfBudget(context: Context, reserved: Extract<Reserved, { ok: false }>, model: string): Body {
  const { limits } = context.engine;
  switch (reserved.why) {
    case "price_unknown":
      return park(
        "price_unknown",
        exitCodes.notConfigured,
        `The price of ${model} is not known, so a budget in money cannot be kept.`,
        "Give its prices in config.json (prices), or limit tokens instead: claude-exec resume {id} --budget-usd none --budget-tokens 500000",
      );
    case "money":
      return park(
        "budget",
        exitCodes.budget,
        `The next call could cost $${reserved.needs.toFixed(2)}, and $${reserved.left.toFixed(2)} of $${(limits.budget_usd ?? 0).toFixed(2)} are left. Nothing was sent.`,
        `Everything is kept. Go on with more: claude-exec resume {id} --budget-usd ${((limits.budget_usd ?? 0) * 2 || 1).toFixed(2)}`,
      );
    case "tokens":
      return park(
        "budget",
        exitCodes.budget,
        `The next call could take ${reserved.needs} tokens, and ${reserved.left} of ${limits.budget_tokens} are left. Nothing was sent.`,
        `Everything is kept. Go on with more: claude-exec resume {id} --budget-tokens ${(limits.budget_tokens ?? 0) * 2}`,
      );
  }
}

/** Whether the ledger has grown so far that a fresh one should begin before the next step. */
export function ledgerIsFull(context: Context, deps: Deps): boolean {
  const window = Math.min(deps.contextWindow, contextWindowOf(deps.routes.default, deps.prices) ?? deps.contextWindow);
  const bytes = (context.engine.epoch?.bytes ?? 0) + context.engine.ledger_bytes;
  return context.engine.ledger.length > 1 && tokensAtMost(bytes) > window * deps.warningThreshold;
}

function newItem(step: CallStep, context: Context): Item {
  return {
    key: step.key,
    ...step.item,
    tail: null,
    ledger: context.engine.ledger.length,
    source: null,
    turns: [],
    rejected: 0,
    note: null,
    model: null,
  };
}
