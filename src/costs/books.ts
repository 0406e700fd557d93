import type { Attempt, Usage } from "../models/types.ts";

export const noUsage: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };

/** All attempts of a call in one booking: what a provider reported is paid for, also where the answer was lost. */
export function bookAttempts(
  attempts: readonly Attempt[],
  price: (model: string, usage: Usage) => number | undefined,
): { usage: Usage; usd: number | null } {
  let usage = noUsage;
  let usd: number | null = 0;
  for (const attempt of attempts) {
    if (!attempt.usage) continue;
    usage = addUsage(usage, attempt.usage);
    const paid = price(attempt.model, attempt.usage);
    usd = paid === undefined || usd === null ? null : usd + paid;
  }
  return { usage, usd };
}

function addUsage(a: Usage, b: Usage): Usage {
  return {
    input: a.input + b.input,
    output: a.output + b.output,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
  };
}

/** The seed's name of a phase in the books. */
export function phaseKey(phase: string): string {
  return phase === "requirements-clarification" ? "requirements" : phase.replaceAll("-", "_");
}
