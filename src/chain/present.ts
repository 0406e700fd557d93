import type { Context } from "./context.ts";
import { event, type ChainEvent } from "./events.ts";
import { blocking, confidenceGate, gate } from "./gates.ts";
import { solutionSchema, type Reply, type Solution } from "./reply.ts";
import { assumptionFaults } from "./assumptions.ts";
import { pageOf, pageText } from "./page.ts";
import { fitsTiny, isSmallChange, looksLikeCode, looksLikeTest, solutionHash } from "./solution.ts";

/** The solution that an action presents. `of`: the prompt that reported it. */
export interface Proposal {
  readonly solution: Solution;
  readonly of: string;
  /** Names of the parts that the action replaced. */
  readonly patched: readonly string[];
  /** Parts that were replaced when it was presented before, with the id of that presentation. */
  readonly earlier: Readonly<Record<string, string>>;
}

/** The files a presented solution names, as they are now; null where there is none. */
export type Base = Readonly<Record<string, string | null>>;

/**
 * Finds the solution that a reply presents: in its own report, in an earlier one, or the one presented before. Who reports
 * a solution and proposes the command that its tests need has nothing else to say: that solution is presented too.
 */
export function proposalOf(context: Context, prompt: string, { report, action }: Pick<Reply, "report" | "action">) {
  const isBeside = action?.do.type === "set_test_command" && report?.solution && !context.solution;
  if (action?.do.type !== "present_solution" && !isBeside) return undefined;
  const { report: wanted, patch } = action?.do.type === "present_solution" ? action.do : { report: "", patch: [] };
  const earlier = context.engine.proposed;
  const known: typeof earlier = [
    ...(report?.solution ? [{ prompt, solution: report.solution }] : []),
    ...earlier.toReversed(),
    ...(context.solution ? [{ prompt: "the solution presented before", solution: context.solution.solution }] : []),
  ];
  const named = known.find((one) => one.prompt === wanted) ?? (wanted === "" ? known[0] : undefined);
  if (!named) {
    const names = known.map((one) => one.prompt).join(", ");
    const problem = wanted === "" ? "No report holds a solution yet." : `No report of "${wanted}" holds a solution.`;
    return { problem: names ? `${problem} These hold one: ${names}.` : `${problem} Report the solution first.` };
  }
  const patched = patch.map(({ part }) => part);
  const changes = Object.fromEntries(patch.map(({ part, value }) => [part, value]));
  const merged = solutionSchema.safeParse({ ...named.solution, ...changes });
  if (!merged.success) {
    const wrong = merged.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    return { problem: `The patched solution is not valid: ${wrong.slice(0, 3).join("; ")}` };
  }
  if (merged.data.files.length === 0) return { problem: "The solution names no file. Name every file it will write." };
  const kept = Object.entries(named.earlier ?? {}).filter(([part]) => !patched.some((one) => one === part));
  const proposal: Proposal = { solution: merged.data, of: named.prompt, patched, earlier: Object.fromEntries(kept) };
  return { proposal };
}

/** Presents a solution to the person, or says why it may not be presented now. */
export function present(context: Context, proposal: Proposal, base: Base): ChainEvent[] | { refused: string[] } {
  const { solution, of, patched, earlier } = proposal;
  const before = Object.keys(earlier).length > 0 ? { earlier } : {};
  if (context.current_phase === "context-building" && !isKnownWay(context, solution) && !fitsTiny(solution))
    return [
      event("phase_changed", { from: "context-building", to: "uncertainty-analysis", reason: tooLarge, focus: "" }),
    ];
  const way = wayToApproval(context, solution);
  if ("refused" in way) return way;
  const reasons = faultsOf(context, solution, base);
  if (reasons.length > 0) return { refused: reasons };
  const size = way.findLast((happened) => happened.event === "size_changed")?.to ?? context.size;
  const page = pageOf(solution, base, { ...context, size });
  const text = pageText(solution.title, page);
  const id = solutionHash(text, base);
  return [...way, event("solution_presented", { solution, text, page, id, base, of, patched, ...before })];
}

/** A small change, or one of a kind that an earlier chain has proved: the gates of confidence hold all the same. */
function isKnownWay({ engine }: Context, solution: Solution): boolean {
  return isSmallChange(solution) || engine.applied !== null;
}

