import {
  answerOperation,
  approveOperation,
  askOperation,
  changeOperation,
  checkOperation,
  newOperation,
  presentOperation,
  recoverOperation,
  rejectOperation,
  resumeOperation,
  waiveOperation,
} from "./chains.ts";
import { costOperation, promptsListOperation, promptsShowOperation, statusOperation } from "./look.ts";
import { demoOperation, doctorOperation, trustOperation } from "./setup.ts";
import type { Operation } from "./operation.ts";

/** Everything that can be asked of us, in the order a newcomer meets it. */
export const operations: readonly Operation[] = [
  newOperation,
  resumeOperation,
  statusOperation,
  answerOperation,
  approveOperation,
  rejectOperation,
  changeOperation,
  askOperation,
  waiveOperation,
  checkOperation,
  presentOperation,
  costOperation,
  promptsListOperation,
  promptsShowOperation,
  trustOperation,
  demoOperation,
  doctorOperation,
  recoverOperation,
];
