import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { messageOf, systemCode, unlessRefused } from "../util/errors.ts";
import { makeFolder } from "../util/files.ts";
import type { Json } from "../util/json.ts";
import { stampOf } from "../util/stamp.ts";
import { isBusy } from "./lock.ts";

/** What is kept of a file: a value to give back, and texts to search in, the most important first. */
export interface Entry {
  readonly value: Json;
  readonly texts?: readonly [string, string, string, string];
}

/**
 * One SQLite file with a row for each file that was read: a cache that is never needed. A row counts only while its
 * file looks as it did. If the cache is deleted, corrupt, of another version or locked by another process, it is made
 * again, at worst in memory, and all files are read again.
 */
export interface IndexFile {
  /**
   * The value of each file, in the order of `files`. `make` makes the value of a new or changed file, given its place
   * in `files`. Rows of files that are gone are deleted, and so are rows of other kinds of the same family, which is
   * the part of the kind before its colon.
   */
  sync(kind: string, files: readonly string[], make: (index: number) => Promise<Entry>): Promise<Json[]>;
  /** Whether the index has a row for each of these files and for no other. Whether a file changed is not looked at. */
  covers(kind: string, files: readonly string[]): boolean;
  /** Files that hold all of the words, then those that hold some, best first. */
  search(kind: string, words: readonly string[], limit: number): Hit[];
  holds(kind: string, word: string): boolean;
  /** Every word in the texts of this kind, in small letters. */
  words(kind: string): ReadonlySet<string>;
  /** Where the index is stored, and why it is not stored where it should be. */
  location(): { readonly path: string; readonly trouble?: string };
  close(): void;
}

export interface Hit {
  readonly file: string;
  readonly value: Json;
  /** The file changed after it was read: other files may hold the words now. */
  readonly changed: boolean;
}

const version = 3;

