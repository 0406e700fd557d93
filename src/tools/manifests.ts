import { posix } from "node:path";
import { isRecord, parseJson } from "../util/json.ts";
import { withinMs } from "../util/within.ts";
import { readToml } from "./toml.ts";

/** How the manifests of one package manager are read. A path such as "dependency-groups.*" means each key there. */
export interface Format {
  readonly kind: "node" | "php" | "python" | "rust" | "go" | "ruby";
  readonly read: (text: string) => unknown;
  /** What a manifest demands besides packages, and what it is. */
  readonly about?: readonly string[];
  readonly packages: readonly string[];
  readonly scripts?: readonly string[];
  /** What finds name and version of each package in a lock file. */
  readonly locks?: Readonly<Record<string, RegExp>>;
}

export interface Manifest {
  readonly about: readonly Group[];
  readonly packages: readonly Group[];
  readonly scripts: readonly Group[];
}

interface Group {
  readonly name: string;
  readonly entries: readonly Entry[];
}

/** `text` is all that the manifest says of it, such as a range. */
interface Entry {
  readonly name: string;
  readonly text: string;
}

const npmLock =
  /"(?:(?!node_modules\/)[^"\n])*node_modules\/((?:@[^/"\n]+\/)?[^/"\n]+)":\s*\{\s*"version":\s*"([^"\n]+)"/g;
const tomlLock = /^name = "([^"\n]+)"\r?\nversion = "([^"\n]+)"/gm;

const formats: Readonly<Record<string, Format>> = {
  "package.json": {
    kind: "node",
    read: parseJson,
    about: ["engines", "packageManager", "workspaces", "workspaces.packages"],
    packages: ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"],
    scripts: ["scripts"],
    locks: {
      "package-lock.json": npmLock,
      "npm-shrinkwrap.json": npmLock,
      "pnpm-lock.yaml": /^ {2}'?\/?(@?[^@'\s:(]+?)[@/](\d[^'\s:(_]*)/gm,
      "yarn.lock": /^"?(@?[^@"\n]+)@[^\n]*:\r?\n {2}version:? "?([^"\s]+)"?/gm,
    },
  },
  "composer.json": {
    kind: "php",
    read: parseJson,
    packages: ["require", "require-dev"],
    scripts: ["scripts"],
    locks: { "composer.lock": /"name":\s*"([^"\n/]+\/[^"\n]+)",\s*"version":\s*"([^"\n]+)"/g },
  },
  "pyproject.toml": {
    kind: "python",
    read: readToml,
    about: ["project.requires-python"],
    packages: [
      "project.dependencies",
      "project.optional-dependencies.*",
      "dependency-groups.*",
      "tool.poetry.dependencies",
      "tool.poetry.dev-dependencies",
      "tool.poetry.group.*.dependencies",
    ],
    scripts: ["project.scripts", "tool.poetry.scripts"],
    locks: { "uv.lock": tomlLock, "poetry.lock": tomlLock },
  },
  "requirements.txt": {
    kind: "python",
    read: (text) => ({ requirements: linesOf(text, /^[ \t]*([^#\s](?:[^#\n]|(?<=\S)#)*)/gm) }),
    packages: ["requirements"],
  },
  "Cargo.toml": {
    kind: "rust",
    read: readToml,
    about: ["package.edition", "package.rust-version", "workspace.members"],
    packages: ["dependencies", "dev-dependencies", "build-dependencies", "workspace.dependencies"],
    locks: { "Cargo.lock": tomlLock },
  },
  "go.mod": {
    kind: "go",
    read: (text) => ({
      go: linesOf(text, /^go (\S+)/gm),
      require: linesOf(text, /^\s*(?:require )?([^\s()]+) (v\d\S*(?: \/\/ indirect)?)\s*$/gm),
    }),
    about: ["go"],
    packages: ["require"],
  },
  Gemfile: {
    kind: "ruby",
    read: (text) => ({ gem: linesOf(text, /^\s*gem\s+["']([^"'\n]+)["'](?:\s*,\s*["']([^"'\n]+)["'])?/gm) }),
    packages: ["gem"],
    locks: { "Gemfile.lock": /^ {4}(\S+) \(([^)\n]+)\)/gm },
  },
};

export const manifestNames = Object.keys(formats).join(", ");

/** Undefined where a file of this name is no manifest. `requirements-dev.txt` counts as well. */
export function formatOf(path: string): Format | undefined {
  const name = posix.basename(path).replace(/^requirements[\w.-]*\.txt$/, "requirements.txt");
  return Object.hasOwn(formats, name) ? formats[name] : undefined;
}

/** Undefined where a file cannot be understood, or takes too long. */
export function readManifest(format: Format, text: string): Manifest | undefined {
  const read = withinMs(limitMs, () => {
    const data = format.read(text);
    const groups = (paths: readonly string[] = [], colon = "") =>
      paths.flatMap((path) => groupsAt(data, path.split("."), colon));
    if (!isRecord(data)) return undefined;
    return { about: groups(format.about), packages: groups(format.packages), scripts: groups(format.scripts, ":") };
  });
  return read?.value;
}

/** The versions of each package in a lock file, several where two parts of it need different ones. */
export function lockedVersions({ kind, locks = {} }: Format, lock: string, text: string) {
  const same = (name: string) => (kind === "node" ? name : name.toLowerCase().replaceAll(/[-_.]+/g, "-"));
  const read = withinMs(limitMs, () => [...text.matchAll(locks[lock]!)]);
  const found = read && Map.groupBy(read.value, ([, name = ""]) => same(name));
  return found && ((name: string) => [...new Set((found.get(same(name)) ?? []).map(([, , version = ""]) => version))]);
}

const limitMs = 300;

function groupsAt(value: unknown, [key, ...rest]: readonly string[], colon: string, name = ""): Group[] {
  if (key === undefined) return [{ name: name.slice(1), entries: entriesOf(value, colon) }];
  if (!isRecord(value)) return [];
  const keys = key === "*" ? Object.keys(value) : Object.hasOwn(value, key) ? [key] : [];
  return keys.flatMap((each) => groupsAt(value[each], rest, colon, `${name}.${each}`));
}

function entriesOf(value: unknown, colon: string): Entry[] {
  if (isRecord(value)) {
    return Object.entries(value).map(([name, each]) => ({ name, text: `${name}${colon} ${textOf(each)}`.trim() }));
  }
  return [value].flat().flatMap((each) => (typeof each === "string" ? [{ name: nameIn(each), text: each }] : []));
}

/** Of a table, those parts that say which version or source is wanted. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.filter((each) => typeof each === "string").join(", ");
  if (!isRecord(value)) return String(value);
  return ["version", "git", "path", "url"]
    .flatMap((key) => (typeof value[key] === "string" ? [key === "version" ? value[key] : `${key} ${value[key]}`] : []))
    .join(" ");
}

/** `requests[security]>=2.8` → "requests" */
function nameIn(text: string): string {
  return /^[\w@][\w./@-]*/.exec(text)?.[0] ?? text;
}

function linesOf(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, ...parts]) =>
    parts
      .filter((part) => part !== undefined)
      .join(" ")
      .trim(),
  );
}
