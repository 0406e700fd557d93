import { type Dirent, existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { crc32 } from "node:zlib";
import { type Entry, type IndexFile, inMemory, openIndexFile } from "../store/index_file.ts";
import { editDistance } from "../util/distance.ts";
import { systemCode, UserError } from "../util/errors.ts";
import { isFolder } from "../util/files.ts";
import { asJson } from "../util/json.ts";
import type { Next } from "../util/next.ts";
import { type Listed, type Place, type Prompt, promptName, type Scope } from "./prompt.ts";
import { remember } from "./remember.ts";
import { type Found, searchPrompts } from "./search.ts";

export type Folder = { readonly scope: Scope; readonly path: string };
export type Problem = { readonly file: string; readonly message: string; readonly next: readonly Next[] };

/**
 * A name belongs to the first file called so: earlier folders win, but nothing wins over `system/` of the builtin
 * scope, except where `allowed` names it. A broken file keeps its name, so no prompt silently stands in for another,
 * and whatever `all` lists `find` finds. A file that changed counts from the next call on; one that did not is not
 * read again. What `find` gives comes from the file itself, never from the index.
 */
export interface Library {
  find(name: string): Promise<Prompt>;
  all(): Promise<Listing>;
  /** As `all`, for every step of a chain: a file changed in place may count a second later, one added or removed at once. */
  lately(): Promise<Listing>;
  /** Ranked, the best first. A file changed in place is found by its new words after the next `all`. */
  search(query: string, limit: number): Promise<Found>;
  /** Where a name is used: the file it belongs to, then those it hides. */
  places(name: string): Promise<Place[]>;
}

export type Listing = { prompts: Listed[]; problems: Problem[] };

export interface LibraryOptions {
  readonly index: IndexFile;
  /** System prompts that others may stand in for. */
  readonly allowed?: readonly string[];
}

export function openLibrary(given: readonly Folder[], options: Partial<LibraryOptions> = {}): Library {
  const { index = openIndexFile(inMemory), allowed = [] } = options;
  const folders = given.map(({ scope, path }) => ({ scope, path: resolve(path) }));
  const places = remember<Located>();
  const prompts = remember<Prompt>();
  const shelf: Shelf = {
    folders,
    allowed: new Set(allowed),
    index,
    kind: `prompt:2:${crc32(JSON.stringify([folders, allowed]))}`,
    places: () => places("all", async (reads) => locate(shelf, reads)),
    read: (place) =>
      prompts(`${place.scope} ${place.file}`, (reads) => {
        reads(place.file);
        return readPlace(place);
      }),
  };
  let last: { readonly located: Located; readonly listing: Listing; readonly at: number } | undefined;
  return {
    find: (name) => findPrompt(shelf, name),
    all: () => readAll(shelf),
    async lately() {
      const located = await shelf.places();
      const stands = last?.located === located && Math.abs(Date.now() - last.at) < 1000;
      if (!last || !stands) last = { located, at: Date.now(), listing: await readAll(shelf, located) };
      return last.listing;
    },
    search: (query, limit) => searchAll(shelf, query, limit),
    async places(name) {
      const { places } = await shelf.places();
      return places.filter((place) => place.name === promptName(name)).sort((a, b) => (comesBefore(a, b) ? -1 : 1));
    },
  };
}

/** Listing what the index knows needs no schema, and loading it takes longer than that. */
async function readPlace(place: Place): Promise<Prompt> {
  return (await import("./read_prompt.ts")).readPrompt(place);
}

interface Shelf {
  readonly folders: readonly Folder[];
  readonly allowed: ReadonlySet<string>;
  readonly index: IndexFile;
  /** Under which the index keeps these very folders. */
  readonly kind: string;
  places(): Promise<Located>;
  read(place: Place): Promise<Prompt>;
}

async function findPrompt({ folders, places: locate, read }: Shelf, wanted: string): Promise<Prompt> {
  const name = promptName(wanted);
  const { owners, problems } = await locate();
  const owner = name && owners.get(name);
  if (owner) return read(owner);
  const short = wanted.slice(0, 60);
  const near = [...owners.keys()]
    .filter(promptName)
    .map((name) => ({ name, distance: editDistance(short, name) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
  const empty = `There are no prompts in ${folders.map(({ path }) => path).join(", ")}.`;
  const hint = near.length > 0 ? `The nearest names: ${near.slice(0, 3).join(", ")}.` : empty;
  const unlisted = problems.map(({ message }) => ` ${message}.`).join("");
  throw new UserError("unknown_prompt", `No prompt is called ${JSON.stringify(short)}.${unlisted}`, hint);
}

async function readAll({ places, index, kind }: Shelf, found?: Located): Promise<Listing> {
  const located = found ?? (await places());
  const problems = [...located.problems];
  const { owners } = located;
  for (const place of located.places) {
    const owner = owners.get(place.name)!;
    if (owner !== place && (owner.rank === place.rank || owner.rank === systemRank)) {
      const message = `${place.file}:1: the name ${place.name} is taken by ${owner.file}`;
      const why =
        owner.rank === systemRank
          ? `Rename this file, or allow it by name in your own config.json: "prompts": {"may_replace": ["${place.name}"]}.`
          : "Rename one of the two.";
      problems.push({ file: place.file, message, next: [{ why }] });
    }
  }
  const values = await index.sync(kind, located, (at) => entryOf(located.owned[at]!));
  const prompts: Listed[] = [];
  for (const [at, value] of (values as unknown as Kept[]).entries()) {
    const { name, file, folder, scope } = located.owned[at]!;
    if ("message" in value) problems.push({ file, ...value });
    else prompts.push(Object.assign(value, { name, file, folder, scope }));
  }
  problems.sort((a, b) => (a.file < b.file ? -1 : 1));
  return { prompts, problems };
}

/** What the index keeps of a file: what `all` tells of it, or why it cannot be read. */
type Kept = Omit<Listed, keyof Place | "name"> | Omit<Problem, "file">;

async function entryOf(place: Owned): Promise<Entry> {
  const { name } = place;
  try {
    const prompt = await readPlace(place);
    const { title, purpose, cost_estimate, phases, tools, model, tags } = prompt;
    const inputs = Object.entries(prompt.inputs).map(([input, { required }]) => (required ? input : `${input}?`));
    const listed = { purpose, cost_estimate, phases: [...phases], inputs, tools, model, tags: [...tags] };
    const uses = [...prompt.good_for, ...prompt.uncertainty_reduction, ...prompt.examples.map(String)];
    return {
      value: title === undefined ? listed : { ...listed, title },
      texts: [`${name} ${title ?? ""}`, `${purpose} ${tags.join(" ")}`, uses.join("\n"), prompt.body],
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { value: asJson({ message: error.message, next: error.next }), texts: [name, "", "", ""] };
  }
}

async function searchAll(shelf: Shelf, query: string, limit: number): Promise<Found> {
  const { index, kind } = shelf;
  if (!index.isCurrent(kind)) await readAll(shelf);
  const look = () => searchPrompts(index, kind, query, limit, (file) => placeOf(file, shelf));
  const found = look();
  if (!found.stale) return found;
  await readAll(shelf);
  return look();
}

type Owned = Place & { readonly name: string; readonly rank: number };
const systemRank = -1;

interface Located {
  /** Every file that could be a prompt. */
  readonly places: readonly Owned[];
  readonly owners: ReadonlyMap<string, Owned>;
  /** The owners by name, and their files. */
  readonly owned: readonly Owned[];
  readonly files: readonly string[];
  readonly folders: readonly string[];
  readonly problems: readonly Problem[];
}

type Shelving = Pick<Shelf, "folders" | "allowed">;

function locate({ folders, allowed }: Shelving, reads: (path: string) => void): Located {
  const problems: Problem[] = [];
  const listed: string[] = [];
  const places: Owned[] = [];
  const roots = new Set(folders.map(({ path }) => path));
  const list = (path: string, root: Folder & { readonly rank: number }, folder: string) => {
    reads(path);
    listed.push(path);
    const isSystem = root.scope === "builtin" && folder === "system";
    for (const entry of entriesOf(path, problems)) {
      const { name: entryName } = entry;
      if (entryName.startsWith(".")) continue;
      const file = `${path}/${entryName}`;
      if (entryName.endsWith(".md") && entryName !== "README.md") {
        const name = nameOf(entryName);
        const rank = isSystem && !allowed.has(name) ? systemRank : root.rank;
        places.push({ name, file, folder, scope: root.scope, rank });
      }
      if (entry.isSymbolicLink() && isFolder(file)) {
        const why = "Put the folder itself here, or name it under prompts.team in your config.json.";
        problems.push({ file, message: `${file}: a link to a folder is not followed`, next: [{ why }] });
      }
      if (entry.isDirectory() && !passedOver.has(entryName) && !roots.has(file)) {
        list(file, root, path === root.path ? entryName : folder);
      }
    }
  };
  for (const [rank, { scope, path }] of folders.entries()) {
    list(path, { scope, path, rank }, "");
    if (scope !== "team" || existsSync(path)) continue;
    const why = "Check the team's prompts out there, or take the folder out of prompts.team in config.json.";
    problems.push({ file: path, message: `${path}: there is no such folder`, next: [{ why }] });
  }
  const owners = new Map<string, Owned>();
  for (const place of places) {
    const known = owners.get(place.name);
    if (!known || comesBefore(place, known)) owners.set(place.name, place);
  }
  const owned = [...owners.keys()].sort().map((name) => owners.get(name)!);
  return { places, owners, owned, files: owned.map(({ file }) => file), folders: listed, problems };
}

/** The templates are no prompts yet, and what is installed beside prompts is none. */
const passedOver = new Set(["templates", "node_modules"]);

function comesBefore(a: Owned, b: Owned): boolean {
  return a.rank === b.rank ? a.file < b.file : a.rank < b.rank;
}

function nameOf(file: string): string {
  const stem = file.slice(0, -".md".length);
  return stem.includes("-") ? stem.replaceAll("-", "_") : stem;
}

/** What a file's path says of it. Of folders inside each other the inner one counts. */
function placeOf(file: string, { folders, allowed }: Shelving): Owned {
  let rank = -1;
  for (const [index, { path }] of folders.entries()) {
    const isInner = rank === -1 || path.length > folders[rank]!.path.length;
    if (isInner && file.startsWith(path) && file[path.length] === "/") rank = index;
  }
  const { scope, path } = folders[rank]!;
  const inner = file.slice(path.length + 1);
  const slash = inner.indexOf("/");
  const folder = slash === -1 ? "" : inner.slice(0, slash);
  const name = nameOf(inner.slice(inner.lastIndexOf("/") + 1));
  const isSystem = scope === "builtin" && folder === "system" && !allowed.has(name);
  return { name, file, folder, scope, rank: isSystem ? systemRank : rank };
}

function entriesOf(folder: string, problems: Problem[]): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (code !== "ENOENT") {
      const message = `${folder}: cannot be listed (${code})`;
      problems.push({ file: folder, message, next: [{ why: "Check that it is a folder and that you may list it." }] });
    }
    return [];
  }
}
