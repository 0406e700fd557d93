import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { promptName } from "../library/names.ts";
import type { Session } from "../session/session.ts";
import { openBlobs } from "../store/blobs.ts";
import { chainIds, chainPaths } from "../store/chains.ts";
import { unifiedDiff } from "../util/diff.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { checkFree, folderOf, scope } from "./authoring.ts";
import { busyAnswer } from "./chain_answer.ts";
import { operation } from "./operation.ts";

export const promptsPromoteOperation = operation({
  name: "prompts promote",
  summary: "Take a prompt that a chain wrote into the library; without a name, see what waits for that",
  permission: "change",
  positional: ["name", "hash"],
  result: async () => (await import("./results.ts")).promotedResult,
  options: ["home", "trust"],
  input: () =>
    z.object({
      name: z.string().optional().describe("Its exact name"),
      hash: z.string().optional().describe("Printed with the difference; left out, the difference is only shown"),
      scope: scope.describe("workspace, user, or (left out) custom: prompts/custom"),
    }),
  async run({ name, hash, scope: wanted }, session, caller) {
    const written = await generatedIn(session);
    const waiting = written.filter(({ standing }) => standing === "kept" || standing === "pending_review");
    if (name === undefined) return { exit: exitCodes.done, data: { waiting } };
    const prompt = waiting.find((prompt) => prompt.name === promptName(name));
    if (!prompt) {
      const next = { operation: "prompts promote", why: "See what waits" };
      throw new UserError("unknown_prompt", `No chain keeps a prompt ${name} that could be promoted.`, next);
    }
    session.needsTrust(session.home.workspace);
    const looked = await session.library();
    const custom = (wanted ?? "custom") === "custom" ? looked.folders.find((one) => one.scope === "custom") : undefined;
    const place = custom ?? folderOf(session, looked, wanted);
    const blobs = openBlobs(chainPaths(session.store.contexts, prompt.chain).blobs);
    const file = join(resolve(place.path), `${prompt.name}.md`);
    if (!existsSync(file)) await checkFree(looked, prompt.name);
    const texts = [
      { path: file, text: blobs.get(prompt.text) },
      { path: file.replace(/\.md$/, ".tests.yaml"), text: blobs.get(prompt.tests) },
    ];
    const diff = texts
      .map(({ path, text }) => unifiedDiff(readTextIfThere(path) ?? null, text, basename(path)))
      .join("\n");
    const id = prompt.text.slice(0, 8);
    const data = { ...prompt, file, diff, hash: id };
    const input = { name: prompt.name, hash: id, ...(wanted ? { scope: wanted } : {}) };
    const next = [{ operation: "prompts promote", input, why: "Promote it" }];
    if (hash === undefined) return { exit: exitCodes.waiting, data: { ...data, promoted: false, next } };
    if (hash !== id || caller.by.kind !== "person") {
      const message = `What would be promoted is ${id}, not ${hash}. Nothing was written.`;
      const look = { operation: "prompts promote", input: { name: prompt.name }, why: "Look at it first" };
      throw new UserError("other_prompt", message, look, exitCodes.conflict);
    }
    if (place.scope === "workspace") session.makeHome();
    const { openChain } = await import("../chain/open.ts");
    const { event } = await import("../chain/events.ts");
    const opened = openChain(session.beginning(caller), prompt.chain);
    if (!opened) return busyAnswer(prompt.chain);
    try {
      for (const { path, text } of texts) writeAtomic(path, text, { mode: 0o644 });
      const { chain: _, ...known } = prompt;
      const promoted = event("generated_prompt", { prompt: { ...known, standing: "promoted" }, file });
      await opened.chain.append({ by: caller.by, bodies: [promoted] });
      if (opened.edits.length === 0) opened.chain.writeView(true);
    } finally {
      await opened.chain.close();
    }
    return { exit: exitCodes.done, data: { ...data, promoted: true, next: [] } };
  },
});

/** What was written for the own chains of this home, the newest first. */
export async function generatedIn({ store, foreign }: Session) {
  const isForeign = await foreign();
  const { readChain } = await import("../chain/inspect.ts");
  const ids = chainIds(store.contexts).filter((id) => existsSync(chainPaths(store.contexts, id).prompts));
  return ids.reverse().flatMap((chain) => {
    const prompts = isForeign(chain) ? [] : Object.values(readChain(store, chain).context.engine.generated);
    return prompts.map((prompt) => ({ ...prompt, chain }));
  });
}
