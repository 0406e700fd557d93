import { installOperation } from "./install.ts";
import type { z } from "zod";
import * as authoring from "./authoring.ts";
import * as chains from "./chains.ts";
import * as changes from "./changes.ts";
import { completeOperation } from "./complete.ts";
import * as look from "./look.ts";
import { memoryOperation } from "./memory.ts";
import * as patterns from "./patterns.ts";
import * as promote from "./promote.ts";
import * as prompts from "./prompts.ts";
import * as recover from "./recover.ts";
import * as setup from "./setup.ts";
import * as spending from "./spending.ts";
import type { Caller, Operation, Session } from "./operation.ts";

/** Everything that can be asked of us, in the order a newcomer meets it. */
export const operations = [
  chains.newOperation,
  chains.resumeOperation,
  look.statusOperation,
  look.logOperation,
  chains.answerOperation,
  chains.approveOperation,
  changes.allowOperation,
  chains.rejectOperation,
  chains.changeOperation,
  chains.askOperation,
  chains.tellOperation,
  changes.diffOperation,
  changes.rewindOperation,
  chains.acceptOperation,
  chains.waiveOperation,
  chains.checkOperation,
  chains.presentOperation,
  chains.createPromptOperation,
  look.costOperation,
  spending.costReportOperation,
  completeOperation,
  patterns.savePatternOperation,
  patterns.patternsOperation,
  patterns.patternsShowOperation,
  memoryOperation,
  prompts.promptsListOperation,
  prompts.promptsSearchOperation,
  prompts.promptsShowOperation,
  authoring.promptsNewOperation,
  authoring.promptsEditOperation,
  prompts.promptsLintOperation,
  prompts.promptsRenderOperation,
  prompts.promptsRunOperation,
  prompts.promptsStatsOperation,
  authoring.promptsImportOperation,
  authoring.promptsExportOperation,
  promote.promptsPromoteOperation,
  setup.trustOperation,
  setup.demoOperation,
  setup.doctorOperation,
  installOperation,
  recover.recoverOperation,
] as const;

type Known = (typeof operations)[number];
export type OperationName = Known["name"];
export type ResultOf<Name extends OperationName> =
  Extract<Known, { name: Name }> extends Operation<string, z.ZodObject, infer Result> ? z.infer<Result> : never;

/** What came of an operation: whoever looks at its name knows what its data are. */
export type Outcome = {
  [Name in OperationName]: { readonly operation: Name; readonly exit: number; readonly data: ResultOf<Name> };
}[OperationName];

export function operationNamed(name: OperationName): Operation {
  const operation = operations.find((known) => known.name === name);
  if (!operation) throw new Error(`There is no operation ${name}.`);
  return operation;
}

/** Asks for one of our operations, with input that fits it. */
export async function perform(
  { name, run }: Operation,
  input: Record<string, unknown>,
  session: Session,
  caller: Caller,
): Promise<Outcome> {
  // The operation of this name gives the data of this name.
  return { operation: name, ...(await run(input, session, caller)) } as Outcome;
}
