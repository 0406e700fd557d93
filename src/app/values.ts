import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { exitCodes, messageOf, systemCode, UserError } from "../util/errors.ts";

export const varFlag = {
  var: z.array(z.string()).default([]).describe("<input>=<value>, or <input>=@<file>; as often as there are inputs"),
};

/** `name=value` pairs; a value that begins with @ is what a file holds. */
export function readValues(pairs: readonly string[], cwd: string): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) {
        const hint = 'Write it as: --var focus="what to look at"';
        throw new UserError("wrong_value", `--var is "${pair}", which gives no input a value.`, hint, exitCodes.usage);
      }
      const value = pair.slice(at + 1);
      return [pair.slice(0, at), value.startsWith("@") ? contentOf(resolve(cwd, value.slice(1))) : value];
    }),
  );
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    const hint = "Name a text file behind the @, or write the value itself.";
    throw new UserError("value_unreadable", `${path} cannot be read: ${messageOf(error)}`, hint, exitCodes.usage);
  }
}
