import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { gitBlameTool, gitDiffTool, gitLogTool } from "../../src/tools/git.ts";
import type { Plan, Tool } from "../../src/tools/types.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  cleanUp();
});

const { signal } = new AbortController();
const hasGit = spawnSync("git", ["--version"]).status === 0;

function plan(tool: Tool, folder: string, input: unknown = {}): Promise<Plan> {
  const workspace = openWorkspace(folder, { env: process.env, hide: ["home"] });
  return tool.plan(input, { workspace, findPrompts: () => Promise.resolve("") }, signal);
}

async function text(tool: Tool, folder: string, input: unknown = {}): Promise<string> {
  const planned = await plan(tool, folder, input);
  if (planned.type !== "look" && planned.type !== "refused") throw new Error(planned.type);
  return planned.text;
}

const who = { GIT_AUTHOR_NAME: "Ann", GIT_AUTHOR_EMAIL: "a@x", GIT_COMMITTER_NAME: "Ann", GIT_COMMITTER_EMAIL: "a@x" };
const dates = { GIT_AUTHOR_DATE: "2026-01-02T12:00:00Z", GIT_COMMITTER_DATE: "2026-01-02T12:00:00Z" };

function git(folder: string, ...args: string[]): string {
  const env = { PATH: process.env["PATH"], HOME: folder, ...who, ...dates };
  const ran = spawnSync("git", args, { cwd: folder, env, encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`git ${args.join(" ")}: ${ran.stderr}`);
  return ran.stdout.trim();
}

function write(folder: string, path: string, content: string): void {
  fs.mkdirSync(join(folder, path, ".."), { recursive: true });
  fs.writeFileSync(join(folder, path), content);
}

function repository(files: Record<string, string>): string {
  const folder = folderWith(files);
  git(folder, "init", "-q", "-b", "main");
  commit(folder, "The first");
  return folder;
}

function commit(folder: string, subject: string): string {
  git(folder, "add", "-A", "-f");
  git(folder, "commit", "-q", "--allow-empty", "-m", subject);
  return git(folder, "rev-parse", "--short", "HEAD");
}

async function nextSecond(): Promise<void> {
  const second = () => Math.floor(Date.now() / 1000);
  for (const begun = second(); second() === begun;) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(!hasGit)("git is looked at (needs git on the PATH)", () => {
  test("the log names the latest commits, of one file where that is asked, and says when there are more", async () => {
    const folder = repository({ "a.txt": "one\n", "src/b.txt": "two\n" });
    const first = git(folder, "rev-parse", "--short", "HEAD");
    write(folder, "a.txt", "changed\n");
    const second = commit(folder, "The second\u001b[31m, in red");
    const rows = [`${second}\t2026-01-02\tAnn\tThe second [31m, in red`, `${first}\t2026-01-02\tAnn\tThe first`];
    expect(await plan(gitLogTool, folder)).toEqual({
      type: "look",
      text: ["2 commits of the workspace, the latest first.", ...rows].join("\n"),
      seen: [{ kind: "git", ref: "git_log" }],
    });
    expect(await plan(gitLogTool, folder, { path: "./src/" })).toEqual({
      type: "look",
      text: ["1 commit of src, the latest first.", rows[1]].join("\n"),
      seen: [{ kind: "git", ref: "git_log src" }],
    });
    expect(await text(gitLogTool, folder, { limit: 1 })).toBe(
      [
        "1 commit of the workspace, the latest first. There are more: raise limit (at most 100) or narrow path.",
        rows[0],
      ].join("\n"),
    );
  });

  test("blame tells ranges of lines by commit, without their text, and vouches for no line", async () => {
    const folder = repository({ "a.txt": "one\ntwo\nthree\n" });
    const first = git(folder, "rev-parse", "HEAD").slice(0, 8);
    write(folder, "a.txt", "one\ntwo\nthree\nfour\n");
    commit(folder, "The second");
    const second = git(folder, "rev-parse", "HEAD").slice(0, 8);
    write(folder, "a.txt", "one\nzwei\nthree\nfour\n");
    expect(await plan(gitBlameTool, folder, { path: "a.txt" })).toEqual({
      type: "look",
      text: [
        "a.txt, lines 1 to 4, by commit.",
        `1\t${first}\t2026-01-02\tAnn\tThe first`,
        "2\tnot committed yet",
        `3\t${first}`,
        `4\t${second}\t2026-01-02\tAnn\tThe second`,
      ].join("\n"),
      seen: [{ kind: "git", ref: "git_blame a.txt" }],
    });
    expect(await text(gitBlameTool, folder, { path: "a.txt", from: 3, to: 9 })).toContain(
      "lines 3 to 4, by commit.\n3\t",
    );
    expect(await text(gitBlameTool, folder, { path: "a.txt", from: 5 })).toBe("a.txt has only 4 lines.");
  });

  test("a blame of many rows is cut, and says how to go on", async () => {
    const folder = repository({ "a.txt": "x\n".repeat(400) });
    write(folder, "a.txt", "x\ny\n".repeat(200));
    const blamed = (await text(gitBlameTool, folder, { path: "a.txt" })).split("\n");
    expect(blamed[0]).toMatch(/^a\.txt, lines 1 to \d+, by commit\. Cut here; go on with from: \d+\.$/);
    expect(blamed).toHaveLength(151);
    const from = Number(/from: (\d+)/.exec(blamed[0] ?? "")?.[1]);
    expect(await text(gitBlameTool, folder, { path: "a.txt", from })).toContain(
      `lines ${from} to 300, by commit. Cut here; go on with from: 301.`,
    );
  });

  test("a diff tells the files with their counts, what is not in git yet, and the changes", async () => {
    const folder = repository({ "a.txt": "one\ntwo\n", "gone.txt": "gone\n", "ü b.txt": "x\n", "pic.bin": "\0" });
    write(folder, "a.txt", "one\nzwei\n");
    write(folder, "ü b.txt", "y\n");
    write(folder, "pic.bin", "\0\0");
    write(folder, "new.txt", "new\n");
    fs.rmSync(join(folder, "gone.txt"));
    const planned = await plan(gitDiffTool, folder);
    expect(planned).toMatchObject({ seen: [{ kind: "git", ref: "git_diff" }] });
    const lines = (planned as { text: string }).text.split("\n");
    expect(lines.slice(0, 7)).toEqual([
      "4 files changed from HEAD to the files as they are.",
      "+1 -1 a.txt",
      "+0 -1 gone.txt",
      "+- -- pic.bin",
      "+1 -1 ü b.txt",
      "Not in git yet: new.txt.",
      "diff --git a/a.txt b/a.txt",
    ]);
    expect(lines).toEqual(expect.arrayContaining(["-two", "+zwei", "+++ b/ü b.txt\t"]));
    expect(await text(gitDiffTool, folder, { path: "gone.txt" })).toContain("1 file changed");
    const second = commit(folder, "The second");
    expect(await text(gitDiffTool, folder)).toBe("0 files changed from HEAD to the files as they are.");
    expect(await text(gitDiffTool, folder, { from: "HEAD~1", to: second, path: "a.txt" })).toContain(
      `1 file changed from HEAD~1 to ${second}.\n+1 -1 a.txt\n`,
    );
  });

  test("a change within the second in which git last looked, of the same size, is seen later", async () => {
    const folder = repository({ "a.txt": "one\n" });
    await nextSecond();
    write(folder, "a.txt", "two\n");
    commit(folder, "The second");
    write(folder, "a.txt", "six\n");
    await nextSecond();
    expect(await text(gitDiffTool, folder)).toContain("\n-two\n+six");
  });

  test("a large diff is cut at 20 KB and at 50 files, and says so", async () => {
    const names = Array.from({ length: 120 }, (_, at) => `f${String(at).padStart(3, "0")}`);
    const folder = repository(Object.fromEntries(names.map((name) => [name, "old\n"])));
    for (const name of names) write(folder, name, "new\n");
    const many = await text(gitDiffTool, folder);
    expect(many.split("\n")[0]).toBe(
      "120 files changed from HEAD to the files as they are. The changes are cut: narrow path.",
    );
    expect(many).toContain("\n+1 -1 f099\n(20 more files: narrow path)\n");
    expect(many.match(/^diff --git/gm)).toHaveLength(50);
    write(folder, "f000", `${"x".repeat(900)}\n`.repeat(100));
    const wide = await text(gitDiffTool, folder, { path: "f000" });
    expect(wide).toContain(" The changes are cut: narrow path.");
    expect(wide).toContain(`+${"x".repeat(299)} [line cut: 901 characters]`);
    expect(Buffer.byteLength(wide)).toBeLessThan(20_500);
  });

  test("secrets, our home and what leads elsewhere are in no diff and no blame, whatever is compared", async () => {
    const closed = {
      ".env": "KEY=old-secret\n",
      "deep/x.pem": "old-secret\n",
      "home/x": "old-secret\n",
      ID_RSA: "old-secret\n",
    };
    const folder = repository({ ...closed, "a.txt": "one\n" });
    const secretBlob = git(folder, "rev-parse", "HEAD:.env");
    const emptyBlob = git(folder, "hash-object", "-w", "--stdin");
    for (const path of Object.keys(closed)) write(folder, path, "new-secret\n");
    write(folder, "a.txt", "two\n");
    const now = await text(gitDiffTool, folder);
    expect(now).toContain("1 file changed from HEAD");
    expect(now).toContain("Left out, being closed: .env, ID_RSA, deep/x.pem, home/x.");
    commit(folder, "The second");
    for (const path of Object.keys(closed)) fs.rmSync(join(folder, path));
    const texts = [
      now,
      await text(gitDiffTool, folder),
      await text(gitDiffTool, folder, { from: "HEAD~1", to: "HEAD" }),
      await text(gitDiffTool, folder, { path: ".env" }),
      await text(gitDiffTool, folder, { from: secretBlob, to: emptyBlob }),
      await text(gitDiffTool, folder, { from: "HEAD:.env", to: "HEAD~1:.env" }),
      await text(gitDiffTool, folder, { path: ":(top,icase).ENV" }),
      await text(gitDiffTool, folder, { path: "../x" }),
      await text(gitBlameTool, folder, { path: ".env" }),
      await text(gitBlameTool, folder, { path: "home/x" }),
    ];
    expect(texts.filter((one) => one.includes("secret") && !one.includes("may hold secrets"))).toEqual([]);
    expect(texts.slice(4, 5)).toEqual([`There is no commit ${secretBlob}.`]);
    write(folder, "home/x", "new-secret\n");
    expect(await text(gitBlameTool, folder, { path: "home/x" })).toBe('"home/x" is closed.');
  });

  test("a revision is one point and no option", async () => {
    const folder = repository({ "a.txt": "one\n" });
    for (const from of ["-x", "--output=x", "HEAD..main", "HEAD:a.txt", ":/first", "a b", "^HEAD", "HEAD^{/x\n}"]) {
      expect(await text(gitDiffTool, folder, { from })).toMatch(/^The input of git_diff does not fit\./);
    }
    expect(await text(gitDiffTool, folder, { from: "none" })).toBe("There is no commit none.");
    expect(await text(gitDiffTool, folder, { from: "HEAD^{tree}" })).toBe("There is no commit HEAD^{tree}.");
    expect(fs.readdirSync(folder).sort()).toEqual([".git", "a.txt"]);
  });

  test("where there is no repository, no commit or no git, that is said", async () => {
    const folder = folderWith({ "a.txt": "a" });
    expect(await plan(gitLogTool, folder)).toEqual({ type: "refused", text: "There is no git repository here." });
    git(folder, "init", "-q", "-b", "main");
    expect(await text(gitLogTool, folder)).toMatch(/^git log says: /);
    expect(await text(gitDiffTool, folder)).toBe("There is no commit HEAD.");
    commit(folder, "The first");
    write(folder, "new.txt", "x\n");
    expect(await text(gitBlameTool, folder, { path: "new.txt" })).toMatch(/^git blame says: no such path 'new\.txt'/);
    write(folder, ".git/config", "[broken");
    expect(await text(gitLogTool, folder)).toMatch(/^The settings of git cannot be read: bad config line \d+ in file/);
    vi.stubEnv("PATH", folderWith({}));
    expect(await text(gitLogTool, folder)).toBe("Git is not installed.");
  });

  test("only the part of a repository that is the workspace is told, by paths of the workspace", async () => {
    const outer = repository({ "ws/src/a.txt": "one\n", "ws/.gitignore": "", "other.txt": "secret\n" });
    write(outer, "other.txt", "changed\n");
    commit(outer, "About the other");
    write(outer, "other.txt", "again\n");
    write(outer, "ws/src/a.txt", "two\n");
    const folder = join(outer, "ws");
    expect(await text(gitLogTool, folder)).toMatch(/^1 commit of the workspace, .*\n.*\tThe first$/);
    expect(await text(gitDiffTool, folder)).toMatch(
      /^1 file changed .*\n\+1 -1 src\/a\.txt\ndiff --git a\/src\/a\.txt/,
    );
    expect(await text(gitBlameTool, folder, { path: "src/a.txt" })).toContain("1\tnot committed yet");
  });

  test("a worktree and a submodule are followed to what belongs to them", async () => {
    const folder = repository({ "a.txt": "one\n" });
    const tree = join(folderWith({}), "tree");
    git(folder, "worktree", "add", "-q", "--detach", tree);
    write(tree, "a.txt", "two\n");
    expect(await text(gitDiffTool, tree)).toContain("1 file changed");
    const outer = repository({ "b.txt": "b\n" });
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", folder, "sub");
    expect(await text(gitLogTool, join(outer, "sub"))).toMatch(/The first$/);
  });
});

describe.skipIf(!hasGit)("a hostile repository (needs git on the PATH)", () => {
  /** Each program that its settings name leaves a mark; the second file tells whether any of them works at all. */
  function hostile(): { folder: string; mark: string } {
    const folder = repository({ "a.txt": "one\n", "b.bin": "x\n", ".gitattributes": "a.txt filter=x\nb.bin diff=x\n" });
    const mark = join(folderWith({}), "mark");
    const program = join(folderWith({}), "program.sh");
    fs.writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> ${mark}\ncat\n`, { mode: 0o755 });
    const settings = [
      "filter.x.clean",
      "filter.x.smudge",
      "filter.x.process",
      "diff.external",
      "diff.x.command",
      "diff.x.textconv",
      "core.pager",
      "pager.log",
      "pager.diff",
      "pager.blame",
      "core.fsmonitor",
      "core.sshCommand",
      "core.editor",
      "core.alternateRefsCommand",
      "core.askPass",
      "core.gitProxy",
      "gpg.program",
      "gpg.ssh.program",
      "credential.helper",
      "interactive.diffFilter",
      "uploadpack.packObjectsHook",
      "alias.log",
      "alias.config",
      "alias.rev-parse",
    ];
    const lines = settings.map((name) => {
      const at = name.lastIndexOf(".");
      const [section = "", ...sub] = name.slice(0, at).split(".");
      const head = sub.length > 0 ? `[${section} "${sub.join(".")}"]` : `[${section}]`;
      return `${head}\n${name.slice(at + 1)} = ${section === "alias" ? "!" : ""}${program}\n`;
    });
    const more = `[filter "x"]\nrequired = true\n[log]\nshowSignature = true\n[core]\nworktree = /\nattributesFile = ${folder}/attributes\n`;
    write(folder, "included", `${lines.join("")}${more}`);
    const config = fs.readFileSync(join(folder, ".git/config"), "utf8");
    write(
      folder,
      ".git/config",
      `${config}${lines.join("")}[log]\nshowSignature = true\n[include]\npath = ../included\n`,
    );
    write(folder, ".git/info/attributes", "* filter=x diff=x\n");
    write(folder, "attributes", "* filter=x diff=x\n");
    for (const hook of ["post-index-change", "pre-commit", "post-checkout", "fsmonitor-watchman"])
      fs.writeFileSync(join(folder, ".git/hooks", hook), `#!/bin/sh\necho hook >> ${mark}\n`, { mode: 0o755 });
    return { folder, mark };
  }

  test("none of the programs that its settings, attributes and hooks name is run", async () => {
    const { folder, mark } = hostile();
    write(folder, "a.txt", "two\n");
    write(folder, "b.bin", "y\n");
    const diff = await text(gitDiffTool, folder);
    expect(diff).toContain("+1 -1 a.txt\n+1 -1 b.bin\n");
    expect(diff).toContain("-one\n+two\n");
    expect(await text(gitBlameTool, folder, { path: "a.txt" })).toContain("not committed yet");
    expect(await text(gitLogTool, folder)).toContain("The first");
    expect(await text(gitDiffTool, folder, { from: "HEAD", to: "main" })).toContain("0 files changed");
    expect(fs.existsSync(mark)).toBe(false);
    spawnSync("git", ["--work-tree=.", "diff"], { cwd: folder, env: { PATH: process.env["PATH"] } });
    expect(fs.readFileSync(mark, "utf8")).toContain("program.sh");
  });

  test("nor those of a submodule in it", async () => {
    const inner = repository({ "a.txt": "one\n", ".gitattributes": "a.txt filter=x\n" });
    const folder = repository({ "a.txt": "one\n" });
    git(folder, "-c", "protocol.file.allow=always", "submodule", "add", "-q", inner, "sub");
    commit(folder, "With a submodule");
    const { folder: model, mark } = hostile();
    fs.copyFileSync(join(model, ".git/config"), join(folder, ".git/modules/sub/config"));
    fs.writeFileSync(join(folder, "sub/a.txt"), "changed\n");
    write(folder, "a.txt", "two\n");
    expect(await text(gitDiffTool, folder)).toContain("1 file changed");
    expect(fs.existsSync(mark)).toBe(false);
  });

  test("a signature is not checked by the program that its settings name", async () => {
    const { folder, mark } = hostile();
    const tree = spawnSync("git", ["rev-parse", "HEAD^{tree}"], { cwd: folder, encoding: "utf8" }).stdout.trim();
    const signed = `tree ${tree}\nauthor A <a@x> 1767355200 +0000\ncommitter A <a@x> 1767355200 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\nSigned\n`;
    const args = ["hash-object", "-t", "commit", "-w", "--stdin"];
    const hash = spawnSync("git", args, { cwd: folder, input: signed, encoding: "utf8" }).stdout.trim();
    write(folder, ".git/refs/heads/main", `${hash}\n`);
    fs.rmSync(mark, { force: true });
    expect(await text(gitLogTool, folder)).toContain("\tSigned");
    expect(fs.existsSync(mark)).toBe(false);
    spawnSync("git", ["-c", "core.pager=cat", "log"], { cwd: folder, env: { PATH: process.env["PATH"] } });
    expect(fs.readFileSync(mark, "utf8")).toContain("--verify");
  });

  test("a repository that lies elsewhere is not believed to be this one", async () => {
    const other = repository({ "private.txt": "private\n" });
    const folder = folderWith({ ".git": `gitdir: ${other}/.git\n`, "a.txt": "a\n" });
    const foreign = `${join(folder, ".git")} names a folder elsewhere that does not belong to this one.`;
    expect(await text(gitLogTool, folder)).toBe(foreign);
    git(other, "worktree", "add", "-q", "--detach", join(folderWith({}), "tree"));
    write(folder, ".git", `gitdir: ${other}/.git/worktrees/tree\n`);
    expect(await text(gitLogTool, folder)).toBe(foreign);
    const linked = folderWith({});
    fs.symlinkSync(join(other, ".git"), join(linked, ".git"));
    expect(await text(gitLogTool, linked)).toBe(`${join(linked, ".git")} is no folder of git's.`);
    const mixed = repository({ "a.txt": "a\n" });
    fs.rmSync(join(mixed, ".git/objects"), { recursive: true });
    fs.symlinkSync(join(other, ".git/objects"), join(mixed, ".git/objects"));
    expect(await text(gitLogTool, mixed)).toBe(`${join(mixed, ".git")} holds no objects of its own.`);
    const named = repository({ "a.txt": "a\n" });
    fs.rmSync(join(named, ".git/refs"), { recursive: true });
    fs.symlinkSync(join(other, ".git/refs"), join(named, ".git/refs"));
    expect(await text(gitLogTool, named)).toBe(`${join(named, ".git/refs")} leads elsewhere.`);
  });

  test("a pipe in place of the index or of HEAD holds up nothing", async () => {
    const folder = repository({ "a.txt": "a\n" });
    fs.rmSync(join(folder, ".git/index"));
    spawnSync("mkfifo", [join(folder, ".git/index")]);
    expect(await text(gitLogTool, folder)).toBe('"index" is a named pipe, not a file.');
    fs.rmSync(join(folder, ".git/HEAD"));
    spawnSync("mkfifo", [join(folder, ".git/HEAD")]);
    expect(await text(gitLogTool, folder)).toBe("The HEAD of git says nothing.");
  });

  test("nothing is written to the repository, nor left behind, and no key reaches git", async () => {
    const folder = repository({ "a.txt": "one\n", "b.txt": "b\n" });
    const later = new Date(Date.now() + 60_000);
    fs.utimesSync(join(folder, "b.txt"), later, later);
    write(folder, "a.txt", "two\n");
    const bin = folderWith({});
    const real = spawnSync("sh", ["-c", "command -v git"]).stdout.toString().trim();
    fs.writeFileSync(join(bin, "git"), `#!/bin/sh\nenv >> ${bin}/env\nexec ${real} "$@"\n`, { mode: 0o755 });
    vi.stubEnv("PATH", `${bin}:${process.env["PATH"]}`);
    vi.stubEnv("ANTHROPIC_API_KEY", "key-of-the-user");
    vi.stubEnv("GIT_EXTERNAL_DIFF", "/bin/false");
    vi.stubEnv("GIT_DIR", "/nowhere");
    const before = fs.readFileSync(join(folder, ".git/index"));
    const stands = () => fs.readdirSync(tmpdir()).filter((name) => name.startsWith("claude-exec-git-"));
    const known = new Set(stands());
    expect(await text(gitDiffTool, folder)).toContain("1 file changed");
    expect(fs.readFileSync(join(folder, ".git/index"))).toEqual(before);
    expect(stands().filter((name) => !known.has(name))).toEqual([]);
    const told = fs.readFileSync(join(bin, "env"), "utf8");
    expect(told).toContain("GIT_CONFIG_GLOBAL=/dev/null");
    expect(told).not.toMatch(/key-of-the-user|GIT_EXTERNAL_DIFF|\/nowhere/);
  });
});
