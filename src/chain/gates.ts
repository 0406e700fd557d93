import { areas, type Context } from "./context.ts";
import { phases, type Phase } from "./events.ts";

/** Why a chain may not leave its phase for `to`; nothing means it may. Only recorded facts are looked at. */
export function gate(context: Context, to: Phase | "done"): string[] {
  const { current_phase: from } = context;
  if (to === "done") return from === "implementation" ? implementationGate(context) : ["There is nothing built yet."];
  const next = phases[phases.indexOf(from) + 1];
  if (to !== next) return [`From ${from} the way leads to ${next ?? "completion"}, not to ${to}. To return, go back.`];
  switch (from) {
    case "requirements-clarification":
      return requirementsGate(context);
    case "context-building":
      return [];
    case "uncertainty-analysis":
      return confidenceGate(context);
    case "solution-approval":
      return context.solution?.standing === "approved" ? [] : ["Nobody has approved the presented solution."];
    case "implementation":
      return [];
  }
}

function requirementsGate(context: Context): string[] {
  const { gates } = context.engine;
  const score = context.confidence_scores["requirements"] ?? 0;
  const reasons: string[] = [];
  if (score < gates.requirements && !isWaived(context, "requirements")) {
    reasons.push(`Confidence in the requirements is ${percent(score)}; ${percent(gates.requirements)} is needed.`);
  }
  const ambiguity = context.scores["ambiguity"] ?? 0;
  if (ambiguity > gates.ambiguity && context.questions.length < 3) {
    reasons.push(
      `Ambiguity is ${percent(ambiguity)}; above ${percent(gates.ambiguity)} three to five questions must be asked first.`,
    );
  }
  return reasons;
}

function confidenceGate(context: Context): string[] {
  const { gates } = context.engine;
  const { overall = 0, ...scores } = context.confidence_scores;
  const reasons: string[] = [];
  if (overall < gates.overall)
    reasons.push(`Overall confidence is ${percent(overall)}; ${percent(gates.overall)} is needed.`);
  for (const area of new Set([...areas, ...Object.keys(scores)])) {
    const score = scores[area] ?? 0;
    if (score < gates.area && !isWaived(context, area)) {
      reasons.push(`Confidence in ${area} is ${percent(score)}; every area needs ${percent(gates.area)}.`);
    }
  }
  return [...reasons, ...blocking(context).map(({ area }) => `The blocking uncertainty "${area}" is open.`)];
}

function implementationGate(context: Context): string[] {
  const reasons = reasonsAgainstDone(context);
  if (reasons.length > 0 || !isRepeatable(context)) return reasons;
  return ["The last green run has not been repeated without the new code. The engine does this by itself."];
}

/** Everything else is done: then the last green run is repeated without the new code. */
export function isRepeatDue(context: Context): boolean {
  return isRepeatable(context) && reasonsAgainstDone(context).length === 0;
}

function reasonsAgainstDone(context: Context): string[] {
  const { evidence, engine, solution } = context;
  const reasons: string[] = [];
  const byTests = solution?.solution.verification.kind === "tests";
  const testsPlanned = solution?.solution.files.some(({ role }) => role === "test") ?? false;
  if (byTests && testsPlanned && context.mode === "tdd" && !evidence.red)
    reasons.push("The tests were never seen to fail before the code was written.");
  if (engine.test_command && !evidence.green)
    reasons.push("The last test run recorded after the last change did not pass.");
  if (Object.keys(engine.files).length === 0) reasons.push("No file has been changed.");
  if (!byTests && context.scores["substitute_check"] !== 1) {
    const check = solution?.solution.verification.check ?? "";
    reasons.push(`deployment_checker has not reported substitute_check 1 since the last change: ${check}`);
  }
  reasons.push(...blocking(context).map(({ area, by }) => `The blocking finding "${area}" of ${by} is open.`));
  if (context.size === "tiny") return reasons;
  for (const name of engine.gates.quality) {
    if (!evidence.reviewed.includes(name)) reasons.push(`${name} has not reported since the last change.`);
  }
  const last = evidence.reviewed.findLast((name) => engine.gates.quality.includes(name));
  const checks = engine.gates.quality.includes("deployment_checker");
  if (checks && last !== "deployment_checker" && evidence.reviewed.includes("deployment_checker")) {
    reasons.push("deployment_checker looks last, and other reviews have reported since: run it again.");
  }
  const simplicity = context.scores["simplicity"];
  if (simplicity === undefined && engine.gates.quality.includes("simplicity_checker")) {
    reasons.push("simplicity_checker has given no simplicity score since the last change.");
  }
  if (simplicity !== undefined && simplicity >= engine.gates.simplicity) {
    reasons.push(`The simplicity score is ${simplicity}; it must be below ${engine.gates.simplicity}.`);
  }
  return reasons;
}

/** Whether its proof rests on tests that were seen to fail, and nobody looked again since the last command. */
function isRepeatable({ engine, evidence }: Context): boolean {
  const { runs, green, repeated } = evidence;
  // Older chains did not record what red was measured with.
  const red = evidence.red && runs.some(({ verdict, setup }) => verdict === "red" && setup !== undefined);
  return red && green && !repeated && engine.test_command !== null && productOf(engine).length > 0;
}

/** The files of the solution that are not tests, as they were before: with them a copy is as it was at red. */
export function productOf({ files }: Context["engine"]): { path: string; before: string | null }[] {
  return Object.entries(files).flatMap(([path, { role, before }]) => (role === "test" ? [] : [{ path, before }]));
}

export function blocking(context: Context) {
  return context.uncertainties.filter(
    ({ area, blocking, resolved }) => blocking && !resolved && !isWaived(context, area),
  );
}

function isWaived({ waived }: Context, area: string): boolean {
  return Object.hasOwn(waived, area);
}

export function percent(value: number): string {
  return `${Math.round(value * 100)}%`;
}
