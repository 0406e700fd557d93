import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { openLibrary } from "../../src/library/library.ts";
import { openIndexFile } from "../../src/store/index_file.ts";
import { child, ended, firstWords, wholeOutput } from "../store/children.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

const holders: ReturnType<typeof child>[] = [];
afterEach(() => {
  for (const one of holders.splice(0)) one.kill("SIGKILL");
  cleanUp();
});

const subjects = ["migration", "review", "index", "trace", "flow", "budget", "gates", "questions"];
const queries = ["migration", "reveiw trace", "words3", "budgts flow", "one", ""];

function prompt(purpose: string, body: string): string {
  return `---\npurpose: ${purpose}\ncost_estimate: low\n---\n${body}\n`;
}

/** Eight prompts that share their words, and a broken one. */
function place() {
  const files = subjects.map((subject, at) => {
    const [next, after, last] = [1, 2, 4].map((step) => subjects[(at + step) % subjects.length]!);
    return [`prompts/${subject}_one.md`, prompt(`Look at the ${next}`, `${after} and ${last}s, words${at}`)] as const;
  });
  const root = folderWith({ ...Object.fromEntries(files), "prompts/broken_one.md": "---\npurpose: [\n---\nflow\n" });
  return { root, prompts: join(root, "prompts"), path: join(root, "index/library.sqlite") };
}

const later = () => Date.now() + 1_000;

/** All that a library says with the index at this path, by default one that nobody keeps; and where it lies. */
async function ask(prompts: string, path = ":memory:") {
  const index = openIndexFile(path, later);
  try {
    const library = openLibrary([{ scope: "workspace", path: prompts }], { index });
    const found = [];
    for (const query of queries) found.push(await library.search(query, 20));
    return { answers: { listed: await library.all(), found }, standing: index.location() };
  } finally {
    index.close();
  }
}

/** The same without the order of the hits: what was forgotten still weighs a little in their ranks. */
async function unranked(prompts: string, path?: string) {
  const { listed, found } = await answers(prompts, path);
  const names = found.map(({ hits, taken_for }) => [hits.map(({ prompt }) => prompt.name).toSorted(), taken_for]);
  return { listed, names };
}

async function answers(prompts: string, path?: string) {
  return (await ask(prompts, path)).answers;
}

test.each<[string, (path: string) => void]>([
  ["deleted", (path) => rmSync(path)],
  ["emptied", (path) => writeFileSync(path, "")],
  ["cut in the middle", (path) => writeFileSync(path, readFileSync(path).subarray(0, 9_000))],
  ["cut at a page", (path) => writeFileSync(path, readFileSync(path).subarray(0, 3 * 4_096))],
  ["filled with garbage", (path) => writeFileSync(path, "garbage ".repeat(9_999))],
  ["filled with zeroes", (path) => writeFileSync(path, Buffer.alloc(40_960))],
  ["given a foreign -wal and -shm", (path) => ["-wal", "-shm"].forEach((end) => writeFileSync(path + end, "garbage"))],
  ["of a later version", (path) => sql(path, "PRAGMA user_version = 99")],
  ["robbed of its table", (path) => sql(path, "DROP TABLE files")],
  ["robbed of its rows", (path) => sql(path, "DELETE FROM files WHERE file LIKE '%trace%'")],
  ["given values that are no JSON", (path) => sql(path, "UPDATE files SET value = substr(value, 5)")],
  [
    "another program's",
    (path) => {
      rmSync(path);
      sql(path, "CREATE TABLE files (mine TEXT); INSERT INTO files VALUES ('precious'); PRAGMA user_version = 3");
    },
  ],
])("an index that was %s changes no answer, and lies where it should again", async (_, abuse) => {
  const { prompts, path } = place();
  const plain = await answers(prompts);
  expect(await answers(prompts, path)).toEqual(plain);
  abuse(path);
  const standing = { path };
  expect(await ask(prompts, path)).toEqual({ answers: plain, standing });
  expect(await ask(prompts, path)).toEqual({ answers: plain, standing });
});

function sql(path: string, text: string): void {
  const db = new DatabaseSync(path);
  db.exec(text);
  db.close();
}

