import { expect, test } from "vitest";
import { realWorld } from "../../src/util/world.ts";

test("the real world has a clock, dice and the environment it was given", () => {
  const world = realWorld({ HOME: "/home/someone" });
  const before = Date.now();
  const now = world.now();
  expect(now >= before && now <= Date.now()).toBe(true);
  expect(world.random()).toBeGreaterThanOrEqual(0);
  expect(world.env).toEqual({ HOME: "/home/someone" });
  expect(realWorld().env).toBe(process.env);
});

test("a sleep ends, and is woken by a signal at once", async () => {
  const world = realWorld({});
  await world.sleep(1);
  await world.sleep(1, new AbortController().signal);
  const stop = new AbortController();
  const asleep = world.sleep(1e8, stop.signal);
  stop.abort();
  await expect(asleep).rejects.toThrow("The operation was aborted");
});
