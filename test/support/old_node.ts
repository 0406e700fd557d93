import { spawnSync } from "node:child_process";

/** A Node of this machine that is too old for the program, or undefined where there is none. */
export const oldNode = findOldNode();

export const oldVersion = oldNode ? spawnSync(oldNode, ["--version"], { encoding: "utf8" }).stdout.trim() : "";

if (!oldNode) console.warn("This machine has no Node older than 24: what an old Node does is not tried.");

function findOldNode(): string | undefined {
  const isOld = (path: string) => {
    const major = Number(/^v(\d+)/.exec(spawnSync(path, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1]);
    return major < 24;
  };
  return ["/usr/bin/node", "/usr/local/bin/node"].find(isOld);
}

/** The processes that this one started and that still run, with what those started. */
export function processesBelow(pid: number): number[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" });
  const rows = stdout.split("\n").map((row) => row.trim().split(/\s+/));
  const below = rows.filter(([, parent, state]) => Number(parent) === pid && !state?.startsWith("Z"));
  return below.flatMap(([child]) => [Number(child), ...processesBelow(Number(child))]);
}
