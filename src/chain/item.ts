import { addBooking, type Booking } from "../costs/books.ts";
import type { Context, Item, Turn } from "./context.ts";
import type { ChainLine, Intent, QueuedPrompt, Result } from "./events.ts";
import { controllerPrompt, isReviewer } from "./roles.ts";

/** An announced effect is open until its result is there. A model's first turn begins the item it belongs to. */
export function applyIntent(context: Context, intent: Extract<ChainLine, Intent>): Context {
  const { turns, runs, commands, sent } = context.engine;
  switch (intent.effect) {
    case "model": {
      const { request, prompt: source } = intent;
      const asked = inItem(context, intent.key, (item) => ({
        ...item,
        tail: request.tail ?? item.tail,
        source,
        model: request.model,
        note: request.note ?? null,
      }));
      const { model, epoch, ledger } = request;
      return begun((intent.seen ?? []).reduce(see, asked), intent, {
        turns: turns + 1,
        sent: { ...sent, [model]: { at: intent.at, epoch, ledger } },
        ...(source.name === controllerPrompt ? { unheard: false } : {}),
      });
    }
    case "change":
      return begun(context, intent);
    case "command": {
      const repeated = intent.purpose === "try" && context.evidence.repeated;
      return begun(
        { ...context, evidence: { ...context.evidence, repeated } },
        intent,
        intent.purpose === "tests" ? { runs: runs + 1 } : { commands: commands + 1 },
      );
    }
  }
}

function begun(context: Context, intent: Intent, more: Partial<Context["engine"]> = {}): Context {
  return withEngine(context, { open: { ...context.engine.open, [intent.key]: intent }, ...more });
}

export function applyResult(context: Context, result: Result): Context {
  const { [result.key]: _ended, ...open } = context.engine.open;
  // What a person allowed was for this one call.
  const closed = withEngine(context, result.effect === "model" ? { open } : { open, consent: null });
  switch (result.effect) {
    case "model": {
      const outputs = withOutput(context.engine.outputs, result.booked);
      const costs = addBooking(closed.cost_tracking, { ...result.booked, key: `${result.key}/turn-${result.turn}` });
      const { input, cacheRead, cacheWrite5m, cacheWrite1h } = result.booked.usage;
      const request_tokens = input + cacheRead + cacheWrite5m + cacheWrite1h || closed.engine.request_tokens;
      const booked = withEngine({ ...closed, cost_tracking: costs }, { outputs, request_tokens });
      const { outcome } = result;
      if (outcome.type !== "replied") return booked;
      const calls = outcome.calls.map((call) => ({ ...call, answer: null }));
      return inItem(booked, result.key, (item) => {
        const turn = { note: item.note, stop: outcome.stop, content: outcome.content, calls, settled: false };
        return { ...item, note: null, turns: [...item.turns, turn] };
      });
    }
    case "tool": {
      const { content, is_error } = result;
      const answered = inItem(closed, result.key, (item) =>
        inLastTurn(item, (turn) => ({
          ...turn,
          calls: turn.calls.map((call) =>
            call.id === result.call ? { ...call, answer: { content, is_error } } : call,
          ),
        })),
      );
      return result.seen.reduce(see, answered);
    }
    case "command":
      return closed;
  }
}

/** Of the last twenty, which are enough for a median. */
function withOutput(outputs: Context["engine"]["outputs"], { prompt, usage }: Booking) {
  const before = Object.hasOwn(outputs, prompt) ? (outputs[prompt] ?? []) : [];
  return usage.output === 0 ? outputs : { ...outputs, [prompt]: [...before.slice(-19), usage.output] };
}

