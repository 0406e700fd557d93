import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readTextIfThere, writeAtomic, writeFully } from "../../src/util/files.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

const mode = (path: string) => fs.statSync(path).mode & 0o777;

test("a file is replaced as a whole, and nothing is left beside it", () => {
  const folder = folderWith({ "kept.json": "a long text that was here before" });
  writeAtomic(join(folder, "kept.json"), "short");
  writeAtomic(join(folder, "kept.json"), Buffer.from("shorter"), { durable: false });
  expect(fs.readdirSync(folder)).toEqual(["kept.json"]);
  expect(fs.readFileSync(join(folder, "kept.json"), "utf8")).toBe("shorter");
});

test("whoever has the old file open keeps reading the old text", () => {
  const folder = folderWith({ text: "old" });
  const fd = fs.openSync(join(folder, "text"), "r");
  writeAtomic(join(folder, "text"), "new");
  expect(fs.readFileSync(fd, "utf8")).toBe("old");
  fs.closeSync(fd);
});

test("a file and the folders made for it are their owner's alone, unless a mode is given", () => {
  const folder = folderWith({});
  writeAtomic(join(folder, "a/b/private"), "x");
  writeAtomic(join(folder, "a/b/shared"), "x", { mode: 0o644 });
  const modes = ["a", "a/b", "a/b/private", "a/b/shared"].map((name) => mode(join(folder, name)));
  expect(modes).toEqual([0o700, 0o700, 0o600, 0o644]);
});

test("what cannot be written is thrown, and leaves the folder as it was", () => {
  const folder = folderWith({ "taken/inside": "x" });
  expect(() => writeAtomic(join(folder, "taken"), "text")).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect([fs.readdirSync(folder), fs.readdirSync(join(folder, "taken"))]).toEqual([["taken"], ["inside"]]);
});

test("bytes are written where they are told to go, or else at the end", () => {
  const folder = folderWith({ text: "0123456789" });
  const fd = fs.openSync(join(folder, "text"), "r+");
  writeFully(fd, Buffer.from("ab"), 4);
  writeFully(fd, Buffer.from("XY"));
  fs.closeSync(fd);
  expect(fs.readFileSync(join(folder, "text"), "utf8")).toBe("XY23ab6789");
});

test("a text is read where there is one; only its absence is not an error", () => {
  const folder = folderWith({ text: "grüße\n" });
  expect(readTextIfThere(join(folder, "text"))).toBe("grüße\n");
  expect(readTextIfThere(join(folder, "nothing"))).toBeUndefined();
  expect(() => readTextIfThere(folder)).toThrow("EISDIR");
  expect(() => readTextIfThere(join(folder, "text", "below"))).toThrow("ENOTDIR");
});
