import fs from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./temporary.ts";

const folders: string[] = [];

/** A temporary folder holding these files. Its path has no links in it. */
export function folderWith(files: Record<string, string | Uint8Array>): string {
  const folder = temporaryFolder("tools-");
  folders.push(folder);
  for (const [path, content] of Object.entries(files)) {
    fs.mkdirSync(dirname(join(folder, path)), { recursive: true });
    fs.writeFileSync(join(folder, path), content);
  }
  return folder;
}

export function cleanUp(): void {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
}