function see(context: Context, { kind, ref }: Extract<Result, { effect: "tool" }>["seen"][number]): Context {
  const { seen, searched } = context.engine;
  if (kind !== "file") return withEngine(context, { searched: [...searched.slice(-199), `${kind} ${ref}`] });
  const at = /^(.*):(\d+)-(\d+)$/.exec(ref);
  const path = at?.[1] ?? ref;
  const range = at ? ([Number(at[2]), Number(at[3])] as const) : ([1, Infinity] as const);
  const before = Object.hasOwn(seen, path) ? (seen[path] ?? []) : [];
  return withEngine(context, { seen: { ...seen, [path]: [...before, range] } });
}

/** The phase and the number of the decision that comes next in it: the stem of every key below it. */
export function decision(context: Context): string {
  return `${context.current_phase}/${nextNumber(context)}`;
}

export function nextNumber(context: Context): number {
  return (context.engine.decisions[context.current_phase] ?? 0) + 1;
}

/** Changes the item at work; one that is not yet there begins here, as what nextStep said would run. */
export function inItem(context: Context, key: string, change: (item: Item) => Item): Context {
  const { engine, current_phase: phase } = context;
  if (engine.item?.key === key) return withEngine(context, { item: change(engine.item) });
  if (engine.group.some((item) => item.key === key)) {
    return withEngine(context, { group: engine.group.map((item) => (item.key === key ? change(item) : item)) });
  }
  const queued = engine.queue.find((prompt) => prompt.key === key);
  const item = newItem(
    key,
    queued ? { prompt: queued.name, inputs: queued.inputs, expects: "report" } : controller,
    context,
  );
  const number = (engine.decisions[phase] ?? 0) + (queued ? 0 : 1);
  return withEngine(context, {
    ...(queued?.together ? { group: [...engine.group, change(item)] } : { item: change(item) }),
    queue: engine.queue.filter((prompt) => prompt.key !== key),
    decisions: { ...engine.decisions, [phase]: number },
  });
}

/** The step at work under this key. */
export function itemAt({ engine }: Context, key: string): Item | undefined {
  return engine.item?.key === key ? engine.item : engine.group.find((item) => item.key === key);
}

/** Keys of prompts queued together; `number` is that of the decision they belong to. */
export function queueKey(context: Context, number: number, index: number, name: string): string {
  return `${context.current_phase}/${number}/${index + 1}-${name}`;
}

/** The end of the key under which a prompt is asked again, because the reply of the fast model did not count. */
export const askedAgain = "-again";

/** What the engine or a person lets run before the next decision. Several prompts run beside each other. */
export function runNext(context: Context, why: string, names: readonly string[], inputs: QueuedPrompt["inputs"] = {}) {
  const together = names.length > 1 ? { together: true as const } : {};
  const keyOf = (name: string, index: number) => queueKey(context, nextNumber(context), index, name);
  return { why, prompts: names.map((name, index) => ({ key: keyOf(name, index), name, inputs, ...together })) };
}

export const controller = { prompt: controllerPrompt, inputs: {}, expects: "action" } as const;

export function newItem(key: string, what: Pick<Item, "prompt" | "inputs" | "expects">, { engine }: Context): Item {
  const begun = {
    tail: null,
    told: engine.ledger.length,
    fresh: isReviewer(what.prompt, engine.gates.quality),
    source: null,
    model: null,
    turns: [],
    rejected: 0,
    note: null,
  };
  return { key, ...what, ...begun };
}

/** How many ledger entries stand at the head of an item's requests: the conversation of its phase began with them. */
export function headOf({ engine }: Context, item: Item): number {
  return item.fresh ? item.told : (engine.conversation[0]?.told ?? item.told);
}

/** The prompts whose turns come before an item's own in its requests. */
export function earlierIn({ engine }: Context, item: Item): readonly Item[] {
  return item.fresh ? [] : engine.conversation;
}

export function inLastTurn(item: Item, change: (turn: Turn) => Turn): Item {
  return { ...item, turns: [...item.turns.slice(0, -1), ...item.turns.slice(-1).map(change)] };
}

export function withEngine(context: Context, change: Partial<Context["engine"]>): Context {
  return { ...context, engine: { ...context.engine, ...change } };
}
