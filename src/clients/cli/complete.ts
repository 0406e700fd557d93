import type { Operation } from "../../operations/operation.ts";
import { flagsOf } from "./arguments.ts";
import { slashNames, slashWords } from "./slash.ts";

/** What may follow: names of commands, then numbers of chains, flags and their values. */
export async function completions(
  line: string,
  operations: readonly Operation[],
  chains: () => Promise<string[]>,
): Promise<[string[], string]> {
  const typed = line.trimStart();
  if (!typed.startsWith("/")) return [[], line];
  const isOf = (begin: string) => (one: string) => one.startsWith(begin);
  const names = slashNames(operations).map((name) => `/${name}`);
  const open = names.filter(isOf(typed)).map((name) => `${name} `);
  if (open.length > 0) return [open, typed];
  const last = /\S*$/.exec(typed)?.[0] ?? "";
  const words = slashWords(typed, operations) ?? [];
  const meant =
    operations.find(({ name }) => name === words.slice(0, 2).join(" ")) ??
    operations.find(({ name }) => name === words[0]);
  const flags = (meant ? flagsOf(meant) : []).flatMap(({ flag, takes }) => {
    if (takes.includes("|")) return takes.split("|").map((value) => `--${flag}=${value} `);
    return `--${flag}${takes === "" ? " " : "="}`;
  });
  if (last.startsWith("-")) return [flags.filter(isOf(last)), last];
  if (words[0] !== "switch" && !meant?.positional.includes("chain")) return [[], last];
  return [(await chains()).filter(isOf(last)).map((id) => `${id} `), last];
}
