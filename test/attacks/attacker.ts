import { treeHashOf } from "../../src/workspace/snapshot.ts";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { openBlobs } from "../../src/store/blobs.ts";
import { deleteFileTool, editFileTool, writeFileTool } from "../../src/tools/change.ts";
import { listFilesTool, readFileTool, searchFilesTool } from "../../src/tools/look.ts";
import type { Sandbox } from "../../src/programs/sandbox/types.ts";
import type { FileState } from "../../src/workspace/file_states.ts";
import type { Tool } from "../../src/tools/types.ts";
import { realWorld } from "../../src/util/world.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { sha256 } from "../../src/util/hash.ts";
import { folderWith } from "../support/folders.ts";
import { sandboxAt } from "../programs/sandbox/sandboxes.ts";

/** Everything that a model, a command's snapshot and a rewind can do in this folder, as words. */
export function attacking(root: string) {
  const workspace = openWorkspace(root, { env: process.env, hide: [] });
  const blobsFolder = join(folderWith({}), "blobs");
  const blobs = openBlobs(blobsFolder);
  const reach = { workspace, findPrompts: () => Promise.resolve("") };
  const use = async (tool: Tool, input: object): Promise<string> => {
    const plan = await tool.plan(input, reach, new AbortController().signal);
    if (plan.type === "look" || plan.type === "refused") return plan.text;
    return plan.type === "change" ? JSON.stringify(workspace.apply(plan.change)) : plan.type;
  };
  const restore = (path: string, text: string): string => {
    const was = workspace.stateOf(path);
    if (was?.type === "refused") return was.text;
    const to: FileState = { type: "file", sha256: sha256(text), mode: 0o644, size: text.length };
    return JSON.stringify([
      was,
      workspace.restore([{ path, before: was ? null : to, after: was }], () => Buffer.from(text)),
    ]);
  };
  return {
    workspace,
    blobs,
    blobsFolder,
    restore,
    read: (path: string) => use(readFileTool, { path }),
    write: (path: string, content: string) => use(writeFileTool, { path, content }),
    edit: (path: string, old: string, fresh: string) => use(editFileTool, { path, old, new: fresh }),
    remove: (path: string) => use(deleteFileTool, { path }),
    list: (path = ".") => use(listFilesTool, { path }),
    search: (pattern: string, path = ".") => use(searchFilesTool, { pattern, path }),
    snapshot: async () => JSON.stringify([...(await workspace.snapshot(blobs.putBytes)).states]),
  };
}

/** Names, bytes and rights of what lies outside, down to links; nothing of it may ever change. */
export function pictureOf(folder: string, below = ""): string[] {
  return fs.readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    const { mode, ino } = fs.lstatSync(join(folder, path));
    const content = entry.isFile() ? fs.readFileSync(join(folder, path), "utf8") : "";
    return [`${path} ${mode} ${ino} ${content}`, ...(entry.isDirectory() ? pictureOf(folder, path) : [])];
  });
}

export const canary = /canary/i;

/** The workspace lies beside folders and files that are none of its business. */
export function besideCanaries(): { root: string; outside: () => string[] } {
  const folder = folderWith({
    "ws/in.txt": "inside",
    "ws/café.txt": "inside",
    "ws/dir/file.txt": "inside",
    "ws/dir/sub/a": "inside",
    "ws/target.txt": "inside",
    "ws-evil/secret.txt": "CANARY",
    "WS/in.txt": "CANARY",
    "secret.txt": "CANARY",
    "out/file.txt": "CANARY",
    "out/target.txt": "CANARY",
    "out/canary-1.txt": "CANARY",
    "out/sub/a": "CANARY",
    "out/sub/canary-2.txt": "CANARY",
  });
  fs.symlinkSync("/canary", join(folder, "out/canary-link"));
  const beside = ["ws-evil", "WS", "out"];
  return {
    root: join(folder, "ws"),
    outside: () => [
      ...fs.readdirSync(folder),
      fs.readFileSync(join(folder, "secret.txt"), "utf8"),
      ...beside.flatMap((name) => pictureOf(join(folder, name))),
    ],
  };
}

type Attacker = ReturnType<typeof attacking>;

/** Whatever can be done with one path, and with the folder it lies in. */
export async function everything(
  { read, write, edit, remove, list, search, snapshot, workspace }: Attacker,
  path: string,
) {
  const one = [await read(path), await write(path, "mine"), await edit(path, "a", "b"), await remove(path)];
  const below = [await list(path), await search("needle", path), await search("n[e]edle", path)];
  return {
    one,
    all: [
      ...below,
      await list(),
      await search("n[e]edle"),
      await snapshot(),
      treeHashOf(await workspace.snapshot(async (bytes) => sha256(bytes))),
    ],
  };
}

export async function lasting(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export function shell(folder: string, script: string): void {
  const ran = spawnSync("sh", ["-c", script], { cwd: folder, encoding: "utf8" });
  if (ran.status !== 0) throw new Error(ran.stderr);
}

/** As on a machine that has no programs for one. */
export async function noSandbox(root: string): Promise<Sandbox> {
  return sandboxAt(root, { world: realWorld({ ...process.env, PATH: "/nowhere" }) });
}
