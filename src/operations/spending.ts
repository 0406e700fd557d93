import { z } from "zod";
import { groupings } from "../costs/spending.ts";
import { exitCodes } from "../util/errors.ts";
import { wholeNumber } from "./flags.ts";
import { operation } from "./operation.ts";

export const costReportOperation = operation({
  name: "cost-report",
  summary: "What the chains of this home spent, for what, what was wasted, and what could be saved",
  permission: "read",
  positional: [],
  result: async () => (await import("./results.ts")).costReportResult,
  options: ["home"],
  input: () =>
    z.object({
      days: wholeNumber
        .refine((days) => days <= 3660, "is more than ten years")
        .default(7)
        .describe("How many days, today included (7)"),
      by: z
        .enum(groupings, `is none of ${groupings.join(", ")}`)
        .default("prompt")
        .describe("What the costs are added up by (prompt)"),
      csv: z.boolean().optional().describe("Print what is added up as comma-separated values"),
    }),
  async run({ days, by }, session) {
    const { figures, unread, foreign } = await session.figures();
    const { costReport } = await import("../costs/cost_report.ts");
    const report = costReport(figures, { now: session.world.now(), days, by });
    return { exit: exitCodes.done, data: { ...report, foreign, unread } };
  },
});
