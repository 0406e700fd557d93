import { z } from "zod";
import { firstLine, withRepository } from "../programs/git/git_folder.ts";
import type { Repository } from "../programs/git/git_folder.ts";
import { count } from "../util/count.ts";
import { closedBecause, relativePath } from "../workspace/place.ts";
import type { Refused } from "../workspace/place.ts";
import { linesOf } from "./search.ts";
import { tool } from "./tool.ts";
import type { Plan } from "./types.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { cutLine, linesWithin } from "../util/shorten.ts";

const limits = {
  bytes: 20_000,
  printed: 4_000_000,
  lineCharacters: 300,
  blamed: 150,
  named: 100,
  patched: 50,
  fresh: 20,
};

const revision = z
  .string()
  .refine(
    (text) => /^\w[\w./@{}~^+-]{0,200}$/.test(text) && !text.includes(".."),
    "A revision is one point, a name or a hash, such as HEAD~2, main or 1a2b3c4.",
  );

export const gitLogTool = tool({
  name: "git_log",
  description:
    "List the latest commits (hash, date, author, subject), of a file or folder with `path`; `limit` is 20 unless told, at most 100.",
  needs: "read",
  input: z.strictObject({ path: z.string().optional(), limit: z.int().min(1).max(100).optional() }),
  async plan({ path = ".", limit = 20 }, { workspace }, signal) {
    const plain = relativePath(path);
    if (typeof plain !== "string") return plain;
    return withRepository(workspace, signal, async ({ top, git }) => {
      const form = [
        "--format=%h%x09%ad%x09%an%x09%s",
        "--date=short",
        "--no-decorate",
        "--no-color",
        "--no-show-signature",
      ];
      const below = plain === "." && top === workspace.root ? [] : [plain];
      const argv = ["log", `--max-count=${limit + 1}`, ...form, "--end-of-options", "HEAD", "--", ...below];
      const { end, code, stdout, stderr } = await git(argv, limits.printed);
      if (end !== "exited" || code !== 0) return refusal("log", stderr, end);
      const commits = stdout.split("\n").slice(0, -1).map(tidy);
      const more = commits.length > limit ? " There are more: raise limit (at most 100) or narrow path." : "";
      const shown = commits.slice(0, limit);
      const where = plain === "." ? "the workspace" : plain;
      return look(
        [`${count(shown.length, "commit")} of ${where}, the latest first.${more}`, ...shown],
        "git_log",
        plain,
      );
    });
  },
});

export const gitBlameTool = tool({
  name: "git_blame",
  description: "Show which commit last changed each line of a file, from line `from` to line `to`, as ranges of lines.",
  needs: "read",
  input: z.strictObject({ path: z.string(), from: z.int().min(1).optional(), to: z.int().min(1).optional() }),
  async plan({ path, from = 1, to = Infinity }, { workspace }, signal) {
    const found = workspace.read(path);
    if (found.type !== "text") return { type: "refused", text: found.text };
    const name = relativePath(path) as string;
    if (!(await opener(workspace))(name)) return { type: "refused", text: `${JSON.stringify(name)} is closed.` };
    const { length } = linesOf(found.text);
    if (from > to) return { type: "refused", text: `from (${from}) lies behind to (${to}).` };
    if (from > length) return { type: "refused", text: `${name} has only ${count(length, "line")}.` };
    const last = Math.min(to, length);
    return withRepository(workspace, signal, async ({ git }) => {
      const argv = ["blame", "--porcelain", "-L", `${from},${last}`, "--", name];
      const { end, code, stdout, stderr } = await git(argv, 10 * limits.printed);
      if (end !== "exited" || code !== 0) return refusal("blame", stderr, end);
      const rows = blamed(stdout);
      const shown = rows.slice(0, limits.blamed);
      const next = rows[shown.length];
      const cut = next === undefined ? "" : ` Cut here; go on with from: ${next.from}.`;
      const title = `${name}, lines ${from} to ${next === undefined ? last : next.from - 1}, by commit.${cut}`;
      const texts = shown.map(({ from: first, to: end, text }) => `${first}${first === end ? "" : `-${end}`}\t${text}`);
      return look([title, ...texts], "git_blame", name);
    });
  },
});

export const gitDiffTool = tool({
  name: "git_diff",
  description:
    "Show what changed from commit `from` (HEAD unless told) to commit `to` (the files as they are unless told), in one file or folder with `path`. Shows at most 20 KB.",
  needs: "read",
  input: z.strictObject({ from: revision.optional(), to: revision.optional(), path: z.string().optional() }),
  async plan({ from = "HEAD", to, path = "." }, { workspace }, signal) {
    const plain = relativePath(path);
    if (typeof plain !== "string") return plain;
    return withRepository(workspace, signal, async (repository) => {
      const commits: string[] = [];
      for (const one of to === undefined ? [from] : [from, to]) {
        const hash = await commitOf(repository, one);
        if (typeof hash !== "string") return hash;
        commits.push(hash);
      }
      return difference(workspace, repository, commits, plain, `${from} to ${to ?? "the files as they are"}`);
    });
  },
});

/** Only a commit is compared: a bare object could be the content of a closed file. */
async function commitOf({ git }: Repository, name: string): Promise<string | Refused> {
  const { stdout, code } = await git(["rev-parse", "--verify", "--quiet", `${name}^{commit}`], 1000);
  const hash = stdout.trim();
  if (code === 0 && /^[0-9a-f]{40,64}$/.test(hash)) return hash;
  return { type: "refused", text: `There is no commit ${name}.` };
}

