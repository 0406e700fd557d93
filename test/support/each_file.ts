import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll } from "vitest";
import { removeTemporaryFolders } from "./temporary.ts";

// A test that looks for what is left in the temporary folder must not see what another worker does there.
const { TESTS_FOLDER: folder, VITEST_POOL_ID: worker } = process.env;
if (folder !== undefined) {
  const part = join(folder, `worker-${worker}`);
  mkdirSync(part, { recursive: true });
  chmodSync(part, 0o1777);
  process.env["TMPDIR"] = part;
}

afterAll(removeTemporaryFolders);
