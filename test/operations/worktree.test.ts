import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith, type Place } from "../support/cli.ts";
import { report } from "../support/script.ts";
import { productCode, productTest, quickApp, tiny, tinyWay } from "../support/ways.ts";

const git = (place: Place, ...argv: string[]) =>
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...argv], {
    cwd: place.workspace,
    encoding: "utf8",
  });

function repository(): Place {
  const place = placeWith(quickApp);
  git(place, "init", "--quiet", "--initial-branch=main");
  git(place, "add", ".");
  git(place, "commit", "--quiet", "--message", "Begin");
  return place;
}

const advised = {
  ...tinyWay,
  "implementation/1/0-git_advisor/turn-1": report("Commit it on a branch.", {
    account: "git switch --create product && git commit",
    artifacts: [{ kind: "commit_message", name: "Add a product", content: "Add a product" }],
  }),
};

test("in a worktree the user's own files stay as they are, and nothing is committed", async () => {
  const place = repository();
  const head = git(place, "rev-parse", "HEAD");
  const ran = await place.run([...tiny, "--worktree", place.replay(advised), "--approve-policy=auto", "--json"]);
  expect(ran.code).toBe(0);
  const { worktree } = JSON.parse(ran.stdout) as { worktree: { path: string; commands: string[]; advice: string } };
  expect(readFileSync(join(worktree.path, productCode.path), "utf8")).toBe(productCode.content);
  expect([productCode.path, productTest.path].map((path) => existsSync(join(place.workspace, path)))).toEqual([
    false,
    false,
  ]);
  expect([git(place, "rev-parse", "HEAD"), git(place, "status", "--porcelain")]).toEqual([head, ""]);
  const there = execFileSync("git", ["-C", worktree.path, "status", "--porcelain"], { encoding: "utf8" });
  expect(there).toBe("?? src/product.js\n?? test/\n");
  expect(worktree.commands[0]).toBe(`git -C ${worktree.path} add --all`);
  expect(worktree.advice).toBe("git switch --create product && git commit\n\nAdd a product");
});

test("a chain in a worktree goes on and goes back there", async () => {
  const place = repository();
  const replay = place.replay(advised);
  const waiting = await place.run([...tiny, "--worktree", replay, "--json"]);
  expect(waiting.code).toBe(10);
  const { solution_hash, worktree } = JSON.parse(waiting.stdout) as {
    solution_hash: string;
    worktree: { path: string };
  };
  expect((await place.run(["approve", "1", solution_hash, replay])).code).toBe(0);
  expect(existsSync(join(worktree.path, productCode.path))).toBe(true);
  expect((await place.run(["rewind", "1", "--yes"])).code).toBe(0);
  expect(existsSync(join(worktree.path, productCode.path))).toBe(false);
});

test("changes that are in no commit are not in it, and that is said", async () => {
  const place = repository();
  writeFileSync(join(place.workspace, "src", "sum.js"), "export const sum = () => 0;\n");
  const ran = await place.run([...tiny, "--worktree", place.replay(advised)]);
  expect(ran.stderr).toContain("not committed");
});

test("without a repository there is no worktree, and nothing is asked of a model", async () => {
  const place = placeWith(quickApp);
  const ran = await place.run([...tiny, "--worktree", place.replay(advised)]);
  expect([ran.code, ran.stderr]).toEqual([64, expect.stringContaining("There is no git repository")]);
});
