import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

/** An empty folder that is removed once the tests of the file that asked for it have ended. Its path has no links in it. */
export function temporaryFolder(prefix = "test-", parent = tmpdir()): string {
  const folder = realpathSync(mkdtempSync(join(parent, prefix)));
  made.push(folder);
  return folder;
}

/** Called after each file of tests. */
export function removeTemporaryFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}
