import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fencedParts } from "../../src/library/fences.ts";
import { cpuTime } from "../support/cpu_time.ts";

test("the parts are the whole text, and only what a fence closes is fenced", () => {
  // oxfmt-ignore
  const line = fc.constantFrom(
    "```", "~~~", "```data x", "~~~ x", " ```", "    ```", "text", "", "```  ", "~~~`", "`", "a ```", "```js `x`", "```\r",
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const text = lines.join("\n");
      const parts = fencedParts(text);
      expect(parts.map((part) => part.text).join("")).toBe(text);
      for (const part of parts) {
        expect(text.slice(part.from, part.from + part.text.length)).toBe(part.text);
        const last = part.fence === undefined ? "```" : part.text.split("\n").at(-1);
        expect(last).toMatch(/^ {0,3}[`~]{3,}[ \t\r]*$/);
      }
    }),
    { numRuns: 1000 },
  );
});

test("ten thousand open fences are read in a breath", async () => {
  const many = (count: number) => {
    const text = Array.from({ length: count }, (_, index) => "`".repeat(3 + (index % 40))).join("\nx\n");
    return cpuTime(() => fencedParts(text));
  };
  const short = await many(1_000);
  expect(await many(20_000)).toBeLessThan(200 * Math.max(1, short));
});

test("a fence is closed by as many marks or more, not by fewer", () => {
  const parts = (text: string) => fencedParts(text).map(({ text, fence, info }) => [text, fence, info]);
  expect(parts("````a\n```\nx\n`````\nend")).toEqual([
    ["````a\n```\nx\n`````", "````", "a"],
    ["\nend", undefined, undefined],
  ]);
  expect(parts("````\n```")).toEqual([["````\n```", undefined, undefined]]);
  expect(parts("````\n```b\n```")).toEqual([
    ["````\n", undefined, undefined],
    ["```b\n```", "```", "b"],
  ]);
});
