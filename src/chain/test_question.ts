import { commandIn, commandOf, testCommandIn, typed } from "../tools/test_command.ts";
import type { Context } from "./context.ts";
import { event, type ChainEvent, type EventNamed, type TestsSettled } from "./events.ts";
import { hasNoTests } from "./test_output.ts";
import type { Question } from "./reply.ts";

/** Where a command comes from that the approved solution makes: nothing can be run with it before tests are written. */
export const asTheUserSaid = "as you said";
export const madeBySolution = "made by this solution";

/** The approved solution names the command and writes the first tests: there is nothing to be run before. */
export function hasNoBaseline({ engine }: Context): boolean {
  return engine.tests.found_in === madeBySolution;
}

/** The engine's own question about the tests. `proposed`: the command with which tests run once the person says yes. */
export function askAboutTests(
  { questions }: Context,
  asked: Omit<Question, "id">,
  proposed: readonly string[] | null,
): ChainEvent {
  const before = questions.filter(({ id }) => isAboutTests(id)).length;
  const id = before === 0 ? "test_command" : `test_command_${before + 1}`;
  return event("questions_asked", { questions: [{ id, ...asked }], about_tests: { proposed } });
}

export const isAboutTests = (id: string) => /^test_command(_\d+)?$/.test(id);

/** A command that a model proposes. It counts at once if the user named it; else the user is asked. */
export function proposeCommand(context: Context, command: string, reason: string): ChainEvent {
  const argv = commandOf(command);
  if (isNamedByUser(context, command)) return event("tests_settled", { how: "command", argv });
  const why = reason === "" ? {} : { why: reason };
  const question = `Should the tests run with \`${typed(argv)}\` from now on?`;
  return askAboutTests(context, { question, ...why, options: ["Yes", "No"] }, argv);
}

/** An answer that ends in "…" has its words typed by the person. */
const answers = {
  other: "Use another command …",
  in_workspace: "Run them once in the workspace itself, where they may write",
  go_on: "Go on, and count only new failures",
  go_on_untested: "Go on without knowing how the tests stand now",
  again: "Run them again",
};

type Judged = Omit<EventNamed<"tests_judged">, "type" | "event">;

/** Asks what to do about tests that do not pass before anything is changed. Nothing: that is settled already. */
export function askAboutBaseline(context: Context, judged: Judged): ChainEvent[] {
  const { verdict, failing: names = [], in_words, tried } = judged;
  const { tests, test_command } = context.engine;
  if ((verdict !== "failing at baseline" && verdict !== "broken") || hasNoTests(judged)) return [];
  if (tests.known_failing && names.every((name) => tests.known_failing!.includes(name))) return [];
  const command = `\`${typed(test_command ?? [])}\``;
  const said = reasonOf(judged);
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  const which = names.length === 0 ? "" : `: ${names.slice(0, 3).join(", ")}${more}`;
  const canCount = names.length > 0 && in_words !== undefined;
  const question =
    verdict === "broken"
      ? `No test ran with ${command}: ${said || `it ended with exit code ${judged.exit_code ?? "none"}.`} How should it go on?`
      : `Before any change, ${in_words ?? "the tests fail"} with ${command}${which}. How should it go on?`;
  const why = [
    ...(verdict === "broken" || said === "" ? [] : [`The first reason: ${said}`]),
    ...(tried ? ["They ran where nothing can be written, and without a network."] : []),
    ...(verdict === "broken" || canCount
      ? []
      : ["No names of failing tests could be read, so new failures could not be counted."]),
    "Answer in any words, for example: the tests run with `make check`.",
  ].join(" ");
  return [askAboutTests(context, { question, why, options: optionsFor(judged, canCount) }, null)];
}

/** The best answer to what went wrong comes first. */
function optionsFor({ verdict, exit_code: exit, passed, tried, output }: Judged, canCount: boolean): string[] {
  const isCommandWrong = exit === 126 || exit === 127 || (canCount && passed === 0);
  const goOn = verdict === "broken" ? [answers.go_on_untested] : canCount ? [answers.go_on] : [];
  const where = tried ? [answers.in_workspace] : [answers.again];
  if (isCommandWrong) return [answers.other, ...where, ...goOn];
  const isDenied = tried && (verdict === "broken" || !canCount || needsMore.test(output));
  return isDenied ? [...where, answers.other, ...goOn] : [...goOn, answers.other, ...where];
}

