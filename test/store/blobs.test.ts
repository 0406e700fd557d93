import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openBlobs } from "../../src/store/blobs.ts";
import { UserError } from "../../src/util/errors.ts";
import { sha256 } from "../../src/util/hash.ts";
import { cleanUp, folderWith } from "../tools/folders.ts";
import { smallDisk } from "./children.ts";

afterEach(cleanUp);

const caught = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    if (error instanceof UserError) return [error.code, error.message, error.hint];
    throw error;
  }
  throw new Error("Nothing was thrown.");
};

test("a text is found again by its hash, by whoever opens the folder", () => {
  const folder = join(folderWith({}), "blobs");
  const texts = ["a reply\n", "", "grüße 🎉", "x".repeat(300_000)];
  const hashes = texts.map(openBlobs(folder).put);
  expect(hashes).toEqual(texts.map((text) => sha256(text)));
  expect(hashes.map(openBlobs(folder).get)).toEqual(texts);
  expect(fs.readdirSync(folder).sort()).toEqual(hashes.toSorted());
});

test("a text lies on disk once, and is not written again", () => {
  const folder = join(folderWith({}), "blobs");
  const hash = openBlobs(folder).put("once");
  const before = fs.statSync(join(folder, hash), { bigint: true });
  const again = openBlobs(folder);
  expect([again.put("once"), again.put("once")]).toEqual([hash, hash]);
  const after = fs.statSync(join(folder, hash), { bigint: true });
  expect([after.ino, after.mtimeNs, fs.readdirSync(folder).length]).toEqual([before.ino, before.mtimeNs, 1]);
});

test("texts are readable by their owner alone", () => {
  const folder = join(folderWith({}), "blobs");
  const hash = openBlobs(folder).put("secret");
  expect([folder, join(folder, hash)].map((path) => fs.statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
});

test("a text that a crash left half written is written again", () => {
  const folder = join(folderWith({}), "blobs");
  const hash = openBlobs(folder).put("the whole text");
  fs.truncateSync(join(folder, hash), 3);
  expect(openBlobs(folder).put("the whole text")).toBe(hash);
  expect(openBlobs(folder).get(hash)).toBe("the whole text");
  expect(fs.readdirSync(folder)).toEqual([hash]);
});

test("a text that was changed or removed is said to be so, and never given out", () => {
  const folder = join(folderWith({}), "blobs");
  const [changed, removed] = ["changed", "removed"].map(openBlobs(folder).put) as [string, string];
  fs.writeFileSync(join(folder, changed), "chanqed");
  fs.rmSync(join(folder, removed));
  const hint = "Restore that file from a backup, or type: claude-exec recover <chain>";
  const said = (hash: string, what: string) => [
    "blob_damaged",
    `A text of this chain is ${what} (blobs/${hash.slice(0, 12)}…). The journal is whole.`,
    hint,
  ];
  expect(caught(() => openBlobs(folder).get(changed))).toEqual(said(changed, "damaged"));
  expect(caught(() => openBlobs(folder).get(removed))).toEqual(said(removed, "missing"));
});

test("on a full disk a text is refused in plain words, and can be kept once there is room", (context) => {
  const disk = smallDisk(64 * 1024);
  if (!disk) return context.skip("Only root may mount a disk to fill.");
  try {
    const folder = join(disk.path, "blobs");
    const kept = openBlobs(folder).put("kept");
    const large = "x".repeat(200_000);
    expect(caught(() => openBlobs(folder).put(large))).toEqual([
      "disk_full",
      "The disk is full. Everything up to the step before is kept.",
      "Free some space, then resume the chain.",
    ]);
    expect(openBlobs(folder).get(kept)).toBe("kept");
    expect(() => openBlobs(folder).get(sha256(large))).toThrow("is damaged");
  } finally {
    disk.remove();
  }
});
