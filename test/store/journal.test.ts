import fs from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { Journal, readJournal, type Actor, type Reading } from "../../src/store/journal.ts";
import { UserError } from "../../src/util/errors.ts";
import { sha256 } from "../../src/util/hash.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { canTrace, child, smallDisk, wholeOutput } from "./children.ts";
import { printed } from "../support/printed.ts";

afterEach(cleanUp);

type Body = { type: string; text: string };
const by: Actor = { kind: "engine", name: "claude-exec", door: "engine" };
const noon = () => Date.parse("2026-11-20T12:00:00.000Z");
const empty: Reading<Body> = { lines: [], bytes: 0, torn: 0, damage: undefined };
const says = (...texts: string[]) => ({ by, bodies: texts.map((text) => ({ type: "said", text })) });

function newJournal(path = join(folderWith({}), "001.jsonl")): { path: string; journal: Journal<Body> } {
  fs.writeFileSync(path, "");
  return { path, journal: new Journal<Body>(path, empty, noon) };
}

/** A journal on disk with these batches. */
async function written(...batches: string[][]): Promise<string> {
  const { path, journal } = newJournal();
  await journal.append(...batches.map((texts) => says(...texts)));
  journal.close();
  return path;
}

const textsOf = ({ lines }: Reading<Body>) => lines.map(({ text }) => text);

test("a line is its stamp, its body, and a hash over the line and the hash before it", async () => {
  const { path, journal } = newJournal();
  const person: Actor = { kind: "person", name: "ada", door: "cli" };
  const [first] = await journal.append(says("one"));
  const rest = await journal.append({
    by: person,
    bodies: [
      { type: "said", text: "two" },
      { type: "said", text: "three" },
    ],
  });
  journal.close();
  const at = '"at":"2026-11-20T12:00:00.000Z"';
  const engine = '"by":{"kind":"engine","name":"claude-exec","door":"engine"}';
  const ada = '"by":{"kind":"person","name":"ada","door":"cli"}';
  const lines = [
    `{"n":1,${at},${engine},"type":"said","text":"one"`,
    `{"n":2,${at},${ada},"type":"said","text":"two","more":1`,
    `{"n":3,${at},${ada},"type":"said","text":"three"`,
  ];
  let hash = "";
  const sealed = lines.map((line) => {
    hash = sha256(hash, `${line}}`);
    return `${line},"hash":"${hash}"}\n`;
  });
  expect(fs.readFileSync(path, "utf8")).toBe(sealed.join(""));
  expect([first, ...rest]).toEqual(sealed.map((line) => JSON.parse(line) as unknown));
  expect([journal.length, journal.head]).toEqual([3, hash]);
});

test("what was appended is what is read", async () => {
  const text = fc.string({ unit: "binary" });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(text, { minLength: 1, maxLength: 3 }), { maxLength: 4 }), async (batches) => {
      const { path, journal } = newJournal();
      const lines = await journal.append(...batches.map((batch) => says(...batch)));
      journal.close();
      expect(readJournal(path)).toEqual({ lines, bytes: fs.statSync(path).size, torn: 0, damage: undefined });
    }),
    { numRuns: 12 },
  );
});

test("nothing to say writes nothing", async () => {
  const { path, journal } = newJournal();
  expect([await journal.append(), await journal.append({ by, bodies: [] })]).toEqual([[], []]);
  expect([journal.length, journal.head, fs.statSync(path).size]).toEqual([0, "", 0]);
  expect(readJournal(path)).toEqual(empty);
  journal.close();
});

test("a batch without bodies beside others leaves no mark", async () => {
  const { path, journal } = newJournal();
  await journal.append(says("a", "b"), { by, bodies: [] }, says("c"));
  journal.close();
  expect(readJournal<Body>(path).lines.map(({ n, text, more }) => [n, text, more])).toEqual([
    [1, "a", 1],
    [2, "b", undefined],
    [3, "c", undefined],
  ]);
});

const story = [["first"], ["zwei", "drei", "vier 🎉"], ["\ufffd was not UTF-8"], ["5", "6"], ["last"]];

test("any byte that changes before the last line is found, and nothing behind it is believed", async () => {
  const path = await written(...story);
  const whole = fs.readFileSync(path);
  const batchOf = story.flatMap((batch, index) => batch.map(() => index));
  const lastLine = whole.lastIndexOf(10, whole.length - 2);
  const place = fc.integer({ min: 0, max: lastLine - 1 });
  fc.assert(
    fc.property(place, fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Buffer.from(whole);
      bytes[at] = bytes[at]! ^ change;
      fs.writeFileSync(path, bytes);
      const line = whole.subarray(0, at).filter((byte) => byte === 10).length;
      const reading = readJournal<Body>(path);
      expect(reading.damage?.line).toBe(line + 1);
      expect(textsOf(reading)).toEqual(story.slice(0, batchOf[line]).flat());
      expect(reading.torn).toBe(0);
    }),
    {
      numRuns: 250,
      examples: [...whole.entries()].flatMap(([at, byte]) => (byte === 0xef ? [[at, 0x1f] as [number, number]] : [])),
    },
  );
});

