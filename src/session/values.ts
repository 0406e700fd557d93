import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { exitCodes, systemCode, UserError } from "../util/errors.ts";

export const varFlag = {
  var: z.array(z.string()).default([]).describe("<input>=<value>, or <input>=@<file>; as often as there are inputs"),
};

/** `name=value` pairs; a value that begins with @ is what a file holds. */
export function readValues(pairs: readonly string[], cwd: string): Record<string, string> {
  const values = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw wrong(`"${pair}" gives no input a value.`);
    const name = pair.slice(0, at);
    const value = pair.slice(at + 1);
    if (values.has(name)) throw wrong(`The input ${name} is given two values.`);
    values.set(name, value.startsWith("@") ? contentOf(resolve(cwd, value.slice(1))) : value);
  }
  return Object.fromEntries(values);
}

function wrong(what: string): UserError {
  const next = { input: { var: ["focus=what to look at"] }, why: "Write it once for each input" };
  return new UserError("wrong_value", what, next, exitCodes.usage);
}

function contentOf(path: string): string {
  try {
    const found = statSync(path);
    if (!found.isFile() || found.size > 1024 * 1024) {
      const what = found.isFile() ? "is longer than 1 MB" : "is not a plain file";
      throw new UserError("value_unreadable", `${path} ${what}.`, "Name a text file behind the @.", exitCodes.usage);
    }
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = systemCode(error);
    if (code === undefined) throw error;
    const hint = "Name a text file behind the @, or write the value itself.";
    throw new UserError("value_unreadable", `${path}: cannot be read (${code})`, hint, exitCodes.usage);
  }
}
