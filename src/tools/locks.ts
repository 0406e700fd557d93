import { isRecord, parseJson } from "../util/json.ts";
import type { Wanted } from "./manifest.ts";
import { readToml } from "./toml.ts";

/** `folder` is where a manifest lies, seen from the lock file; it is empty beside it. */
export interface Lock {
  /** Whether it is the lock file of the manifest there. */
  covers(folder: string): boolean;
  version(wanted: Wanted, folder: string): string | undefined;
}

/** The lock files of a kind of manifest, the first that is there counts. */
export const lockFiles: Readonly<Record<string, readonly (readonly [name: string, read: (text: string) => Lock])[]>> = {
  node: [
    ["package-lock.json", packageLock],
    ["npm-shrinkwrap.json", packageLock],
    ["pnpm-lock.yaml", pnpmLock],
    ["yarn.lock", yarnLock],
  ],
  php: [["composer.lock", composerLock]],
  python: [
    ["poetry.lock", tomlLock],
    ["uv.lock", tomlLock],
    ["Pipfile.lock", pipfileLock],
  ],
};

function packageLock(text: string): Lock {
  const json = parseJson(text);
  const packages = isRecord(json) ? json["packages"] : undefined;
  const old = isRecord(json) ? json["dependencies"] : undefined;
  return {
    covers: (folder) => folder === "" || (isRecord(packages) && Object.hasOwn(packages, folder)),
    version({ name }, folder) {
      const own = folder === "" ? undefined : versionIn(packages, `${folder}/node_modules/${name}`);
      return own ?? versionIn(packages, `node_modules/${name}`) ?? versionIn(old, name);
    },
  };
}

/** By lines: what its importers have, or in old ones what its only importer has. */
function pnpmLock(text: string): Lock {
  const versions = new Map<string, string>();
  const importers = new Set(["."]);
  let importer = ".";
  let inImporters = false;
  let listing = false;
  let name = "";
  for (const line of text.split(/\r?\n/)) {
    const [, spaces = "", key = "", value = ""] = /^( *)(?:'|")?([^'":\s]+)(?:'|")?:(?: +(.*))?$/.exec(line) ?? [];
    const depth = spaces.length - (inImporters ? 4 : 0);
    if (key === "") continue;
    if (spaces === "") {
      inImporters = key === "importers";
      listing = !inImporters && /^(?:dev|optional)?dependencies$/i.test(key);
    } else if (inImporters && spaces.length === 2) {
      importer = key;
      importers.add(key);
    } else if (inImporters && depth === 0) listing = /^(?:dev|optional)?dependencies$/i.test(key);
    else if (listing && depth === 2) {
      name = key;
      if (value !== "") versions.set(`${importer} ${name}`, bare(value));
    } else if (listing && depth === 4 && key === "version") versions.set(`${importer} ${name}`, bare(value));
  }
  const named = (folder: string) => (folder === "" ? "." : folder);
  return {
    covers: (folder) => importers.has(named(folder)),
    version: (wanted, folder) => versions.get(`${named(folder)} ${wanted.name}`),
  };
}

/** Such as 4.18.2(react@18.0.0) without what it was resolved with. */
function bare(version: string): string {
  return version.replaceAll(/['"]/g, "").replace(/[(_].*$/, "");
}

function yarnLock(text: string): Lock {
  const versions = new Map<string, string>();
  let names: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (/^[^\s#]/.test(line)) names = line.replace(/:$/, "").split(", ").map(unquoted);
    const version = /^ {2}version:? "?([^"\s]+)"?$/.exec(line)?.[1];
    if (version !== undefined) for (const name of names) versions.set(name, version);
  }
  return {
    covers: () => true,
    version: ({ name, range }) => versions.get(`${name}@${range}`) ?? versions.get(`${name}@npm:${range}`),
  };
}

function unquoted(text: string): string {
  return text.replaceAll('"', "");
}

function composerLock(text: string): Lock {
  const json = parseJson(text);
  const versions = new Map<string, string>();
  for (const key of ["packages", "packages-dev"]) {
    const packages = isRecord(json) ? json[key] : undefined;
    for (const one of Array.isArray(packages) ? packages : []) {
      if (!isRecord(one) || typeof one["name"] !== "string" || typeof one["version"] !== "string") continue;
      versions.set(one["name"].toLowerCase(), one["version"]);
    }
  }
  return { covers: isBeside, version: ({ name }) => versions.get(name.toLowerCase()) };
}

function tomlLock(text: string): Lock {
  const versions = new Map<string, string>();
  for (const [table, keys] of readToml(text)) {
    const [name, version] = [keys.get("name"), keys.get("version")];
    if (!/^package\.\d+$/.test(table) || typeof name !== "string" || typeof version !== "string") continue;
    versions.set(pythonName(name), version);
  }
  return { covers: () => true, version: ({ name }) => versions.get(pythonName(name)) };
}

function pipfileLock(text: string): Lock {
  const json = parseJson(text);
  const parts = ["default", "develop"].map((key) => (isRecord(json) ? json[key] : undefined));
  return {
    covers: isBeside,
    version: ({ name }) =>
      parts.flatMap((part) => versionIn(part, pythonName(name)) ?? []).map((version) => version.replace(/^==/, ""))[0],
  };
}

function isBeside(folder: string): boolean {
  return folder === "";
}

/** As package indexes compare names, and without what stands in brackets. */
function pythonName(name: string): string {
  return name
    .replace(/\[.*$/, "")
    .toLowerCase()
    .replaceAll(/[-_.]+/g, "-");
}

function versionIn(packages: unknown, name: string): string | undefined {
  const entry = isRecord(packages) && Object.hasOwn(packages, name) ? packages[name] : undefined;
  return isRecord(entry) && typeof entry["version"] === "string" ? entry["version"] : undefined;
}