export function openIndexFile(path: string, now: () => number = Date.now): IndexFile {
  let trouble: string | undefined;
  let opened: OpenIndex | undefined;

  /** Works with the file; if the file is damaged, with a new one; if no file can be had, in memory. */
  function use<Result>(work: (index: OpenIndex) => Result): Result {
    for (const at of opened?.path === inMemory ? [] : [path, path]) {
      try {
        opened ??= openAt(at);
        return work(opened);
      } catch (error) {
        if (systemCode(error) === undefined) throw error;
        opened?.close();
        opened = undefined;
        trouble = messageOf(error);
        // While another process is writing, its file is good and is left alone.
        if (isBusy(error) || !removed(path)) break;
      }
    }
    return work((opened ??= openAt(inMemory)));
  }

  return {
    async sync(kind, files, make) {
      const rows = use(({ load }) => load(kind));
      const loaded = opened;
      const values: Json[] = [];
      const added: NewRow[] = [];
      for (const [index, file] of files.entries()) {
        const { stamp, fresh } = stampOf(file, now());
        const row = rows.get(file);
        rows.delete(file);
        if (row?.stamp === stamp) {
          values.push(row.value);
          continue;
        }
        const entry = await make(index);
        // A file that changed a moment ago may change again unnoticed: it can be found, but is read again next time.
        added.push({ file, stamp: fresh ? "unsettled" : stamp, entry });
        values.push(entry.value);
      }
      if (added.length > 0 || rows.size > 0) use(({ write }) => write(kind, [...rows.keys()], added));
      // If the file could not be written, the index that took its place has only what was added now.
      return opened === loaded ? values : this.sync(kind, files, make);
    },
    covers(kind, files) {
      const known = use(({ files }) => files(kind));
      return known.size === files.length && files.every((file) => known.has(file));
    },
    search(kind, words, limit) {
      const found = use(({ find }) => find(kind, words, limit));
      return [...found].map(([file, { stamp, value }]) => {
        return { file, value, changed: stampOf(file, now()).stamp !== stamp };
      });
    },
    holds: (kind, word) => use(({ find }) => find(kind, [word], 1)).size > 0,
    words: (kind) => use(({ words }) => words(kind)),
    location() {
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

interface NewRow {
  readonly file: string;
  readonly stamp: string;
  readonly entry: Entry;
}

type OpenIndex = ReturnType<typeof openAt>;

function openAt(path: string) {
  if (path !== inMemory && !existsSync(path)) {
    makeFolder(dirname(path));
    // It holds words of chains, which only their owner may read.
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
  return {
    path,
    close: () => db.close(),
    files: (kind: string) =>
      new Set(
        sql("SELECT file FROM files WHERE kind = ?")
          .all(kind)
          .map(({ file }) => file),
      ),
    load: (kind: string) => rowsOf(sql("SELECT file, stamp, value FROM files WHERE kind = ?").all(kind)),
    write(kind: string, removed: readonly string[], added: readonly NewRow[]): void {
      const replaced = new Set([...removed, ...added.map(({ file }) => file)]);
      inTransaction(db, () => {
        for (const row of sql("SELECT rowid, kind, file FROM files WHERE kind GLOB ?").all(`${kind.split(":")[0]}:*`)) {
          const isOld = row["kind"] !== kind || replaced.has(String(row["file"]));
          if (isOld) sql("DELETE FROM files WHERE rowid = ?").run(row["rowid"]!);
        }
        const insert = sql("INSERT INTO files (kind, file, stamp, value, a, b, c, d) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        for (const { file, stamp, entry } of added) {
          insert.run(kind, file, stamp, JSON.stringify(entry.value), ...(entry.texts ?? ["", "", "", ""]));
        }
      });
    },
    find(kind: string, words: readonly string[], limit: number): Map<string, Row> {
      const query = `SELECT file, stamp, value FROM files
        WHERE files MATCH ? AND rank MATCH 'bm25(10, 5, 3, 1)' AND kind = ? ORDER BY rank, file LIMIT ?`;
      const ask = (how: string) => rowsOf(sql(query).all(words.map(quoted).join(how), kind, limit));
      if (words.length === 0) return new Map();
      const all = ask(" AND ");
      if (all.size === limit || words.length === 1) return all;
      return new Map(
        [...all.entries(), ...ask(" OR ")].filter(([file], at) => at < all.size || !all.has(file)).slice(0, limit),
      );
    },
    words(kind: string): Set<string> {
      const texts = sql("SELECT a || ' ' || b || ' ' || c || ' ' || d AS text FROM files WHERE kind = ?").all(kind);
      return new Set(texts.flatMap(({ text }) => String(text).toLowerCase().match(wordPattern) ?? []));
    },
  };
}

/** By file. Where a value is no JSON, the file is damaged and the index is made again. */
function rowsOf(rows: readonly Record<string, unknown>[]): Map<string, Row> {
  try {
    return new Map(
      rows.map(({ file, stamp, value }) => {
        return [String(file), { stamp: String(stamp), value: JSON.parse(String(value)) as Json }];
      }),
    );
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw Object.assign(new Error("the index is damaged"), { code: "ERR_INDEX_DAMAGED" });
  }
}

/** Either all of the work is written or nothing. What a lost write would cost is reading a few files again. */
function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec("PRAGMA synchronous = OFF; BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
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
  // This setting stays with the file.
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("BEGIN IMMEDIATE");
  if (versionOf(db) !== 0) return db.exec("ROLLBACK");
  db.exec(`
    CREATE VIRTUAL TABLE files USING fts5(
      a, b, c, d, kind UNINDEXED, file UNINDEXED, stamp UNINDEXED, value UNINDEXED,
      tokenize = 'porter unicode61 remove_diacritics 2'
    );
    PRAGMA user_version = ${version}`);
  db.exec("COMMIT");
}

function versionOf(db: DatabaseSync): number {
  return (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
}
