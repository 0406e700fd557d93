import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { messageOf, systemCode, unlessRefused } from "../util/errors.ts";
import { makeFolder } from "../util/files.ts";
import type { Json } from "../util/json.ts";
import { stampOf } from "../util/stamp.ts";
import { isBusy } from "./lock.ts";

/** What is kept of a file: a value to give back, and texts to search in, the weightiest first. */
export interface Entry {
  readonly value: Json;
  readonly texts: readonly [string, string, string, string];
}

export interface Sources {
  readonly files: readonly string[];
  /** Folders whose lists of files these are; a change in one of them makes `isCurrent` false. */
  readonly folders: readonly string[];
}

/**
 * One SQLite file that remembers what was made of other files. It is a cache and never believed: an entry counts
 * only while its file looks as it did and its checksum holds. Deleted, corrupt, of another version or locked by
 * somebody, it is made anew, at worst in memory, and everything is read again.
 */
export interface IndexFile {
  /**
   * The value of each file, in their order; `make` makes it again where the file changed, known by its place among
   * the files. What is gone is forgotten, and so is any other kind of the same family: what stands before the colon.
   */
  sync(kind: string, sources: Sources, make: Make): Promise<Json[]>;
  /** Whether no file was added or removed since the last sync of any process, as far as the folders tell. */
  isCurrent(kind: string): boolean;
  /** Files that hold all of the words, then those that hold some, best first. */
  search(kind: string, words: readonly string[], limit: number): Hit[];
  holds(kind: string, word: string): boolean;
  /** Every word that is in a text of this kind, as it was written, in small letters. */
  words(kind: string): readonly string[];
  /** Where it lies, and why it does not where it should. */
  standing(): { readonly path: string; readonly trouble?: string };
  close(): void;
}

type Make = (index: number) => Promise<Entry>;

export interface Hit {
  readonly file: string;
  readonly value: Json;
  /** Since it was read; others may then hold the words as well. */
  readonly changed: boolean;
}

const version = 2;

export function openIndexFile(path: string, now: () => number = Date.now): IndexFile {
  let trouble: string | undefined;
  let opened: Opened | undefined;

  /** Works with the file; where that is no good, with a new one; where none can be had, in memory. */
  function use<Result>(work: (index: Opened) => Result): Result {
    for (const at of opened?.path === inMemory ? [] : [path, path]) {
      try {
        opened ??= openAt(at);
        return work(opened);
      } catch (error) {
        if (systemCode(error) === undefined) throw error;
        opened?.close();
        opened = undefined;
        trouble = messageOf(error);
        // Where another process is writing, its file is good and is left alone.
        if (isBusy(error) || !removed(path)) break;
      }
    }
    return work((opened ??= openAt(inMemory)));
  }

  async function syncOnce(kind: string, { files, folders }: Sources, make: Make) {
    const places = folders.map((folder) => ({ folder, ...stampOf(folder, now(), true) }));
    const rows = use(({ load }) => load(kind));
    const values: Json[] = [];
    const add: Added[] = [];
    for (const [index, file] of files.entries()) {
      const { stamp, fresh } = stampOf(file, now());
      const row = rows.get(file);
      if (row?.stamp === stamp) {
        values.push(row.value);
        continue;
      }
      const entry = await make(index);
      // What changed a moment ago may change again unnoticed: it can be found, but is read anew next time.
      add.push({ file, stamp: fresh ? unsettled : stamp, entry });
      values.push(entry.value);
    }
    const there = new Set(files);
    const remove = [...rows.keys()].filter((file) => !there.has(file));
    const settled = places.some(({ fresh }) => fresh) ? [] : places;
    const changes = { isNew: rows.size === 0, remove, add, folders: settled, total: files.length };
    return { values, whole: use(({ write }) => write(kind, changes)) };
  }

  return {
    async sync(kind, sources, make) {
      const { values, whole } = await syncOnce(kind, sources, make);
      return whole ? values : (await syncOnce(kind, sources, make)).values;
    },
    isCurrent(kind) {
      const kept = use(({ folders }) => folders(kind));
      return kept.length > 0 && kept.every(({ folder, stamp }) => stampOf(folder, now(), true).stamp === stamp);
    },
    search(kind, words, limit) {
      const before = opened;
      const found = use(({ find }) => find(kind, words, limit));
      // What was searched turned out to be damaged: nothing that a new index says counts before the next sync.
      if (before && before !== opened) return [{ file: "", value: null, changed: true }];
      return found.map(({ file, stamp, value }) => {
        const changed = stampOf(file, now()).stamp !== stamp;
        return { file, value: JSON.parse(value) as Json, changed };
      });
    },
    holds: (kind, word) => use(({ holds }) => holds(kind, word)),
    words: (kind) => use(({ words }) => words(kind)),
    standing() {
      const at = use((index) => index.path);
      return at === inMemory && trouble !== undefined ? { path: at, trouble } : { path: at };
    },
    close() {
      opened?.close();
      opened = undefined;
    },
  };
}

