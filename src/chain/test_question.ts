import { commandIn, commandOf, testCommandIn, typed } from "../tools/test_command.ts";
import type { Context } from "./context.ts";
import { event, type ChainEvent, type EventNamed, type TestsSettled } from "./events.ts";
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
  const before = questions.filter(({ id }) => /^test_command(_\d+)?$/.test(id)).length;
  const id = before === 0 ? "test_command" : `test_command_${before + 1}`;
  return event("questions_asked", { questions: [{ id, ...asked }], about_tests: { proposed } });
}

/** A command that a model proposes. It counts at once if the user named it; else the user is asked. */
export function proposeCommand(context: Context, command: string, reason: string): ChainEvent {
  const argv = commandOf(command);
  if (isNamedByUser(context, command)) return event("tests_settled", { how: "command", argv });
  const why = reason === "" ? {} : { why: reason };
  const question = `Should the tests run with \`${typed(argv)}\` from now on?`;
  return askAboutTests(context, { question, ...why, options: ["Yes", "No"] }, argv);
}

const answers = {
  in_workspace: "Run them once in the workspace itself, where they may write",
  go_on: "Go on, and count only new failures",
  go_on_untested: "Go on all the same",
  again: "Run them again",
};

/** Asks what to do about tests that do not pass before anything is changed. Nothing: that is settled already. */
export function askAboutBaseline(
  context: Context,
  { verdict, failing, in_words, tried, output }: Omit<EventNamed<"tests_judged">, "type" | "event">,
): ChainEvent[] {
  const { tests, test_command } = context.engine;
  const names = failing ?? [];
  if (verdict !== "failing at baseline" && verdict !== "broken") return [];
  if (tests.known_failing && names.every((name) => tests.known_failing!.includes(name))) return [];
  const canCount = verdict === "failing at baseline" && names.length > 0 && in_words !== undefined;
  const came = verdict === "broken" ? "no test ran" : (in_words ?? "the tests fail");
  const which =
    names.length === 0
      ? ""
      : `: ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
  const said = reasonIn(output);
  const reason = said === "" ? "" : `It says: ${said}${/[.!?]$/.test(said) ? "" : "."} `;
  const where = tried ? "That was where nothing can be written and without a network. " : "";
  const counted =
    canCount || verdict === "broken"
      ? ""
      : "No names of failing tests could be read, so new failures could not be counted. ";
  return [
    askAboutTests(
      context,
      {
        question: `Before any change, ${came} with \`${typed(test_command ?? [])}\`${which}. How should it go on?`,
        why: `${reason}${where}${counted}You can also type another command, such as \`make check\`.`,
        options: [
          ...(tried ? [answers.in_workspace] : []),
          ...(canCount ? [answers.go_on] : verdict === "broken" ? [answers.go_on_untested] : []),
          ...(tried ? [] : [answers.again]),
        ],
      },
      null,
    ),
  ];
}

/** Why the first test failed, or else what the run said last: "sh: 1: nyc: not found". */
function reasonIn(output: string): string {
  const first = /^- .+?: (.+)$/m.exec(output)?.[1];
  const last = output.split("\n").findLast((line) => line.trim() !== "");
  return (first ?? last ?? "").trim().slice(0, 200);
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
  if (context.current_phase !== "implementation") return [];
  // Nothing may be written before this is settled, so no model can be asked what the words mean.
  const asked = context.questions.find((one) => one.id === id)!;
  const why = "The last answer named neither a command nor a choice. A command can be written in backticks.";
  return [askAboutTests(context, { question: asked.question, options: asked.options, why }, null)];
}

function settledByChoice({ evidence }: Context, text: string): TestsSettled | undefined {
  const isChosen = (option: string) => text.toLowerCase() === option.toLowerCase();
  if (isChosen(answers.in_workspace) || /\bin the workspace\b/i.test(text)) return { how: "in_workspace" };
  if (isChosen(answers.again) || again.test(text)) return { how: "again" };
  if (!isChosen(answers.go_on) && !isChosen(answers.go_on_untested) && !goOn.test(text)) return undefined;
  return { how: "go_on", known_failing: evidence.runs.at(-1)?.failing ?? [] };
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
