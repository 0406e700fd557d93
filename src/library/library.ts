import { type Dirent, readdir } from "node:fs";
import { basename, relative, resolve } from "node:path";
import { systemCode, UserError } from "../util/errors.ts";
import { type Place, type Prompt, promptName, readPrompt, type Scope } from "./prompt.ts";
import { remember } from "./remember.ts";

export type Folder = { readonly scope: Scope; readonly path: string };
export type Problem = { readonly file: string; readonly message: string; readonly hint: string };

/**
 * A name belongs to the first file called so: earlier folders win, but nothing wins over `system/` of the builtin
 * scope. A broken file keeps its name, so no prompt silently stands in for another, and whatever `all` lists `find`
 * finds. A file that changed counts from the next call on; one that did not is not read again.
 */
export interface Library {
  find(name: string): Promise<Prompt>;
  all(): Promise<{ prompts: Prompt[]; problems: Problem[] }>;
}

export function openLibrary(folders: readonly Folder[]): Library {
  const places = remember<Found>();
  const prompts = remember<Prompt>();
  const shelf: Shelf = {
    folders,
    places: () => places("all", (reads) => locate(folders, reads)),
    read: (place) =>
      prompts(`${place.scope} ${place.file}`, (reads) => {
        reads(place.file);
        return readPrompt(place);
      }),
  };
  return { find: (name) => findPrompt(shelf, name), all: () => readAll(shelf) };
}

interface Shelf {
  readonly folders: readonly Folder[];
  places(): Promise<Found>;
  read(place: Place): Promise<Prompt>;
}

async function findPrompt({ folders, places: locate, read }: Shelf, wanted: string): Promise<Prompt> {
  const name = promptName(wanted);
  const { places, problems } = await locate();
  const owner = name && places.find((place) => place.name === name);
  if (owner) return read(owner);
  const short = wanted.slice(0, 60);
  const near = [...new Set(places.map((place) => place.name).filter(promptName))]
    .map((name) => ({ name, distance: editDistance(short, name) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
  const empty = `There are no prompts in ${folders.map(({ path }) => path).join(", ")}.`;
  const hint = near.length > 0 ? `The nearest names: ${near.slice(0, 3).join(", ")}.` : empty;
  const unlisted = problems.map(({ message }) => ` ${message}.`).join("");
  throw new UserError("unknown_prompt", `No prompt is called ${JSON.stringify(short)}.${unlisted}`, hint);
}

async function readAll(shelf: Shelf): Promise<{ prompts: Prompt[]; problems: Problem[] }> {
  const { places, problems: unlisted } = await shelf.places();
  const problems = [...unlisted];
  const owners = new Map<string, Located>();
  for (const place of places) {
    const owner = owners.get(place.name);
    if (!owner) owners.set(place.name, place);
    else if (owner.rank === place.rank || owner.rank === systemRank) {
      const message = `${place.file}:1: the name ${place.name} is taken by ${owner.file}`;
      const hint = "Rename this file; prompts under system/ cannot be replaced.";
      problems.push({ file: place.file, message, hint });
    }
  }
  const prompts: Prompt[] = [];
  const waiting = owners.values();
  const work = async () => {
    for (const place of waiting) {
      try {
        prompts.push(await shelf.read(place));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        problems.push({ file: place.file, message: error.message, hint: error.hint });
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  prompts.sort((a, b) => (a.name < b.name ? -1 : 1));
  problems.sort((a, b) => (a.file < b.file ? -1 : 1));
  return { prompts, problems };
}

type Located = Place & { readonly name: string; readonly rank: number };
const systemRank = -1;

type Found = { readonly places: readonly Located[]; readonly problems: readonly Problem[] };

/** Every file that could be a prompt, owners of a name first. */
async function locate(folders: readonly Folder[], reads: (path: string) => void): Promise<Found> {
  const { default: glob } = await import("fast-glob");
  const problems: Problem[] = [];
  // fast-glob either gives up at a folder it cannot list or says nothing about it.
  const list = (path: string, options: object, done: (error: Error | null, entries: Dirent[]) => void) => {
    reads(path);
    readdir(path, { ...options, withFileTypes: true }, (error, entries) => {
      const code = systemCode(error);
      const message = `${path}: cannot be listed (${code})`;
      const hint = "Check that it is a folder and that you may list it.";
      if (code && code !== "ENOENT") problems.push({ file: path, message, hint });
      done(error, entries);
    });
  };
  const search = async ({ scope, path }: Folder, index: number): Promise<Located[]> => {
    const others = folders.map((other) => relative(path, other.path));
    const nested = others.filter((inner) => inner && !inner.startsWith(".."));
    const found = await glob("**/*.md", {
      cwd: resolve(path),
      ignore: ["**/templates/**", "**/README.md", ...nested.map((inner) => `${glob.escapePath(inner)}/**`)],
      onlyFiles: false,
      followSymbolicLinks: false,
      suppressErrors: true,
      fs: { readdir: list as never },
    });
    return found.sort().map((inner) => {
      const [folder = "", ...rest] = inner.split("/");
      const rank = scope === "builtin" && folder === "system" && rest.length > 0 ? systemRank : index;
      const name = basename(inner, ".md").replaceAll("-", "_");
      return { name, file: resolve(path, inner), folder: rest.length > 0 ? folder : "", scope, rank };
    });
  };
  const places = (await Promise.all(folders.map(search))).flat().sort((a, b) => a.rank - b.rank);
  return { places, problems };
}

function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line++) {
    const next = [line];
    for (let column = 1; column <= to.length; column++) {
      const replaced = row[column - 1]! + (from[line - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
