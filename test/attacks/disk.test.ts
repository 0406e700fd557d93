import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { sha256 } from "../../src/util/hash.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate, type Standing } from "../support/inside.ts";
import { report, uses } from "../support/script.ts";
import { productTest, quickApp, task, tinyWay } from "../support/ways.ts";
import { isRoot, user } from "./as_user.ts";
import { pictureOf } from "./attacker.ts";
import { mountSmallDisk, unmountSmallDisks } from "./small_disk.ts";
import { printed } from "../support/printed.ts";
import { temporaryFolder } from "../support/temporary.ts";

const usual = tmpdir();
const cache = temporaryFolder("disk-cache-");

afterEach(() => {
  process.env["TMPDIR"] = usual;
});

afterAll(() => {
  unmountSmallDisks();
});

const disk = process.env["ATTACKED_DISK"] ?? (isRoot ? mountSmallDisk("0") : undefined);
const why = "(skipped where no small disk can be mounted)";

function emptyDisk(): void {
  for (const name of fs.readdirSync(disk ?? "")) fs.rmSync(join(disk ?? "", name), { recursive: true });
}

beforeEach(() => {
  if (disk === undefined) return;
  emptyDisk();
  // The workspace and our home are made there.
  process.env["TMPDIR"] = disk;
});

// Many bytes in few lines: more lines of code than one reads in three minutes are not taken at once.
const old = `export const old = 1; // ${"before ".repeat(18_000)}\n`;
const fresh = `export const product = (a, b) => a * b; // ${"after ".repeat(21_000)}\n`;
const step = "implementation/1/1-tdd_flow_controller";

/** A chain that writes a large file over another, whose tests leave a large file behind. */
function onDisk({ sandbox = true } = {}): { place: Place; flags: object; caller: Standing } {
  const check = `head -c 100000 /dev/zero | tr '\\0' x > made; grep -c product src/product.js test/*.js\n`;
  const files = {
    ...quickApp,
    "src/product.js": old,
    "check.sh": `${check}[ ! -e test/product.test.js ] || grep -q product src/product.js\n`,
  };
  const made = placeWith(files, { sandbox });
  const replay = join(made.beside, "replies.json");
  const product = { path: "src/product.js", content: fresh };
  made.replay({
    ...tinyWay,
    [`${step}/turn-1`]: uses(["write_file", productTest], ["write_file", product]),
    // The first time the disk may have been full.
    [`${step}/turn-2`]: uses(["write_file", productTest], ["write_file", product], ["run_tests", {}]),
    [`${step}/turn-3`]: report("It is written."),
  });
  const env = { ...made.env, XDG_CACHE_HOME: cache };
  return { place: made, flags: { replay }, caller: callerAt(made.workspace, env) };
}

function fill(leaving: number): string {
  const { bavail, bsize } = fs.statfsSync(disk ?? "");
  const file = join(disk ?? "", "filler");
  fs.writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - leaving)));
  return file;
}

const picture = ({ workspace }: Place) =>
  pictureOf(workspace)
    .filter((line) => !/^\.claude-exec|^test /.test(line))
    .map((line) => line.replace(/^(.*? \d+) \d+ /, "$1 "));

const kilobyte = 1024;
/** What an open chain sets aside. */
const spare = 256 * kilobyte;
/** So much room beside that, in kilobytes: from none for the next reply to enough for all. */
const rooms = Array.from({ length: 9 }, (_, round) => 20 + 80 * round);

const begin = { task, size: "tiny", mode: "direct", trust: true, test_command: "sh check.sh" };
const goOn = { chain: "1", approve_policy: "auto" };
/** A full disk can cut a run of the tests short; nobody but the tests changes anything here. */
const rewind = { chain: "1", also_unsure: true, yes: true };
const kept =
  /^(?:(?:The disk is full|The journal could not be written \(ENOSPC\))\. Everything up to the step before is kept|The disk is full: "\S+" was not written \(ENOSPC\)\. The file is as it was, and everything before is kept)\.$/;