test("any cut reads back as whole batches, and the rest as torn", async () => {
  const path = await written(...story);
  const whole = fs.readFileSync(path);
  const lineEnds = [...whole.entries()].flatMap(([at, byte]) => (byte === 10 ? [at + 1] : []));
  let lines = 0;
  const batchEnds = story.map((batch) => lineEnds[(lines += batch.length) - 1]!);
  const ends = [...batchEnds, ...lineEnds].flatMap((end) => [end - 1, end, end + 1]);
  fc.assert(
    fc.property(fc.nat(whole.length), (size) => {
      fs.writeFileSync(path, whole.subarray(0, size));
      const batches = batchEnds.filter((end) => end <= size).length;
      const bytes = batchEnds[batches - 1] ?? 0;
      const reading = readJournal<Body>(path);
      expect([textsOf(reading), reading.bytes, reading.torn, reading.damage]).toEqual([
        story.slice(0, batches).flat(),
        bytes,
        Math.min(size, whole.length) - bytes,
        undefined,
      ]);
    }),
    { numRuns: 150, examples: ends.map((size) => [size]) },
  );
});

test("whoever goes on from a torn journal cuts what is torn, and the proof goes on", async () => {
  const path = await written(["a"], ["b", "c"]);
  fs.truncateSync(path, fs.statSync(path).size - 1);
  const reading = readJournal<Body>(path);
  const journal = new Journal<Body>(path, reading, noon);
  expect([journal.length, fs.statSync(path).size]).toEqual([1, reading.bytes]);
  await journal.append(says("d"));
  journal.close();
  const again = readJournal<Body>(path);
  expect([textsOf(again), again.lines.at(-1)?.n, again.torn, again.damage]).toEqual([["a", "d"], 2, 0, undefined]);
});

test("holes of zero bytes at the end are what power loss leaves: torn, not damaged", async () => {
  const path = await written(["a"], ["b"]);
  const whole = fs.readFileSync(path);
  const first = whole.indexOf(10) + 1;
  const holed = Buffer.from(whole).fill(0, first + 5, whole.length - 5);
  for (const bytes of [holed, Buffer.from(whole).fill(0, first)]) {
    fs.writeFileSync(path, bytes);
    const reading = readJournal<Body>(path);
    expect([textsOf(reading), reading.torn, reading.damage]).toEqual([["a"], whole.length - first, undefined]);
  }
  fs.writeFileSync(path, Buffer.concat([holed, Buffer.from("{}\n")]));
  expect(readJournal(path).damage).toEqual({ line: 2, why: "it carries no hash" });
});

test("damage is told by what is wrong with the line", async () => {
  const folder = folderWith({});
  const path = join(folder, "001.jsonl");
  const whole = fs.readFileSync(await written(["a"], ["b"], ["c"]), "utf8");
  const [a = "", b = "", c = ""] = whole.split(/(?<=\n)/);
  const renumbered = `${b.slice(0, b.indexOf(',"hash"')).replace('"n":2', '"n":7')}}`;
  const before = /"hash":"(\w+)"/.exec(a)?.[1] ?? "";
  const forged = `${renumbered.slice(0, -1)},"hash":"${sha256(before, renumbered)}"}\n`;
  const whys = [
    a + b.replace('"text":"b"', '"text":"B"') + c,
    a + c,
    a + a + b + c,
    a + c + b,
    `${a}{"text":"b"}\n${c}`,
    `${a}\n${b}${c}`,
    a + forged + c,
  ].map((text) => {
    fs.writeFileSync(path, text);
    const { lines, damage } = readJournal<Body>(path);
    expect(lines.map(({ text }) => text)).toEqual(["a"]);
    return damage;
  });
  const mismatch = { line: 2, why: "its content does not match its hash" };
  const none = { line: 2, why: "it carries no hash" };
  expect(whys).toEqual([mismatch, mismatch, mismatch, mismatch, none, none, { line: 2, why: "it is not line 2" }]);
});

test("a line changed together with its hash is found by the line behind it", async () => {
  const path = await written(["a"], ["b"], ["c"]);
  const [a = "", b = "", c = ""] = fs.readFileSync(path, "utf8").split(/(?<=\n)/);
  const before = /"hash":"(\w+)"/.exec(a)?.[1] ?? "";
  const edited = `${b.slice(0, b.indexOf(',"hash"')).replace('"text":"b"', '"text":"B"')}}`;
  fs.writeFileSync(path, `${a}${edited.slice(0, -1)},"hash":"${sha256(before, edited)}"}\n${c}`);
  expect(readJournal(path).damage).toEqual({ line: 3, why: "its content does not match its hash" });
});

