import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { addWorktree } from "../../../src/programs/git/worktree.ts";
import { cleanUp, folderWith } from "../../support/folders.ts";

afterEach(cleanUp);

function git(folder: string, ...args: string[]): string {
  const who = ["-c", "user.name=x", "-c", "user.email=x@x"];
  const ran = spawnSync("git", [...who, ...args], { cwd: folder, encoding: "utf8" });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return ran.stdout.trim();
}

function repository(files: Record<string, string>, { at = "." } = {}): { root: string; target: string } {
  const folder = folderWith(Object.fromEntries(Object.entries(files).map(([path, text]) => [`ws/${path}`, text])));
  git(join(folder, "ws"), "init", "-q", "-b", "main");
  git(join(folder, "ws"), "add", "-A");
  git(join(folder, "ws"), "commit", "-qm", "one");
  return { root: join(folder, "ws", at), target: join(folder, "tree") };
}

async function refusal(root: string, target: string): Promise<string> {
  const made = await addWorktree({ root, env: process.env }, target);
  expect(fs.existsSync(target)).toBe(false);
  return "type" in made ? made.text : `made ${made.path}`;
}

/** Names and contents of git's own files, but for what it notes of worktrees. */
function gitFolderOf(root: string): string[] {
  return fs
    .readdirSync(join(root, ".git"), { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith("worktrees") && fs.lstatSync(join(root, ".git", name)).isFile())
    .map((name) => `${name} ${fs.readFileSync(join(root, ".git", name)).toString("base64")}`)
    .sort();
}

test("a worktree holds the last commit on no branch, and the repository is left as it was", async () => {
  const { root, target } = repository({ "a.txt": "a", "run.sh": "x" });
  fs.utimesSync(join(root, "a.txt"), 1, 1);
  const [before, head] = [gitFolderOf(root), git(root, "rev-parse", "HEAD")];
  const made = await addWorktree({ root, env: process.env }, target);
  expect(made).toEqual({ path: target, folder: target, head, dirty: false, linked: [] });
  expect(fs.readdirSync(target).sort()).toEqual([".git", "a.txt", "run.sh"]);
  expect([git(target, "rev-parse", "HEAD"), git(target, "branch", "--show-current")]).toEqual([head, ""]);
  expect(gitFolderOf(root)).toEqual(before);
  expect(git(root, "status", "--porcelain")).toBe("");
});

test.each([
  ["a changed file", (root: string) => fs.writeFileSync(join(root, "a.txt"), "changed")],
  ["a new file", (root: string) => fs.writeFileSync(join(root, "new.txt"), "new")],
  [
    "a file that is added but not committed",
    (root: string) => (fs.writeFileSync(join(root, "b"), "b"), git(root, "add", "b")),
  ],
])("%s is not in the worktree, and that is said", async (_, make) => {
  const { root, target } = repository({ "a.txt": "a" });
  git(root, "config", "status.showUntrackedFiles", "no");
  make(root);
  const before = gitFolderOf(root);
  expect(await addWorktree({ root, env: process.env }, target)).toMatchObject({ dirty: true });
  expect(fs.readdirSync(target).sort()).toEqual([".git", "a.txt"]);
  expect(fs.readFileSync(join(target, "a.txt"), "utf8")).toBe("a");
  expect(gitFolderOf(root)).toEqual(before);
});

test("ignored folders of dependencies lead to those of the workspace, and what belongs to the project to its own", async () => {
  const { root, target } = repository({
    ".gitignore": "node_modules/\n/vendor/\nvenv/\n",
    "packages/mine/index.js": "module.exports = 'mine';",
    "main.js": "console.log(require('theirs') + require('@all/scoped') + require('@all/mine'));",
  });
  const below = (path: string, text: string) => {
    fs.mkdirSync(join(root, path, ".."), { recursive: true });
    fs.writeFileSync(join(root, path), text);
  };
  below("node_modules/theirs/index.js", "module.exports = 'theirs ';");
  below("node_modules/@all/scoped/index.js", "module.exports = 'scoped ';");
  below("node_modules/.cache/x", "");
  below("node_modules/.package-lock.json", "{}");
  fs.symlinkSync("../../packages/mine", join(root, "node_modules/@all/mine"));
  fs.symlinkSync("../../beside", join(root, "node_modules/beside"));
  below("vendor/autoload.php", "<?php");
  below("vendor/composer/autoload_real.php", "<?php");
  below("vendor/some/lib/x.php", "<?php");
  below(".venv/bin/python", "");
  expect(await addWorktree({ root, env: process.env }, target)).toMatchObject({
    linked: ["node_modules", "vendor"],
    dirty: true,
  });
  fs.writeFileSync(join(target, "packages/mine/index.js"), "module.exports = 'changed in the worktree';");
  expect(spawnSync("node", ["main.js"], { cwd: target, encoding: "utf8" }).stdout).toBe(
    "theirs scoped changed in the worktree\n",
  );
  expect(fs.readdirSync(join(target, "node_modules")).sort()).toEqual([
    ".package-lock.json",
    "@all",
    "beside",
    "theirs",
  ]);
  expect(fs.readlinkSync(join(target, "node_modules/beside"))).toBe(join(root, "../beside"));
  expect(fs.lstatSync(join(target, "vendor/composer/autoload_real.php")).isFile()).toBe(true);
  expect(fs.realpathSync(join(target, "vendor/composer/autoload_real.php"))).toBe(
    join(target, "vendor/composer/autoload_real.php"),
  );
  expect(fs.realpathSync(join(target, "vendor/some"))).toBe(join(root, "vendor/some"));
  expect(git(target, "status", "--porcelain")).toBe("M packages/mine/index.js");
});

test("a workspace that is a part of its repository is the same part of the worktree", async () => {
  const { root, target } = repository({ "a.txt": "a", "part/b.txt": "b" }, { at: "part" });
  expect(await addWorktree({ root, env: process.env }, target)).toMatchObject({
    path: target,
    folder: join(target, "part"),
  });
  expect(fs.readdirSync(join(target, "part"))).toEqual(["b.txt"]);
  const other = repository({ "a.txt": "a" });
  fs.mkdirSync(join(other.root, "new"));
  expect(await refusal(join(other.root, "new"), other.target)).toBe(
    "The last commit has no folder new, so a worktree would not hold it.",
  );
});

test("a part that the last commit has as a link is not followed out of the worktree", async () => {
  const { root, target } = repository({ ".gitignore": "node_modules\n" });
  const out = join(root, "../out");
  fs.mkdirSync(out);
  fs.symlinkSync("../out", join(root, "part"));
  git(root, "add", "part");
  git(root, "commit", "-qm", "link");
  fs.rmSync(join(root, "part"));
  fs.mkdirSync(join(root, "part/node_modules"), { recursive: true });
  expect(await refusal(join(root, "part"), target)).toContain("The last commit has no folder part");
  expect(fs.readdirSync(out)).toEqual([]);
});

test("where no worktree can be made, the reason is told", async () => {
  const none = folderWith({ "ws/a": "a", "taken/x": "x" });
  expect(await refusal(join(none, "ws"), join(none, "tree"))).toContain(
    `There is no git repository at ${join(none, "ws")}: fatal: not a git repository`,
  );
  git(join(none, "ws"), "init", "-q");
  expect(await refusal(join(none, "ws"), join(none, "tree"))).toBe("The repository has no commit yet.");
  expect(await addWorktree({ root: join(none, "ws"), env: process.env }, join(none, "taken"))).toEqual({
    type: "refused",
    text: `${join(none, "taken")} is there already.`,
  });
});

test("nothing that the repository names is run", async () => {
  const { root, target } = repository({ "a.txt": "a", "b.txt": "b" });
  const ran = join(root, "../ran");
  const script = join(root, "../evil.sh");
  fs.writeFileSync(script, `#!/bin/sh\necho "$0 $*" >> ${ran}\n`, { mode: 0o755 });
  fs.mkdirSync(join(root, ".git/hooks"), { recursive: true });
  for (const hook of ["post-checkout", "reference-transaction", "post-index-change", "pre-commit", "post-merge"])
    fs.copyFileSync(script, join(root, ".git/hooks", hook));
  fs.mkdirSync(join(root, "../hooks"));
  fs.copyFileSync(script, join(root, "../hooks/post-checkout"));
  for (const [key, value] of [
    ["core.fsmonitor", script],
    ["core.hooksPath", join(root, "../hooks")],
    ["core.sshCommand", script],
    ["core.gitProxy", script],
    ["core.pager", script],
    ["core.editor", script],
    ["core.askPass", script],
    ["core.alternateRefsCommand", script],
    ["credential.helper", `!${script}`],
    ["diff.external", script],
    ["diff.x.textconv", script],
    ["gpg.program", script],
    ["submodule.recurse", "true"],
    ["alias.worktree", `!${script}`],
    ["alias.status", `!${script}`],
    ["protocol.allow", "always"],
    ["protocol.ext.allow", "always"],
  ] as const)
    git(root, "config", key, value);
  expect(await addWorktree({ root, env: process.env }, target)).toMatchObject({ path: target, dirty: false });
  expect(fs.readFileSync(join(target, "b.txt"), "utf8")).toBe("b");
  expect(fs.existsSync(ran)).toBe(false);
});

test.each([["ext::%s x"], ["ssh://host/x"], ["%s"]])(
  "what is missing in the repository is not fetched, through %j or any other way",
  async (url) => {
    const { root, target } = repository({ "a.txt": "a" });
    const ran = join(root, "../ran");
    const script = join(root, "../evil.sh");
    fs.writeFileSync(script, `#!/bin/sh\necho "$0 $*" >> ${ran}\n`, { mode: 0o755 });
    for (const [key, value] of [
      ["core.repositoryFormatVersion", "1"],
      ["extensions.partialClone", "origin"],
      ["remote.origin.promisor", "true"],
      ["remote.origin.url", url.replace("%s", script)],
      ["remote.origin.uploadpack", script],
      ["core.sshCommand", script],
      ["protocol.ext.allow", "always"],
      ["protocol.allow", "always"],
    ] as const)
      git(root, "config", key, value);
    const object = git(root, "rev-parse", "HEAD:a.txt");
    fs.rmSync(join(root, ".git/objects", object.slice(0, 2)), { recursive: true });
    expect(await refusal(root, target)).toContain("git made no worktree: ");
    expect(fs.existsSync(ran)).toBe(false);
  },
);

const byHand = "Make a worktree with git yourself, and name it as the workspace.";

test.each([
  ["filter.x.smudge", "filter.x.smudge"],
  ["filter.x.process", "filter.x.process"],
  ["filter.a b.clean", "filter.a b.clean"],
  ["hook.x.command", "hook.x.command"],
])(
  "a repository whose own configuration sets %s is refused, also where another file is included",
  async (key, named) => {
    const { root, target } = repository({ ".gitattributes": "*.txt filter=x\n", "a.txt": "a" });
    const ran = join(root, "../ran");
    git(root, "config", "--file", join(root, "../more"), key, `sh -c 'touch ${ran}; cat'`);
    git(root, "config", "include.path", "../../more");
    expect(await refusal(root, target)).toBe(
      `The repository's own configuration names programs to run on its files (${named}). ${byHand}`,
    );
    expect(fs.existsSync(ran)).toBe(false);
  },
);

test("a repository with Git LFS is refused, whether its configuration says so or only its attributes", async () => {
  const text = `The repository keeps files in Git LFS, whose programs are not run here. ${byHand}`;
  const byAttributes = repository({ "sub/.gitattributes": "*.psd filter=lfs diff=lfs merge=lfs -text\n" });
  expect(await refusal(byAttributes.root, byAttributes.target)).toBe(text);
  const byConfig = repository({ a: "a" });
  git(byConfig.root, "config", "filter.lfs.smudge", "git-lfs smudge -- %f");
  expect(await refusal(byConfig.root, byConfig.target)).toBe(text);
});
