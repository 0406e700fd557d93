import {
  acceptOperation,
  answerOperation,
  approveOperation,
  askOperation,
  changeOperation,
  checkOperation,
  newOperation,
  presentOperation,
  rejectOperation,
  resumeOperation,
  waiveOperation,
} from "./chains.ts";
import {
  promptsEditOperation,
  promptsExportOperation,
  promptsImportOperation,
  promptsNewOperation,
} from "./authoring.ts";
import { allowOperation, diffOperation, rewindOperation } from "./changes.ts";
import { costOperation, logOperation, statusOperation } from "./look.ts";
import {
  promptsLintOperation,
  promptsListOperation,
  promptsRenderOperation,
  promptsRunOperation,
  promptsSearchOperation,
  promptsShowOperation,
  promptsStatsOperation,
} from "./prompts.ts";
import { demoOperation, doctorOperation, trustOperation } from "./setup.ts";
import { recoverOperation } from "./recover.ts";
import { costReportOperation } from "./spending.ts";
import type { z } from "zod";
import type { Caller, Operation, Session } from "./operation.ts";

/** Everything that can be asked of us, in the order a newcomer meets it. */
export const operations = [
  newOperation,
  resumeOperation,
  statusOperation,
  logOperation,
  answerOperation,
  approveOperation,
  allowOperation,
  rejectOperation,
  changeOperation,
  askOperation,
  diffOperation,
  rewindOperation,
  acceptOperation,
  waiveOperation,
  checkOperation,
  presentOperation,
  costOperation,
  costReportOperation,
  promptsListOperation,
  promptsSearchOperation,
  promptsShowOperation,
  promptsNewOperation,
  promptsEditOperation,
  promptsLintOperation,
  promptsRenderOperation,
  promptsRunOperation,
  promptsStatsOperation,
  promptsImportOperation,
  promptsExportOperation,
  trustOperation,
  demoOperation,
  doctorOperation,
  recoverOperation,
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
