/** A path on one line, whatever it is called. */
export function path(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

/** Null where no price is known. */
export function money(usd: number | null): string {
  if (usd === null) return "an unknown amount";
  return `$${usd > 0 && usd < 0.1 ? usd.toFixed(3) : usd.toFixed(2)}`;
}

export function percent(value: number): string {
  return `${Math.round(value * 100)}%`;
}
