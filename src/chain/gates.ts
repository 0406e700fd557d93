import { areas, type Context } from "./context.ts";
import { phases, type Phase } from "./events.ts";
import { lastReviewer, scoreOwners } from "./roles.ts";

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
  if (ambiguity > gates.ambiguity && context.questions.length === 0) {
    reasons.push(`Ambiguity is ${percent(ambiguity)}; above ${percent(gates.ambiguity)} the user must be asked first.`);
  }
  return reasons;
}

export function confidenceGate(context: Context): string[] {
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
  const unasked = context.uncertainties.filter(
    ({ area, confidence, resolved, blocking }) =>
      !resolved && !blocking && confidence < 0.4 && !isWaived(context, area) && !isAskedAbout(context, area),
  );
  return [
    ...reasons,
    ...blocking(context).map(({ area }) => `The blocking uncertainty "${area}" is open.`),
    ...unasked.map(
      ({ area, confidence }) => `"${area}" is only ${percent(confidence)} certain: ask the user about it.`,
    ),
  ];
}

function isAskedAbout({ questions }: Context, area: string): boolean {
  return questions.some(({ id, settles }) => id === area || settles === area);
}

function implementationGate(context: Context): string[] {
  const reasons = [...reasonsBeforeReviews(context), ...reviewReasons(context)];
  if (reasons.length > 0 || !isRepeatable(context)) return reasons;
  return ["The last green run has not been repeated without the new code. The engine does this by itself."];
}

/** Whether the last green run is repeated without the new code now: before anybody is paid to review it. */
export function isRepeatDue(context: Context): boolean {
  return isRepeatable(context) && isFinished(context) && reasonsBeforeReviews(context).length === 0;
}

/** Everything that was approved is written, or the model says that the rest is not needed; and the tests pass. */
export function isFinished(context: Context): boolean {
  const { solution, engine, evidence } = context;
  const files = solution?.solution.files ?? [];
  const isWritten = files.every(({ path }) => Object.hasOwn(engine.files, path)) && hasWritten(context);
  return (isWritten || engine.completion !== null) && (evidence.green || engine.test_command === null);
}

/** Whether a file was changed since the solution was approved. */
export function hasWritten({ engine }: Context): boolean {
  return Object.values(engine.files).some(({ kept }) => !kept);
}

/** Why the work is not complete, apart from the reviews and checks that the engine runs by itself. */
export function reasonsBeforeReviews(context: Context): string[] {
  const { evidence, engine, solution } = context;
  const reasons: string[] = [];
  const byTests = solution?.solution.verification.kind === "tests";
  const testsPlanned = solution?.solution.files.some(({ role }) => role === "test") ?? false;
  if (byTests && testsPlanned && context.mode === "tdd" && !evidence.red)
    reasons.push("The tests were never seen to fail before the code was written.");
  if (Object.keys(engine.files).length === 0) return [...reasons, "No file has been changed."];
  const last = evidence.runs.at(-1);
  if (engine.test_command && !evidence.green)
    reasons.push(
      last?.verdict === "unproven" && last.why !== undefined
        ? `The last test run passed, but it does not count: ${last.why}`
        : "The last test run recorded after the last change did not pass.",
    );
  return reasons;
}

function reviewReasons(context: Context): string[] {
  const { engine, evidence, solution, scores } = context;
  const reasons = [
    ...blocking(context).map(({ area, by }) => `The blocking finding "${area}" of ${by} is open.`),
    ...openFindings(context).map(({ id, by, what }) => `The blocking finding ${id} of ${by} is open: ${what}`),
  ];
  if (isCheckOpen(context)) {
    const [checker] = scoreOwners.substitute_check;
    const check = solution?.solution.verification.check;
    reasons.push(`${checker} has not reported substitute_check 1 since the last change: ${check}`);
  }
  if (context.size === "tiny") return reasons;
  const isMissing = (name: string) =>
    !evidence.reviewed.includes(name) && !(name === lastReviewer && isCheckOpen(context));
  for (const name of reviewersOf(context)) {
    if (isMissing(name)) reasons.push(`The engine has still to run ${name} on the finished change.`);
  }
  const { simplicity } = scores;
  const [judge] = scoreOwners.simplicity;
  if (simplicity === undefined && engine.gates.quality.includes(judge))
    reasons.push(`${judge} has given no simplicity score.`);
  if (isTooComplex(context))
    reasons.push(`The simplicity score is ${simplicity}; it must be below ${engine.gates.simplicity}.`);
  return reasons;
}

/** The reviewers of this chain, in the order of its settings. The deployment checker is one of them only if something is deployed, or if it carries out a substitute check. */
export function reviewersOf({ engine, solution, size }: Context): string[] {
  const isSubstitute = solution?.solution.verification.kind === "substitute";
  const reviewers = size === "tiny" ? [] : engine.gates.quality.filter((name) => name !== lastReviewer);
  const isChecked =
    isSubstitute || (size !== "tiny" && engine.is_deployed && engine.gates.quality.includes(lastReviewer));
  return isChecked ? [...reviewers, lastReviewer] : reviewers;
}

/** Who must look at the finished change now: all at first, and after a fix only those whose finding was fixed. */
export function reviewsDue(context: Context): string[] {
  const { engine, evidence } = context;
  const due = reviewersOf(context).filter(
    (name) =>
      !evidence.reviewed.includes(name) || (isUnsatisfied(context, name) && engine.reported[name] !== engine.changes),
  );
  const others = due.filter((name) => name !== lastReviewer);
  return others.length > 0 ? others : due;
}

/** Whether a reviewer has an open objection of its own. */
export function isUnsatisfied(context: Context, name: string): boolean {
  return (
    openFindings(context).some(({ by }) => by === name) ||
    blocking(context).some(({ by }) => by === name) ||
    (name === scoreOwners.simplicity[0] && isTooComplex(context)) ||
    (name === scoreOwners.substitute_check[0] && isCheckOpen(context))
  );
}

function isCheckOpen({ solution, scores }: Context): boolean {
  return solution?.solution.verification.kind === "substitute" && scores["substitute_check"] !== 1;
}

function isTooComplex({ scores, engine }: Context): boolean {
  return (scores["simplicity"] ?? 0) >= engine.gates.simplicity;
}

/** Open findings that keep the chain from completing. */
export function openFindings(context: Context) {
  return context.findings.filter(
    ({ id, severity, standing }) => severity === "blocking" && standing === "open" && !isWaived(context, id),
  );
}

/** Whether its proof rests on tests that were seen to fail, and nobody looked again since the last command. */
export function isRepeatable({ engine, evidence }: Context): boolean {
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
