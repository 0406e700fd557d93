import { z } from "zod";
import { event } from "../chain/events.ts";
import { fitting } from "./newest_chain.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { chainId } from "./flags.ts";
import { operation } from "./operation.ts";

export const completeOperation = operation({
  name: "complete",
  summary: "Show what is known of a change before it goes out, and rate its chain",
  permission: "change",
  positional: ["chain"],
  newest: fitting.finished,
  result: async () => (await import("./results.ts")).completeResult,
  options: ["home"],
  input: () =>
    z.object({
      chain: chainId,
      rating: z
        .string()
        .regex(/^[1-5]$/, "is not 1, 2, 3, 4 or 5")
        .optional()
        .describe("How well it went, from 1 to 5"),
    }),
  async run(input, session, caller) {
    const { readChain } = await import("../chain/inspect.ts");
    const { ratingIn } = await import("../chain/pattern.ts");
    const { readinessOf } = await import("../chain/readiness.ts");
    const { id } = await session.ownChain(input.chain);
    const { context, lines } = readChain(session.store, id);
    const finished = fitting.finished.fits(context);
    if (input.rating !== undefined) {
      const { appendTo } = await import("./lost_cost.ts");
      const why = finished ? "Another process works on it" : "It has not finished a change";
      const rating = Number(input.rating);
      const isKept =
        finished && (await appendTo(session.beginning(caller), id, () => event("chain_rated", { rating })));
      const next = { operation: "status", input: { chain: id }, why: "See where it stands" };
      if (!isKept) throw new UserError("not_rated", `Chain ${id} was not rated. ${why}.`, next, exitCodes.conflict);
    }
    const rating = input.rating ? Number(input.rating) : ratingIn(lines);
    const offers = [
      ...(rating === null
        ? [{ operation: "complete", input: { chain: id, rating: "4" }, why: "Rate it, from 1 to 5" }]
        : []),
      { operation: "save-pattern", input: { chain: id }, why: "Keep it as a pattern" },
    ];
    const next = finished ? offers : [{ operation: "resume", input: { chain: id }, why: "It is not finished. Go on" }];
    const data = { chain_id: id, goal: context.goal, finished, checks: readinessOf(context), rating, next };
    return { exit: finished ? exitCodes.done : exitCodes.waiting, data };
  },
});
