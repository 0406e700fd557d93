import { count } from "../util/count.ts";

const most = { here: 40, folders: 40, rows: 120, kinds: 3 };

/** What lies in `folder` and two levels below, counted: what there is to be seen of more files than can be named. */
export function summary(folder: string, files: readonly string[]): string[] {
  const start = folder === "." ? 0 : folder.length + 1;
  const below = files.map((path) => path.slice(start));
  const here = below.filter((path) => !path.includes("/"));
  const folders = largest(foldersIn(below), most.folders);
  const each = Math.max(2, Math.floor((most.rows - folders.shown.length) / Math.max(1, folders.shown.length)));
  return [
    ...here.slice(0, most.here),
    ...(here.length > most.here ? [`(${count(here.length - most.here, "more file")} right here)`] : []),
    ...folders.shown.flatMap(([name, paths]) => {
      const inner = largest(foldersIn(paths), each);
      return [row(name, paths), ...inner.shown.map(([sub, deep]) => `  ${row(sub, deep)}`), ...rest("  ", inner)];
    }),
    ...rest("", folders),
  ];
}

type Folders = [name: string, paths: string[]][];

/** The folders right below, each with its files as they are called in there. */
function foldersIn(paths: readonly string[]): Folders {
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const end = path.indexOf("/");
    if (end < 0) continue;
    const name = path.slice(0, end);
    const known = folders.get(name);
    if (known) known.push(path.slice(end + 1));
    else folders.set(name, [path.slice(end + 1)]);
  }
  return [...folders];
}

/** In their own order, without those that hold least where there are more than so many. */
function largest(folders: Folders, limit: number): { shown: Folders; left: Folders } {
  if (folders.length <= limit) return { shown: folders, left: [] };
  const kept = new Set(folders.toSorted(([, a], [, b]) => b.length - a.length).slice(0, limit));
  return { shown: folders.filter((one) => kept.has(one)), left: folders.filter((one) => !kept.has(one)) };
}

function rest(indent: string, { left }: { left: Folders }): string[] {
  if (left.length === 0) return [];
  const files = left.reduce((sum, [, paths]) => sum + paths.length, 0);
  return [`${indent}(${count(left.length, "more folder")}: ${count(files, "file")})`];
}

/** Such as "src/ 120: 100 .ts, 20 .md". */
function row(name: string, paths: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(kindOf(path), (counts.get(kindOf(path)) ?? 0) + 1);
  const kinds = [...counts].sort(([, a], [, b]) => b - a);
  const others = kinds.slice(most.kinds).reduce((sum, [, count]) => sum + count, 0);
  const parts = kinds.slice(0, most.kinds).map(([kind, count]) => `${count} ${kind}`);
  return `${name}/ ${paths.length}: ${[...parts, ...(others > 0 ? [`${others} others`] : [])].join(", ")}`;
}

function kindOf(path: string): string {
  return /[^/](\.\w{1,12})$/.exec(path)?.[1] ?? "without an ending";
}
