import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { tryLock } from "../../src/store/lock.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { child, ended, firstWords } from "./children.ts";

afterEach(cleanUp);

const holder = (path: string) =>
  child(
    ["store/lock.ts"],
    `globalThis.kept = ours.tryLock(${JSON.stringify(path)}); console.log("held"); setInterval(() => {}, 1000);`,
  );

test("a second holder is refused until the first lets go", () => {
  const path = join(folderWith({}), "001.lock");
  const first = tryLock(path);
  expect(first).toBeDefined();
  expect(tryLock(path)).toBeUndefined();
  expect(tryLock(path)).toBeUndefined();
  first?.release();
  const second = tryLock(path);
  expect(second).toBeDefined();
  second?.release();
});

test("locks of two chains are two locks", () => {
  const folder = folderWith({});
  const [first, second] = [tryLock(join(folder, "001.lock")), tryLock(join(folder, "002.lock"))];
  expect([first, second].map((lock) => lock !== undefined)).toEqual([true, true]);
  first?.release();
  second?.release();
});

test("another process is refused while a holder is merely slow, and not once it was killed", async () => {
  const path = join(folderWith({}), "001.lock");
  const other = holder(path);
  expect(await firstWords(other)).toBe("held\n");
  expect(tryLock(path)).toBeUndefined();
  other.kill("SIGSTOP");
  expect(tryLock(path)).toBeUndefined();
  const gone = ended(other);
  other.kill("SIGKILL");
  await gone;
  const mine = tryLock(path);
  expect(mine).toBeDefined();
  mine?.release();
});

test("a text in place of a lock is removed, and never the text that a link leads to", () => {
  const text = "this is no lock file, it is a text that somebody put here";
  const folder = folderWith({ "text.lock": text, mine: text, "sub.lock/file": "" });
  const lock = tryLock(join(folder, "text.lock"));
  expect(lock).toBeDefined();
  expect(tryLock(join(folder, "text.lock"))).toBeUndefined();
  lock?.release();
  symlinkSync("mine", join(folder, "link.lock"));
  for (const name of ["link.lock", "sub.lock"]) {
    const path = join(folder, name);
    expect(() => tryLock(path)).toThrow(`${path} is no plain file. Nothing was changed.`);
  }
  expect(readFileSync(join(folder, "mine"), "utf8")).toBe(text);
});

test("a lock that cannot be made is an error, and not taken for one that somebody holds", () => {
  const folder = folderWith({});
  expect(() => tryLock(join(folder, "no", "folder", "001.lock"))).toThrow("unable to open database file");
});
