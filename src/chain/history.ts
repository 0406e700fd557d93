import type { ChainLine } from "./events.ts";
import { shorten } from "../util/shorten.ts";

/** A chain's events in short, one a line, for a prompt that looks at the chain from outside. */
export function historyText(lines: readonly ChainLine[]): string {
  return lines.flatMap((line) => (line.type === "event" ? [shortLine(line)] : [])).join("\n");
}

function shortLine(line: Extract<ChainLine, { type: "event" }>): string {
  const { type: _type, hash: _hash, n, at, by: _by, event, ...fields } = line;
  const short = (key: string, value: unknown): unknown =>
    key === "text" || key === "tools" || key === "system" || key === "base"
      ? undefined
      : typeof value === "string"
        ? shorten(value, 400)
        : value;
  return event === "ledger_extended" || event === "epoch_opened"
    ? JSON.stringify({ n, at, event })
    : JSON.stringify({ n, at, event, ...fields }, short);
}
