import { readFileSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { crc32 } from "node:zlib";
import { unlessRefused } from "../util/errors.ts";
import { writeAtomic } from "../util/files.ts";
import { amounts, dimensions, effects, type Amounts, type ChainSpending, type SpendingRow } from "./spending.ts";

/** What is kept of one chain, or of one prompt that was run on its own, beside its rows. */
export type ChainFigures = {
  readonly chain: string;
  /** How its journal looked when it was read. */
  readonly stamp: string;
  /** Where it cannot be counted: why it could not be read, or null for one that is not its user's own. */
  readonly about: About | string | null;
  /** Its rows end before this one, and begin where those of the chain before it end. */
  readonly end: number;
};

export type About = Omit<ChainSpending, "rows">;

/**
 * The figures of a home in columns: reading ten thousand chains as objects would take longer than all else in a report.
 * A row begins with the place in `kinds` of what it is about; its amounts follow.
 */
export interface Figures {
  readonly kinds: readonly Kind[];
  readonly chains: readonly ChainFigures[];
  readonly numbers: Float64Array;
}
export type Kind = Pick<SpendingRow, (typeof dimensions)[number]>;

export const noFigures: Figures = { kinds: [], chains: [], numbers: new Float64Array() };

const columns = ["kind", ...amounts, ...effects] as const;
const width = columns.length;
/** Where a column stands in a row. */
export const column = Object.fromEntries(columns.map((name, at) => [name, at])) as Record<
  (typeof columns)[number],
  number
>;

/** `rows`: those of a chain, or its place in earlier figures whose rows still hold. */
export type Part = Omit<ChainFigures, "end"> & { readonly rows: readonly SpendingRow[] | number };

export function packFigures(parts: readonly Part[], before = noFigures): Figures {
  const kinds = [...before.kinds];
  const nameOf = (kind: Kind) => dimensions.map((name) => kind[name]).join("\n");
  const places = new Map(kinds.map((kind, at) => [nameOf(kind), at]));
  const placeOf = (row: SpendingRow) => {
    const name = nameOf(row);
    const { day, phase, prompt, model, version } = row;
    const place = places.get(name) ?? kinds.push({ day, phase, prompt, model, version }) - 1;
    places.set(name, place);
    return place;
  };
  const numbersOf = (row: SpendingRow) => columns.map((name) => (name === "kind" ? placeOf(row) : (row[name] ?? 0)));
  const packed = parts.map(({ rows }) => {
    if (typeof rows !== "number") return rows.flatMap(numbersOf);
    return before.numbers.subarray((before.chains[rows - 1]?.end ?? 0) * width, before.chains[rows]!.end * width);
  });
  const numbers = new Float64Array(packed.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  const chains = parts.map(({ chain, stamp, about }, at): ChainFigures => {
    numbers.set(packed[at]!, end * width);
    end += packed[at]!.length / width;
    return { chain, stamp, about, end };
  });
  return { kinds, chains, numbers };
}

/** Visits the rows of all chains that count. `start`: where the row begins in `numbers`. */
export function eachRow({ chains }: Figures, visit: (start: number, chain: number) => void): void {
  let row = 0;
  for (const [chain, { about, end }] of chains.entries()) {
    if (about !== null && typeof about === "object") for (; row < end; row++) visit(row * width, chain);
    row = end;
  }
}

/** Rows added up by the number that `keyOf` gives each, with the kind of the first; those with none are left out. */
export function addUpRows(figures: Figures, keyOf: (start: number, chain: number) => number | undefined) {
  const { numbers } = figures;
  const sums: Float64Array[] = [];
  eachRow(figures, (start, chain) => {
    const key = keyOf(start, chain);
    if (key === undefined) return;
    const sum = sums[key];
    if (!sum) sums[key] = numbers.slice(start, start + width);
    else for (let at = 1; at < width; at++) sum[at]! += numbers[start + at]!;
  });
  return [...sums.entries()].flatMap(([key, sum]) => (sum ? [[key, sum] as const] : []));
}

/** What a report shows of a row, or of a sum of rows. */
export function amountsOf(sum: Float64Array): Amounts {
  return Object.fromEntries(amounts.map((name) => [name, sum[column[name]]!])) as Amounts;
}

/**
 * Begins the checksum, so that figures of another form, of another program or for another key count as damaged. The
 * number is raised where `ChainFigures` changes.
 */
function checksum(bytes: Buffer, key: string): number {
  return crc32(bytes, crc32([4, process.versions.v8, key, ...columns].join()));
}

/** Undefined where there are none, or none that can be believed: they are made anew from the journals then. */
export function readFigures(path: string, key: string): Figures | undefined {
  const bytes = unlessRefused(() => readFileSync(path));
  if (!bytes || bytes.length < 4 || bytes.readUInt32LE() !== checksum(bytes.subarray(4), key)) return undefined;
  const { text, numbers } = deserialize(bytes.subarray(4)) as { text: string; numbers: Float64Array };
  return { ...(JSON.parse(text) as Omit<Figures, "numbers">), numbers };
}

/** `key`: what they depend on beside the journals. Where they cannot be kept, the next report reads all journals again. */
export function keepFigures(path: string, key: string, { numbers, ...rest }: Figures): void {
  const bytes = serialize({ text: JSON.stringify(rest), numbers });
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(checksum(bytes, key));
  unlessRefused(() => writeAtomic(path, Buffer.concat([sum, bytes]), { durable: false }));
}
