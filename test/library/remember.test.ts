import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { remember } from "../../src/library/remember.ts";
import { temporaryFolder } from "../support/temporary.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = temporaryFolder("remember-");
  file = join(folder, "one.txt");
  writeFileSync(file, "before");
  // Long ago, so that whatever changes next bears another time.
  for (const path of [file, folder]) utimesSync(path, 1, 1);
});

const later = () => Date.now() + 1_000;

/** Asks for the file's text and the names beside it; says also how often they were read. */
function reader(now: () => number) {
  const kept = remember<string>(now);
  let readings = 0;
  return async () => {
    const value = await kept("text", (reads) => {
      readings++;
      for (const path of [folder, file]) reads(path);
      return Promise.resolve(`${readFileSync(file, "utf8")} of ${readdirSync(folder).join(" ")}`);
    });
    return [value, readings];
  };
}

test("what does not change is read once, however often it is asked for", async () => {
  const read = reader(later);
  const once = ["before of one.txt", 1];
  expect([await read(), await read(), await read()]).toEqual([once, once, once]);
});

test.each<[string, () => void, string]>([
  ["written to", () => writeFileSync(file, "after"), "after of one.txt"],
  ["written to, and as long as before", () => writeFileSync(file, "beforE"), "beforE of one.txt"],
  [
    "replaced by another",
    () => {
      writeFileSync(join(folder, ".new"), "before");
      renameSync(join(folder, ".new"), file);
    },
    "before of one.txt",
  ],
  ["given a neighbour", () => writeFileSync(join(folder, "two.txt"), ""), "before of one.txt two.txt"],
])("a file is read again once it was %s", async (_, change, expected) => {
  const read = reader(later);
  await read();
  change();
  const anew = [expected, 2];
  expect([await read(), await read()]).toEqual([anew, anew]);
});

test("a file that changed a moment ago is read again, because it could change once more and look the same", async () => {
  const { ctimeMs } = statSync(file);
  const read = reader(() => ctimeMs + 10);
  expect([await read(), await read()]).toEqual([
    ["before of one.txt", 1],
    ["before of one.txt", 2],
  ]);
});

test("what cannot be read is tried again, and read once it is back", async () => {
  const read = reader(later);
  await read();
  rmSync(file);
  await expect(read()).rejects.toThrow("ENOENT");
  await expect(read()).rejects.toThrow("ENOENT");
  writeFileSync(file, "back");
  expect(await read()).toEqual(["back of one.txt", 4]);
});

test("what is not there yet is noticed when it comes, and each key is kept for itself", async () => {
  const kept = remember<number>(later);
  const missing = join(folder, "missing");
  let counted = 0;
  const count = (key: string) =>
    kept(key, (reads) => {
      reads(missing);
      return Promise.resolve(++counted);
    });
  expect([await count("a"), await count("a"), await count("b"), await count("a")]).toEqual([1, 1, 2, 1]);
  mkdirSync(missing);
  expect([await count("a"), await count("b"), await count("a")]).toEqual([3, 4, 3]);
});