/** For a library that nobody keeps. */
export const inMemory = ":memory:";
const unsettled = "unsettled";

function removed(path: string): boolean {
  // The file last: whoever opens it in between has one that is about to go, and never one without its -wal.
  const isDone = unlessRefused(() => {
    for (const suffix of ["-wal", "-shm", "-journal", ""]) rmSync(path + suffix, { force: true });
    return true;
  });
  return isDone === true;
}

interface Row {
  readonly stamp: string;
  readonly value: Json;
}

interface Added {
  readonly file: string;
  readonly stamp: string;
  readonly entry: Entry;
}

interface Changes {
  /** Nothing was loaded of this kind, so whatever is there of its family gives way. */
  readonly isNew: boolean;
  readonly remove: readonly string[];
  readonly add: readonly Added[];
  readonly folders: readonly Place[];
  /** How many files there are now; where an index holds fewer, its folders say nothing. */
  readonly total: number;
}

interface Place {
  readonly folder: string;
  readonly stamp: string;
}

interface Stored {
  readonly file: string;
  readonly stamp: string;
  readonly value: string;
  readonly sum: number;
}

type Opened = ReturnType<typeof openAt>;

function openAt(path: string) {
  if (path !== inMemory && !existsSync(path)) {
    makeFolder(dirname(path));
    // It holds words of chains, which are for their owner's eyes.
    closeSync(openSync(path, "a", 0o600));
  }
  const db = new DatabaseSync(path, { timeout: 2000 });
  try {
    prepare(db);
  } catch (error) {
    db.close();
    throw error;
  }
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    const known = statements.get(text) ?? db.prepare(text);
    statements.set(text, known);
    return known;
  };
  const placesOf = (kind: string) =>
    sql("SELECT folder, stamp FROM folders WHERE kind = ?").all(kind) as unknown as Place[];
  return {
    path,
    close: () => db.close(),
    load(kind: string): Map<string, Row> {
      const rows = new Map<string, Row>();
      for (const row of sql("SELECT file, stamp, value, sum FROM files WHERE kind = ?").all(kind)) {
        const { file, stamp, value } = row as unknown as Stored;
        if (isWhole(row as unknown as Stored)) rows.set(file, { stamp, value: JSON.parse(value) as Json });
      }
      return rows;
    },
    /** Says whether all files are in now: not where it is another index than was loaded, or somebody took them away. */
    write(kind: string, { isNew, remove, add, folders, total }: Changes): boolean {
      const kept = new Map(placesOf(kind).map(({ folder, stamp }) => [folder, stamp]));
      const same = kept.size === folders.length && folders.every(({ folder, stamp }) => kept.get(folder) === stamp);
      if (remove.length === 0 && add.length === 0 && same) return true;
      return inTransaction(db, () => {
        if (isNew) forgetFamily(db, `${kind.split(":")[0]}:*`);
        for (const file of [...remove, ...add.map((one) => one.file)]) {
          sql("DELETE FROM texts WHERE rowid = (SELECT id FROM files WHERE kind = ? AND file = ?)").run(kind, file);
          sql("DELETE FROM files WHERE kind = ? AND file = ?").run(kind, file);
        }
        const words = new Set<string>();
        for (const { file, stamp, entry } of add) {
          const value = JSON.stringify(entry.value);
          const put = sql("INSERT INTO files (kind, file, stamp, value, sum) VALUES (?, ?, ?, ?, ?)");
          const { lastInsertRowid } = put.run(kind, file, stamp, value, sumOf(file, value));
          sql("INSERT INTO texts (rowid, a, b, c, d) VALUES (?, ?, ?, ?, ?)").run(lastInsertRowid, ...entry.texts);
          for (const text of entry.texts)
            for (const [word] of text.matchAll(wordPattern)) words.add(word.toLowerCase());
        }
        for (const word of words) sql("INSERT OR IGNORE INTO words (kind, word) VALUES (?, ?)").run(kind, word);
        sql("DELETE FROM folders WHERE kind = ?").run(kind);
        const { held } = sql("SELECT count(*) AS held FROM files WHERE kind = ?").get(kind) as { held: number };
        for (const { folder, stamp } of held === total ? folders : []) {
          sql("INSERT INTO folders (kind, folder, stamp) VALUES (?, ?, ?)").run(kind, folder, stamp);
        }
        return held === total;
      });
    },
    folders(kind: string): Place[] {
      const { same } = sql(sameRows).get() as { same: number };
      if (!same) throw damaged();
      return placesOf(kind);
    },
    find(kind: string, words: readonly string[], limit: number): Stored[] {
      if (words.length === 0) return [];
      const query = `SELECT file, stamp, value, sum FROM texts JOIN files ON files.id = texts.rowid
        WHERE texts MATCH ? AND rank MATCH 'bm25(10, 5, 3, 1)' AND kind = ? ORDER BY rank, file LIMIT ?`;
      const ask = (how: string) => {
        const found = sql(query).all(words.map(quoted).join(how), kind, limit) as unknown as Stored[];
        if (!found.every(isWhole)) throw damaged();
        return found;
      };
      const all = ask(" AND ");
      if (all.length === limit || words.length === 1) return all;
      const known = new Set(all.map(({ file }) => file));
      return [...all, ...ask(" OR ").filter(({ file }) => !known.has(file))].slice(0, limit);
    },
    holds(kind: string, word: string): boolean {
      const query = "SELECT 1 FROM texts JOIN files ON files.id = texts.rowid WHERE texts MATCH ? AND kind = ? LIMIT 1";
      return sql(query).get(quoted(word), kind) !== undefined;
    },
    words(kind: string): string[] {
      const query = "SELECT word FROM words WHERE kind = ? AND typeof(word) = 'text'";
      return (sql(query).all(kind) as { word: string }[]).map(({ word }) => word);
    },
  };
}

