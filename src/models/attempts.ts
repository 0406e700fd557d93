import type { World } from "../util/world.ts";
import type { Attempt, FailureReason, ModelEvent, ModelRequest, Outcome } from "./types.ts";
import { oneLine, shorten } from "../util/shorten.ts";

/** An outcome before its attempts are known. */
export type Ending = WithoutAttempts<Outcome>;
type WithoutAttempts<T> = T extends unknown ? Omit<T, "attempts"> : never;

/** How one attempt ended; `attempt` is undefined where the provider turned it away and so charged nothing. */
export interface Try {
  readonly ending: Ending;
  readonly attempt: Attempt | undefined;
  readonly retryAfterMs?: number | undefined;
}

export const worthAnotherTry: Readonly<Record<FailureReason, boolean>> = {
  authentication: false,
  permission: false,
  spend_limit: false,
  invalid_request: false,
  unknown_model: false,
  rate_limited: true,
  overloaded: true,
  server_error: true,
  network: true,
  stalled: true,
  bad_stream: true,
  not_recorded: false,
};

interface Patience {
  readonly world: World;
  readonly signal: AbortSignal;
  readonly limit?: number | undefined;
  readonly mayRetry?: ModelRequest["mayRetry"] | undefined;
  readonly pace?: ModelRequest["pace"];
}

/** Asks up to `limit` times. What cannot get better by waiting, or may not be paid again, is not asked again. */
export async function* askPatiently(
  tryOnce: () => AsyncGenerator<ModelEvent, Try>,
  { world, signal, limit = 6, mayRetry = () => true, pace = () => 0 }: Patience,
): AsyncGenerator<ModelEvent> {
  const attempts: Attempt[] = [];
  for (let number = 1; ; number++) {
    const mayGo = () => number === 1 || signal.aborted;
    for (let delayMs = mayGo() ? 0 : pace(); delayMs > 0; delayMs = mayGo() ? 0 : pace()) {
      yield { type: "waiting", delayMs };
      await rest(delayMs, world, signal);
    }
    if (signal.aborted) return yield { type: "outcome", outcome: { type: "cancelled", attempts } };
    yield { type: "started", attempt: number };
    const { ending, attempt, retryAfterMs } = yield* tryOnce();
    if (attempt) attempts.push(attempt);
    if (ending.type !== "failed") return yield { type: "outcome", outcome: { ...ending, attempts } };
    if (!worthAnotherTry[ending.reason] || number >= limit || (attempt && !mayRetry(attempts))) {
      const message = number > 1 ? `${ending.message} Tried ${number} times.` : ending.message;
      return yield { type: "outcome", outcome: { ...ending, message, attempts } };
    }
    const delayMs = retryAfterMs === undefined ? backOff(number, world) : Math.min(retryAfterMs, 60_000);
    yield { type: "retrying", attempt: number, delayMs, reason: ending.message };
    await rest(delayMs, world, signal);
  }
}

/** Sleeps until it is time or the signal is given. */
export async function rest(ms: number, world: World, signal: AbortSignal): Promise<void> {
  try {
    if (ms > 0) await world.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Half a second, doubled each time up to 30 s, of which any part: many clients do not come back at once. */
function backOff(number: number, world: World): number {
  return Math.round(world.random() * Math.min(30_000, 500 * 2 ** (number - 1)));
}

/** What a provider said instead of a reply: with an HTTP status, or inside a stream by `type` alone. */
export interface ProviderError {
  readonly status: number | undefined;
  readonly type: string | null;
  readonly errorCode: string | null;
}

export function endingOf({ status, type, errorCode }: ProviderError, provider: string, said: string): Ending {
  if (status === 413 || (status === 400 && /^prompt is too long/i.test(said))) return { type: "context_exceeded" };
  const what = [status, type].filter((part) => part !== undefined && part !== null).join(" ");
  const message = `${provider} answered ${what || "an error"}: ${said}`;
  return { type: "failed", reason: reasonOf(status, type, errorCode), message };
}

function reasonOf(status: number | undefined, type: string | null, errorCode: string | null): FailureReason {
  if (errorCode?.endsWith("_spend_limit_reached")) return "spend_limit";
  const other = status !== undefined && status < 500 ? "invalid_request" : "server_error";
  return reasonByStatus[status ?? 0] ?? reasonByType[type ?? ""] ?? other;
}

const reasonByStatus: Readonly<Record<number, FailureReason>> = {
  401: "authentication",
  402: "spend_limit",
  403: "permission",
  404: "unknown_model",
  408: "server_error",
  409: "server_error",
  429: "rate_limited",
  529: "overloaded",
};

const reasonByType: Readonly<Record<string, FailureReason>> = {
  authentication_error: "authentication",
  billing_error: "spend_limit",
  permission_error: "permission",
  not_found_error: "unknown_model",
  invalid_request_error: "invalid_request",
  rate_limit_error: "rate_limited",
  overloaded_error: "overloaded",
};

/** One line, of bearable length, ending in a full stop. A proxy may answer with a whole page. */
export function sentence(text: string): string {
  const line = shorten(oneLine(text), 401);
  return /[.!?…]$/.test(line) ? line : `${line}.`;
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date. Undefined: nothing said, or not in the future. */
export function retryAfterOf(headers: Headers | undefined, now: number): number | undefined {
  const after = headers?.get("retry-after") ?? "";
  const candidates = [
    Number.parseFloat(headers?.get("retry-after-ms") ?? ""),
    /^\s*[\d.]+\s*$/.test(after) ? Number.parseFloat(after) * 1000 : Date.parse(after) - now,
  ];
  return candidates.find((ms) => ms > 0);
}
