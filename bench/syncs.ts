import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beginLongChain, takeSteps } from "./chain.ts";
import { folderOnDisk } from "./measure.ts";

/**
 * How often a step makes the disk confirm. Two processes take 10 and 110 steps, so that what beginning and ending
 * a chain needs falls out. The kernel counts where strace is installed, else the functions of node:fs do.
 */
export function countSyncs(): { syncs: number; counted: string } {
  const traced = spawnSync("strace", ["-V"]).status === 0;
  const count = traced ? byStrace : byWrapping;
  return { syncs: (count(110) - count(10)) / 100, counted: traced ? "strace" : "wrapping node:fs" };
}

const self = new URL(import.meta.url).pathname;

function byStrace(steps: number): number {
  const folder = folderOnDisk();
  try {
    const log = join(folder.path, "strace.log");
    const trace = ["-f", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", log];
    execFileSync("strace", [...trace, process.execPath, self, String(steps)], { stdio: "ignore" });
    return (readFileSync(log, "utf8").match(/\bf(data)?sync\(/g) ?? []).length;
  } finally {
    folder.remove();
  }
}

function byWrapping(steps: number): number {
  const preload = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    let calls = 0;
    for (const name of ["fsyncSync", "fdatasyncSync", "fdatasync"]) {
      const real = fs[name];
      fs[name] = (...given) => (calls++, real(...given));
    }
    const file = await fs.promises.open("/dev/null");
    const methods = Object.getPrototypeOf(file);
    await file.close();
    const datasync = methods.datasync;
    methods.datasync = function () { return (calls++, datasync.call(this)); };
    syncBuiltinESMExports();
    process.on("exit", () => console.log(calls));`;
  const wrapped = `data:text/javascript,${encodeURIComponent(preload)}`;
  return Number(execFileSync(process.execPath, ["--import", wrapped, self, String(steps)], { encoding: "utf8" }));
}

if (process.argv[1] === self) {
  const folder = folderOnDisk();
  const chain = await beginLongChain(folder.path);
  await takeSteps(chain, folder.path, Number(process.argv[2]));
  await chain.close();
  folder.remove();
}
