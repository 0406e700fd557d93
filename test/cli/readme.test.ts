import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";

test("the README shows what the rehearsal prints, line by line", async () => {
  const shown = /```text\n(.*?)```/s.exec(readFileSync("README.md", "utf8"))?.[1]?.trimEnd().split("\n") ?? [];
  const { stdout, stderr } = await placeWith({}).run(["demo"]);
  const printed = `${stderr}\n${stdout}`.split("\n");
  let at = 0;
  for (const line of shown.filter((shownLine) => shownLine !== "…" && shownLine !== "")) {
    const pattern = new RegExp(
      `^${line
        .split("…")
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
        .join(".+")}$`,
    );
    const found = printed.findIndex((candidate, index) => index >= at && pattern.test(candidate));
    expect(found, `the run prints: ${line}`).toBeGreaterThanOrEqual(0);
    at = found + 1;
  }
});
