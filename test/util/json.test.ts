import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isRecord, parseJson } from "../../src/util/json.ts";

test("what JSON can say is read back as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.stringify(parseJson(JSON.stringify(value)))).toBe(JSON.stringify(value));
    }),
  );
});

test("what is not JSON is undefined, and never throws", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseJson(`}${text}`)).toBeUndefined();
    }),
  );
  expect(["", "{", "{'a': 1}", "undefined", "NaN"].map(parseJson)).toEqual(Array(5).fill(undefined));
});

test("only what has keys is a record", () => {
  const values = [{}, { a: 1 }, Object.create(null), [], null, undefined, "text", 1, () => 1];
  expect(values.map(isRecord)).toEqual([true, true, true, false, false, false, false, false, false]);
});
