import type { Context } from "../chain/context.ts";
import type { Blobs } from "../store/blobs.ts";
import { unifiedDiff } from "../util/diff.ts";

/** What somebody has to see to judge the change that is asked for. */
export interface ShownChange {
  readonly diff: string;
  readonly proposed: string | null;
  /** How it differs from the version that a person turned down; null: they turned none down. */
  readonly since: string | null;
}

export function shownChange({ engine }: Context, blobs: Blobs): ShownChange | undefined {
  const { request, turned_down: refused } = engine;
  if (request?.kind !== "change") return undefined;
  const text = (hash: string | null) => (hash === null ? null : blobs.get(hash));
  const proposed = text(request.after);
  const last = Object.hasOwn(refused, request.path) ? refused[request.path]! : undefined;
  const since = last === undefined ? null : unifiedDiff(text(last), proposed, request.path);
  return { diff: unifiedDiff(text(request.before), proposed, request.path), proposed, since };
}
