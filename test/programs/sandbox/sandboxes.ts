import fs from "node:fs";
import { afterEach } from "vitest";
import { openSandbox, sandboxLine } from "../../../src/programs/sandbox/sandbox.ts";
import type { Sandbox, SandboxOptions } from "../../../src/programs/sandbox/types.ts";
import { realWorld } from "../../../src/util/world.ts";
import { folderWith } from "../../support/folders.ts";

const open: Sandbox[] = [];

afterEach(async () => {
  for (const sandbox of open.splice(0)) await sandbox.close();
});

/** Is closed after the test. */
export async function sandboxAt(root: string, options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await openSandbox({ root, protect: [], conceal: [], world: realWorld(), ...options });
  open.push(sandbox);
  return sandbox;
}

const tried = await sandboxAt(folderWith({}));

/** For the titles of tests that need a sandbox: null where there is one. */
export const lacking = tried.on ? null : sandboxLine(tried);
export const unlessLacking = lacking === null ? "" : ` (skipped: ${lacking})`;

/** Processes whose current folder is this one. */
export function processesAt(folder: string): string[] {
  return fs.readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && fs.readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false; // It has ended since.
    }
  });
}
