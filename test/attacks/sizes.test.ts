import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { compare } from "../../src/workspace/snapshot.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { user } from "./as_user.ts";
import { attacking, everything, lasting, shell } from "./attacker.ts";

if (fs.existsSync("/dev/shm")) process.env["TMPDIR"] = "/dev/shm";

// Node cannot delete what lies too deep.
afterEach(() => {
  for (const folder of deep.splice(0)) shell("/", `rm -rf '${folder}'`);
  cleanUp();
});

const deep: string[] = [];

test(`as ${user}: a file of 2 GB costs no more than a small one, in time and in memory`, async () => {
  const root = folderWith({ "a.txt": "needle", big: "" });
  fs.truncateSync(join(root, "big"), 2_200_000_000);
  const attacker = attacking(root);
  const small = attacking(folderWith({ "a.txt": "needle", big: "" }));
  const plain = await lasting(() => everything(small, "big"));
  const before = process.memoryUsage().rss;
  const time = await lasting(async () => {
    const { one, all } = await everything(attacker, "big");
    expect(one).toEqual(Array(4).fill('"big" is larger than 2 MB and is not read as a whole.'));
    expect(all[4]).toMatch(/^1 match in 2 files searched/);
    expect(all[5]).toContain('"size":2200000000,"kept":false');
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  expect(time, `beside ${plain} ms`).toBeLessThan(10 * plain);
});

test(`as ${user}: a folder of 100,000 files is told in a few lines, and costs ten times one of 10,000`, async () => {
  const holding = (count: number) => {
    const root = folderWith({ "a.txt": "needle" });
    shell(root, `mkdir many; cd many; seq ${count} | xargs touch`);
    const { list, search, snapshot } = attacking(root);
    return lasting(async () => {
      const total = `${count + 1} files`;
      expect(await list()).toContain(`${total} in the workspace, too many to name`);
      expect(await search("n[e]edle")).toMatch(new RegExp(`^1 match in ${total} searched`));
      expect(JSON.parse(await snapshot())).toHaveLength(count + 1);
    });
  };
  const before = process.memoryUsage().rss;
  const few = await holding(10_000);
  const many = await holding(100_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(600_000_000);
  expect(many).toBeLessThan(40 * few);
});

/** Each folder in the one before, however long their path becomes. */
function nested(root: string, name: string, levels: number): void {
  deep.push(root);
  const script = `import os\nfor level in range(${levels}):\n  os.mkdir("${name}"); os.chdir("${name}")\nopen("leaf", "w").write("needle")`;
  const made = spawnSync("python3", ["-c", script], { cwd: root, encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
}

const hasPython = spawnSync("python3", ["--version"]).status === 0;

test.skipIf(!hasPython).for<[string, string, number, boolean]>([
  ["1,000 levels", "d", 1_000, true],
  ["5,000 levels", "d", 5_000, false],
  ["1,000 levels with long names", "folder-with-a-long-name", 1_000, false],
])(`as ${user}: folders %s deep stop nothing (needs python3)`, async ([, name, levels, isReached]) => {
  const root = folderWith({ "a.txt": "needle" });
  nested(root, name, levels);
  const { workspace, blobs, list, search, read, write } = attacking(root);
  const path = `${`${name}/`.repeat(levels)}leaf`;
  expect(await list()).toContain(isReached ? "2 files in the workspace" : "a.txt");
  expect(await search("n[e]edle")).toContain("1:needle");
  expect(await read(path)).toContain(isReached ? "\tneedle" : "cannot be reached (ENAMETOOLONG)");
  const first = await workspace.snapshot(blobs.putBytes);
  const wrote = await write(isReached ? path : "a.txt", "mine");
  expect(JSON.parse(wrote)).toMatchObject({ type: "written" });
  const touched = compare(first, await workspace.snapshot(blobs.putBytes, first));
  expect(touched.map((one) => one.path)).toEqual([isReached ? path : "a.txt"]);
  expect(workspace.restore(touched, blobs.getBytes)).toMatchObject({
    type: "restored",
    paths: touched.map((one) => one.path),
  });
});

test(`as ${user}: a path that no program could open is refused, also where its folders would have to be made`, async () => {
  const root = folderWith({ "a.txt": "needle" });
  deep.push(root);
  const { write, list, snapshot } = attacking(root);
  expect(await write("a/".repeat(3000) + "b", "mine")).not.toContain("written");
  expect(fs.readdirSync(root)).toEqual(["a.txt"]);
  expect(await list()).toBe("1 file in the workspace.\na.txt");
  expect(JSON.parse(await snapshot())).toHaveLength(1);
});
