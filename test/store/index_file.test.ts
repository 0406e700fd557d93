import { renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { type Entry, type IndexFile, openIndexFile } from "../../src/store/index_file.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { child, ended, firstWords } from "./children.ts";

const opened: IndexFile[] = [];
const holders: ReturnType<typeof child>[] = [];
afterEach(() => {
  for (const index of opened.splice(0)) index.close();
  for (const one of holders.splice(0)) one.kill("SIGKILL");
  cleanUp();
});

/** A second later, so that nothing is so fresh that it is read twice. */
const later = () => Date.now() + 1_000;

function open(path: string, now = later): IndexFile {
  const index = openIndexFile(path, now);
  opened.push(index);
  return index;
}

function entry(word: string, body = ""): Entry {
  return { value: { word }, texts: [word, "", "", body] };
}

/** Syncs these files with entries that count up, and says which of them had to be made. */
async function sync(index: IndexFile, files: readonly string[], kind = "word:1") {
  const made: string[] = [];
  const values = await index.sync(kind, files, (at) => {
    made.push(files[at]!);
    return Promise.resolve(entry(`word${at}`));
  });
  return { made, values };
}

function threeFiles() {
  const folder = folderWith({ "a.md": "one", "b.md": "two", "c.md": "three" });
  const files = ["a.md", "b.md", "c.md"].map((name) => join(folder, name));
  return { folder, files, path: join(folderWith({}), "index.sqlite") };
}

const words = [{ word: "word0" }, { word: "word1" }, { word: "word2" }];

test("what is unchanged is not made again, neither by the same index nor by the next to open the file", async () => {
  const { files, path } = threeFiles();
  const index = open(path);
  expect(await sync(index, files)).toEqual({ made: files, values: words });
  expect(await sync(index, files)).toEqual({ made: [], values: words });
  expect(await sync(open(path), files)).toEqual({ made: [], values: words });
  expect(index.location()).toEqual({ path });
});

test("nothing is asked where there is nothing to make", async () => {
  const { files } = threeFiles();
  const index = open(":memory:");
  await sync(index, files);
  const never = () => Promise.reject(new Error("asked"));
  expect(await index.sync("word:1", files, never)).toEqual(words);
  expect(await index.sync("word:1", files.slice(1), never)).toEqual(words.slice(1));
});

test.each<[string, (file: string) => void]>([
  ["written to, as long as before", (file) => writeFileSync(file, "owt")],
  ["written to, and its time set back", withItsTime((file) => writeFileSync(file, "owt"))],
  [
    "replaced by one of the same size and time",
    withItsTime((file) => replaced(file, () => writeFileSync(file, "owt"))),
  ],
  ["replaced by a link", (file) => replaced(file, (aside) => symlinkSync(aside, file))],
  ["removed", (file) => rmSync(file)],
])("a file is made again once it was %s, and no other is", async (_, change) => {
  const { files, path } = threeFiles();
  const index = open(path);
  await sync(index, files);
  change(files[1]!);
  expect((await sync(index, files)).made).toEqual([files[1]]);
  expect((await sync(index, files)).made).toEqual([]);
  expect((await sync(open(path), files)).made).toEqual([]);
});

function withItsTime(change: (file: string) => void) {
  return (file: string) => {
    const { atime, mtime } = statSync(file);
    change(file);
    utimesSync(file, atime, mtime);
  };
}

function replaced(file: string, put: (aside: string) => void): void {
  renameSync(file, `${file}.aside`);
  put(`${file}.aside`);
}

test("a file that changed within the last tick of the clock is made again until it has settled", async () => {
  const { files, path } = threeFiles();
  let now = statSync(files[2]!).ctimeMs + 10;
  const index = open(path, () => now);
  await sync(index, files);
  expect((await sync(index, files)).made).toEqual(files);
  now += 1_000;
  expect((await sync(index, files)).made).toEqual(files);
  expect((await sync(index, files)).made).toEqual([]);
});

test("what is added is made, what is gone is forgotten, and what was renamed is both", async () => {
  const { folder, files } = threeFiles();
  const index = open(":memory:");
  await sync(index, files);
  const renamed = join(folder, "z.md");
  renameSync(files[0]!, renamed);
  const after = [...files.slice(1), renamed];
  expect(index.covers("word:1", files)).toBe(true);
  expect(index.covers("word:1", after)).toBe(false);
  expect(await sync(index, after)).toEqual({ made: [renamed], values: [words[1], words[2], words[2]] });
  expect(index.covers("word:1", after)).toBe(true);
  expect(index.search("word:1", ["word2"], 9).map(({ file }) => file)).toEqual([files[2], renamed]);
  expect(index.holds("word:1", "word0")).toBe(false);
});

test("another kind of the same family takes the place of the first, and other families stay", async () => {
  const { files } = threeFiles();
  const index = open(":memory:");
  await sync(index, files, "word:1");
  await sync(index, files, "other:1");
  await sync(index, files, "word:2");
  const found = (kind: string) => index.search(kind, ["word1"], 9).map(({ file }) => file);
  expect([found("word:1"), found("other:1"), found("word:2")]).toEqual([[], [files[1]], [files[1]]]);
  expect(["word:1", "other:1", "word:2"].map((kind) => index.covers(kind, files))).toEqual([false, true, true]);
  expect(["word:1", "other:1"].map((kind) => [...index.words(kind)].toSorted())).toEqual([
    [],
    ["word0", "word1", "word2"],
  ]);
});

test("files that hold all words come before those that hold some, the best first, and not more than asked for", async () => {
  const { files } = threeFiles();
  const index = open(":memory:");
  const bodies = [entry("x", "red and green"), entry("red"), entry("y", "green")];
  await index.sync("a:1", files, (at) => Promise.resolve(bodies[at]!));
  // As many of another family, which rank as high.
  await index.sync("b:1", files, () => Promise.resolve(entry("red", "green")));
  const found = (words: string[], limit: number) => index.search("a:1", words, limit).map(({ file }) => file);
  expect(found(["red", "green"], 9)).toEqual([files[0], files[1], files[2]]);
  expect(found(["red"], 9)).toEqual([files[1], files[0]]);
  expect(found(["red"], 1)).toEqual([files[1]]);
  expect(found(["red", "green"], 2)).toEqual([files[0], files[1]]);
  expect(found([], 9)).toEqual([]);
});

test("what was found says whether its file has changed since", async () => {
  const { files } = threeFiles();
  const index = open(":memory:");
  await sync(index, files);
  writeFileSync(files[1]!, "another");
  const found = ["word0", "word1"].map((word) => index.search("word:1", [word], 1));
  expect(found).toEqual([
    [{ file: files[0], value: { word: "word0" }, changed: false }],
    [{ file: files[1], value: { word: "word1" }, changed: true }],
  ]);
});

test("what another process indexed or took away counts at once", async () => {
  const { files, path } = threeFiles();
  const [mine, other] = [open(path), open(path)];
  await sync(mine, files);
  expect(await sync(other, files)).toEqual({ made: [], values: words });
  await sync(other, files, "word:2");
  expect(mine.covers("word:1", files)).toBe(false);
  expect(await sync(mine, files)).toEqual({ made: files, values: words });
});

test("what another process takes away in the middle of a sync is given back, and made again at the next", async () => {
  const { files, path } = threeFiles();
  const [mine, other] = [open(path), open(path)];
  await sync(mine, files);
  writeFileSync(files[0]!, "changed");
  const values = await mine.sync("word:1", files, async (at) => {
    await sync(other, files, "word:2");
    return entry(`word${at}`);
  });
  expect(values).toEqual(words);
  expect((await sync(mine, files)).made).toEqual(files.slice(1));
  expect(mine.covers("word:1", files)).toBe(true);
});

test("two processes that index the same files leave one row for each", async () => {
  const { files, path } = threeFiles();
  const [mine, other] = [open(path), open(path)];
  await mine.sync("word:1", files, async (at) => {
    if (at === 0) await sync(other, files);
    return entry(`word${at}`);
  });
  expect(mine.search("word:1", ["word1"], 9)).toHaveLength(1);
});

/** A process that holds the file at this path until it is killed. */
function holding(path: string) {
  const holder = child(
    [],
    `const { DatabaseSync } = await import("node:sqlite"); globalThis.db = new DatabaseSync(${JSON.stringify(path)});
    db.exec("BEGIN EXCLUSIVE"); console.log("held"); setInterval(() => {}, 1000);`,
  );
  holders.push(holder);
  return holder;
}

test("while another process holds the file, all is kept in memory and the file is left alone", async () => {
  const { files, path } = threeFiles();
  await sync(open(path), files.slice(1));
  const holder = holding(path);
  expect(await firstWords(holder)).toBe("held\n");
  const index = open(path);
  expect((await sync(index, files)).made).toEqual(files);
  expect(index.search("word:1", ["word2"], 9)).toHaveLength(1);
  expect(index.location()).toEqual({ path: ":memory:", trouble: "database is locked" });
  expect((await sync(index, files)).values).toEqual(words);
  const gone = ended(holder);
  holder.kill("SIGKILL");
  await gone;
  expect((await sync(open(path), files.slice(1))).made).toEqual([]);
});

test("an error of whoever makes the entries is theirs, and the index goes on", async () => {
  const { files, path } = threeFiles();
  const index = open(path);
  const broken = index.sync("word:1", files, () => Promise.reject(new Error("cannot make it")));
  await expect(broken).rejects.toThrow("cannot make it");
  expect((await sync(index, files)).values).toEqual(words);
  expect(index.location()).toEqual({ path });
});

test("a folder where the file should be is left as it is", async () => {
  const folder = folderWith({ "a.md": "one", "index.sqlite/precious.txt": "mine" });
  const index = open(join(folder, "index.sqlite"));
  expect((await sync(index, [join(folder, "a.md")])).values).toEqual([{ word: "word0" }]);
  expect(index.location()).toEqual({ path: ":memory:", trouble: "unable to open database file" });
  expect(statSync(join(folder, "index.sqlite/precious.txt")).size).toBe(4);
});

test("a process killed at any file of a write leaves the index as it was before", { timeout: 60_000 }, async () => {
  const { files, path } = threeFiles();
  for (const at of [0, 1, 2]) {
    await sync(open(path), files.slice(1));
    const job = { files, path, at };
    const killed = child(
      ["store/index_file.ts"],
      `const { files, path, at } = ${JSON.stringify(job)};
      const index = ours.openIndexFile(path, () => Date.now() + 1000);
      const make = (n) => ({ value: n, get texts() {
        if (n === at) process.kill(process.pid, "SIGKILL");
        return ["killed", "", "", "long ".repeat(1e6)];
      } });
      await index.sync("word:2", files, async (n) => make(n));`,
    );
    await ended(killed);
    expect(killed.signalCode).toBe("SIGKILL");
    const index = open(path);
    expect((await sync(index, files.slice(1))).made).toEqual([]);
    expect(index.search("word:1", ["killed"], 9)).toEqual([]);
    expect(index.location()).toEqual({ path });
    for (const one of opened.splice(0)) one.close();
  }
});

test("an index with a value that is damaged is made again", async () => {
  const { files, path } = threeFiles();
  const index = open(path);
  await sync(index, files);
  index.close();
  const db = new DatabaseSync(path);
  db.exec("UPDATE files SET value = 'no JSON' WHERE file LIKE '%b.md'");
  db.close();
  expect(await sync(open(path), files)).toEqual({ made: files, values: words });
});
