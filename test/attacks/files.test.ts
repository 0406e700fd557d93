import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createServer } from "node:net";
import { join, posix } from "node:path";
import { afterEach, expect, test } from "vitest";
import { compare } from "../../src/workspace/snapshot.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { isRoot, user } from "./as_user.ts";
import { attacking, besideCanaries, everything, lasting, pictureOf, shell } from "./attacker.ts";

if (fs.existsSync("/dev/shm")) process.env["TMPDIR"] = "/dev/shm";

afterEach(cleanUp);

test(`as ${user}: no path and no link leads out, whatever is done with it`, async () => {
  const { root, outside } = besideCanaries();
  const links: Record<string, string> = {
    "chain-1": "chain-2",
    "chain-2": "chain-3",
    "chain-3": "../secret.txt",
    mid: "../ws-evil",
    "dir/up": "../../out",
    "loop-1": "loop-2",
    "loop-2": "loop-1/x",
    kernel: "/proc/self/cwd/..",
    kernelRoot: `/proc/self/root${join(root, "../secret.txt")}`,
    terminal: "/dev/tty",
    zero: "/dev/zero",
    later: "../later.txt",
    laterFolder: "../laterFolder",
  };
  const plant = () => {
    for (const [at, to] of Object.entries(links)) {
      fs.rmSync(join(root, at), { recursive: true, force: true });
      fs.symlinkSync(to, join(root, at));
    }
  };
  const before = outside();
  const up = (count: number) => "../".repeat(count);
  const paths = [
    Object.keys(links).flatMap((name) => [name, `${name}/secret.txt`, `./dir/../${name}`]),
    ["mid/new/deep.txt", "dir/up/file.txt", "dir/up/sub/new.txt", "dir/up", "kernel/secret.txt", "kernel/out/file.txt"],
    ["..", "../", "../secret.txt", "./../secret.txt", "dir/../../secret.txt", "in.txt/../../secret.txt", "..//out/new"],
    [
      "../ws-evil/secret.txt",
      "../WS/in.txt",
      "../ws/../secret.txt",
      "dir/sub/../../../out/file.txt",
      `${up(60)}etc/passwd`,
    ],
    [join(root, "../secret.txt"), join(root, "in.txt"), "/etc/passwd", "//etc/passwd", "/proc/self/mem", "/dev/tty"],
    [
      "..\\secret.txt",
      "%2e%2e/secret.txt",
      "．．/secret.txt",
      "․․/secret.txt",
      "~/.profile",
      "$HOME/x",
      "file:///etc/passwd",
    ],
    ["in.txt\0", "\0", "../secret.txt\0.txt", "x".repeat(5000), `${up(2000)}etc/passwd`, "\ud800/x"],
  ].flat();
  const { read, write, edit, remove, list, search, restore, snapshot } = attacking(root);
  const said = [];
  for (const path of paths) {
    plant();
    const plain = posix.normalize(path).replace(/\/+$/, "");
    const ways = [read(path), write(path, "mine"), edit(path, "CANARY", "mine"), edit(path, "inside", "mine")];
    said.push(...(await Promise.all(ways)));
    // What is restored was found in a snapshot, where no path is that long.
    if (plain.length < 4000) said.push(restore(plain, "mine"), restore(plain, "mine"));
    said.push(await remove(path));
  }
  plant();
  for (const path of ["..", "mid", "dir/up", "kernel", "chain-1", "../ws-evil", "/etc", "zero", "terminal"])
    said.push(await list(path), await search("CANARY", path), await search("C[A]NARY", path));
  said.push(await list(), await search("C[A]NARY"), await snapshot());
  const told = said.map((text) => text.replaceAll(/"[^"]*"/g, "").replace(/.* read as a whole/, ""));
  expect(told.filter((text) => /CANARY|canary-|root:/.test(text))).toEqual([]);
  expect(outside()).toEqual(before);
  expect(fs.existsSync(join(root, "../later.txt"))).toBe(false);
  fs.writeFileSync(join(root, "../later.txt"), "CANARY");
  expect([await read("later"), await write("later", "mine")]).toEqual(
    Array(2).fill('"later" leads out of the workspace.'),
  );
});

test(`as ${user}: names that look alike are files of their own, here and not elsewhere`, async () => {
  const { root, outside } = besideCanaries();
  const before = outside();
  const { read, write } = attacking(root);
  for (const path of ["in.txt.", "in.txt ", "IN.TXT", "cafe\u0301.txt", "in\u200b.txt"]) {
    if (fs.existsSync(join(root, path))) continue;
    expect(await read(path)).toBe(`There is no file ${JSON.stringify(path)}.`);
    expect(JSON.parse(await write(path, "mine"))).toEqual({ type: "written" });
    expect(fs.readFileSync(join(root, path), "utf8")).toBe("mine");
  }
  expect(await read("in.txt/")).toContain("1\tinside");
  expect(await read("./dir//../in.txt/.")).toContain("1\tinside");
  expect(fs.readFileSync(join(root, "in.txt"), "utf8")).toBe("inside");
  expect(outside()).toEqual(before);
});

test(`as ${user}: what is written to one name of a file does not reach its other name outside`, async () => {
  const { root, outside } = besideCanaries();
  fs.chmodSync(join(root, "../out/file.txt"), 0o640);
  const before = outside();
  const { write, edit, remove, workspace, blobs, snapshot, restore } = attacking(root);
  const link = (name: string) => fs.linkSync(join(root, "../out/file.txt"), join(root, name));
  for (const name of ["written", "edited", "removed", "restored", "put"]) link(name);
  await snapshot();
  expect(JSON.parse(await write("written", "mine"))).toMatchObject({ type: "written" });
  expect(JSON.parse(await edit("edited", "CANARY", "mine"))).toMatchObject({ type: "written" });
  expect(JSON.parse(await remove("removed"))).toMatchObject({ type: "written" });
  expect(restore("restored", "mine")).toContain('"restored"');
  const was = workspace.stateOf("put");
  if (was?.type !== "file") throw new Error("It is a file.");
  const mine = { ...was, sha256: await blobs.putBytes(Buffer.from("mine")), size: 4, mode: 0o600 };
  expect(workspace.restore([{ path: "put", before: mine, after: was }], blobs.getBytes).type).toBe("restored");
  expect(["written", "edited", "put"].map((name) => fs.readFileSync(join(root, name), "utf8"))).toEqual(
    Array(3).fill("mine"),
  );
  expect(outside()).toEqual(before);
});

test(`as ${user}: what could not be written leaves no folders behind, and the one that was there stays`, async () => {
  const root = folderWith({ "a.txt": "a" });
  fs.mkdirSync(join(root, "old"));
  const { write } = attacking(root);
  const name = "x".repeat(300);
  expect(JSON.parse(await write(`old/new/deep/${name}`, "mine"))).toMatchObject({ code: "ENAMETOOLONG" });
  expect(JSON.parse(await write(`old/new/${name}/b`, "mine"))).toMatchObject({ code: "ENAMETOOLONG" });
  expect(fs.readdirSync(join(root, "old"))).toEqual([]);
});

test(`as ${user}: pipes, sockets and devices are refused in words, and nothing waits for them`, async () => {
  const root = folderWith({ "a.txt": "needle" });
  const kinds: Record<string, string> = { pipe: "a named pipe", socket: "a socket" };
  shell(root, "mkfifo pipe");
  const server = createServer().listen(join(root, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  if (isRoot) {
    shell(root, "mknod zero c 1 5; mknod terminal c 5 0; mknod disk b 7 99");
    Object.assign(kinds, { zero: "a device", terminal: "a device", disk: "a device" });
  }
  const attacker = attacking(root);
  const plain = await lasting(() => everything(attacking(folderWith({ "a.txt": "needle" })), "a.txt"));
  for (const [path, kind] of Object.entries(kinds)) {
    const time = await lasting(async () => {
      const { one, all } = await everything(attacker, path);
      expect(one).toEqual(Array(4).fill(`"${path}" is ${kind}, not a file.`));
      expect(all.join("\n")).not.toContain(`${path}\n`);
      expect(all.slice(0, 2)).toEqual(Array(2).fill(`"${path}" is ${kind}, not a file.`));
    });
    expect([path, time < 30 * plain], `${time} ms beside ${plain} ms`).toEqual([path, true]);
  }
  server.close();
});

test(`as ${user}: what is no plain text is neither shown nor changed, and is brought back to the last byte`, async () => {
  const notUtf8 = "is not valid UTF-8";
  const cases: Record<string, [bytes: Buffer, said: string]> = {
    overlong: [Buffer.from([0x61, 0xc0, 0xaf]), notUtf8],
    surrogate: [Buffer.from([0xed, 0xa0, 0x80]), notUtf8],
    cut: [Buffer.from("日本").subarray(0, 5), notUtf8],
    latin1: [Buffer.from("caf\xe9", "latin1"), notUtf8],
    "utf-16": [Buffer.from("\ufeffa b\n", "utf16le"), notUtf8],
    "utf-16 plain": [Buffer.from("a b\n", "utf16le"), "is binary, not text"],
    "utf-16 kanji": [Buffer.from("\u8a9e\u9e8a", "utf16le"), notUtf8],
    binary: [Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]), "is binary, not text"],
  };
  const whole = { "crlf.txt": "one\r\ntwo\r\n", "cr.txt": "one\rtwo", "bom.txt": "\ufeffone\n", "": "" };
  const root = folderWith({});
  for (const [name, [bytes]] of Object.entries(cases)) fs.writeFileSync(join(root, name), bytes);
  for (const [name, text] of Object.entries(whole)) if (name) fs.writeFileSync(join(root, name), text);
  const before = pictureOf(root).map((line) => line.replace(/ \d+ \d+ /, " "));
  const attacker = attacking(root);
  const { workspace, blobs, read, write, edit, remove, search } = attacker;
  for (const [name, [bytes, said]] of Object.entries(cases)) {
    const ways = [read(name), write(name, "mine"), edit(name, "a", "b"), remove(name)];
    const words = name.startsWith("utf-16") && bytes.includes(0) ? "is binary, not text" : said;
    expect(await Promise.all(ways)).toEqual(Array(4).fill(`"${name}" ${words}.`));
  }
  expect(await search("a")).toBe("0 matches in 11 files searched.");
  const first = await workspace.snapshot(blobs.putBytes);
  expect(JSON.parse(await edit("crlf.txt", "one\ntwo", "1\n2"))).toMatchObject({ type: "written" });
  expect(fs.readFileSync(join(root, "crlf.txt"), "utf8")).toBe("1\r\n2\r\n");
  shell(root, 'for file in *; do echo broken > "$file"; done');
  const touched = compare(first, await workspace.snapshot(blobs.putBytes, first));
  expect(workspace.restore(touched, blobs.getBytes)).toMatchObject({ type: "restored", not_kept: [] });
  expect(pictureOf(root).map((line) => line.replace(/ \d+ \d+ /, " "))).toEqual(before);
});

test(`as ${user}: names that are no names are not listed, and never end a line or a sentence`, async () => {
  const root = folderWith({ "a.txt": "needle" });
  const names = [Buffer.from("two\nlines"), Buffer.from("red\u001b[31m"), Buffer.from("bad\xff", "latin1")];
  for (const name of names) fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), "needle");
  const { workspace, blobs, list, search, remove } = attacking(root);
  expect((await list()).split("\n")).toEqual(["2 files in the workspace.", "a.txt", "red\u001b[31m"]);
  expect(await search("n[e]edle")).toMatch(/^2 matches in 2 files searched/);
  expect(await remove("bad\ufffd")).toBe('There is no file "bad\ufffd".');
  const first = await workspace.snapshot(blobs.putBytes);
  shell(root, 'for file in two* red*; do echo broken > "$file"; done; rm -f "$(printf \'bad\\377\')"');
  const touched = compare(first, await workspace.snapshot(blobs.putBytes, first));
  expect(touched.map(({ path }) => path)).toEqual(["red\u001b[31m", "two\nlines"]);
  expect(workspace.restore(touched, blobs.getBytes).type).toBe("restored");
  expect(fs.readFileSync(join(root, "two\nlines"), "utf8")).toBe("needle");
});

