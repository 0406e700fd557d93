import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const usual = tmpdir();
const mounts: string[] = [];

/** A disk of six megabytes, for this user; undefined where nobody may mount one. */
export function mountSmallDisk(owner: string): string | undefined {
  const folder = fs.mkdtempSync(join(usual, "small-disk-"));
  mounts.push(folder);
  const how = ["-t", "tmpfs", "-o", `size=6m,uid=${owner},gid=${owner}`, "none", folder];
  return spawnSync("mount", how).status === 0 ? folder : undefined;
}

export function unmountSmallDisks(): void {
  for (const folder of mounts.splice(0)) {
    spawnSync("umount", ["--lazy", folder]);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
