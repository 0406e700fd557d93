/**
 * The model of today for one that its provider no longer serves: `claude-3-opus-20240229` → `claude-opus-5-5`.
 * Undefined for every other name.
 */
export function successorOf(model: string): string | undefined {
  const family = /^claude-3(?:-\d)?-(opus|sonnet|haiku)(?:-\d{8}|-latest)?$/.exec(model)?.[1];
  return family === undefined ? undefined : today[family];
}

/** Known on 2026-11-20. */
const today: Readonly<Record<string, string>> = {
  opus: "claude-opus-5-5",
  sonnet: "claude-sonnet-5-5",
  haiku: "claude-haiku-5-5",
};