test.skipIf(isRoot)(
  "what an ordinary user may not read is refused in words, and the rest is there (skipped for root, who may)",
  async () => {
    const root = folderWith({ "a.txt": "needle", "shut/in.txt": "needle", "closed.txt": "needle", "kept/b.txt": "b" });
    fs.chmodSync(join(root, "closed.txt"), 0);
    fs.chmodSync(join(root, "shut"), 0);
    const { workspace, blobs, list, search, read, write } = attacking(root);
    try {
      expect((await list()).split("\n").slice(1)).toEqual(["a.txt", "closed.txt", "kept/b.txt"]);
      expect(await search("n[e]edle")).toMatch(/^1 match/);
      expect(await read("closed.txt")).toBe('"closed.txt" cannot be read (EACCES).');
      expect(await read("shut/in.txt")).toBe('"shut/in.txt" cannot be reached (EACCES).');
      expect(await write("shut/new.txt", "x")).toBe('"shut/new.txt" cannot be reached (EACCES).');
      const first = await workspace.snapshot(blobs.putBytes);
      shell(root, "echo x > kept/new; chmod 555 .");
      const touched = compare(first, await workspace.snapshot(blobs.putBytes, first));
      fs.rmSync(join(root, "kept/b.txt"));
      expect(touched.map(({ path }) => path)).toEqual(["kept/new"]);
      expect(workspace.restore(touched, blobs.getBytes)).toEqual({
        type: "restored",
        paths: ["kept/new"],
        not_kept: [],
      });
    } finally {
      shell(root, "chmod 755 . shut");
    }
  },
);

test("a disk that is mounted in the workspace is a folder like others, and stays when its files go", async ({
  skip,
}) => {
  const root = folderWith({ "a.txt": "needle", "disk/x": "" });
  const mounted = isRoot && spawnSync("mount", ["-t", "tmpfs", "none", join(root, "disk")]).status === 0;
  if (!mounted) skip("Only root may mount a disk.");
  try {
    const { workspace, blobs, read, write } = attacking(root);
    const first = await workspace.snapshot(blobs.putBytes);
    expect(JSON.parse(await write("disk/new.txt", "mine"))).toMatchObject({ type: "written" });
    expect(await read("disk/new.txt")).toContain("mine");
    const touched = compare(first, await workspace.snapshot(blobs.putBytes, first));
    expect(workspace.restore(touched, blobs.getBytes)).toEqual({
      type: "restored",
      paths: ["disk/new.txt"],
      not_kept: [],
    });
  } finally {
    spawnSync("umount", ["--lazy", join(root, "disk")]);
  }
});
