import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";

/**
 * A sum of all that an index holds, kept in the index itself: SQLite notices when its own pages make no sense, and
 * not when a letter in one became another. To be called within a transaction.
 */
export function seal(db: DatabaseSync): void {
  db.exec("INSERT INTO texts (texts) VALUES ('flush'); DELETE FROM seal");
  db.prepare("INSERT INTO seal (sum) VALUES (?)").run(sumOfAll(db));
}

/** Whether the index is just as it was sealed, and can be searched by every way through its pages. */
export function isSealed(db: DatabaseSync): boolean {
  const kept = db.prepare("SELECT sum FROM seal").get() as { sum: unknown } | undefined;
  if (kept?.sum !== sumOfAll(db)) return false;
  const [found] = db.prepare("PRAGMA integrity_check(1)").all() as { integrity_check: unknown }[];
  return found?.integrity_check === "ok";
}

const held = [
  "SELECT type, name, sql FROM sqlite_schema",
  "SELECT id, kind, file, stamp, value, sum FROM files",
  "SELECT kind, word FROM words",
  "SELECT kind, folder, stamp FROM folders",
  "SELECT id, block FROM texts_data",
  "SELECT segid, term, pgno FROM texts_idx",
  "SELECT id, sz FROM texts_docsize",
  "SELECT k, v FROM texts_config",
];

function sumOfAll(db: DatabaseSync): number {
  let sum = 0;
  for (const query of held) {
    const rows = db.prepare(query);
    rows.setReturnArrays(true);
    rows.setReadBigInts(true);
    for (const row of rows.iterate() as unknown as Iterable<unknown[]>) {
      for (const cell of row) {
        sum =
          cell instanceof Uint8Array ? crc32(cell, crc32("blob", sum)) : crc32(`${typeof cell} ${String(cell)}`, sum);
      }
    }
  }
  return sum;
}