/** What somebody is told at the end of an operation that may have stopped at a full disk; undefined: it did not. */
async function stopped(work: ReturnType<typeof operate>): Promise<{ message: string; hint: string } | undefined> {
  const answer = await work.catch((error: unknown) => ({ data: { ending: error } }));
  const { ending } = answer.data as { ending?: { message?: string; next?: object[] } };
  if (ending?.message === undefined) return undefined;
  return { message: ending.message, hint: printed(ending.next ?? []) };
}

type Stopped = Awaited<ReturnType<typeof stopped>>;

function sayWhatIsKept(place: Place, full: Stopped): void {
  if (!full) return;
  expect(full.message).toMatch(kept);
  expect(full.hint).toMatch(/^Free some space, then go on: claude-exec resume 001$/);
  expect(picture(place).filter((line) => line.includes(".tmp "))).toEqual([]);
}

async function rewindAgain(caller: Standing, left: Stopped): Promise<void> {
  if (!left) return;
  expect(left.message).toMatch(/Everything up to the step before is kept|no file is half written/);
  expect((await operate("rewind", rewind, caller)).exit).toBe(0);
}

test.skipIf(disk === undefined)(
  `as ${user}: wherever the disk fills up, each file is whole, the chain goes on, and rewinding is exact ${why}`,
  async () => {
    const ends: string[] = [];
    for (const [round, room] of rooms.entries()) {
      emptyDisk();
      // The sandbox keeps little there itself, and takes long to open.
      const { place, flags, caller } = onDisk({ sandbox: round % 3 === 0 });
      const before = picture(place);
      expect((await operate("new", { ...begin, ...flags }, caller)).exit).toBe(10);

      const filler = fill(spare + room * kilobyte);
      const full = await stopped(operate("resume", { ...goOn, ...flags }, caller));
      const text = fs.readFileSync(join(place.workspace, "src/product.js"), "utf8");
      expect([room, text === old || text === fresh]).toEqual([room, true]);
      sayWhatIsKept(place, full);
      fs.rmSync(filler);
      expect((await operate("resume", { ...goOn, ...flags }, caller)).exit).toBe(0);

      const again = fill(spare + round * 4 * kilobyte);
      const left = await stopped(operate("rewind", rewind, caller));
      const now = fs.readFileSync(join(place.workspace, "src/product.js"), "utf8");
      expect([room, now === old || now === fresh]).toEqual([room, true]);
      fs.rmSync(again);
      await rewindAgain(caller, left);
      expect(picture(place)).toEqual(before);
      const where = full ? (full.message.includes("not written") ? "an edit" : "what is kept") : "nothing";
      ends.push(where, left ? (left.message.includes("half") ? "a restore" : "a rewind") : "nothing");
    }
    process.stdout.write(`as ${user} the disk was full in the middle of ${JSON.stringify(countOf(ends))}\n`);
    expect([...new Set(ends)].sort()).toEqual(["a restore", "a rewind", "an edit", "nothing", "what is kept"]);
  },
);

function countOf(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}

test.skipIf(disk === undefined)(
  `as ${user}: who could not rewind is told to rewind again, not to go on ${why}`,
  async () => {
    const { flags, caller } = onDisk();
    await operate("new", { ...begin, ...flags, approve_policy: "auto" }, caller);
    fill(100 * kilobyte);
    const left = await stopped(operate("rewind", rewind, caller));
    expect(left?.message).toBe("The disk is full. Everything up to the step before is kept.");
    expect(left?.hint).toMatch(/^Free some space, then go on: type the same again\.$/);
  },
);

test.skipIf(disk === undefined)(
  `as ${user}: what could not be written leaves nothing behind, and no folders ${why}`,
  () => {
    const root = join(disk ?? "", "ws");
    fs.mkdirSync(root);
    const workspace = openWorkspace(root, { env: process.env, hide: [] });
    const filler = fill(64 * kilobyte);
    const after = { text: fresh, sha256: sha256(fresh) };
    const change = { path: "new/deep/a.js", before: undefined, after };
    const text = '"new/deep/a.js" was not written (ENOSPC).';
    expect(workspace.apply(change)).toEqual({ type: "failed", code: "ENOSPC", text });
    expect(fs.readdirSync(root, { recursive: true })).toEqual([]);
    fs.rmSync(filler);
    expect(workspace.apply(change)).toEqual({ type: "written", was: undefined });
  },
);
