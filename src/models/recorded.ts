import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { exitCodes, messageOf, UserError } from "../util/errors.ts";
import { isFolder, readTextIfThere, writeAtomic } from "../util/files.ts";
import type { World } from "../util/world.ts";
import { rest, worthAnotherTry } from "./attempts.ts";
import { replyBlock, usage } from "./types.ts";
import type { FailureReason, Model, ModelEvent, ModelRequest, Outcome, ReplyBlock } from "./types.ts";

const reasons = z.enum(Object.keys(worthAnotherTry) as FailureReason[]);

/** `usage` null: the provider did not say. `model` where it is not the recording's. */
const paid = { usage: usage.nullable(), model: z.string().optional() };
const perhapsPaid = { ...paid, usage: paid.usage.optional() };
const Reply = z.discriminatedUnion("outcome", [
  z.strictObject({
    outcome: z.literal("replied"),
    stop: z.enum(["end_turn", "tool_use"]),
    content: z.array(replyBlock),
    ...paid,
  }),
  z.strictObject({ outcome: z.literal("cut"), content: z.array(replyBlock), ...paid }),
  z.strictObject({ outcome: z.literal("paused"), content: z.array(replyBlock), ...paid }),
  z.strictObject({ outcome: z.literal("refused"), reason: z.string(), ...paid }),
  z.strictObject({ outcome: z.literal("context_exceeded"), ...perhapsPaid }),
  z.strictObject({ outcome: z.literal("failed"), reason: reasons, message: z.string(), ...perhapsPaid }),
]);

const Recording = z.strictObject({
  format: z.literal(1),
  model: z.string(),
  recorded_at: z.string(),
  note: z.string(),
  delay_ms: z.int().nonnegative().optional(),
  /** By step key. A list answers a step that asks several times: one after the other, then the last again. */
  replies: z.record(
    z.string(),
    z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(Reply).nonempty()),
  ),
});
export type Recording = z.infer<typeof Recording>;

/** Plays replies from a file, by the key of the step that asks. */
export function openRecorded(path: string, world: World): Model {
  const recording = readRecording(path) ?? missing(path);
  const asked = new Map<string, number>();
  return { name: "recorded", live: false, ask };

  async function* ask({ key }: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    if (!signal.aborted) {
      yield { type: "started", attempt: 1 };
      await rest(recording.delay_ms ?? 0, world, signal);
    }
    yield* signal.aborted ? [cancelled] : play(key);
  }

  function* play(key: string): Generator<ModelEvent> {
    const turn = asked.get(key) ?? 0;
    asked.set(key, turn + 1);
    const outcome = outcomeOf(recording, key, turn, path);
    const characters = "content" in outcome ? outcome.content.map(lengthOf).reduce((a, b) => a + b, 0) : 0;
    if (characters > 0) yield { type: "progress", characters };
    yield { type: "outcome", outcome };
  }
}

const cancelled: ModelEvent = { type: "outcome", outcome: { type: "cancelled", attempts: [] } };

function missing(path: string): never {
  throw new UserError("no_recording", `There is no recording ${path}.`, "Name one that exists.");
}

/** What the file says to the `turn`th asking of a step, counted from 0. */
export function outcomeOf(recording: Recording, key: string, turn: number, path: string): Outcome {
  const replies = Object.hasOwn(recording.replies, key) ? recording.replies[key] : undefined;
  const reply = replies?.[turn] ?? replies?.at(-1);
  if (!reply) {
    const message = `The recording ${path} has no reply for the step ${key}.`;
    return { type: "failed", reason: "not_recorded", message, attempts: [] };
  }
  const { outcome: type, usage, model = recording.model, ...said } = reply;
  const attempt = { model, usage: usage ?? undefined, requestId: undefined, ms: 0 };
  return { type, ...said, attempts: usage === undefined ? [] : [attempt] } as Outcome;
}

function lengthOf(block: ReplyBlock): number {
  if (block.type === "text") return block.text.length;
  if (block.type === "tool_use") return JSON.stringify(block.input).length;
  const thinking = z.object({ thinking: z.string() }).safeParse(block.value);
  return thinking.data?.thinking.length ?? 0;
}

/**
 * Passes everything through and keeps each reply in a file that `openRecorded` plays. A file that cannot be written, or
 * holds something else, is refused here, before a reply is paid for.
 */
export function recordTo(model: Model, path: string, world: World): Model {
  readRecording(path);
  const folder = dirname(path);
  if (!isFolder(folder)) {
    const next = { input: { record: "<file>" }, why: "Make the folder, or name a file in one that exists" };
    throw new UserError("no_folder", `There is no folder ${folder} to record in.`, next, exitCodes.usage);
  }
  accessSync(folder, constants.W_OK);
  const kept = new Set<string>();
  return { ...model, ask };

  async function* ask(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    for await (const event of model.ask(request, signal)) {
      if (event.type === "outcome") keep(request, event.outcome);
      yield event;
    }
  }

  /** What an earlier recording has under the key gives way; what this one adds to it goes behind. */
  function keep(request: ModelRequest, outcome: Outcome): void {
    if (outcome.type === "cancelled") return;
    const recorded_at = new Date(world.now()).toISOString();
    const recording = readRecording(path) ?? {
      format: 1 as const,
      model: request.model,
      recorded_at,
      note: "",
      replies: {},
    };
    const { attempts, type, ...said } = outcome;
    const last = attempts.at(-1);
    const reply = Reply.parse({
      outcome: type,
      ...said,
      ...(last && { usage: last.usage ?? null }),
      ...(last && last.model !== recording.model && { model: last.model }),
    });
    const before = kept.has(request.key) ? (recording.replies[request.key] ?? []) : [];
    kept.add(request.key);
    const replies = { ...recording.replies, [request.key]: [...before, reply] };
    const short = Object.entries(replies).map(([key, list]) => [key, list.length === 1 ? list[0] : list]);
    writeAtomic(path, `${JSON.stringify({ ...recording, replies: Object.fromEntries(short) }, undefined, 2)}\n`);
  }
}

export function readRecording(path: string): Recording | undefined {
  const text = readTextIfThere(path);
  if (text === undefined) return undefined;
  const hint = "Nothing was changed. Mend the file at that place, or record it again.";
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UserError("bad_recording", `The recording ${path} is not JSON: ${messageOf(error)}.`, hint);
  }
  const parsed = Recording.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue?.path.join(" > ") || "the top";
  throw new UserError("bad_recording", `The recording ${path} is wrong at ${place}: ${issue?.message}.`, hint);
}
