import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Deps } from "../chain/deps.ts";
import type { Library } from "../library/library.ts";
import type { IndexFile } from "../store/index_file.ts";
import { sha256 } from "../util/hash.ts";
import type { World } from "../util/world.ts";
import type { Config } from "./config.ts";
import { packageFolder, userFolders, type Home } from "./places.ts";

/** Where prompts of each scope lie, the nearest first. Without a home only those of the user and the shipped ones. */
export function promptFolders(home: Home | undefined, config: Config, env: World["env"]) {
  const own = home && home.path !== packageFolder ? [join(home.path, "prompts")] : [];
  return [
    ...own.map((path) => ({ scope: "workspace" as const, path })),
    ...config.prompts.team.map((path) => ({ scope: "team" as const, path: promptsOf(path) })),
    { scope: "user" as const, path: join(userFolders(env).config, "prompts") },
    { scope: "builtin" as const, path: join(packageFolder, "prompts") },
    { scope: "custom" as const, path: join(home?.path ?? packageFolder, config.prompts.custom_dir) },
  ];
}

export async function openPrompts(
  folders: ReturnType<typeof promptFolders>,
  config: Config,
  index: IndexFile,
): Promise<Library> {
  const { openLibrary } = await import("../library/library.ts");
  return openLibrary(folders, { index, allowed: config.prompts.may_replace });
}

/** See `Deps.lintPrompt`. */
export function promptLinter(library: Library): Deps["lintPrompt"] {
  return async (name, text, tests) => {
    const { lintPrompts } = await import("../library/lint/lint.ts");
    const { readPrompt } = await import("../library/read_prompt.ts");
    const { withCounter } = await import("../costs/estimate.ts");
    const folder = mkdtempSync(join(tmpdir(), "claude-exec-prompt-"));
    const place = { file: join(folder, `${name}.md`), folder: "", scope: "custom" as const };
    try {
      writeFileSync(place.file, text);
      if (tests !== undefined) writeFileSync(join(folder, `${name}.tests.yaml`), tests);
      const { prompts } = await library.all();
      const known = new Set(prompts.map((prompt) => prompt.name));
      const found = await withCounter((count) => lintPrompts([place], known, count, prompts));
      const wrong = found.filter(({ severity }) => severity === "error");
      const errors = wrong.map(({ file, line, what, mend }) => `${basename(file)}:${line}: ${what}. ${mend}`);
      const prompt = errors.length === 0 ? await readPrompt(place) : undefined;
      if (tests === undefined) errors.push(`There are no test cases: an artifact ${name}.tests.yaml of kind tests.`);
      if (prompt && !["none", "read"].includes(prompt.tools))
        errors.push(`It asks for the right "${prompt.tools}". A new prompt may have none or read.`);
      return { errors, prompt };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}

/** A team's checkout may hold more than prompts; then they lie in a folder called so. */
function promptsOf(checkout: string): string {
  const inside = join(checkout, "prompts");
  return existsSync(inside) ? inside : checkout;
}

/** What was read of a home's prompts and chains, in the user's cache folder. */
export async function openIndex(home: Home, env: World["env"]): Promise<IndexFile> {
  const { openIndexFile } = await import("../store/index_file.ts");
  const name = sha256(home.path).slice(0, 16);
  return openIndexFile(join(userFolders(env).cache, `${name}.sqlite`));
}