async function difference(
  workspace: Workspace,
  { git }: Repository,
  commits: readonly string[],
  path: string,
  between: string,
): Promise<Plan> {
  const plainly = ["--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--relative"];
  const diff = ["diff", ...plainly, "--ignore-submodules=dirty", "--submodule=short"];
  const counted = await git([...diff, "--numstat", "-z", ...commits, "--", path], limits.printed);
  if (counted.end !== "exited" || counted.code !== 0) return refusal("diff", counted.stderr, counted.end);
  const isOpen = await opener(workspace);
  const files = counted.stdout.split("\0").slice(0, -1).map(changeOf);
  const open = files.filter(({ name }) => isOpen(name));
  const closed = files.filter((file) => !open.includes(file));
  const named = open.slice(0, limits.named).map(({ name, added, removed }) => `+${added} -${removed} ${tidy(name)}`);
  if (open.length > named.length) named.push(`(${open.length - named.length} more files: narrow path)`);
  const left = closed.slice(0, limits.fresh).map(({ name }) => tidy(name));
  const leftOut = left.length > 0 ? [`Left out, being closed: ${listed(left, closed.length)}.`] : [];
  const fresh = commits.length === 1 ? await freshFiles(workspace, git, path) : [];
  const notYet = fresh.length > 0 ? [`Not in git yet: ${listed(fresh.slice(0, limits.fresh), fresh.length)}.`] : [];
  const patched = open.slice(0, limits.patched).map(({ name }) => name);
  const patch = patched.length > 0 ? await git([...diff, ...commits, "--", ...patched], limits.printed) : undefined;
  if (patch && patch.end !== "cut" && patch.code !== 0) return refusal("diff", patch.stderr, patch.end);
  const all = (patch?.stdout ?? "").split("\n").slice(0, -1).map(tidy);
  const lines = linesWithin(all, limits.bytes);
  const cut = lines.length < all.length;
  const isCut = cut || patch?.end === "cut" || open.length > patched.length;
  const more = isCut ? " The changes are cut: narrow path." : "";
  const title = `${count(open.length, "file")} changed from ${between}.${more}`;
  return look([title, ...named, ...leftOut, ...notYet, ...lines], "git_diff", path);
}

function changeOf(entry: string): { name: string; added: string; removed: string } {
  const [added = "", removed = "", ...name] = entry.split("\t");
  return { name: name.join("\t"), added, removed };
}

/** What is closed to reading, hidden or denied is neither listed nor there to be written. */
async function opener(workspace: Workspace): Promise<(path: string) => boolean> {
  const listed = new Set(await workspace.list());
  return (path) =>
    closedBecause(path, [], "read") === undefined &&
    (listed.has(path) || workspace.read(path, "write").type !== "refused");
}

async function freshFiles(workspace: Workspace, git: Repository["git"], path: string): Promise<string[]> {
  const { stdout } = await git(["ls-files", "-z", "--", path], 100_000_000);
  const tracked = new Set(stdout.split("\0"));
  const below = (name: string) => path === "." || name === path || name.startsWith(`${path}/`);
  return (await workspace.list()).filter((name) => below(name) && !tracked.has(name));
}

interface Blamed {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Neighbouring lines of one commit are one row; what a commit is about is said once. */
function blamed(porcelain: string): Blamed[] {
  const commits = new Map<string, Record<string, string>>();
  const rows: (Blamed & { commit: string })[] = [];
  let commit = "";
  let line = 0;
  for (const text of porcelain.split("\n")) {
    const head = /^([0-9a-f]{40,64}) \d+ (\d+)/.exec(text);
    if (head) {
      [commit = "", line] = [head[1], Number(head[2])];
      if (!commits.has(commit)) commits.set(commit, {});
    } else if (text.startsWith("\t")) {
      const before = rows.at(-1);
      if (before?.commit === commit) rows[rows.length - 1] = { ...before, to: line };
      else rows.push({ from: line, to: line, commit, text: "" });
    } else {
      const [, key = "", value = ""] = /^(\S+) (.*)$/.exec(text) ?? [];
      if (["author", "author-time", "summary"].includes(key)) (commits.get(commit) ?? {})[key] = value;
    }
  }
  const told = new Set<string>();
  return rows.map((row) => {
    const isNew = !told.has(row.commit);
    told.add(row.commit);
    return { ...row, text: tidy(commitText(row.commit, isNew ? commits.get(row.commit) : undefined)) };
  });
}

function commitText(hash: string, about: Record<string, string> | undefined): string {
  if (/^0+$/.test(hash)) return "not committed yet";
  if (about === undefined) return hash.slice(0, 8);
  const date = new Date(Number(about["author-time"]) * 1000).toISOString().slice(0, 10);
  return [hash.slice(0, 8), date, about["author"], about["summary"]].join("\t");
}

/** Without what could pass for a further line, and no longer than can be read. */
function tidy(line: string): string {
  return cutLine(line.replaceAll(/(?!\t)\p{Cc}/gu, " "), limits.lineCharacters);
}

function listed(names: readonly string[], total: number): string {
  return `${names.join(", ")}${total > names.length ? ` and ${total - names.length} more` : ""}`;
}

function look(lines: readonly string[], name: string, path: string): Plan {
  const ref = path === "." ? name : `${name} ${path}`;
  return { type: "look", text: lines.join("\n"), seen: [{ kind: "git", ref }] };
}

function refusal(what: string, stderr: string, end: Parameters<typeof firstLine>[1]): Refused {
  return { type: "refused", text: `git ${what} says: ${tidy(firstLine(stderr, end))}` };
}
