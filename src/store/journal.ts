import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, readFileSync, readSync } from "node:fs";
import { promisify } from "node:util";
import { sha256 } from "../util/hash.ts";
import type { Seal } from "./seal.ts";
import { writeFully } from "../util/files.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { systemCode, UserError } from "../util/errors.ts";

/** Who did it, and through which door. */
export interface Actor {
  readonly kind: "engine" | "model" | "person" | "policy";
  readonly name: string;
  readonly door: string;
}

/** What every line has; the rest belongs to whoever writes it. `more` lines of the same batch follow this one. */
export interface Stamp {
  readonly n: number;
  readonly at: string;
  readonly by: Actor;
  readonly more?: number;
  readonly hash: string;
}
export type Line<Body> = Stamp & Body;

/** Lines that one actor brings about, and that count only together. */
export type Batch<Body> = { readonly by: Actor; readonly bodies: readonly Body[] };

/** `B` itself, unless one of it has a key that the stamp would overwrite: then nothing fits, and the compiler says so. */
export type Unstamped<B> = [B extends unknown ? Extract<keyof B, keyof Stamp> : never] extends [never] ? B : never;

export interface Reading<Body> {
  readonly lines: Line<Body>[];
  /** Bytes from the start of the file that hold `lines`. */
  readonly bytes: number;
  /** Bytes after them that a crash left behind: half a line, or half a batch. They were never relied upon. */
  readonly torn: number;
  /** The first line that is whole and yet not what was written: a flipped bit, or somebody's edit. */
  readonly damage: { readonly line: number; readonly why: string } | undefined;
  /** The id of the key that line 1 says the journal was sealed with; undefined: it was written without a key. */
  readonly key?: string | undefined;
}

/**
 * Reads and proves a journal. Each line's hash covers the line and the hash before it, so that a torn tail (the
 * ordinary end of a crash) is told from damage in the middle (never ordinary). The hashes of a journal that was sealed
 * with another key than `seal` cannot be checked: its lines are read as they are. `upcast` sees lines only once proved.
 */
export function readJournal<Body>(path: string, seal?: Seal, upcast = (line: Line<Body>) => line): Reading<Body> {
  const reading = proveLines<Body>(readFileSync(path), seal);
  return { ...reading, lines: reading.lines.map(upcast) };
}

function proveLines<Body>(bytes: Buffer, seal: Seal | undefined, batches = Infinity): Reading<Body> {
  const { key, hash } = keyNamedBy(bytes, seal);
  const lines: Line<Body>[] = [];
  let start = 0;
  let previous = "";
  let batchStart = 0;
  let batchLength = 0;
  let damage: Reading<Body>["damage"];
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    const line = bytes.subarray(start, end);
    const proved = prove<Body>(line, previous, lines.length + 1, hash);
    if (typeof proved === "string") {
      // After power loss the last write may come back with holes of zero bytes: torn, not damaged.
      const torn = line.includes(0) && end === bytes.length - 1;
      if (!torn) damage = { line: lines.length + 1, why: proved };
      break;
    }
    lines.push(proved);
    previous = proved.hash;
    start = end + 1;
    if (!proved.more) {
      batchStart = start;
      batchLength = lines.length;
      if (--batches === 0) break;
    }
  }
  lines.length = batchLength;
  return { lines, bytes: batchStart, torn: damage ? 0 : bytes.length - batchStart, damage, key };
}

/** The lines that a chain began with, proved as `readJournal` does; no lines where they are not whole. */
export function readFirstBatch<Body>(path: string, seal: Seal): Pick<Reading<Body>, "lines" | "key"> {
  const fd = openSync(path, "r");
  const length = readSync(fd, begins, 0, begins.length, 0);
  closeSync(fd);
  const first = proveLines<Body>(begins.subarray(0, length), seal, 1);
  return first.lines.length === 0 && length === begins.length ? readJournal(path, seal) : first;
}

/** Enough for how most journals begin; one for all, as a look at a hundred chains reads a hundred of them. */
const begins = Buffer.alloc(8 * 1024);

