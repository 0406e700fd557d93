import { unifiedDiff } from "../util/diff.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import { event } from "./events.ts";
import { engineActor, withLedger } from "./open.ts";

/** Longer changes are cut here: a reviewer reads the rest with its tools. */
const limit = 60_000;

/**
 * Puts the change into the ledger, so that no reviewer has to read its files one by one. Reviewers that look again are
 * shown what was changed since they looked last.
 */
export async function showChange({ chain, deps }: Work): Promise<void> {
  const { context } = chain;
  const { files: approved, left, shown } = context.engine;
  const read = (path: string) => deps.workspace.read(path, "write");
  const now = Object.keys(left).flatMap((path) => {
    const found = read(path);
    const after = found.type === "text" ? found.sha256 : null;
    return Object.hasOwn(approved, path) || after === left[path] ? [] : [[path, after] as const];
  });
  const others = now.map(([path]) => path);
  const files = Object.fromEntries([
    ...Object.entries(approved).map(([path, { after }]) => [path, after] as const),
    ...now,
  ]);
  if (JSON.stringify(files) === JSON.stringify(shown)) return;
  const textOf = (path: string, hash: string | null) => {
    if (hash === null) return null;
    const found = read(path);
    return found.type === "text" && found.sha256 === hash ? found.text : chain.blobs.get(hash);
  };
  const diffs = Object.entries(files).flatMap(([path, after]) => {
    const before = shownBefore(context, path);
    return before === after ? [] : [unifiedDiff(textOf(path, before), textOf(path, after), path)];
  });
  const strays = `Changed for an earlier solution, and not part of the approved one: ${others.join(", ")}. These files are still changed.\n`;
  const whole = deps.workspace.redact((others.length > 0 ? strays : "") + diffs.join("\n"));
  const text = whole.length > limit ? `${whole.slice(0, limit)}\n[Cut here. Read the rest with read_file.]` : whole;
  await chain.append(withLedger(engineActor, [event("change_shown", { files, text })]));
}

/** What a file held when reviewers were shown it last, or else before the chain changed it. */
function shownBefore({ engine }: Context, path: string): string | null {
  const { shown, files, left } = engine;
  return Object.hasOwn(shown, path) ? (shown[path] ?? null) : (files[path]?.before ?? left[path] ?? null);
}
