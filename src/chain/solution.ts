import { sha256 } from "../util/hash.ts";
import type { Context } from "./context.ts";
import type { Solution } from "./reply.ts";
import { percent } from "./gates.ts";

/** The text a person approves. Its hash, with the files it names as they are now, is what the approval binds. */
export function solutionText(solution: Solution, context: Context): string {
  const { session_memory: memory, waived } = context;
  const section = (title: string, lines: readonly string[]) => (lines.length ? [`${title}:`, ...lines, ""] : []);
  const dashed = (lines: readonly string[]) => lines.map((line) => `- ${line}`);
  return [
    solution.title,
    "",
    "Architecture:",
    solution.architecture,
    "",
    ...section(
      "Key decisions",
      dashed(solution.decisions.map(({ choice, because }) => (because ? `${choice} because ${because}` : choice))),
    ),
    ...section("Tradeoffs", dashed(solution.tradeoffs)),
    ...section(
      "Implementation approach",
      solution.steps.map((step, index) => `${index + 1}. ${step}`),
    ),
    ...section(
      "Risks",
      dashed(solution.risks.map(({ risk, mitigation }) => (mitigation ? `${risk} → ${mitigation}` : risk))),
    ),
    ...section("Success criteria", dashed(solution.success_criteria)),
    ...section(
      "Files",
      dashed(solution.files.map(({ path, role, change }) => `${change === "new" ? "new " : "edit"} ${path} (${role})`)),
    ),
    ...section("Proof", proof(solution, context)),
    ...section("Mode", context.mode === "plan-only" ? ["- plan only: nothing is written"] : []),
    ...section("Size", context.size === "tiny" ? ["- tiny: one file and its test, and no reviews"] : []),
    ...section("Assumptions to confirm", dashed(memory.assumptions)),
    ...section("Areas set aside", dashed(Object.entries(waived).map(([area, reason]) => `${area}: ${reason}`))),
    ...section("Remaining concerns", dashed(solution.remaining_concerns)),
    `Confidence: ${percent(solution.confidence)}`,
  ].join("\n");
}

function proof({ verification, files }: Solution, { engine, mode }: Context): string[] {
  const command = engine.test_command?.join(" ") ?? "no command found";
  const fresh = files.some(({ role }) => role === "test");
  const how = !fresh
    ? "the tests there are, and no new ones"
    : mode === "direct"
      ? "tests that pass in the end"
      : "tests first";
  if (verification.kind === "tests") {
    return [`- ${how}, run with: ${command}${verification.check ? ` (${verification.check})` : ""}`];
  }
  const also = engine.test_command ? [`- the tests there are run too, with: ${command}`] : [];
  return [`- nothing here can fail in a test; checked instead: ${verification.check}`, ...also];
}

/** A file may be written before its tests failed only where it is a test itself, and that shows in its path. */
export function looksLikeTest(path: string): boolean {
  return (
    /(^|[^a-z])(tests?|specs?|conftest|e2e)([^a-z]|$)|\.cy\.|\.feature$/i.test(path) ||
    /[a-z](Tests?|Specs?)\b/.test(path)
  );
}

/** By its ending: what a program runs or is built from. */
export function looksLikeCode(path: string): boolean {
  return /\.(?:[cm]?[jt]sx?|vue|svelte|py|php|go|rs|rb|java|kts?|cs|c|cc|cpp|h|hpp|swift|scala|sh|bash|sql)$/i.test(
    path,
  );
}

export function solutionHash(text: string, base: Readonly<Record<string, string | null>>): string {
  return sha256(text, JSON.stringify(base)).slice(0, 12);
}

/** Small enough that clarifying, approving and implementing are all the ceremony it needs. */
export function fitsTiny(solution: Solution): boolean {
  const code = solution.files.filter(({ role }) => role !== "test").length;
  return code === 1 && solution.files.length - code <= 1;
}