/** Either all of the work is written or nothing. What a lost write would cost is reading a few files again. */
function inTransaction<Result>(db: DatabaseSync, work: () => Result): Result {
  db.exec("PRAGMA synchronous = OFF; BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function forgetFamily(db: DatabaseSync, kinds: string): void {
  db.prepare("DELETE FROM texts WHERE rowid IN (SELECT id FROM files WHERE kind GLOB ?)").run(kinds);
  for (const table of ["files", "words", "folders"]) db.prepare(`DELETE FROM ${table} WHERE kind GLOB ?`).run(kinds);
}

function damaged(): Error {
  return Object.assign(new Error("the index is damaged"), { code: "ERR_INDEX_DAMAGED" });
}

/** Whether there is a text for each file and no other; that costs little, and searching would not notice. */
const sameRows = `SELECT (SELECT count(*) || ' ' || total(id) FROM files) =
  (SELECT count(*) || ' ' || total(id) FROM texts_docsize) AS same`;

/** A damaged row may hold anything: bytes that look like the text have the same sum. */
function isWhole({ file, value, sum }: { file: unknown; value: unknown; sum: unknown }): boolean {
  return typeof file === "string" && typeof value === "string" && sumOf(file, value) === sum;
}

function sumOf(file: string, value: string): number {
  return crc32(file, crc32(value));
}

function quoted(word: string): string {
  return `"${word.replaceAll('"', '""')}"`;
}

/** Letters and digits with their marks; what the search itself divides further, it looks for side by side. */
export const wordPattern = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;

function prepare(db: DatabaseSync): void {
  const found = versionOf(db);
  if (found === version) return;
  if (found !== 0) throw Object.assign(new Error(`the index is of version ${found}`), { code: "ERR_INDEX_VERSION" });
  // It stays with the file.
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("BEGIN IMMEDIATE");
  if (versionOf(db) !== 0) return db.exec("ROLLBACK");
  db.exec(`
    CREATE TABLE IF NOT EXISTS files (
      id INTEGER PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL, stamp TEXT NOT NULL,
      value TEXT NOT NULL, sum INTEGER NOT NULL, UNIQUE (kind, file)
    );
    CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
      a, b, c, d, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
    );
    CREATE TABLE IF NOT EXISTS words (kind TEXT NOT NULL, word TEXT NOT NULL, PRIMARY KEY (kind, word)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS folders (kind TEXT NOT NULL, folder TEXT NOT NULL, stamp TEXT NOT NULL);
    PRAGMA user_version = ${version}`);
  db.exec("COMMIT");
}

function versionOf(db: DatabaseSync): number {
  return (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
}
