import { type Dirent, existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { crc32 } from "node:zlib";
import { type Entry, type Hit, type IndexFile, inMemory, openIndexFile } from "../store/index_file.ts";
import { editDistance } from "../util/distance.ts";
import { systemCode, UserError } from "../util/errors.ts";
import { isFolder } from "../util/files.ts";
import { asJson } from "../util/json.ts";
import type { Next } from "../util/next.ts";
import { promptName, type Scope } from "./names.ts";
import type { Listed, Place, Prompt } from "./prompt.ts";
import { readPrompt } from "./read_prompt.ts";
import { remember } from "./remember.ts";
import { type SearchResult, searchPrompts } from "./search.ts";

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
  search(query: string, limit: number): Promise<SearchResult>;
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
  // Under which the index keeps these very folders.
  const kind = `prompt:${crc32(JSON.stringify([folders, allowed]))}`;
  const located = remember<Located>();
  const prompts = remember<Prompt>();
  let last: { readonly now: Located; readonly at: number; readonly listing: Listing } | undefined;
  const locateAll = () => located("all", async (reads) => locate(folders, allowed, reads));

  async function list(now?: Located): Promise<Listing> {
    const { owned, problems, ...rest } = now ?? (await locateAll());
    const files = owned.map(({ file }) => file);
    const values = (await index.sync(kind, files, (at) => entryOf(owned[at]!))) as unknown as Kept[];
    const broken = values.flatMap((value, at) => ("message" in value ? { file: files[at]!, ...value } : []));
    const all = [...problems, ...takenNames(rest), ...broken].sort((a, b) => (a.file < b.file ? -1 : 1));
    return { prompts: values.flatMap((value, at) => listedOf(value, owned[at])), problems: all };
  }

  return {
    async find(wanted) {
      const name = promptName(wanted);
      const now = await locateAll();
      const owner = name && now.owners.get(name);
      if (!owner) throw unknownPrompt(wanted, now, folders);
      return prompts(`${owner.scope} ${owner.file}`, (reads) => {
        reads(owner.file);
        return readPrompt(owner);
      });
    },
    all: () => list(),
    async lately() {
      const now = await locateAll();
      const stands = last?.now === now && Math.abs(Date.now() - last.at) < 1000;
      if (!last || !stands) last = { now, at: Date.now(), listing: await list(now) };
      return last.listing;
    },
    async search(query, limit) {
      const now = await locateAll();
      const owned = new Map(now.owned.map((place) => [place.file, place]));
      const withPlace = ({ file, value }: Hit) => listedOf(value as unknown as Kept, owned.get(file));
      const look = () => searchPrompts(index, kind, query, limit, withPlace);
      const found = look();
      if (!found.isStale && index.covers(kind, [...owned.keys()])) return found;
      await list(now);
      return look();
    },
    async places(name) {
      const { places } = await locateAll();
      return places.filter((place) => place.name === promptName(name)).sort((a, b) => (comesBefore(a, b) ? -1 : 1));
    },
  };
}

function unknownPrompt(wanted: string, { owners, problems }: Located, folders: readonly Folder[]): UserError {
  const short = wanted.slice(0, 60);
  const near = [...owners.keys()]
    .filter(promptName)
    .map((name) => ({ name, distance: editDistance(short, name) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
  const empty = `There are no prompts in ${folders.map(({ path }) => path).join(", ")}.`;
  const hint = near.length > 0 ? `The nearest names: ${near.slice(0, 3).join(", ")}.` : empty;
  const unlisted = problems.map(({ message }) => ` ${message}.`);
  const message = `No prompt is called ${JSON.stringify(short)}.${unlisted.join("")}`;
  return new UserError("unknown_prompt", message, hint);
}

/** Files whose names belong to others in the same folder, or to a system prompt. */
function takenNames({ places, owners }: Pick<Located, "places" | "owners">): Problem[] {
  return places.flatMap((place) => {
    const { name, file } = place;
    const owner = owners.get(name)!;
    if (owner === place || (owner.rank !== place.rank && owner.rank !== systemRank)) return [];
    const allow = `Rename this file, or allow it by name in your own config.json: "prompts": {"may_replace": ["${name}"]}.`;
    const why = owner.rank === systemRank ? allow : "Rename one of the two.";
    return [{ file, message: `${file}:1: the name ${name} is taken by ${owner.file}`, next: [{ why }] }];
  });
}

/** What the index keeps of a file: what `all` tells of it, or why it cannot be read. */
type Kept = Omit<Listed, keyof Place | "name"> | Omit<Problem, "file">;

/** None for a file that cannot be read, whose name no longer belongs to it, or whose row is damaged. */
function listedOf(value: Kept, place: Owned | undefined): Listed[] {
  if (!place || !("purpose" in value && "phases" in value && "inputs" in value && "tags" in value)) return [];
  const { name, file, folder, scope } = place;
  return [{ ...value, name, file, folder, scope }];
}

async function entryOf(place: Owned): Promise<Entry> {
  const { name } = place;
  try {
    const prompt = await readPrompt(place);
    const { title, purpose, tags } = prompt;
    const { name: _name, file: _file, folder: _folder, scope: _scope, ...value } = listedPrompt(prompt);
    const uses = [...prompt.good_for, ...prompt.uncertainty_reduction, ...prompt.examples.map(String)];
    return {
      value,
      texts: [`${name} ${title ?? ""}`, `${purpose} ${tags.join(" ")}`, uses.join("\n"), prompt.body],
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { value: asJson({ message: error.message, next: error.next }) };
  }
}

/** A prompt as `all` lists it. */
export function listedPrompt(prompt: Prompt) {
  const { name, file, folder, scope, title, purpose, cost_estimate, phases, tools, model, tags } = prompt;
  const inputs = Object.entries(prompt.inputs).map(([input, { required }]) => (required ? input : `${input}?`));
  const listed = { name, file, folder, scope, purpose, cost_estimate, phases, inputs, tools, model, tags };
  return { ...listed, phases: [...phases], tags: [...tags], ...(title === undefined ? {} : { title }) };
}

type Owned = Place & { readonly name: string; readonly rank: number };
const systemRank = -1;

interface Located {
  /** Every file that could be a prompt. */
  readonly places: readonly Owned[];
  readonly owners: ReadonlyMap<string, Owned>;
  /** The owners by name. */
  readonly owned: readonly Owned[];
  readonly problems: readonly Problem[];
}

/** Says `reads(path)` of each folder before it lists it. */
export function locate(
  folders: readonly Folder[],
  allowed: readonly string[] = [],
  reads: (path: string) => void = () => undefined,
): Located {
  const problems: Problem[] = [];
  const places: Owned[] = [];
  const roots = new Set(folders.map(({ path }) => path));
  const list = (path: string, root: Folder & { readonly rank: number }, folder: string) => {
    reads(path);
    const isSystem = root.scope === "builtin" && folder === "system";
    for (const entry of entriesOf(path, problems)) {
      const { name: entryName } = entry;
      if (entryName.startsWith(".")) continue;
      const file = `${path}/${entryName}`;
      if (entryName.endsWith(".md") && entryName !== "README.md") {
        const name = nameOf(entryName);
        const rank = isSystem && !allowed.includes(name) ? systemRank : root.rank;
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
  return { places, owners, owned, problems };
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