test(
  "whichever bits of an index flip, there are answers, and a prompt is read from its own file",
  { timeout: 120_000 },
  async () => {
    const { prompts, path } = place();
    const plain = await answers(prompts);
    await answers(prompts, path);
    const whole = readFileSync(path);
    const flip = fc.record({ at: fc.integer({ min: 0, max: whole.length - 1 }), bit: fc.integer({ min: 0, max: 7 }) });
    // Most of the file is empty: half of the flips are made where something stands.
    const written = [...whole.keys()].filter((at) => whole[at] !== 0);
    const inText = fc.record({ at: fc.constantFrom(...written), bit: fc.integer({ min: 0, max: 7 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(flip, inText), { minLength: 1, maxLength: 2 }), async (flips) => {
        const bytes = Buffer.from(whole);
        for (const { at, bit } of flips) bytes[at]! ^= 1 << bit;
        for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
        writeFileSync(path, bytes);
        const { listed, found } = await answers(prompts, path);
        const names = new Set([...plain.listed.prompts.map(({ name }) => name), "broken_one"]);
        const shown = [...listed.prompts, ...found.flatMap(({ hits }) => hits.map(({ prompt }) => prompt))];
        expect(shown.filter(({ name }) => !names.has(name))).toEqual([]);
        const index = openIndexFile(path, later);
        const library = openLibrary([{ scope: "workspace", path: prompts }], { index });
        expect((await library.find("flow_one")).purpose).toBe("Look at the budget");
        index.close();
      }),
      { numRuns: 120 },
    );
  },
);

test("where no index can lie, it lies in memory and says why", async () => {
  const { root, prompts, path } = place();
  const plain = await answers(prompts);
  mkdirSync(path, { recursive: true });
  const trouble = "unable to open database file";
  expect(await ask(prompts, path)).toEqual({ answers: plain, standing: { path: ":memory:", trouble } });
  expect(existsSync(path)).toBe(true);
  const { answers: given, standing } = await ask(prompts, join(root, "prompts/flow_one.md/library.sqlite"));
  expect(given).toEqual(plain);
  expect(standing).toEqual({ path: ":memory:", trouble: expect.stringMatching(/^(EEXIST|ENOTDIR): /) as string });
});

test("a folder that may not be written gives the same answers", async (context) => {
  if (process.geteuid?.() === 0) return context.skip("Root may write everywhere.");
  const { root, prompts } = place();
  const plain = await answers(prompts);
  const locked = join(root, "locked");
  mkdirSync(locked, { mode: 0o500 });
  const { answers: given, standing } = await ask(prompts, join(locked, "library.sqlite"));
  chmodSync(locked, 0o700);
  expect(given).toEqual(plain);
  expect(standing).toEqual({ path: ":memory:", trouble: "unable to open database file" });
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

test("while another process holds the index, the answers are the same", { timeout: 60_000 }, async () => {
  const { prompts, path } = place();
  await answers(prompts, path);
  const holder = holding(path);
  expect(await firstWords(holder)).toBe("held\n");
  // Where nothing is to be written, nobody need wait.
  expect(await ask(prompts, path)).toEqual({ answers: await answers(prompts), standing: { path } });
  writeFileSync(join(prompts, "flow_one.md"), prompt("Look anew", "migration"));
  const standing = { path: ":memory:", trouble: "database is locked" };
  expect(await ask(prompts, path)).toEqual({ answers: await answers(prompts), standing });
  const gone = ended(holder);
  holder.kill("SIGKILL");
  await gone;
  expect(await unranked(prompts, path)).toEqual(await unranked(prompts));
  expect((await ask(prompts, path)).standing).toEqual({ path });
});

/** A process that lists and searches with the index, once it is told to. */
function asker(prompts: string, path: string) {
  return child(
    ["library/library.ts", "store/index_file.ts"],
    `const [prompts, path] = ${JSON.stringify([prompts, path])};
    process.stdin.once("data", async () => {
      const index = ours.openIndexFile(path);
      const library = ours.openLibrary([{ scope: "workspace", path: prompts }], { index });
      const { prompts: listed, problems } = await library.all();
      const { hits } = await library.search("prompt_77", 1);
      index.close();
      console.log(JSON.stringify([listed.length, listed.at(-1).name, problems, hits.map((hit) => hit.prompt.name)]));
      process.exit();
    });`,
  );
}

test.each(["new", "garbage"])("processes that index 200 prompts at once agree, on a %s file", async (state) => {
  const files = Array.from(
    { length: 200 },
    (_, at) => [`prompts/prompt_${at}.md`, prompt(`Do ${at}`, "work")] as const,
  );
  const root = folderWith({ ...Object.fromEntries(files), ...(state === "garbage" && { "index.sqlite": "garbage" }) });
  const path = join(root, "index.sqlite");
  const askers = [1, 2, 3, 4].map(() => asker(join(root, "prompts"), path));
  for (const one of askers) one.stdin?.write("go\n");
  const said = await Promise.all(askers.map(wholeOutput));
  const expected = [200, "prompt_99", [], ["prompt_77"]];
  expect(said.map((text) => JSON.parse(text) as unknown)).toEqual([expected, expected, expected, expected]);
  expect((await answers(join(root, "prompts"), path)).listed).toEqual((await answers(join(root, "prompts"))).listed);
});

test("a process killed after it wrote leaves nothing that changes an answer, whole or with a damaged -wal", async () => {
  const { prompts, path } = place();
  const plain = await answers(prompts);
  for (const at of [undefined, 0, 40, 700, 9_000]) {
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    const killed = child(
      ["library/library.ts", "store/index_file.ts"],
      `const [prompts, path] = ${JSON.stringify([prompts, path])};
      const index = ours.openIndexFile(path, () => Date.now() + 1000);
      await ours.openLibrary([{ scope: "workspace", path: prompts }], { index }).all();
      process.kill(process.pid, "SIGKILL");`,
    );
    await ended(killed);
    const wal = readFileSync(`${path}-wal`);
    expect([killed.signalCode, wal.length > 9_000]).toEqual(["SIGKILL", true]);
    if (at !== undefined) wal[at]! ^= 4;
    writeFileSync(`${path}-wal`, wal);
    expect(await ask(prompts, path)).toEqual({ answers: plain, standing: { path } });
  }
});

test("files that change in every way give the same answers as an index made anew", { timeout: 120_000 }, async () => {
  const name = fc.constantFrom("alpha_one", "beta_one", "gamma_one", "sub/delta_one", "sub/alpha_one");
  const change = fc.record({
    how: fc.constantFrom("write", "write", "break", "remove", "link", "folder", "move"),
    name,
    word: fc.constantFrom(...subjects),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 4 }), async (rounds) => {
      const { prompts, path } = place();
      mkdirSync(join(prompts, "sub"));
      const index = openIndexFile(path);
      const library = openLibrary([{ scope: "workspace", path: prompts }], { index });
      for (const round of rounds) {
        for (const { how, name, word } of round) apply(how, join(prompts, `${name}.md`), word);
        expect(await library.all()).toEqual((await answers(prompts)).listed);
      }
      index.close();
      expect(await unranked(prompts, path)).toEqual(await unranked(prompts));
      cleanUp();
    }),
    { numRuns: 40 },
  );
});

function apply(how: string, file: string, word: string): void {
  if (how === "move" && existsSync(file)) {
    const to = file.replace("_one", "_two");
    rmSync(to, { force: true, recursive: true });
    return renameSync(file, to);
  }
  rmSync(file, { force: true, recursive: true });
  if (how === "write") writeFileSync(file, prompt(`Look at the ${word}`, word));
  if (how === "break") writeFileSync(file, `---\n${word}\n---\n`);
  if (how === "link") symlinkSync("../../prompts/flow_one.md", file);
  if (how === "folder") mkdirSync(file);
}

test("a file written twice within one tick of the clock, as long as before, is listed as it is", async () => {
  const { prompts, path } = place();
  const index = openIndexFile(path);
  const library = openLibrary([{ scope: "workspace", path: prompts }], { index });
  for (let at = 100; at < 200; at++) {
    writeFileSync(join(prompts, "flow_one.md"), prompt(`Look ${at}`, "flow"));
    const { prompts: listed } = await library.all();
    expect(listed.find((one) => one.name === "flow_one")?.purpose).toBe(`Look ${at}`);
  }
  index.close();
});

test("2,000 files, names in other scripts and whatever is wrong with one of them: all else is listed, cold and warm", async () => {
  const many = Array.from({ length: 2_000 }, (_, at) => [
    `prompts/p${at % 40}/prompt_${at}.md`,
    prompt("Do it", "work"),
  ]);
  const deep = `a: ${"[".repeat(7_000)}${"]".repeat(7_000)}`;
  const bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b]";
  const keys = Array.from({ length: 40_000 }, (_, at) => `k${at}: 1`).join("\n");
  const bad = {
    "алфавит.md": prompt("Do it", "work"),
    "日本語.md": prompt("Do it", "work"),
    "e\u0301te\u0301.md": prompt("Do it", "work"),
    "bomb_one.md": `---\n${bomb}\n---\n`,
    "deep_one.md": `---\n${deep}\n---\n`,
    "js_one.md": "---js\nglobalThis.ran = true\n---\n",
    "keys_one.md": `---\n${keys}\n---\n`,
    "long_one.md": prompt("Do it", "x".repeat(256 * 1024)),
    "binary_one.md": Uint8Array.of(0xff, 0xfe, 0),
    "nothing_one.md": "",
    "proto_one.md": "---\n__proto__: { polluted: true }\n---\n",
    "folder_one.md/inner.txt": "no prompt",
  };
  const named = Object.entries(bad).map(([name, text]) => [`prompts/bad/${name}`, text]);
  const root = folderWith(Object.fromEntries([...many, ...named]) as Record<string, string | Uint8Array>);
  symlinkSync("ring_one.md", join(root, "prompts/bad/ring_one.md"));
  symlinkSync("..", join(root, "prompts/bad/ring"));
  const [prompts, path] = [join(root, "prompts"), join(root, "index.sqlite")];
  const cold = await answers(prompts, path);
  expect(cold.listed.prompts.map(({ name }) => name)).toEqual(many.map((_, at) => `prompt_${at}`).toSorted());
  const said = cold.listed.problems.map(({ file, message, next }) => ({
    file,
    at: message.split(": ")[0],
    hint: next.length > 0,
  }));
  const broken = [...Object.keys(bad).map((name) => name.split("/")[0]!), "ring_one.md", "ring"];
  const expected = broken.map((name) => ({ name, file: join(prompts, "bad", name) }));
  expect(said.map(({ file }) => file)).toEqual(expected.map(({ file }) => file).toSorted());
  expect(said.filter(({ file, at, hint }) => !`${at}:`.startsWith(`${file}:`) || !hint)).toEqual([]);
  expect(await ask(prompts, path)).toStrictEqual({ answers: cold, standing: { path } });
  expect("ran" in globalThis || "polluted" in {}).toBe(false);
});