/** The id of the key that line 1 names, and how to compute its hashes. `hash` is undefined if that key is not ours. */
function keyNamedBy(bytes: Buffer, seal: Seal | undefined): { key?: string; hash: Seal["hash"] | undefined } {
  const first = parseJson(bytes.subarray(0, Math.max(0, bytes.indexOf(10))).toString());
  if (!isRecord(first) || typeof first["key"] !== "string") return { hash: sha256 };
  const { key } = first as { key: string };
  return { key, hash: key === seal?.id ? seal.hash : undefined };
}

/** Over the bytes as they lie there: different bytes can read as the same text. */
function prove<Body>(line: Buffer, previous: string, n: number, hash: Seal["hash"] | undefined): Line<Body> | string {
  const text = line.toString();
  const seal = /,"hash":"([0-9a-f]{64})"\}$/.exec(text);
  if (!seal) return "it carries no hash";
  const body = line.subarray(0, line.length - seal[0].length);
  if (hash && hash(previous, body, "}") !== seal[1]) return "its content does not match its hash";
  const parsed = parseJson(text);
  if (!isRecord(parsed) || parsed["n"] !== n) return `it is not line ${n}`;
  return parsed as Line<Body>;
}

/**
 * An open journal. Only the holder of the chain's lock may open one. `append` returns when the lines are on the
 * disk, and leaves the file as it was when they cannot be written.
 */
export class Journal<Body extends object> {
  readonly #fd: number;
  readonly #now: () => number;
  readonly #hashOf: Seal["hash"];
  #bytes: number;
  #n: number;
  #hash: string;
  /** How long (ms) the disk took to confirm the last write. */
  #confirmedIn = 0;

  constructor(path: string, reading: Pick<Reading<Body>, "lines" | "bytes">, now: () => number, seal?: Seal) {
    this.#fd = openSync(path, "r+");
    this.#now = now;
    this.#hashOf = seal?.hash ?? sha256;
    this.#bytes = reading.bytes;
    this.#n = reading.lines.length;
    this.#hash = reading.lines.at(-1)?.hash ?? "";
    ftruncateSync(this.#fd, reading.bytes);
  }

  get length(): number {
    return this.#n;
  }

  get head(): string {
    return this.#hash;
  }

  /**
   * Each batch is read back as a whole or not at all; all of them cost one write and one fdatasync. The next append
   * begins only when this one has ended.
   */
  async append(...batches: Batch<Body>[]): Promise<Line<Body>[]> {
    const at = new Date(this.#now()).toISOString();
    const lines: Line<Body>[] = [];
    let text = "";
    let n = this.#n;
    let hash = this.#hash;
    for (const { by, bodies } of batches) {
      for (const [index, body] of bodies.entries()) {
        const more = bodies.length - index - 1;
        const stamped = { n: ++n, at, by, ...body, ...(more ? { more } : {}) };
        const json = JSON.stringify(stamped);
        hash = this.#hashOf(hash, json);
        text += `${json.slice(0, -1)},"hash":"${hash}"}\n`;
        lines.push({ ...stamped, hash });
      }
    }
    if (lines.length === 0) return lines;
    const bytes = Buffer.from(text);
    try {
      await this.#write(bytes);
    } catch (error) {
      ftruncateSync(this.#fd, this.#bytes);
      throw cannotWrite(error);
    }
    this.#bytes += bytes.length;
    this.#n = n;
    this.#hash = hash;
    return lines;
  }

  /**
   * The write ends in memory within microseconds. Only the disk is worth waiting for, and not one that confirms
   * sooner than another thread would be there and back.
   */
  async #write(bytes: Buffer): Promise<void> {
    writeFully(this.#fd, bytes, this.#bytes);
    const began = performance.now();
    if (this.#confirmedIn < 2) fdatasyncSync(this.#fd);
    else await sync(this.#fd);
    this.#confirmedIn = performance.now() - began;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const sync = promisify(fdatasync);

function cannotWrite(error: unknown): unknown {
  const code = systemCode(error);
  if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "EIO" && code !== "EFBIG") return error;
  return new UserError(
    "journal_unwritable",
    `The journal could not be written (${code}). Everything up to the step before is kept.`,
    { input: {}, why: code === "EIO" ? "Check the disk, then go on" : "Free some space, then go on" },
  );
}
