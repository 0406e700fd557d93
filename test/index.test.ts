import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("the library is plain modules with types, and says what can be asked", () => {
  const script =
    'const { operations, exitCodes } = await import("claude-exec"); console.log(operations.map(({ name }) => name).join(","), exitCodes.waiting)';
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^new,resume,status,.*,recover 10\n$/);
});
