import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type TestContext } from "vitest";
import { spawn } from "node:child_process";
import { followed, placeWith, program, type Place, type Ran } from "../support/cli.ts";
import { action, report, uses } from "../support/script.ts";
import { productTest, quickApp, tiny, tinyWay } from "../support/ways.ts";

const root = process.geteuid?.() === 0;

/** A disk of this size at `folder`, or undefined where nobody may mount one. */
function mounted(folder: string, kilobytes: number): { unmount(): void } | undefined {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", folder], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { unmount: () => execFileSync("umount", ["-l", folder]) };
}

function fill(folder: string, leaving: number): string {
  const { bavail, bsize } = statfsSync(folder);
  const file = join(folder, "filler");
  writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - leaving)));
  return file;
}

/** What an open chain sets aside, so that a reply which was paid for can still be kept. */
const spare = 256 * 1024;

test.for([12_288, 20_480, 28_672, 36_864, 45_056])(
  "a disk that is full after %i bytes stops the chain, and no reply is lost; with space again it goes on to its end",
  async (bytes, context) => {
    const place = placeWith(quickApp);
    const disk = mounted(join(place.home, "contexts"), 1_024);
    if (!disk) return context.skip("Only root may mount a disk to fill.");
    try {
      const filler = fill(join(place.home, "contexts"), spare + bytes);
      const replay = place.replay(tinyWay);
      const ran = await place.run([...tiny, replay, "--approve-policy=auto"]);
      const said = { code: ran.code, stdout: ran.stdout, end: ran.stderr.split("\n").slice(-3) };
      const again = `001 ${replay.replace("=", " ")}`;
      expect(said).toEqual({
        code: 1,
        stdout: "",
        end: [
          expect.stringMatching(
            /^(?:The disk is full|The journal could not be written \(ENOSPC\))\. Everything up to the step before is kept\.$/,
          ),
          `Free some space, then go on: claude-exec resume ${again}`,
          "",
        ],
      });
      rmSync(filler);
      const resumed = await place.run(["resume", "1", replay, "--approve-policy=auto"]);
      expect(resumed.code).toBe(0);
      expect(place.context()).toMatchObject({ cost_tracking: { unknown_calls: 0 } });
      expect(place.journal().filter((line) => line.type === "intent" && line.effect === "model")).toHaveLength(4);
      expect(place.context()).toMatchObject({ status: { state: "completed" } });
      expect(readdirSync(join(place.home, "contexts")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    } finally {
      disk.unmount();
    }
  },
);

test("a disk that is full from the beginning takes no chain, and no number", async (context) => {
  const place = placeWith(quickApp);
  const disk = mounted(join(place.home, "contexts"), 1_024);
  if (!disk) return context.skip("Only root may mount a disk to fill.");
  try {
    const filler = fill(join(place.home, "contexts"), 0);
    const argv = [...tiny, place.replay(tinyWay), "--approve-policy=auto"];
    expect(await place.start(argv).ended).toEqual({
      code: 1,
      stdout: "",
      stderr: "The disk is full. Nothing was changed.\nFree some space, then go on: type the same again.\n",
    });
    rmSync(filler);
    expect((await place.run(argv)).code).toBe(0);
    expect(place.journal()[0]).toMatchObject({ chain_id: "001" });
  } finally {
    disk.unmount();
  }
});

/** Runs the program as a user without rights; undefined where that cannot be done. */
async function asNobody(place: Place, argv: readonly string[]): Promise<Ran> {
  const who = root ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const [command = "", ...rest] = [...who, process.execPath, program, ...argv];
  return followed(spawn(command, rest, { cwd: place.workspace, env: place.env, stdio: ["ignore", "pipe", "pipe"] }))
    .ended;
}

/** A workspace that belongs to us and whose user is nobody; skips aloud where there is no way to be nobody. */
function nobodysPlace(context: TestContext): Place {
  const place = placeWith(quickApp);
  place.env["XDG_CACHE_HOME"] = join(place.beside, "cache");
  const beside = readdirSync(place.beside, { recursive: true, encoding: "utf8" });
  for (const folder of [place.beside, ...beside.map((name) => join(place.beside, name))])
    if (root) chownSync(folder, 65_534, 65_534);
  chmodSync(place.workspace, 0o755);
  try {
    if (root)
      execFileSync(
        "setpriv",
        ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, program, "--version"],
        { stdio: "ignore" },
      );
  } catch {
    context.skip("Nobody may read this checkout, or there is no setpriv.");
  }
  return place;
}

function seal(...folders: string[]): void {
  for (const folder of folders) chmodSync(folder, 0o555);
}

test("where no home can be made, nothing is begun", async (context) => {
  const place = nobodysPlace(context);
  const replay = place.replay(tinyWay);
  seal(place.workspace);
  expect(await asNobody(place, [...tiny, replay])).toEqual({
    code: 78,
    stdout: "",
    stderr: `The home ${place.home} could not be made: Error: EACCES: permission denied, mkdir '${place.home}'\nName a folder that can be written: --home <folder>\n`,
  });
  expect(existsSync(place.home)).toBe(false);
});

test("a home that may not be written stops a chain before it begins, and its owner can mend it", async (context) => {
  const place = nobodysPlace(context);
  const replay = place.replay(tinyWay);
  mkdirSync(join(place.home, "contexts"), { recursive: true });
  seal(join(place.home, "contexts"), place.home);
  expect(await asNobody(place, [...tiny, replay])).toEqual({
    code: 1,
    stdout: "",
    stderr: `${place.home} may not be read or written. Nothing was changed.\nGive yourself the right to it, then go on: type the same again.\n`,
  });
});

test("a chain whose home became read-only says so, and goes on once it may be written again", async (context) => {
  const place = nobodysPlace(context);
  const replay = place.replay(tinyWay);
  mkdirSync(place.home);
  for (const folder of [place.workspace, place.home, join(place.workspace, "src")])
    if (root) chownSync(folder, 65_534, 65_534);
  expect((await asNobody(place, [...tiny, replay])).code).toBe(10);
  const journal = join(place.home, "contexts", "journal");
  chmodSync(join(journal, "001.jsonl"), 0o444);
  seal(join(place.home, "contexts"), journal);
  const refusal = await asNobody(place, ["resume", "1", replay, "--approve-policy=auto"]);
  expect({ code: refusal.code, stdout: refusal.stdout, end: refusal.stderr.split("\n").slice(-3) }).toEqual({
    code: 1,
    stdout: "",
    end: [
      "The chain's lock may not be read or written. Everything up to the step before is kept.",
      `Give yourself the right to it, then go on: claude-exec resume 001 ${replay.replace("=", " ")}`,
      "",
    ],
  });
  expect((await asNobody(place, ["status", "1"])).code).toBe(0);
  chmodSync(join(journal, "001.jsonl"), 0o600);
  for (const folder of [join(place.home, "contexts"), journal]) chmodSync(folder, 0o700);
  expect((await asNobody(place, ["resume", "1", replay, "--approve-policy=auto"])).code).toBe(0);
});

test("a workspace that may not be written is told to the model, nothing is reported as written, and the chain goes on once it may be", async (context) => {
  const place = nobodysPlace(context);
  const step = "implementation/1/1-tdd_flow_controller";
  const quits = action("I stop.", { type: "give_up", reason: "The files cannot be written." });
  const replay = place.replay({
    ...tinyWay,
    [`${step}/turn-1`]: uses(["write_file", { ...productTest, path: "src/product.js" }], ["write_file", productTest]),
    [`${step}/turn-2`]: report("Nothing could be written."),
    "implementation/2/controller/turn-1": quits,
  });
  mkdirSync(place.home);
  if (root) chownSync(place.home, 65_534, 65_534);
  seal(place.workspace, join(place.workspace, "src"));
  const ran = await asNobody(place, [...tiny, replay, "--approve-policy=auto", "--json"]);
  expect(ran).toMatchObject({ code: 13, stderr: "" });
  const answers = place
    .journal()
    .flatMap((line) =>
      line.type === "result" && line.effect === "tool" && "text" in line.content ? [line.content.text] : [],
    );
  expect(answers.at(-1)).toBe('"test/product.test.js" was not written (EACCES).');
  expect(place.events("file_changed")).toEqual([]);
  expect(place.context()).toMatchObject({ session_memory: { files_modified: [] } });
});
