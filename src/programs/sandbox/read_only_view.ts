import fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { unlessRefused } from "../../util/errors.ts";
import type { World } from "../../util/world.ts";
import { follow, isInside, statsOf } from "../../workspace/place.ts";

/** What a command that is tried sees of this machine: nothing but these places, and all of them read-only. */
export interface ReadOnlyView {
  readonly root: string;
  /** Empty at first and writable, or undefined where the workspace holds it. */
  readonly home: string | undefined;
  /** Files and folders, without links in their paths. */
  readonly places: readonly string[];
  /** Links outside these places that lead to one of them, as [where it leads, its path]. */
  readonly links: readonly (readonly [string, string])[];
  /** The PATH, without links. */
  readonly path: string;
}

/** Where a command may write, in bytes; together 256 MB. The kernel refuses what goes beyond. */
const homeBytes = 96 * 2 ** 20;
const temporaryBytes = 144 * 2 ** 20;
const sharedMemoryBytes = 16 * 2 ** 20;
export const writableBytes = homeBytes + temporaryBytes + sharedMemoryBytes;

/** `programs` are files that the sandbox itself needs. */
export function readOnlyView(root: string, env: World["env"], programs: readonly string[]): ReadOnlyView {
  const home = realPath(env["HOME"] ?? "");
  const toolchains = home === undefined ? [] : toolchainsInHome.map((name) => join(home, name));
  const inPath = [...new Set((env["PATH"] ?? "").split(":").flatMap((folder) => realPath(folder) ?? []))];
  const known = [root, ...system, ...system.flatMap((path) => realPath(path) ?? [])];
  const isKnown = (path: string) => known.some((place) => isInside(place, path));
  const own = inPath.filter((folder) => !isKnown(folder));
  // Also what a link in a folder of the system leads to: /usr/local/bin/node → /srv/node/bin/node.
  const linked = inPath.flatMap(linksIn).filter((path) => !isKnown(path));
  const beside = [...own, ...linked.map((path) => dirname(path))].flatMap((folder) => besideBin(folder, home));
  const wanted = [...toolchains, ...own, ...beside, ...linked, ...programs];
  const places = wanted.flatMap((path) => realPath(path) ?? []);
  // A folder that holds the home or the workspace would show all that lies in there.
  const isTooWide = (path: string) => [root, home ?? root].some((inner) => isInside(path, inner));
  const shown = [...new Set(places.filter((path) => !isKnown(path) && !isTooWide(path)))].sort();
  return {
    root,
    home: home === undefined || home === "/" || home === "/tmp" || isInside(root, home) ? undefined : home,
    places: shown,
    links: [...new Set([...toolchains, ...linked])].flatMap((path) => {
      const real = realPath(path);
      return real === undefined || real === path || [root, ...shown].some((place) => isInside(place, path))
        ? []
        : [[real, path] as const];
    }),
    path: inPath.join(":"),
  };
}

/**
 * The words of a call of bubblewrap with this view in place of the whole machine. What the call hides or protects in
 * one of these places stays so.
 */
export function withReadOnlyView(words: readonly string[], view: ReadOnlyView, emptyFolder: string): string[] {
  const { root, home, places, links } = view;
  const shown = [...system, ...places, root];
  const isShown = (path: string) => shown.some((place) => isInside(place, path));
  const kept: string[] = [];
  const masks: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const [word = "", first = "", second = ""] = words.slice(at, at + 3);
    if (word === "--bind" || word === "--ro-bind") {
      if (word === "--ro-bind" && second !== "/" && isShown(second)) masks.push(word, first, second);
      at += 2;
    } else if (word === "--tmpfs") {
      // Such a folder would be writable without a limit.
      if (isShown(first)) masks.push("--ro-bind", emptyFolder, first);
      at += 1;
    } else kept.push(word);
  }
  const limited = (bytes: number, path: string) => ["--size", String(bytes), "--tmpfs", path];
  return [
    ...kept,
    ...limited(sharedMemoryBytes, "/dev/shm"),
    "--remount-ro",
    "/dev",
    ...system.flatMap((path) => ["--ro-bind-try", path, path]),
    ...limited(temporaryBytes, "/tmp"),
    ...(home === undefined ? [] : limited(homeBytes, home)),
    ...[...places, root].flatMap((path) => ["--ro-bind", path, path]),
    ...links.flatMap(([real, path]) => ["--symlink", real, path]),
    ...masks,
    "--remount-ro",
    "/",
  ];
}

function realPath(path: string): string | undefined {
  const way = path.startsWith("/") ? follow(path) : "is not absolute";
  return typeof way === "string" || way.missing.length > 0 ? undefined : way.real;
}

/**
 * What programs in a folder `bin` need: the folders of their installation next to it. A folder `shims` holds scripts that
 * start the version which a version manager (pyenv, rbenv, asdf …) chose; its versions lie next to it.
 */
function besideBin(folder: string, home: string | undefined): string[] {
  const prefix = dirname(folder);
  if (basename(folder) === "shims") return [prefix];
  // Next to these lies what has nothing to do with their programs, e.g. the user's own code in ~/go/src.
  const isShared = ["", ".local", "go"].some((name) => prefix === join(home ?? "/", name));
  const parts = isShared ? ["lib"] : ["lib", "lib64", "libexec", "include", "share", "pkg", "src", "conf"];
  return basename(folder) === "bin" ? parts.map((name) => join(prefix, name)) : [];
}

/** All paths on the way of each link in a folder of PATH: tools/run → /srv/run → v2/run gives /srv/run and /srv/v2/run. */
function linksIn(folder: string): string[] {
  const links = entriesOf(folder).flatMap((entry) => (entry.isSymbolicLink() ? [join(folder, entry.name)] : []));
  // A link to another one in the same folder adds nothing: that one is looked at by itself.
  return links.flatMap((link) => (fs.readlinkSync(link).includes("/") ? wayOf(link) : []));
}

function wayOf(link: string, most = 40): string[] {
  if (most === 0 || !statsOf(link)?.isSymbolicLink()) return [];
  const next = resolve(realPath(dirname(link)) ?? "/", fs.readlinkSync(link));
  return [next, ...wayOf(next, most - 1)];
}

/** What cannot be read has no programs for us. */
function entriesOf(folder: string): fs.Dirent[] {
  return unlessRefused(() => fs.readdirSync(folder, { withFileTypes: true })) ?? [];
}

const words = (list: string) => list.trim().split(/\s+/);

const system = words(`
  /usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc /opt /sys /nix/store /gnu/store /snap /run/current-system
  /home/linuxbrew/.linuxbrew`);

/** Caches of dependencies and installed languages. Credentials in them are hidden as they are from every command. */
const toolchainsInHome = words(`
  .cargo .rustup .rye .nvm .fnm .volta .nodenv .pyenv .rbenv .rvm .goenv .jenv .phpenv .asdf .sdkman .bun .deno .ghcup
  .juliaup .opam .elan go/pkg/mod go/bin .m2/repository .m2/wrapper .gradle/caches .gradle/wrapper .gradle/jdks
  .npm/_cacache .nuget/packages .gem/ruby .bundle/cache .ivy2/cache .sbt/boot .coursier .cabal/packages .cabal/store
  .stack .hex/packages .mix .pub-cache .composer/vendor .config/composer/vendor miniconda3 anaconda3 .conda .local/lib
  .local/share/pnpm .local/share/uv .local/share/mise .local/share/fnm .local/share/pipx .local/share/virtualenvs
  .cache/pip .cache/uv .cache/composer .cache/coursier .cache/yarn .cache/pypoetry/virtualenvs .cache/deno`);
