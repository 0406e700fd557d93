import { isRecord, type Json } from "../util/json.ts";

/** An operation's data, looked at as what a person is to read of it. */
export type Data = Record<string, Json | undefined>;

export function record(value: Json | undefined): Data {
  return isRecord(value) ? value : {};
}

export function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function word(value: Json | undefined): string {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
}

/** A path on one line, whatever it is called. */
export function path(value: Json | undefined): string {
  return word(value).replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

export function number(value: Json | undefined): number {
  return typeof value === "number" ? value : 0;
}

export function money(value: Json | undefined): string {
  const usd = number(value);
  return `$${usd > 0 && usd < 0.1 ? usd.toFixed(3) : usd.toFixed(2)}`;
}
