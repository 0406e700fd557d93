import type { Context } from "./context.ts";
import { percent } from "./gates.ts";

/**
 * Every decision, open uncertainty, approval and touched file that the ledger does not hold, as lines for it. Each is
 * looked for as a report, an event or a digest tells it.
 */
export function missingFrom({ decisions, uncertainties, approval_history, touched, session_memory, engine }: Context) {
  const ledger = engine.ledger.map(({ text }) => text).join("\n");
  const json = (value: unknown) => JSON.stringify(value);
  const told = [
    ...Object.entries(decisions).map(([key, choice]) => [
      `- decided ${key}: ${choice}`,
      `${json(key)}:${json(choice)}`,
    ]),
    ...uncertainties
      .filter(({ resolved }) => !resolved)
      .map(({ area, confidence }) => [
        `- uncertain ${area} (${percent(confidence)}, open)`,
        `- uncertain ${area} (`,
        `"area":${json(area)}`,
      ]),
    ...approval_history.map((one) => {
      const { presented, hash, user_response: said } = one;
      const event = said === "approved" ? `approved ${hash}` : said.split(": ").slice(1).join(": ") || said;
      return [`- the user on "${presented}" (${hash}): ${said}`, json(one), event];
    }),
    ...[...session_memory.files_modified, ...touched, ...Object.keys(engine.files)].map((path) => [
      `- changed ${path}`,
      json(path),
      ...[",", "."].map((end) => ` ${path}${end}`),
    ]),
  ];
  return [...new Set(told.flatMap((forms) => (forms.some((form) => ledger.includes(form)) ? [] : [forms[0]!])))];
}
