import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { userSeal } from "../../src/session/key.ts";
import type { ChainStore } from "../../src/chain/ownership.ts";
import { chainPaths, contextFiles } from "../../src/store/chains.ts";
import { writeJournalEnd } from "../../src/store/journal_end.ts";
import { sealText, sealWith, type Seal } from "../../src/store/seal.ts";
import { sha256 } from "../../src/util/hash.ts";

export const testSeal = sealWith(Buffer.alloc(32, 7));

/** Chains of a user whose key a test knows, in a home that was never moved. */
export function storeAt(contexts: string, seal: Seal = testSeal): ChainStore {
  return { contexts, seal, home: join(contexts, ".."), movedTo: () => undefined };
}

/** The seal of the user whose environment this is, made if there is none yet. */
export function sealOfUser(env: Record<string, string>): Seal {
  return userSeal(env, true).seal;
}

/** Hashes for lines that a test wrote or changed itself: with a key as its user's own, without one as anybody can. */
export function withHashes(lines: readonly object[], seal?: Seal): string {
  let hash = "";
  const hashed = lines.map((line) => {
    const { hash: _, ...body } = line as Record<string, unknown>;
    const json = JSON.stringify(body);
    hash = seal ? seal.hash(hash, json) : sha256(hash, json);
    return `${json.slice(0, -1)},"hash":"${hash}"}\n`;
  });
  return hashed.join("");
}

/** Changes the lines of a journal as somebody does who knows the key, or (without `seal`) as anybody can. */
export function rewriteJournal(
  path: string,
  seal: Seal | undefined,
  change: (line: Record<string, unknown>) => object,
): void {
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  const text = withHashes(
    lines.map((line) => change(JSON.parse(line) as Record<string, unknown>)),
    seal,
  );
  writeFileSync(path, text);
  const { hash } = JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as { hash: string };
  const [contexts, id] = [join(path, "..", ".."), basename(path, ".jsonl")];
  writeJournalEnd(chainPaths(contexts, id).end, { n: lines.length, hash, calls: null });
  const view = contextFiles(contexts).get(id);
  if (view === undefined) return;
  // The context file names the end of the journal too, and is whole as long as its seal fits.
  const { seal: _seal, ...known } = JSON.parse(readFileSync(view, "utf8")) as Record<string, unknown>;
  const content = { ...known, journal: { n: lines.length, hash } };
  writeFileSync(view, JSON.stringify({ ...content, seal: sha256(JSON.stringify(content)).slice(0, 16) }));
}

/** The text of a message's file, as the user of this place would have left it for the chain of this journal. */
export function sealedMessage(env: Record<string, string>, journal: string, name: string, message: object): string {
  const { hash } = JSON.parse(readFileSync(journal, "utf8").split("\n")[0] ?? "") as { hash: string };
  return sealText(sealOfUser(env), ["message", hash, name], JSON.stringify(message));
}
