import { readdirSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { systemCode, unlessRefused, UserError } from "../../util/errors.ts";
import type { Place } from "../prompt.ts";

/**
 * The prompt files that paths name: a file stands for itself, a folder for every .md below it, but for README.md and
 * templates/. Links are not followed below a folder.
 */
export async function lintPlaces(paths: readonly string[]): Promise<Place[]> {
  const places = new Map<string, Place>();
  for (const path of paths) {
    const root = resolve(path);
    const found = (await isFolder(root)) ? await below(root) : [{ file: root, folder: "" }];
    for (const { file, folder } of found) {
      if (!places.has(file)) places.set(file, { file, folder, scope: "custom" });
    }
  }
  return [...places.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
}

type Located = Pick<Place, "file" | "folder">;

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    const what = code === "ENOENT" ? "is not there" : `cannot be looked at (${code})`;
    throw new UserError("no_such_path", `${path}: ${what}`, "Name a prompt file, or a folder of prompts.");
  }
}

/** A folder that is called like a file is named too: it is found out to be none when it is read. */
async function below(root: string, inner = ""): Promise<Located[]> {
  const [folder = ""] = inner.split(sep);
  const located: Located[] = [];
  const entries = unlessRefused(() => readdirSync(join(root, inner), { withFileTypes: true }));
  // It is found out to be no prompt when it is read, and that is said of it.
  if (!entries) return [{ file: join(root, inner), folder }];
  for (const entry of entries) {
    const path = join(inner, entry.name);
    if (entry.name.endsWith(".md") && entry.name !== "README.md") located.push({ file: join(root, path), folder });
    if (entry.isDirectory() && entry.name !== "templates") located.push(...(await below(root, path)));
  }
  return located;
}
