import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openBlobs } from "../../src/store/blobs.ts";
import { UserError } from "../../src/util/errors.ts";
import { sha256 } from "../../src/util/hash.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { canTrace, child, ended, smallDisk } from "./children.ts";
import { printed } from "../support/printed.ts";

afterEach(cleanUp);

const caught = async (work: () => unknown) => {
  try {
    await work();
  } catch (error) {
    if (error instanceof UserError) return [error.code, error.message, printed(error.next)];
    throw error;
  }
  throw new Error("Nothing was thrown.");
};

test("a text is found again by its hash, by whoever opens the folder", async () => {
  const folder = join(folderWith({}), "blobs");
  const texts = ["a reply\n", "", "grüße 🎉", "x".repeat(300_000)];
  const hashes = await Promise.all(texts.map(openBlobs(folder).put));
  expect(hashes).toEqual(texts.map((text) => sha256(text)));
  expect(hashes.map(openBlobs(folder).get)).toEqual(texts);
  expect(fs.readdirSync(folder).sort()).toEqual(hashes.toSorted());
});

test("a text lies on disk once, and is not written again", async () => {
  const folder = join(folderWith({}), "blobs");
  const hash = await openBlobs(folder).put("once");
  const before = fs.statSync(join(folder, hash), { bigint: true });
  const again = openBlobs(folder);
  expect([await again.put("once"), await again.put("once")]).toEqual([hash, hash]);
  const after = fs.statSync(join(folder, hash), { bigint: true });
  expect([after.ino, after.mtimeNs, fs.readdirSync(folder).length]).toEqual([before.ino, before.mtimeNs, 1]);
});

test("texts are readable by their owner alone", async () => {
  const folder = join(folderWith({}), "blobs");
  const hash = await openBlobs(folder).put("secret");
  expect([folder, join(folder, hash)].map((path) => fs.statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
});

test("a text that a crash left half written is written again", async () => {
  const folder = join(folderWith({}), "blobs");
  const hash = await openBlobs(folder).put("the whole text");
  fs.truncateSync(join(folder, hash), 3);
  expect(await openBlobs(folder).put("the whole text")).toBe(hash);
  expect(openBlobs(folder).get(hash)).toBe("the whole text");
  expect(fs.readdirSync(folder)).toEqual([hash]);
});

test("a text that was changed or removed is said to be so, and never given out", async () => {
  const folder = join(folderWith({}), "blobs");
  const [changed, removed] = (await Promise.all(["changed", "removed"].map(openBlobs(folder).put))) as [string, string];
  fs.writeFileSync(join(folder, changed), "chanqed");
  fs.rmSync(join(folder, removed));
  const hint = "Restore that file from a backup, or choose how to go on: claude-exec recover <chain>";
  const said = (hash: string, what: string) => [
    "blob_damaged",
    `A text of this chain is ${what} (blobs/${hash.slice(0, 12)}…). The journal is whole.`,
    hint,
  ];
  expect(await caught(() => openBlobs(folder).get(changed))).toEqual(said(changed, "damaged"));
  expect(await caught(() => openBlobs(folder).get(removed))).toEqual(said(removed, "missing"));
});

test("bytes are found again by their hash, lie on disk once, and may be a text's", async () => {
  const folder = join(folderWith({}), "blobs");
  const all = [Buffer.from([0, 255, 254, 10]), Buffer.alloc(0), Buffer.alloc(3_000_000, 7), Buffer.from("grüße\n")];
  const hashes = await Promise.all(all.map(openBlobs(folder).putBytes));
  expect(hashes).toEqual(all.map((bytes) => sha256(bytes)));
  expect(hashes.map(openBlobs(folder).getBytes)).toEqual(all);
  const inodes = () => hashes.map((hash) => fs.statSync(join(folder, hash), { bigint: true }).ino);
  const before = inodes();
  const again = openBlobs(folder);
  expect(await Promise.all([...all, ...all].map(again.putBytes))).toEqual([...hashes, ...hashes]);
  expect([inodes(), fs.readdirSync(folder).length, fs.statSync(join(folder, hashes[0] ?? "")).mode & 0o777]).toEqual([
    before,
    4,
    0o600,
  ]);
  expect([await again.put("grüße\n"), again.get(hashes[3] ?? "")]).toEqual([hashes[3], "grüße\n"]);
});

test("bytes that a crash left half written are written again; without that they are said to be damaged", async () => {
  const folder = join(folderWith({}), "blobs");
  const bytes = Buffer.from([1, 2, 3, 0]);
  const hash = await openBlobs(folder).putBytes(bytes);
  fs.truncateSync(join(folder, hash), 2);
  const said = (what: string) => [
    "blob_damaged",
    `A file that this chain kept is ${what} (blobs/${hash.slice(0, 12)}…). The journal is whole.`,
    "Restore that file from a backup, or choose how to go on: claude-exec recover <chain>",
  ];
  expect(await caught(() => openBlobs(folder).getBytes(hash))).toEqual(said("damaged"));
  expect(await openBlobs(folder).putBytes(bytes)).toBe(hash);
  expect(openBlobs(folder).getBytes(hash)).toEqual(bytes);
  fs.rmSync(join(folder, hash));
  expect(await caught(() => openBlobs(folder).getBytes(hash))).toEqual(said("missing"));
});

test.skipIf(!canTrace())("bytes are not synced one by one, until a text says the same (needs strace)", async () => {
  const folder = join(folderWith({}), "blobs");
  const trace = join(folderWith({}), "trace");
  const code = `const blobs = ours.openBlobs(${JSON.stringify(folder)});
    for (let n = 0; n < 50; n += 1) await blobs.putBytes(Buffer.from("file " + n));
    await blobs.put("file 7"); await blobs.put("file 7");`;
  await ended(child(["store/blobs.ts"], code, "strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", trace));
  expect(fs.readFileSync(trace, "utf8").match(/f(?:data)?sync\(/g)).toHaveLength(1);
  expect(fs.readdirSync(folder)).toHaveLength(50);
});

test("on a full disk a text is refused in plain words, and can be kept once there is room", async (context) => {
  const disk = smallDisk(64 * 1024);
  if (!disk) return context.skip("Only root may mount a disk to fill.");
  try {
    const folder = join(disk.path, "blobs");
    const kept = await openBlobs(folder).put("kept");
    const large = "x".repeat(200_000);
    expect(await caught(() => openBlobs(folder).put(large))).toEqual([
      "disk_full",
      "The disk is full. Everything up to the step before is kept.",
      "Free some space, then go on: type the same again.",
    ]);
    expect(openBlobs(folder).get(kept)).toBe("kept");
    expect(() => openBlobs(folder).get(sha256(large))).toThrow("is damaged");
  } finally {
    disk.remove();
  }
});
