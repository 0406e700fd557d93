import {
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
import { costOperation, statusOperation } from "./look.ts";
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
import type { Operation } from "./operation.ts";

/** Everything that can be asked of us, in the order a newcomer meets it. */
export const operations: readonly Operation[] = [
  newOperation,
  resumeOperation,
  statusOperation,
  answerOperation,
  approveOperation,
  allowOperation,
  rejectOperation,
  changeOperation,
  askOperation,
  diffOperation,
  rewindOperation,
  waiveOperation,
  checkOperation,
  presentOperation,
  costOperation,
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
];
