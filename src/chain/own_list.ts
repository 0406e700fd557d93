import type { Called } from "./called.ts";
import type { Context } from "./context.ts";
import { blocking, hasWritten, isFinished, isUnsatisfied, openFindings, reviewersOf, reviewsDue } from "./gates.ts";
import { nextNumber, runNext } from "./item.ts";
import { triggers, type Trigger } from "./roles.ts";
import { isAboutTests } from "./test_question.ts";

/** What the engine queues without asking the controller, because the rules leave no choice. */
export function ownStep(context: Context): Called | undefined {
  const { current_phase: phase, phase_history: history, prompts_executed: executed } = context;
  const { questions, session_memory, engine } = context;
  const here = history.at(-1)?.prompts_executed ?? [];
  switch (phase) {
    case "requirements-clarification": {
      const isFresh =
        executed.every((name) => name === triggers.recovery.prompt) &&
        questions.every(
          ({ id }) => isAboutTests(id) || engine.applied?.pattern.questions.some((one) => one.id === id),
        ) &&
        nextNumber(context) === 1;
      return isFresh ? runAlone(context, triggers.fresh_chain) : undefined;
    }
    case "context-building":
    case "solution-approval":
      return undefined;
    case "uncertainty-analysis": {
      const { assumptions_made, fresh_measurement } = triggers;
      if (here.includes(fresh_measurement.prompt)) return undefined;
      const isFounded = session_memory.assumptions.every((one) => engine.validated.includes(one));
      return runAlone(context, isFounded ? fresh_measurement : assumptions_made);
    }
    case "implementation":
      return context.solution?.standing === "approved" ? implementationStep(context, here) : undefined;
  }
}

function implementationStep(context: Context, here: readonly string[]): Called | undefined {
  const { evidence, engine, solution, size, mode } = context;
  const { approved_with_tests, approved_without_tests, tests_failed_first, blocking_findings } = triggers;
  const hasBegun = [approved_with_tests, approved_without_tests].some(({ prompt }) => here.includes(prompt));
  if (!hasBegun && !hasWritten(context)) {
    const { files, verification } = solution!.solution;
    const areTestsMissing = !evidence.red && files.some(({ role }) => role === "test");
    const isTestFirst = size !== "tiny" && mode === "tdd" && verification.kind === "tests" && areTestsMissing;
    return runAlone(context, isTestFirst ? approved_with_tests : approved_without_tests);
  }
  if (engine.gate) return undefined;
  const last = here.at(-1) ?? "";
  const isRed = evidence.runs.at(-1)?.verdict === "red";
  if (isRed && last !== tests_failed_first.prompt) return runAlone(context, tests_failed_first);
  if (!isFinished(context)) return undefined;
  const due = reviewsDue(context);
  if (due.length > 0) return runNext(context, "The change is reviewed now.", due);
  const reviewers = reviewersOf(context);
  const isObjected = reviewers.includes(last) && reviewers.some((name) => isUnsatisfied(context, name));
  return isObjected ? runAlone(context, blocking_findings, findingsText(context)) : undefined;
}

function findingsText(context: Context): string {
  return [
    ...openFindings(context).map(
      ({ id, by, where, what, trigger }) => `${id} of ${by}, ${where}: ${what} It shows when: ${trigger}`,
    ),
    ...blocking(context).map(({ area, by, resolution }) => `${area}, found by ${by}. ${resolution ?? ""}`.trim()),
  ].join("\n");
}

function runAlone(context: Context, { prompt, why }: Trigger, focus = ""): Called {
  return runNext(context, why, [prompt], focus === "" ? {} : { focus });
}
