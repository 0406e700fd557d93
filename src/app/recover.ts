import { z } from "zod";
import { exitCodes } from "../util/errors.ts";
import { asJson } from "../util/json.ts";
import { contextFiles } from "../store/chains.ts";
import { chainId, common, confirmMove } from "./flags.ts";
import { operation } from "./operation.ts";
import { ownFolders } from "./places.ts";
import { flagsAgain } from "./trouble.ts";
import { isTrusted, trust, untrusted } from "./trust.ts";

export const recoverOperation = operation({
  name: "recover",
  summary: "Show what a damaged chain lost, and let it go on as you choose; what is damaged is kept",
  permission: "change",
  positional: ["chain"],
  input: z.object({
    chain: chainId,
    choice: z
      .enum(["continue", "phase", "fresh"], "is none of continue, phase, fresh")
      .optional()
      .describe("How it goes on; left out, this is asked"),
    adopt: confirmMove,
    trust: common.trust,
    home: common.home,
  }),
  async run(input, caller) {
    const { offerRecovery, recoverChain } = await import("../chain/recover.ts");
    const { beginning, folderOf } = await import("./turns.ts");
    const { ownChain } = await import("./own.ts");
    const { home, id, workspace: own } = await ownChain(input, caller);
    const begun = beginning(caller, home);
    const offer = offerRecovery(begun, id);
    const again = flagsAgain({ home: input.home });
    const data = {
      schema_version: 1 as const,
      chain_id: id,
      again,
      context_file: contextFiles(begun.contexts).get(id) ?? null,
    };
    const { choice } = input;
    if (choice === undefined) {
      const ending = asJson({ type: "needs_recovery_choice", ...offer });
      return { exit: exitCodes.waiting, data: { ...data, ending } };
    }
    if (input.trust) trust(own, caller.world.env);
    if (!isTrusted(own, caller.world.env)) throw untrusted(own);
    const { openWorkspace } = await import("../tools/workspace.ts");
    const recovered = await recoverChain(begun, id, choice, async (context) => {
      const folder = await folderOf(own, context, caller);
      return openWorkspace(folder ?? own, { hide: folder === null ? ownFolders(home) : [] });
    });
    const kept_as = recovered.kept_as && `journal/${recovered.kept_as}`;
    const more = {
      choice,
      next_chain: recovered.id,
      lost: asJson(offer.lost),
      kept_as,
      context_file: recovered.viewPath,
    };
    return { exit: exitCodes.done, data: { ...data, ...more } };
  },
});
