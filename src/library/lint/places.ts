import { lstatSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { systemCode, UserError } from "../../util/errors.ts";
import { locate } from "../library.ts";
import type { Place } from "../prompt.ts";

/** The prompt files that paths name: a file stands for itself, a folder for all that the library would list below it. */
export function lintPlaces(paths: readonly string[]): Place[] {
  const places = new Map<string, Place>();
  for (const path of paths) {
    for (const place of placesAt(resolve(path))) if (!places.has(place.file)) places.set(place.file, place);
  }
  return [...places.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
}

function placesAt(path: string): Place[] {
  const alone = (file: string): Place => ({ file, folder: "", scope: "custom" });
  if (!isFolder(path)) return [alone(path)];
  const { places, problems } = locate([{ scope: "custom", path }]);
  // A folder that cannot be listed is found to be no prompt when it is read, and that is said.
  const unlisted = problems.filter(({ file }) => !lstatSync(file).isSymbolicLink());
  const found = places.map(({ file, folder, scope }): Place => ({ file, folder, scope }));
  return [...found, ...unlisted.map(({ file }) => alone(file))];
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    const what = code === "ENOENT" ? "is not there" : `cannot be looked at (${code})`;
    throw new UserError("no_such_path", `${path}: ${what}`, "Name a prompt file, or a folder of prompts.");
  }
}
