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
  const files = Object.fromEntries(Object.entries(context.engine.files).map(([path, { after }]) => [path, after]));
  if (JSON.stringify(files) === JSON.stringify(context.engine.shown)) return;
  const textOf = (path: string, hash: string | null) => {
    if (hash === null) return null;
    const now = deps.workspace.read(path, "write");
    return now.type === "text" && now.sha256 === hash ? now.text : chain.blobs.get(hash);
  };
  const diffs = Object.entries(context.engine.files).flatMap(([path, { after }]) => {
    const before = shownBefore(context, path);
    return before === after ? [] : [unifiedDiff(textOf(path, before), textOf(path, after), path)];
  });
  const whole = deps.workspace.redact(diffs.join("\n"));
  const text = whole.length > limit ? `${whole.slice(0, limit)}\n[Cut here. Read the rest with read_file.]` : whole;
  await chain.append(withLedger(engineActor, [event("change_shown", { files, text })]));
}

/** What a file held when reviewers were shown it last, or else before the chain changed it. */
function shownBefore({ engine }: Context, path: string): string | null {
  const { shown, files } = engine;
  return Object.hasOwn(shown, path) ? (shown[path] ?? null) : (files[path]?.before ?? null);
}
