import { expect, test } from "vitest";
import { killAndResume, nothingLost, victims } from "../support/launched.ts";
import { oldNode } from "../support/old_node.ts";

/** 20 moments of a task, from its first line to its last change. */
const lines = Array.from({ length: 20 }, (_, index) => 1 + index * 2);

test.skipIf(!oldNode).for(victims.flatMap((victim) => lines.map((line) => [victim, line] as const)))(
  "a task whose %s is killed after %i lines ends, and is resumed without paying twice",
  async ([victim, line]) => {
    expect(await killAndResume(victim, line)).toEqual(nothingLost(victim));
  },
);
