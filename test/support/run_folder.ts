import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** The program leaves its locks behind on purpose. */
const meantToStay = /^claude-exec-lock-/;

const programs = "programs";

/**
 * All temporary files of a run lie in one folder, which goes with the run. Tests remove their own before that: what is
 * still there at the end is reported. `each_file.ts` gives every worker a part of the folder.
 */
export default function makeRunFolder(): () => void {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "claude-exec-tests-")));
  // Some tests run as another user.
  chmodSync(folder, 0o755);
  process.env["TESTS_FOLDER"] = folder;
  // It outlives the run, so that not each run compiles the program anew.
  process.env["TESTS_CACHE"] = join(tmpdir(), "claude-exec-test-cache");
  process.env["TESTS_BARE_PATH"] = pathWithoutBubblewrap(join(folder, programs));
  return () => {
    const parts = readdirSync(folder).filter((part) => part !== programs);
    const left = parts.flatMap((part) => readdirSync(join(folder, part))).filter((name) => !meantToStay.test(name));
    if (left.length > 0) console.warn(`Tests left behind in their temporary folder: ${left.join(", ")}`);
    rmSync(folder, { recursive: true, force: true });
  };
}

/** The PATH of a machine on which all is installed but bubblewrap: folders that hold it are replaced by links to the rest. */
function pathWithoutBubblewrap(folder: string): string {
  const path = (process.env["PATH"] ?? "").split(delimiter).map((from, index) => {
    if (!existsSync(join(from, "bwrap"))) return from;
    const to = join(folder, `${index}`);
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) if (name !== "bwrap") symlinkSync(join(from, name), join(to, name));
    return to;
  });
  return path.join(delimiter);
}