test("on a full disk nothing is appended, the file stays as it was, and writing goes on once there is room", async (context) => {
  const disk = smallDisk(64 * 1024);
  if (!disk) return context.skip("Only root may mount a disk to fill.");
  try {
    const { path, journal } = newJournal(join(disk.path, "001.jsonl"));
    await journal.append(says("kept"));
    const before = fs.readFileSync(path);
    const [length, head] = [journal.length, journal.head];
    const failed = await caught(() => journal.append(says("small"), says("x".repeat(200_000))));
    expect(failed).toEqual([
      "journal_unwritable",
      "The journal could not be written (ENOSPC). Everything up to the step before is kept.",
      "Free some space, then go on: type the same again.",
    ]);
    expect([fs.readFileSync(path), journal.length, journal.head]).toEqual([before, length, head]);
    await journal.append(says("later"));
    journal.close();
    expect(textsOf(readJournal(path))).toEqual(["kept", "later"]);
  } finally {
    disk.remove();
  }
});

test("a file that may not grow further is left as it was too", async () => {
  const { path, journal } = newJournal();
  await journal.append(says("kept"));
  journal.close();
  const before = fs.readFileSync(path);
  const code = `
    const reading = ours.readJournal(${JSON.stringify(path)});
    const journal = new ours.Journal(${JSON.stringify(path)}, reading, Date.now);
    const by = { kind: "engine", name: "x", door: "x" };
    try { await journal.append({ by, bodies: [{ type: "said", text: "x".repeat(50_000) }] }); }
    catch ({ code, message }) { console.log(code, message); }`;
  const limited = child(["store/journal.ts"], code, "sh", "-c", 'trap "" XFSZ; ulimit -f 8; exec "$@"', "sh");
  expect(await wholeOutput(limited)).toBe(
    "journal_unwritable The journal could not be written (EFBIG). Everything up to the step before is kept.\n",
  );
  expect(fs.readFileSync(path)).toEqual(before);
});

test("an append is one write and one fdatasync, however many batches it holds", async (context) => {
  if (!canTrace()) return context.skip("strace is not installed, or may not be used.");
  const { path, journal } = newJournal();
  journal.close();
  const trace = `${path}.trace`;
  const code = `
    const journal = new ours.Journal(${JSON.stringify(path)}, { lines: [], bytes: 0 }, Date.now);
    const by = { kind: "engine", name: "x", door: "x" };
    const said = (...texts) => ({ by, bodies: texts.map((text) => ({ type: "said", text })) });
    await journal.append(said("a"));
    await journal.append(said("b", "c"), said("d"), said("e", "x".repeat(100_000)));
    await journal.append();
    await journal.append(said("f"));`;
  const calls = "trace=write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync,sync_file_range";
  await wholeOutput(child(["store/journal.ts"], code, "strace", "-f", "-y", "-s", "0", "-e", calls, "-o", trace));
  const seen = fs
    .readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => line.includes(`<${path}>`));
  const names = seen.map((line) => /(\w+)\(\d+</.exec(line)?.[1]);
  expect(names).toEqual(["pwrite64", "fdatasync", "pwrite64", "fdatasync", "pwrite64", "fdatasync"]);
  expect(textsOf(readJournal(path)).map((text) => text.length)).toEqual([1, 1, 1, 1, 1, 100_000, 1]);
});

test("a disk that confirms slowly is waited for in another thread, so that other work goes on", async (context) => {
  if (!canTrace()) return context.skip("strace is not installed, or may not be used.");
  const { path, journal } = newJournal();
  journal.close();
  const code = `
    const journal = new ours.Journal(${JSON.stringify(path)}, { lines: [], bytes: 0 }, Date.now);
    const by = { kind: "engine", name: "x", door: "x" };
    for (const text of ["a", "b", "c"]) await journal.append({ by, bodies: [{ type: "said", text }] });`;
  const trace = `${path}.trace`;
  const slowly = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_exit=5000"];
  await wholeOutput(child(["store/journal.ts"], code, "strace", "-f", "-e", "signal=none", ...slowly, "-o", trace));
  const [first, ...others] = fs.readFileSync(trace, "utf8").match(/^\d+(?= +fdatasync)/gm) ?? [];
  expect(others.map((thread) => (thread === first ? "the same" : "another"))).toEqual(["another", "another"]);
});

async function caught(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) return [error.code, error.message, printed(error.next)];
    throw error;
  }
}
