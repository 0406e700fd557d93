import { exitCodes } from "../util/errors.ts";
import type { Input, Next } from "../util/next.ts";
import { bookAttempts, spent, tokensOf } from "../costs/books.ts";
import { leastMaxTokens, reserve, type Reserved } from "../costs/budget.ts";
import { countOffline, tokensAtMost } from "../costs/estimate.ts";
import { contextWindowOf, priceOf, worstCase } from "../models/prices.ts";
import type { Message, ModelRequest, Usage } from "../models/types.ts";
import { allows, type Rights } from "../tools/types.ts";
import type { Context, Item } from "./context.ts";
import type { Deps } from "./deps.ts";
import { park, type ChainEvent } from "./events.ts";
import { blockText, medianOutput, ownBytes, requestTokens } from "./expect.ts";

/** What a call may cost, if that is left. Without `counted`, an upper bound of its size stands for its input. */
export function reserveCall(
  context: Context,
  request: ModelRequest,
  leastTokens: number,
  deps: Deps,
  counted?: number,
): Reserved {
  const { engine, cost_tracking: costs } = context;
  const others = reservedFor(context);
  const before = spent(costs);
  const now = deps.world.now();
  return reserve({
    budgetUsd: engine.limits.budget_usd,
    budgetTokens: engine.limits.budget_tokens,
    spentUsd: before.usd + others.usd,
    spentTokens: before.tokens + others.tokens,
    inputTokens: counted ?? tokensAtMost((engine.epoch?.bytes ?? 0) + engine.ledger_bytes + ownBytes(request)),
    maxTokens: request.maxTokens,
    leastTokens,
    worstCase: (input, output) => worstCase(request.model, now, input, output, deps.prices),
  });
}

/**
 * How many tokens a reply gets, and with how many it must do where the budget is small: by what this prompt, or else any
 * prompt, used in this chain. After a reply that was cut off there is more room in any case.
 */
export function roomFor(
  { engine: { outputs } }: Context,
  item: Pick<Item, "prompt" | "cut_at">,
  tools: Rights,
  most: number,
): { readonly wanted: number; readonly least: number } {
  if (item.cut_at !== undefined) {
    const wanted = item.cut_at < most ? most : most * 2;
    return { wanted, least: Math.min(item.cut_at * 2, wanted) };
  }
  const own = Object.hasOwn(outputs, item.prompt) ? outputs[item.prompt]! : [];
  const median = medianOutput(outputs, item.prompt);
  // Whoever writes files may follow a short reply with a long one.
  const usual = own.length === 0 || allows(tools, "edit") ? 2 * leastMaxTokens : leastMaxTokens;
  return {
    wanted: Math.min(most, Math.max(usual, 4 * Math.max(0, ...own))),
    least: median === undefined ? leastMaxTokens : Math.min(leastMaxTokens, Math.max(2_000, 4 * median)),
  };
}

export async function countInput(request: ModelRequest, { model }: Deps, signal: AbortSignal): Promise<number> {
  return (await model.countTokens?.(request, signal)) ?? countOffline(wholeText(request));
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
  const more = (input: Input): Next => ({ operation: "resume", input, why: "Everything is kept. Go on with more" });
  const before = spent(costs);
  const enough = (budget: number, already: number) => Math.max(budget * 2, already + refused.needs);
  const usd = (value: number) => `$${value.toFixed(2)}`;
  const reserved =
    before.reserved >= 0.005 ? ` ${usd(before.reserved)} stay reserved for what lost calls may have cost.` : "";
  switch (refused.why) {
    case "price_unknown": {
      const why = "Give its prices in config.json, or limit tokens instead";
      const next = { operation: "resume", input: { budget_usd: "none", budget_tokens: "500000" }, why };
      const message = `The price of ${model} is not known, so a budget in money cannot be kept.`;
      return park("price_unknown", exitCodes.notConfigured, message, next);
    }
    case "money": {
      const budget = limits.budget_usd ?? 0;
      const message = `The next call could cost ${usd(refused.needs)}, and ${usd(refused.left)} of ${usd(budget)} are left. Nothing was sent.${reserved}`;
      const budget_usd = (Math.ceil(enough(budget, before.usd) * 100) / 100).toFixed(2);
      return park("budget", exitCodes.budget, message, more({ budget_usd }));
    }
    case "tokens": {
      const budget = limits.budget_tokens ?? 0;
      const message = `The next call could take ${refused.needs} tokens, and ${refused.left} of ${budget} are left. Nothing was sent.`;
      const budget_tokens = String(enough(budget, before.tokens));
      return park("budget", exitCodes.budget, message, more({ budget_tokens }));
    }
  }
}

/** Why no call of this prompt may follow, where its turns or those of the chain are used up. */
export function turnsUsedUp({ engine }: Context, prompt: string, loop: number): ChainEvent | undefined {
  const { turns, limits } = engine;
  if (turns < limits.turns && loop < limits.turns_per_prompt) return undefined;
  const [what, more] =
    loop >= limits.turns_per_prompt
      ? [
          `${prompt} has taken ${limits.turns_per_prompt} turns without an end.`,
          { turns_per_prompt: limits.turns_per_prompt * 2 },
        ]
      : [`The chain has used its ${limits.turns} calls.`, { turns: limits.turns * 2 }];
  const why = "Everything is kept. Allow more and go on";
  return park("turns", exitCodes.budget, what, { operation: "resume", input: more, why });
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

/** Whether ledger and conversation have grown so far, past the digest they began with, that a new epoch should begin. */
export function ledgerIsFull({ engine }: Context, deps: Deps, share = deps.warningThreshold): boolean {
  const window = Math.min(deps.contextWindow, contextWindowOf(deps.routes.default, deps.prices) ?? deps.contextWindow);
  const limit = window * share;
  const first = Buffer.byteLength(engine.ledger[0]?.text ?? "");
  const begun = tokensAtMost((engine.epoch?.bytes ?? 0) + first);
  const now = requestTokens(engine);
  return now > limit && now - begun > limit / 4;
}
