import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../util/errors.ts";
import { follow } from "./place.ts";

/** A link is moved as a link. Undefined: it is gone, since another chain in this workspace moved it. */
export function setAside(root: string, path: string, folder: string): string | undefined {
  const from = join(root, path);
  const parent = follow(dirname(from));
  if (typeof parent !== "string" && parent.missing.length > 0) return undefined;
  if (typeof parent === "string" || parent.real !== dirname(from)) {
    throw new Error(`${path} lies behind a link.`);
  }
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const to = free(join(folder, basename(path).replace(/^\.+/, "")));
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) !== "EXDEV") throw error;
    fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    fs.rmSync(from, { recursive: true });
  }
  return to;
}

function free(path: string): string {
  for (let number = 1; ; number++) {
    const candidate = `${path}-${number}`;
    if (fs.lstatSync(candidate, { throwIfNoEntry: false }) === undefined) return candidate;
  }
}
