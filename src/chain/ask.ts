import type { Reserved } from "../costs/budget.ts";
import type { Model, ModelRequest, Outcome } from "../models/types.ts";
import type { Prompt } from "../library/prompt.ts";
import { renderPrompt } from "../library/render.ts";
import { budgetLeft, mayRetry, outOfBudget, reserveCall } from "./afford.ts";
import type { Context, Item } from "./context.ts";
import type { Deps, Work } from "./deps.ts";
import { expectCall } from "./expect.ts";
import type { FrozenRequest, Intent, Route } from "./events.ts";
import { itemAt, newItem } from "./item.ts";
import type { Step } from "./next.ts";
import { engineActor } from "./open.ts";
import { lostCall } from "./lost.ts";
import { takeIn } from "./outcome.ts";
import { buildRequest, engineInputs, tailText } from "./request.ts";

type CallStep = Extract<Step, { type: "call_model" }>;

/**
 * One call of a model: reserved, announced in the journal, sent, and taken in. A call that a crash left in the
 * air is sent again from its frozen bytes, and the lost one is booked at what was expected of it.
 */
export async function callModel(work: Work, step: CallStep): Promise<void> {
  const { chain, deps, signal } = work;
  const open = chain.context.engine.open[step.key];
  const lost = open?.effect === "model" ? open : undefined;
  if (lost) chain.append({ by: engineActor, bodies: [lostCall(chain.context, lost)] });

  const { context } = chain;
  const item = itemAt(context, step.key) ?? newItem(step.key, step.item, context);
  const prompt = item.tail === null ? await deps.library.find(step.item.prompt) : undefined;
  const tail = prompt ? await freshTail(context, step, prompt, deps) : (item.tail ?? "");
  const source = prompt ? sourceOf(prompt) : item.source;
  if (!source) throw new Error(`${step.key} has a text and no prompt.`);
  const frozen = lost ? withoutTail(lost.request) : freeze(item, source.route, context, deps);

  const request = buildRequest(context, { ...item, tail }, frozen, chain.blobs, `${step.key}/turn-${step.turn}`);
  let seen: Context["engine"]["open"];
  let reserved: Reserved;
  // Once more where another call began meanwhile: what that one may cost is not left for this one.
  do {
    seen = chain.context.engine.open;
    reserved = await reserveCall(chain.context, request, deps, signal);
  } while (chain.context.engine.open !== seen);
  if (!reserved.ok && work.defer && callsInTheAir(chain.context)) return work.defer(step.key, "budget");
  if (!reserved.ok) return chain.append({ by: engineActor, bodies: [outOfBudget(context, reserved, frozen.model)] });

  const most = { usd: reserved.usd, tokens: reserved.tokens };
  const sent = { ...request, maxTokens: reserved.maxTokens };
  const call: Extract<Intent, { effect: "model" }> = {
    type: "intent",
    effect: "model",
    key: step.key,
    turn: step.turn,
    prompt: source,
    request: { ...frozen, max_tokens: reserved.maxTokens, ...(prompt ? { tail } : {}) },
    expected: expectCall(chain.context, source.name, sent, frozen, most, deps),
    reserved: most,
  };
  chain.append({ by: engineActor, bodies: [call] });
  deps.progress({ type: "thinking", key: step.key, prompt: step.item.prompt, model: frozen.model });
  const again = mayRetry(() => chain.context, step.key, reserved, deps);
  await takeIn(work, call, await ask(deps.model, { ...sent, mayRetry: again }, work, step.key));
}

function callsInTheAir({ engine }: Context): boolean {
  return Object.values(engine.open).some(({ effect }) => effect === "model");
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

async function freshTail(context: Context, step: CallStep, prompt: Prompt, deps: Deps): Promise<string> {
  const body = renderPrompt(prompt, { ...engineInputs(context, prompt), ...step.item.inputs });
  const { prompts } = step.item.expects === "action" ? await deps.library.all() : { prompts: [] };
  return tailText(context, step.key, body.trim(), prompts, budgetLeft(context));
}

function sourceOf({ name, scope, sha256, model, tools }: Prompt) {
  return { name, scope, sha256, route: model, tools };
}

/** Inside a tool loop the model stays the one that began it; a step that has not begun follows the settings. */
function freeze(item: Item, route: Route, context: Context, deps: Deps): FrozenRequest {
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
