import { z } from "zod";
import { exitCodes } from "../util/errors.ts";
import { contextFiles } from "../store/chains.ts";
import { busyAnswer } from "./chain_answer.ts";
import { chainNumber, confirmMove } from "./flags.ts";
import { operation } from "./operation.ts";

export const recoverOperation = operation({
  name: "recover",
  summary: "Show what a damaged chain lost, and let it go on as you choose; what is damaged is kept",
  permission: "change",
  positional: ["chain"],
  result: async () => (await import("./results.ts")).recoverResult,
  options: ["home", "trust"],
  input: () =>
    z.object({
      chain: chainNumber,
      choice: z
        .enum(["continue", "phase", "fresh"], "is none of continue, phase, fresh")
        .optional()
        .describe("How it goes on; left out, this is asked"),
      adopt: confirmMove,
    }),
  async run(input, session, caller) {
    const { offerRecovery, recoverChain } = await import("../chain/recover.ts");
    const { id, workspace: own } = await session.ownChain(input.chain, input);
    const begun = session.beginning(caller);
    const offer = offerRecovery(begun, id);
    const context_file = contextFiles(begun.contexts).get(id) ?? null;
    const { choice } = input;
    if (choice === undefined) {
      const next = offer.choices.map((way) => ({ input: { choice: way }, why: recoveryWays[way] }));
      return {
        exit: exitCodes.waiting,
        data: { chain_id: id, context_file, needs: "choice" as const, ...offer, next },
      };
    }
    session.needsTrust(own);
    const recovered = await recoverChain(begun, id, choice, async (context) =>
      session.filesOf(own, await session.worktreeOf(own, context)),
    );
    if (!recovered) return busyAnswer(id);
    const kept_as = recovered.kept_as && `journal/${recovered.kept_as}`;
    const next = [{ operation: "resume", input: { chain: recovered.id }, why: "Go on" }];
    const done = {
      choice,
      next_chain: recovered.id,
      lost: offer.lost,
      kept_as,
      context_file: recovered.viewPath,
      next,
    };
    return { exit: exitCodes.done, data: { chain_id: id, ...done } };
  },
});

/** Each way to go on with a damaged chain, in the order in which it is offered. */
const recoveryWays = {
  continue: "continue from the last good state",
  phase: "run the last phase again with what is known",
  fresh: "start again, as a new chain, with what was learned",
};
