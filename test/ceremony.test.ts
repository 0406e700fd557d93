import { expect, test } from "vitest";
import { limitsOf, readTrial, recordedTrials, replayTrial } from "../bench/ceremony.ts";
import { unreadable } from "../bench/filler.ts";

test.each(recordedTrials())("the recorded trial %s needs no more calls and dollars than it may", async (name) => {
  const { calls, usd } = await replayTrial(readTrial(name));
  const most = limitsOf[name];
  if (!most) throw new Error(`bench/ceremony.ts has no limit for ${name}.`);
  expect(calls).toBeLessThanOrEqual(most.calls);
  expect(usd).toBeLessThanOrEqual(most.usd);
});

test("words are made unreadable alike wherever they stand, with their length, case and signs", () => {
  const line = "  res.sendStatus(404) // Not found, see RFC 9457";
  const hidden = unreadable(line);
  expect(hidden).toHaveLength(line.length);
  expect(hidden.replace(/[a-z]/g, "a").replace(/[A-Z]/g, "A")).toBe(line.replace(/[a-z]/g, "a").replace(/[A-Z]/g, "A"));
  expect(hidden).not.toContain("found");
  expect(hidden).toContain(unreadable("sendStatus"));
});
