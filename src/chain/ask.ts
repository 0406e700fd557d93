import type { Reserved } from "../costs/budget.ts";
import { rest } from "../models/attempts.ts";
import type { Model, ModelRequest, Outcome } from "../models/types.ts";
import type { Prompt } from "../library/prompt.ts";
import { renderPrompt } from "../library/render.ts";
import { budgetLeft, countInput, mayRetry, outOfBudget, reserveCall, roomFor, turnsUsedUp } from "./afford.ts";
import { citedLines } from "./cited_lines.ts";
import type { Context, Item } from "./context.ts";
import type { Deps, Work } from "./deps.ts";
import { isOutdated, openEpoch, otherEngine } from "./epoch.ts";
import { expectCall, fastPays } from "./expect.ts";
import type { FrozenRequest, Intent, Route } from "./events.ts";
import { askedAgain, headOf, itemAt, newItem } from "./item.ts";
import type { Step } from "./next.ts";
import { engineActor } from "./open.ts";
import { promptChooser } from "./roles.ts";
import { lostCall } from "./lost.ts";
import { takeIn } from "./outcome.ts";
import { buildRequest, engineInputs, isOffered, tailText } from "./request.ts";

type CallStep = Extract<Step, { type: "call_model" }>;

/**
 * One call of a model: reserved, announced in the journal, sent, and taken in. A call that a crash left in the
 * air is sent again from its frozen bytes, and the lost one is booked at what was expected of it.
 */
export async function callModel(work: Work, step: CallStep): Promise<unknown> {
  const { chain, deps, signal } = work;
  await waitForTurn(work, step.key);
  if (signal.aborted) return undefined;
  const open = chain.context.engine.open[step.key];
  const lost = open?.effect === "model" ? open : undefined;
  if (!lost && (await isOutdated(work)))
    return work.defer ? work.defer(step.key, "other_engine") : openEpoch(work, otherEngine);
  if (lost) await chain.append((now) => [{ by: engineActor, bodies: [lostCall(now, lost)] }]);

  const { context } = chain;
  const item = itemAt(context, step.key) ?? newItem(step.key, step.item, context);
  const prompt = item.tail === null ? await deps.library.find(step.item.prompt) : undefined;
  const fresh = prompt && (await freshTail(context, item, prompt, deps));
  const tail = fresh?.text ?? item.tail ?? "";
  const source = prompt ? sourceOf(prompt, context, item, deps) : item.source;
  if (!source) throw new Error(`${step.key} has a text and no prompt.`);
  const room = roomFor(context, item, source.tools, deps.maxTokens);
  const frozen = lost ? withoutTail(lost.request) : freeze(item, source.route, room.wanted, context, deps);

  const request = buildRequest(context, { ...item, tail }, frozen, chain.blobs, `${step.key}/turn-${step.turn}`);
  const begin = async (counted?: number): Promise<Begun> => {
    let begun: Begun;
    await chain.append((now) => {
      if (now.state.type !== "running") return [];
      const usedUp = turnsUsedUp(now, step.item.prompt, item.turns.length);
      if (usedUp) return [{ by: engineActor, bodies: [usedUp] }];
      const reserved = reserveCall(now, request, room.least, deps, counted);
      if (!reserved.ok) {
        if (counted === undefined && reserved.why !== "price_unknown") begun = "uncounted";
        else if (work.defer && Object.values(now.engine.open).some(({ effect }) => effect === "model"))
          work.defer(step.key, "budget");
        else return [{ by: engineActor, bodies: [outOfBudget(now, reserved, frozen.model)] }];
        return [];
      }
      const most = { usd: reserved.usd, tokens: reserved.tokens };
      const sent = { ...request, maxTokens: reserved.maxTokens };
      const call: ModelCall = {
        type: "intent",
        effect: "model",
        key: step.key,
        turn: step.turn,
        prompt: source,
        request: { ...frozen, max_tokens: reserved.maxTokens, ...(prompt ? { tail } : {}) },
        ...(fresh?.seen.length ? { seen: fresh.seen } : {}),
        expected: expectCall(now, source.name, sent, frozen, most, deps),
        reserved: most,
      };
      begun = { call, reserved };
      return [{ by: engineActor, bodies: [call] }];
    });
    return begun;
  };
  let begun = await begin();
  if (begun === "uncounted") begun = await begin(await countInput(request, deps, signal));
  if (begun === undefined || begun === "uncounted") return undefined;
  const { call, reserved } = begun;
  deps.progress({ type: "thinking", key: step.key, prompt: step.item.prompt, model: frozen.model });
  const again = mayRetry(() => chain.context, step.key, reserved, deps);
  const sent = { ...request, maxTokens: reserved.maxTokens, mayRetry: again, pace: deps.pace };
  return takeIn(work, call, await ask(deps.model, sent, work, step.key));
}