const tooLarge =
  "The solution changes more than three code files, or migrates data: what is uncertain is measured before it is presented.";

/** The events that lead from the current phase to solution-approval. */
function wayToApproval(context: Context, solution: Solution): ChainEvent[] | { refused: string[] } {
  const { current_phase: from, size } = context;
  const isEarly = from === "requirements-clarification" || from === "context-building";
  const isTiny = fitsTiny(solution);
  const isShort = isEarly && isTiny && (size === "tiny" || isSurelyTiny(context));
  const refused = isShort
    ? blocking(context).map(({ area }) => `The blocking uncertainty "${area}" is open.`)
    : reasonsToWait(context, solution);
  if (refused.length > 0) return { refused };
  const resized = isShort ? "tiny" : size === "tiny" && !isTiny ? "normal" : size;
  const tiny = "code file with its test and a document";
  const reason = resized === "tiny" ? `One ${tiny} at most.` : `The solution needs more than one ${tiny}.`;
  const to = "solution-approval";
  return [
    ...(resized === size ? [] : [event("size_changed", { to: resized, reason })]),
    ...(from === to
      ? []
      : [event("phase_changed", { from, to, reason: "The solution is ready to be judged.", focus: "" })]),
  ];
}

function reasonsToWait(context: Context, solution: Solution): string[] {
  const { current_phase: from } = context;
  switch (from) {
    case "requirements-clarification":
    case "context-building": {
      if (!isKnownWay(context, solution))
        return [`A solution is presented after the uncertainty analysis; this is ${from}.`];
      const clarified = from === "requirements-clarification" ? gate(context, "context-building") : [];
      return [...clarified, ...confidenceGate(context)];
    }
    case "uncertainty-analysis":
      return gate(context, "solution-approval");
    case "solution-approval":
      return [];
    case "implementation":
      return ["To change an approved solution, go back to solution-approval first."];
  }
}

/** By what the chain measured, not by what the solution says of itself. */
function isSurelyTiny({ scores, confidence_scores: confidence, engine: { gates } }: Context): boolean {
  const { ambiguity } = scores;
  return (
    ambiguity !== undefined && ambiguity <= gates.ambiguity && (confidence["requirements"] ?? 0) >= gates.requirements
  );
}

function faultsOf(context: Context, solution: Solution, base: Base): string[] {
  const assumed = assumptionFaults(context, solution);
  if (assumed.length > 0) return assumed;
  const { engine } = context;
  const { files, verification } = solution;
  const { kind, check, command } = verification;
  if (kind === "tests" && !engine.test_command && command.trim() === "")
    return [
      "No test command was found in this workspace. Name in verification.command the command that will run the new tests before any code is there, such as `node --test`. Or propose one with set_test_command, or name a substitute check.",
    ];
  if (kind === "substitute" && check.trim() === "")
    return ["Nothing here can fail in a test, so name the check that is carried out instead."];
  if (kind === "person" && files.some(({ role }) => role !== "doc"))
    return ["Only documentation is proved by a person's eyes. Name a test or a substitute check for the code."];
  const unseen = files.filter(({ path }) => unseenLetters.test(path));
  if (unseen.length > 0)
    return unseen.map(({ path }) => `${JSON.stringify(path)} holds letters that cannot be seen. Name it plainly.`);
  const asDoc = files.filter(({ path, role }) => role === "doc" && looksLikeCode(path));
  if (asDoc.length > 0) return asDoc.map(({ path }) => `${path} is code by its name, so its role is code or test.`);
  const disguised = files.filter(({ path, role }) => role === "test" && !looksLikeTest(path));
  if (disguised.length > 0)
    return disguised.map(
      ({ path }) => `${path} does not look like a test: its name or folder must say so, or its role is code.`,
    );
  const outside = Object.entries(base).filter(([, hash]) => hash === refusedPath);
  return outside.map(([path]) => `${path} cannot be written: it is protected or lies outside the workspace.`);
}

/** A person approves what they see: no line breaks, control letters, or marks that turn the direction of writing. */
const unseenLetters = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Stands in `Facts.base` for a path that may never be written. */
export const refusedPath = "refused";
