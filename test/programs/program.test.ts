import { expect, test } from "vitest";
import { printedBy } from "../../src/programs/program.ts";
import { temporaryFolder } from "../support/temporary.ts";

test("a program that only looks is started again where Ctrl+C ended it", async () => {
  const env = { PATH: process.env["PATH"] ?? "" };
  const bounds = { cwd: temporaryFolder(), env, bytes: 1_000, ms: 60_000 };
  const script = "test -e begun || { touch begun; kill -INT $$; }; echo looked";
  expect(await printedBy("sh", ["-c", script], bounds)).toMatchObject({ end: "exited", code: 0, stdout: "looked\n" });
});
