import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const source = (name: string) => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href);

/** A process of its own that runs `code`, with everything that these files of ours export. */
export function child(files: readonly string[], code: string, ...before: string[]): ChildProcess {
  const imports = files.map((file, index) => `import * as f${index} from ${source(file)};`).join("");
  const names = files.map((_, index) => `...f${index}`).join(", ");
  const script = `${imports} const ours = { ${names} }; ${code}`;
  const args = ["--input-type=module", "--eval", script];
  const [program, ...rest] = before;
  const whole = program === undefined ? args : [...rest, process.execPath, ...args];
  return spawn(program ?? process.execPath, whole, { stdio: ["pipe", "pipe", "inherit"] });
}

/** The first of what a process prints. */
export async function firstWords(process: ChildProcess): Promise<string> {
  for await (const chunk of process.stdout ?? []) return String(chunk);
  throw new Error("It said nothing.");
}

/** All that a process prints, when it has ended. */
export async function wholeOutput(process: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of process.stdout ?? []) text += String(chunk);
  return text;
}

export function ended(process: ChildProcess): Promise<void> {
  return new Promise((resolve) => process.once("exit", () => resolve()));
}

/** Whether the calls of a process to the kernel can be watched here. */
export function canTrace(): boolean {
  return spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
}

/** A disk of its own that holds so many bytes; undefined where this user may not mount one. */
export function smallDisk(bytes: number): { path: string; remove(): void } | undefined {
  const path = mkdtempSync(join(tmpdir(), "small-disk-"));
  const remove = () => {
    spawnSync("umount", ["--lazy", path]); // a failed test may have left a file open
    rmSync(path, { recursive: true });
  };
  if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path]).status === 0) return { path, remove };
  rmSync(path, { recursive: true });
  return undefined;
}
