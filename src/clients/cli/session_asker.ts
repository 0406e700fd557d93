import { shortWord } from "../../util/short_word.ts";
import type { Asker } from "./ask.ts";
import { wrap, type Screen } from "./terminal.ts";

/** A question that the next line of a session answers. */
export interface Question {
  answer(typed: string): void;
  /** Nothing is answered, which never means yes. */
  leave(): void;
  say(): void;
}

type Read = { readonly value: string } | { readonly problem: string };

/** Asks in the line of a session. `open` opens a question, or leaves it at once where nobody may be asked. */
export function sessionAsker(
  open: (question: Question) => void,
  close: () => void,
  screen: Screen,
  leaveTerminal: Asker["leaveTerminal"],
): Asker {
  const ask = (message: string, read: (typed: string) => Read) =>
    new Promise<string | undefined>((resolve) => {
      const settle = (value: string | undefined) => {
        close();
        resolve(value);
      };
      open({
        answer(typed) {
          const said = read(typed);
          if ("value" in said) settle(said.value);
          else screen.print(screen.style("yellow", wrap(`! ${said.problem}`, screen.columns, "  ")));
        },
        leave: () => settle(undefined),
        say() {
          const [head = "", ...rest] = wrap(message, screen.columns, "  ").slice(2).split("\n");
          screen.print([`${screen.style("cyan", "?")} ${screen.style("bold", head)}`, ...rest].join("\n"));
        },
      });
    });
  return {
    text: ({ message, defaultValue = "", validate }) =>
      ask(message, (typed) => {
        const problem = validate?.(typed);
        return problem === undefined ? { value: typed.trim() === "" ? defaultValue : typed } : { problem };
      }),
    select(message, options) {
      const rows = options.map(({ label }, at) => `${at + 1}. ${label}`);
      return ask([message, ...rows].join("\n"), (typed) => {
        const text = typed.trim().toLowerCase();
        const chosen = options[Number(text) - 1] ?? options.find(({ label }) => label.toLowerCase() === text);
        if (chosen) return { value: chosen.value };
        const isFree = text !== "" && options.some(({ label }) => label.endsWith(" …"));
        return isFree ? { value: typed.trim() } : { problem: `Type a number from 1 to ${options.length}.` };
      });
    },
    async confirm(message, initialValue) {
      const said = await ask(`${message} ${initialValue ? "[Y/n]" : "[y/N]"}`, (typed) => {
        const meant = typed.trim() === "" ? (initialValue ? "yes" : "no") : shortWord(typed);
        return meant === "yes" || meant === "no" ? { value: meant } : { problem: "Type y or n; Ctrl+C leaves." };
      });
      return said === undefined ? undefined : said === "yes";
    },
    leaveTerminal,
  };
}
