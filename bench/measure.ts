import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";

/** What a benchmark found. A limit that was missed makes the run fail. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly limits: readonly Limit[];
  /** How it was measured, and what has to be known to judge it. */
  readonly notes: readonly string[];
}

export interface Limit {
  readonly what: string;
  readonly value: number;
  readonly most: number;
}

/** Milliseconds of each variant, one after the other in every round, so that a slow moment hits all of them. */
export function roundRobin<Name extends string>(
  variants: Readonly<Record<Name, () => void>>,
  rounds: number,
): Record<Name, number[]> {
  const names = Object.keys(variants) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (const name of names) variants[name]();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const began = performance.now();
      variants[name]();
      times[name].push(performance.now() - began);
    }
  }
  return times;
}

/** The median of what each round's pair says: noise that lasts longer than a round cancels out. */
export function pairedRatio(values: readonly number[], floor: readonly number[]): number {
  return median(values.map((value, round) => value / (floor[round] ?? Number.NaN)));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** "26.6" and "25.3-72.7", as table cells. */
export function spread(values: readonly number[], digits = 1): [string, string] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return [median(values).toFixed(digits), `${least.toFixed(digits)}-${most.toFixed(digits)}`];
}

/** A folder on a disk that has to be waited for: what is kept in memory would hide what keeping costs. */
export function folderOnDisk(): { path: string; remove: () => void } {
  for (const parent of [tmpdir(), process.cwd()]) {
    if (fileSystemOf(parent) === "tmpfs") continue;
    const path = mkdtempSync(join(parent, "claude-exec-bench-"));
    return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
  }
  throw new Error("Both the temporary folder and this one lie in memory. Set TMPDIR to a folder on a disk.");
}

function fileSystemOf(folder: string): string {
  if (process.platform !== "linux") return execFileSync("df", [folder], { encoding: "utf8" }).split(/\s+/).at(-9) ?? "";
  const type = statfsSync(folder).type;
  return knownFileSystems[type] ?? `0x${type.toString(16)}`;
}

/** statfs(2): the file systems one is likely to meet. */
const knownFileSystems: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x01021994: "tmpfs",
  0x9123683e: "btrfs",
  0x58465342: "xfs",
  0x2fc12fc1: "zfs",
  0x794c7630: "overlayfs",
};

export function machineLine(): string {
  const folder = folderOnDisk();
  try {
    const model = cpus()[0]?.model.trim() ?? "unknown processor";
    return [
      `Node ${process.version}`,
      `${cpus().length} × ${model}`,
      `${fileSystemOf(folder.path)} at ${tmpdir()}`,
      `load ${loadavg()[0]?.toFixed(2)}`,
      new Date().toISOString().slice(0, 10),
    ].join(", ");
  } finally {
    folder.remove();
  }
}

export function tableText({ title, columns, rows, limits, notes }: Table): string {
  const cells = [columns, ...rows.map((row) => row.map(String))];
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("   ");
  const [head = [], ...body] = cells;
  return [
    title,
    "",
    `  ${line(head)}`,
    `  ${widths.map((width) => "-".repeat(width)).join("   ")}`,
    ...body.map((row) => `  ${line(row)}`),
    "",
    ...limits.map((limit) => `  ${limitText(limit)}`),
    ...notes.map((note) => `  ${note}`),
  ].join("\n");
}

export function limitText({ what, value, most }: Limit): string {
  return `${value <= most ? "kept  " : "MISSED"} ${what}: ${Number(value.toFixed(2))}, at most ${most}`;
}
