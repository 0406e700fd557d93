import { expect, test } from "vitest";
import { sha256 } from "../../src/util/hash.ts";

test("the hash is SHA-256 over all parts, texts as UTF-8, as if they were one", () => {
  expect(sha256()).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(sha256("a", Buffer.from("b"), "c")).toBe(sha256("abc"));
  expect(sha256("ä")).toBe(sha256(Buffer.from([0xc3, 0xa4])));
});
