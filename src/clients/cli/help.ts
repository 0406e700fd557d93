import { operations } from "../../operations/operations.ts";
import type { Operation } from "../../operations/operation.ts";
import { flagsOf, usageLine } from "./arguments.ts";
import { aliases, sessionCommands } from "./slash.ts";
import { cutWords, wrap } from "./terminal.ts";

export function helpText(operation: Operation | undefined): string {
  return operation ? operationHelp(operation) : overview();
}

function overview(): string {
  const width = Math.max(...operations.map(({ name }) => name.length));
  return [
    "claude-exec drives a task to certainty before it lets code be written.",
    "",
    '  claude-exec "Add JWT authentication to my app"     begin a task here',
    "  claude-exec demo                                   see it work, without any key",
    "  claude-exec                                        a session: every command behind a slash",
    "",
    "Commands",
    ...operations.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "Every command takes --json (one document), --stream-json (events, one a line), --plain and --help.",
    "Exit codes: 0 done · 1 failed · 10 waiting for a person · 11 confidence not reached · 12 budget reached ·",
    "13 verification failed · 14 locked or conflicting · 64 wrong usage · 78 not configured ·",
    "129/130/143 interrupted.",
  ].join("\n");
}

function operationHelp(operation: Operation): string {
  const flags = flagsOf(operation).map(
    ({ flag, takes, description }) => [`--${flag}${takes ? ` ${takes}` : ""}`, description] as const,
  );
  const words = operation.positional.map(
    (field) => [`<${field}>`, operation.input.shape[field]?.description ?? ""] as const,
  );
  const rows = [...words, ...flags];
  const width = Math.min(30, Math.max(0, ...rows.map(([name]) => name.length)));
  return [
    usageLine(operation),
    "",
    `${operation.summary}.`,
    ...(rows.length ? [""] : []),
    ...rows.map(([name, text]) => row(name, text, width)),
  ].join("\n");
}

/** What is said of a long name stands below it. */
function row(name: string, text: string, width: number): string {
  const between = name.length > width && name.length + text.length > 100 ? `\n${" ".repeat(width + 2)}` : "";
  return `  ${name.padEnd(width)}${between}  ${text}`;
}

export function sessionHelp(columns: number): string {
  const own = Object.entries(sessionCommands).map(([name, summary]) => ({ name, summary }));
  const others = Object.entries(aliases).map(([name, words]) => ({ name, summary: `The same as /${words.join(" ")}` }));
  const rows = [...operations, ...others.filter(({ name }) => name !== "prompts"), ...own];
  const width = Math.max(...rows.map(({ name }) => name.length)) + 1;
  return [
    wrap(
      "Type what is to be done, and a chain begins. While a question is open, what you type answers it. While a chain is at work, what you type is kept for its next decision. Ctrl+C stops the chain; a second Ctrl+C quits.",
      columns,
      "",
    ),
    "",
    ...rows.map(({ name, summary }) => cutWords(`  ${`/${name}`.padEnd(width)}  ${summary}`, columns)),
    "",
    "/help new says what /new takes. In a shell the same commands are typed behind claude-exec.",
  ].join("\n");
}