/** Before anything is written down: a call that was never sent cannot be lost. */
async function waitForTurn({ deps, signal }: Work, key: string): Promise<void> {
  const { pace, model, world } = deps;
  if (!pace || !model.live) return;
  for (let ms = pace(); ms > 0; ms = signal.aborted ? 0 : pace()) {
    deps.progress({ type: "waiting", key, delay_ms: ms });
    await rest(ms, world, signal);
  }
}

type ModelCall = Extract<Intent, { effect: "model" }>;

/** Undefined: no call began. "uncounted": only a count of its input can tell whether it fits. */
type Begun = { readonly call: ModelCall; readonly reserved: Extract<Reserved, { ok: true }> } | "uncounted" | undefined;

async function ask(
  model: Model,
  request: ModelRequest,
  { deps, signal, replyBegan }: Work,
  key: string,
): Promise<Outcome> {
  for await (const sign of model.ask(request, signal)) {
    switch (sign.type) {
      case "outcome":
        return sign.outcome;
      case "progress":
        replyBegan?.();
        deps.progress({ type: "receiving", key, characters: sign.characters });
        break;
      case "retrying":
        deps.progress({ type: "retrying", key, delay_ms: sign.delayMs, reason: sign.reason });
        break;
      case "waiting":
        deps.progress({ type: "waiting", key, delay_ms: sign.delayMs });
        break;
      case "started":
        break;
    }
  }
  throw new Error(`The model ${model.name} ended without an outcome.`);
}

async function freshTail(context: Context, item: Item, prompt: Prompt, deps: Deps) {
  const body = renderPrompt(prompt, { ...engineInputs(context, prompt), ...item.inputs });
  const { prompts } = isOffered(context, item) ? await deps.library.lately() : { prompts: [] };
  const { text, seen } = citedLines(context, item, deps.workspace);
  const figures = prompt.name === promptChooser ? await deps.promptFigures?.() : "";
  return {
    text: tailText(context, item, prompt, (figures ?? "") + text + body.trim(), prompts, budgetLeft(context)),
    seen,
  };
}

/** The fast model is asked where that is cheaper and evidence can check its reply, and only once. */
function sourceOf(prompt: Prompt, context: Context, { key }: Item, deps: Deps) {
  const { name, scope, sha256, model, tools, produces } = prompt;
  const isChecked = tools !== "none" && (produces.includes("discovered") || produces.includes("confidence"));
  const isFast = isChecked && !key.endsWith(askedAgain) && fastPays(context, deps);
  return { name, scope, sha256, route: model === "fast" && !isFast ? "default" : model, tools };
}

/** Inside a tool loop the model stays the one that began it; a step that has not begun follows the settings. */
function freeze(item: Item, route: Route, max_tokens: number, context: Context, deps: Deps): FrozenRequest {
  const model = item.turns.length > 0 && item.model ? item.model : deps.routes[route];
  return {
    model,
    ...(route === "fast" ? { instead_of: deps.routes.default } : {}),
    effort: effortOf(model, route, deps),
    max_tokens,
    epoch: context.engine.epoch?.number ?? 0,
    ledger: headOf(context, item),
    ...(item.fresh ? { fresh: true as const } : {}),
    ...(item.note ? { note: item.note } : {}),
  };
}

/** A provider's cache holds requests of one model and one effort: prompts that share a model share its effort too. */
function effortOf(model: string, route: Route, { routes }: Deps): FrozenRequest["effort"] {
  if (model === routes.default) return "medium";
  return route === "fast" ? "low" : route === "smart" ? "high" : "medium";
}

function withoutTail({ tail: _tail, ...request }: FrozenRequest): FrozenRequest {
  return request;
}
