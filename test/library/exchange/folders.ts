import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Prompt } from "../../../src/library/prompt.ts";
import { readPrompt } from "../../../src/library/read_prompt.ts";
import { temporaryFolder } from "../../support/temporary.ts";

export const samples = join(import.meta.dirname, "samples");
export const count = async (text: string): Promise<number> => text.length;

export function folder(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const path = temporaryFolder("exchange-");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

/** Every file with its mode and its bytes. */
export function treeOf(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const shown = files.map((entry): [string, string] => {
    const file = join(entry.parentPath, entry.name);
    const mode = (statSync(file).mode & 0o777).toString(8);
    return [file.slice(path.length + 1), `${mode} ${readFileSync(file).toString("latin1")}`];
  });
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function read(file: string): Promise<Prompt> {
  return readPrompt({ file, folder: "", scope: "workspace" });
}
