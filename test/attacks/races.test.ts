import fs from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { sha256 } from "../../src/util/hash.ts";
import { cleanUp } from "../support/folders.ts";
import { user } from "./as_user.ts";
import { attacking, besideCanaries, canary } from "./attacker.ts";

// Where there is a disk in memory the races are not slowed down by syncing.
if (fs.existsSync("/dev/shm")) process.env["TMPDIR"] = "/dev/shm";

afterEach(cleanUp);

const swapping = `
  const fs = require("node:fs"); const { stop, root } = require("node:worker_threads").workerData;
  const at = (name) => root + "/" + name;
  let made = 0;
  const pause = () => { for (const until = performance.now() + Math.random() / 3; performance.now() < until; ); };
  const swap = (name, link) => {
    const kept = at(name + ".kept");
    try { fs.renameSync(at(name), kept); } catch { return; }
    try { fs.renameSync(at(link), at(name)); pause(); fs.renameSync(at(name), at(link)); } catch {}
    // What was written while it was away may have made it anew.
    for (;;) try { fs.renameSync(kept, at(name)); break; } catch { try { fs.renameSync(at(name), at("made" + (made += 1))); } catch {} }
    pause();
  };
  while (Atomics.load(stop, 0) === 0) { swap("target.txt", "file-link"); swap("dir", "dir-link"); Atomics.add(stop, 1, 1); }`;

/** A second thread that puts links to the outside in the place of a file and of a folder, over and over. */
async function swapper(root: string): Promise<() => Promise<void>> {
  fs.symlinkSync("../out/target.txt", join(root, "file-link"));
  fs.symlinkSync("../out", join(root, "dir-link"));
  const stop = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(swapping, { eval: true, workerData: { stop, root } });
  const ended = new Promise<void>((resolve, reject) => worker.once("exit", () => resolve()).once("error", reject));
  ended.catch(() => undefined);
  while (Atomics.load(stop, 1) === 0) await new Promise((resolve) => setImmediate(resolve));
  return () => {
    Atomics.store(stop, 0, 1);
    return ended;
  };
}

test(`as ${user}: links swapped in between check and use lead nowhere, in 25,000 races`, async () => {
  const { root, outside } = besideCanaries();
  const { workspace, blobsFolder, read, write, edit, remove, list, search, restore, snapshot } = attacking(root);
  const before = outside();
  const end = await swapper(root);
  const file = (round: number) => ["target.txt", "dir/file.txt", "dir/sub/a"][round % 3] ?? "";
  const after = { sha256: sha256("new"), text: "new" };
  const races: [name: string, rounds: number, wins: RegExp, race: (round: number) => Promise<string> | string][] = [
    ["read", 12_000, /\tinside/, (round) => read(file(round))],
    [
      "write",
      3_000,
      /"written"/,
      (round) => write(round % 4 ? `dir/n${round % 50}` : file(round / 4), `inside ${round}`),
    ],
    ["edit", 3_000, /"written"/, (round) => edit(file(round), "inside", `inside${round % 9}`)],
    [
      "delete",
      3_000,
      /"written"/,
      (round) => {
        workspace.apply({ path: `dir/d${round % 50}`, before: undefined, after });
        return remove(`dir/d${round % 50}`);
      },
    ],
    [
      "restore",
      3_840,
      /"restored"/,
      (round) => restore(["dir/sub/a", "dir/b", "dir/file.txt"][round % 3] ?? "", "inside"),
    ],
    ["list", 60, /in\.txt/, () => list()],
    ["search", 40, /inside/, () => search("CANAR(?:Y)|inside")],
    ["snapshot", 60, /in\.txt/, snapshot],
  ];
  const escapes: string[] = [];
  for (const [name, rounds, wins, race] of races) {
    let won = 0;
    for (let round = 0; round < rounds; round += 1) {
      const said = (await race(round)).replace("CANAR(?:Y)|inside", "");
      if (canary.test(said)) escapes.push(`${name}: ${/.{0,60}canary.*/i.exec(said)?.[0]}`);
      if (wins.test(said)) won += 1;
    }
    expect([name, won > rounds / 20], `of ${rounds} races ${won} came to an end inside`).toEqual([name, true]);
  }
  await end();
  const total = races.reduce((sum, [, rounds]) => sum + rounds, 0);
  process.stdout.write(`${total} races as ${user}, ${escapes.length} escapes\n`);
  expect(outside()).toEqual(before);
  const kept = fs.readdirSync(blobsFolder).map((name) => fs.readFileSync(join(blobsFolder, name), "utf8"));
  expect(kept.filter((text) => canary.test(text))).toEqual([]);
  expect(escapes).toEqual([]);
});
