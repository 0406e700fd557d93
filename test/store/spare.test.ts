import { existsSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSpare } from "../../src/store/spare.ts";
import { folderWith } from "../support/script.ts";

const full = () => Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });

test("room is set aside while a chain is open, and given back when it closes", async () => {
  const path = join(folderWith({}), "001.spare");
  const spare = openSpare(path);
  expect(statSync(path).size).toBe(256 * 1024);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await spare.keeping(async () => "kept")).toBe("kept");
  expect(await spare.beginning(async () => "begun")).toBe("begun");
  spare.close();
  expect(existsSync(path)).toBe(false);
});

test("a link that lies there already leads to nothing that is overwritten", () => {
  const folder = folderWith({ "letter.txt": "dear" });
  symlinkSync(join(folder, "letter.txt"), join(folder, "001.spare"));
  openSpare(join(folder, "001.spare")).close();
  expect([readFileSync(join(folder, "letter.txt"), "utf8"), existsSync(join(folder, "001.spare"))]).toEqual([
    "dear",
    false,
  ]);
});

test("what must be kept is written again with the room given back, and nothing new is begun after", async () => {
  const path = join(folderWith({}), "001.spare");
  const spare = openSpare(path);
  const written = await spare.keeping(async () => {
    if (existsSync(path)) throw full();
    return "kept";
  });
  expect(written).toBe("kept");
  await expect(spare.beginning(async () => "begun")).rejects.toThrow(
    "The disk is full. Everything up to the step before is kept.",
  );
  await expect(
    spare.keeping(async () => {
      throw full();
    }),
  ).rejects.toThrow("ENOSPC");
});

test("any other trouble takes nothing from the room", async () => {
  const path = join(folderWith({}), "001.spare");
  const spare = openSpare(path);
  await expect(
    spare.keeping(async () => {
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  expect(existsSync(path)).toBe(true);
});