/** What programs print that may not write, or have no network. */
const needsMore =
  /read-only file system|EROFS|EACCES|permission denied|ENETUNREACH|EAI_AGAIN|ENOTFOUND|network is unreach/i;

/** Why the first test failed; or the first line that speaks of an error, or else the last: "sh: 1: nyc: not found." */
export function reasonOf({
  failing = [],
  output,
  exit_code,
}: Pick<Judged, "failing" | "output" | "exit_code">): string {
  if (exit_code === 0) return "";
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const telling = lines.find((line) => /not found|no such|no module|cannot|can't|denied|error/i.test(line));
  const ofTest = /^- .+?: (.+)$/m.exec(output)?.[1];
  const reason = (ofTest ?? (failing.length > 0 ? "" : (telling ?? lines.at(-1) ?? ""))).trim().slice(0, 200);
  return reason === "" || /[.!?]$/.test(reason) ? reason : `${reason}.`;
}

/** What an answer settles about the tests, whatever it was an answer to. Nothing: its words are for the model. */
export function settledBy(context: Context, id: string, answer: string): ChainEvent[] {
  const { question } = context.engine.tests;
  const text = answer.trim();
  const set = (argv: readonly string[]) => [event("tests_settled", { how: "command", argv })];
  const aside = testCommandIn(text);
  if (question?.id !== id) return aside === undefined ? [] : set(commandOf(aside));
  if (question.proposed !== null && isYes.test(text)) return set(question.proposed);
  const named = aside ?? commandIn(text);
  if (named !== undefined) return set(commandOf(named));
  if (question.proposed !== null) return [];
  const settled = settledByChoice(context, text);
  if (settled) return [event("tests_settled", settled)];
  if (context.current_phase !== "implementation" && text !== answers.other) return [];
  // Nothing may be written before this is settled, so no model can be asked what the words mean.
  const asked = context.questions.find((one) => one.id === id)!;
  const why = "The last answer named neither a command nor a choice. A command can be written in backticks.";
  return [askAboutTests(context, { question: asked.question, options: asked.options, why }, null)];
}

function settledByChoice({ evidence }: Context, text: string): TestsSettled | undefined {
  if (/\bin the workspace\b/i.test(text)) return { how: "in_workspace" };
  if (again.test(text)) return { how: "again" };
  return goOn.test(text) ? { how: "go_on", known_failing: evidence.runs.at(-1)?.failing ?? [] } : undefined;
}

const isYes = /^(?:y|yes|ok|okay|sure|fine|right|agreed|do (?:it|so|that)|go ahead)[.!]?$/i;
const again =
  /^(?:(?:run|try)(?: (?:it|them|the tests))? again|again|retry|(?:i )?(?:fixed|mended)(?: it| them)?|done)[.!]?$/i;
const goOn = /^(?:yes,? )?(?:please )?(?:go on|continue|carry on|count only new)\b|\bonly new failures\b/i;

/** Whether the user wrote this command, and not to forbid it. A single word counts only in backticks: it may be prose. */
function isNamedByUser({ goal, questions, approval_history, engine }: Context, command: string): boolean {
  const asOne = (text: string) => text.replace(/\s+/g, " ").trim();
  const line = asOne(command);
  const said = [
    goal,
    ...questions.flatMap(({ answer }) => answer ?? []),
    ...approval_history.map(({ user_response }) => user_response),
    ...engine.said,
  ];
  return said.map(asOne).some((text) => {
    for (let at = text.indexOf(line); at >= 0; at = text.indexOf(line, at + 1)) {
      const [before, after] = [text.slice(0, at), text.slice(at + line.length)];
      const isQuoted = before.endsWith("`") && after.startsWith("`");
      const isWhole = /(?:^|[\s"'`(:])$/.test(before) && /^(?:$|[\s"'`),;!?]|\.(?:\s|$))/.test(after);
      const sentence = before.split(/[.!?]\s/).at(-1) ?? "";
      if ((isQuoted || (isWhole && line.includes(" "))) && !forbids.test(sentence)) return true;
    }
    return false;
  });
}

const forbids = /\b(?:not|never|stop|avoid|without|instead of|rather than|don't|doesn't|won't|can't)\b/i;
