import { exitCodes } from "../util/errors.ts";
import { bookAttempts, spent, tokensOf } from "../costs/books.ts";
import { reserve, type Reserved } from "../costs/budget.ts";
import { countOffline, tokensAtMost } from "../costs/estimate.ts";
import { contextWindowOf, priceOf, worstCase } from "../models/prices.ts";
import type { Message, ModelRequest, Usage } from "../models/types.ts";
import type { Context } from "./context.ts";
import type { Deps } from "./deps.ts";
import { park, type ChainEvent } from "./events.ts";
import { blockText, ownBytes } from "./expect.ts";

/**
 * Reserves a call before it is sent. An upper bound of its size is free; it is counted only where that bound would
 * forbid the call.
 */
export async function reserveCall(
  context: Context,
  request: ModelRequest,
  deps: Deps,
  signal: AbortSignal,
): Promise<Reserved> {
  const { engine, cost_tracking: costs } = context;
  const others = reservedFor(context);
  const before = spent(costs);
  const now = deps.world.now();
  const call = (inputTokens: number) =>
    reserve({
      budgetUsd: engine.limits.budget_usd,
      budgetTokens: engine.limits.budget_tokens,
      spentUsd: before.usd + others.usd,
      spentTokens: before.tokens + others.tokens,
      inputTokens,
      maxTokens: request.maxTokens,
      worstCase: (input, output) => worstCase(request.model, now, input, output, deps.prices),
    });
  const bound = call(tokensAtMost((engine.epoch?.bytes ?? 0) + engine.ledger_bytes + ownBytes(request)));
  if (bound.ok || bound.why === "price_unknown") return bound;
  const counted = await deps.model.countTokens?.(request, signal);
  return call(counted ?? (await countOffline(wholeText(request))));
}

/**
 * Whether a call may be sent once more: what it has cost so far and another reservation must fit. An attempt of which
 * nobody knows what it used counts as a whole reservation.
 */
export function mayRetry(
  now: () => Context,
  key: string,
  reserved: Extract<Reserved, { ok: true }>,
  deps: Pick<Deps, "world" | "prices">,
): NonNullable<ModelRequest["mayRetry"]> {
  const price = (model: string, usage: Usage) => priceOf(model, deps.world.now(), usage, deps.prices);
  return (attempts) => {
    const context = now();
    const { limits } = context.engine;
    const before = spent(context.cost_tracking);
    const others = reservedFor(context, key);
    const { usage, usd } = bookAttempts(attempts, price);
    const reservations = 1 + attempts.filter((attempt) => !attempt.usage).length;
    const worst = (already: number, paid: number | null, each: number | null) =>
      paid === null || each === null ? Number.POSITIVE_INFINITY : already + paid + reservations * each;
    const { budget_usd, budget_tokens } = limits;
    return (
      (budget_usd === null || worst(before.usd + others.usd, usd, reserved.usd) <= budget_usd) &&
      (budget_tokens === null ||
        worst(before.tokens + others.tokens, tokensOf(usage), reserved.tokens) <= budget_tokens)
    );
  };
}

/** What the calls in the air may cost, those of `except` left out. */
function reservedFor({ engine: { open } }: Context, except?: string): { usd: number; tokens: number } {
  const calls = Object.values(open).flatMap((intent) =>
    intent.effect === "model" && intent.key !== except ? [intent.reserved] : [],
  );
  return {
    usd: calls.reduce((sum, { usd }) => sum + (usd ?? 0), 0),
    tokens: calls.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

function wholeText({ system, messages }: ModelRequest): string {
  return [...system, ...messages.flatMap(({ content }): readonly Message["content"][number][] => content)]
    .map(blockText)
    .join("\n");
}

/** Why nothing was sent, and how to go on. */
export function outOfBudget(
  { engine: { limits }, cost_tracking: costs }: Context,
  refused: Extract<Reserved, { ok: false }>,
  model: string,
): ChainEvent {
  const kept = "Everything is kept. Go on with more: claude-exec resume {id}";
  const before = spent(costs);
  const enough = (budget: number, already: number) => Math.max(budget * 2, already + refused.needs);
  const usd = (value: number) => `$${value.toFixed(2)}`;
  const reserved =
    before.reserved >= 0.005 ? ` ${usd(before.reserved)} stay reserved for what lost calls may have cost.` : "";
  switch (refused.why) {
    case "price_unknown": {
      const hint =
        "Give its prices in config.json, or limit tokens instead: claude-exec resume {id} --budget-usd none --budget-tokens 500000";
      return park(
        "price_unknown",
        exitCodes.notConfigured,
        `The price of ${model} is not known, so a budget in money cannot be kept.`,
        hint,
      );
    }
    case "money": {
      const budget = limits.budget_usd ?? 0;
      const message = `The next call could cost ${usd(refused.needs)}, and ${usd(refused.left)} of ${usd(budget)} are left. Nothing was sent.${reserved}`;
      return park(
        "budget",
        exitCodes.budget,
        message,
        `${kept} --budget-usd ${(Math.ceil(enough(budget, before.usd) * 100) / 100).toFixed(2)}`,
      );
    }
    case "tokens": {
      const budget = limits.budget_tokens ?? 0;
      const message = `The next call could take ${refused.needs} tokens, and ${refused.left} of ${budget} are left. Nothing was sent.`;
      return park("budget", exitCodes.budget, message, `${kept} --budget-tokens ${enough(budget, before.tokens)}`);
    }
  }
}

export function budgetLeft({ engine: { limits, turns }, cost_tracking: costs }: Context): string {
  const { budget_usd: usd, budget_tokens: tokens } = limits;
  const before = spent(costs);
  return [
    ...(usd === null ? [] : [`$${Math.max(0, usd - before.usd).toFixed(2)} of $${usd.toFixed(2)}`]),
    ...(tokens === null ? [] : [`${Math.max(0, tokens - before.tokens)} of ${tokens} tokens`]),
    `${Math.max(0, limits.turns - turns)} calls`,
  ].join(", ");
}

/** Whether the ledger has grown so far, past the digest it began with, that a fresh one should begin. */
export function ledgerIsFull({ engine }: Context, deps: Deps): boolean {
  const window = Math.min(deps.contextWindow, contextWindowOf(deps.routes.default, deps.prices) ?? deps.contextWindow);
  const limit = window * deps.warningThreshold;
  const grown = tokensAtMost(engine.ledger_bytes - Buffer.byteLength(engine.ledger[0] ?? ""));
  return tokensAtMost((engine.epoch?.bytes ?? 0) + engine.ledger_bytes) > limit && grown > limit / 4;
}
