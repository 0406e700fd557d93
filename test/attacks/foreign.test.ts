import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { trust } from "../../src/session/trust.ts";
import { sealWith } from "../../src/store/seal.ts";
import { sha256 } from "../../src/util/hash.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate, refusal } from "../support/inside.ts";
import { rewriteJournal, sealOfUser, withHashes } from "../support/sealed.ts";
import { quickApp, task, tinyWay } from "../support/ways.ts";
import { user } from "./as_user.ts";

type Lines = Record<string, unknown>;

/** A finished chain of the user's own, from which each test makes its own project. */
let base: Place;
const stranger = sealWith(Buffer.alloc(32, 9));

beforeAll(async () => {
  base = placeWith(quickApp);
  const input = { ...begin, replay: base.replay(tinyWay).slice(9) };
  expect((await operate("new", input, callerAt(base.workspace, base.env))).exit).toBe(0);
});

const begin = {
  task,
  size: "tiny",
  trust: true,
  test_command: "sh check.sh",
  approve_policy: "auto",
  permission: "edits",
  unsandboxed: true,
};

/** Another project of the same user, with the finished chain in it as if it had been made there. */
function project(): { place: Place; journal: string } {
  const made = placeWith({});
  const place = { ...made, env: base.env, beside: base.beside };
  cpSync(base.workspace, place.workspace, { recursive: true });
  const journal = journalOf(place);
  const started = (line: Lines) => (line["event"] === "chain_started" ? { workspace: place.workspace } : {});
  rewriteJournal(journal, seal(), (line) => ({
    ...line,
    ...(line["n"] === 1 ? { home: place.home } : {}),
    ...started(line),
  }));
  trust(place.workspace, place.env);
  return { place, journal };
}

const journalOf = ({ home }: Place, id = "001") => join(home, "contexts", "journal", `${id}.jsonl`);
const seal = () => sealOfUser(base.env);
const linesIn = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Lines);
const replay = () => base.replay(tinyWay).slice(9);
const at = (place: Place, more: object = {}) => callerAt(place.workspace, { ...place.env, ...more });

/** Everything that lies below a folder, as text to compare. */
function everything(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      const stats = lstatSync(path);
      if (stats.isSymbolicLink()) return [`${name} -> ${readlinkSync(path)}`];
      return stats.isFile() && !name.endsWith(".lock") ? [`${name} ${sha256(readFileSync(path))}`] : [];
    });
}

/** Every operation that acts on a chain. */
const acting = (id: string): [string, object][] => {
  const flags = { chain: id, replay: replay(), permission: "edits", trust: true };
  return [
    ["resume", flags],
    ["answer", { ...flags, answers_given: ["api_name=product"] }],
    ["approve", { ...flags, hash: "abc123abc123" }],
    ["allow", { ...flags, request: "abc" }],
    ["reject", flags],
    ["change", { ...flags, request: "less" }],
    ["ask", { ...flags, question: "why?" }],
    ["waive", { ...flags, area: "requirements", reason: "a stranger says so" }],
    ["uncertainty-check", flags],
    ["present-solution", flags],
    ["rewind", { chain: id, trust: true }],
    ["chain-cost", { chain: id, lost: "0.07" }],
    ["recover", { chain: id, choice: "continue", trust: true }],
    ["recover", { chain: id, choice: "fresh", trust: true }],
    ["prompts run", { name: "chain_debugger", chain: id, replay: replay(), trust: true }],
  ];
};

const elsewhere = (line: Lines): Lines =>
  line["event"] === "chain_started" ? { ...line, workspace: join(base.workspace, "src") } : line;
const worktree = (line: Lines): Lines => {
  const folder = join(base.workspace, "src");
  return line["event"] === "chain_started"
    ? { ...line, worktree: { path: folder, folder, head: "", dirty: false } }
    : line;
};
const unsealed = ({ key: _key, home: _home, ...line }: Lines): Lines =>
  line["n"] === 1 ? { ...line, format: 1 } : line;
const strangersKey = (line: Lines): Lines => (line["n"] === 1 ? { ...line, key: stranger.id } : line);
const same = (line: Lines): Lines => line;

type Shape = (made: { place: Place; journal: string }) => string | void;
const rewrites =
  (by: () => ReturnType<typeof seal> | undefined, ...changes: ((line: Lines) => Lines)[]): Shape =>
  ({ journal }) =>
    rewriteJournal(journal, by(), (line) => changes.reduce((known, change) => change(known), line));
const nobody = () => undefined;

/** A part of the home that is a link to the same part of another project's home. */
const linked =
  (part: string): Shape =>
  ({ place }) => {
    rmSync(join(place.home, part), { recursive: true });
    symlinkSync(join(base.home, part), join(place.home, part));
  };

/** What a shape of journal is called, how it comes about, and what whoever acts on it is told. A shape may name another chain than 001. */
const shapes: [string, string, Shape][] = [
  ["from before chains were sealed", "foreign", rewrites(nobody, unsealed)],
  ["of the present format without a key", "foreign", rewrites(nobody, ({ key: _, ...line }) => line)],
  ["sealed with another key", "foreign", rewrites(() => stranger, strangersKey)],
  ["with hashes of nobody", "foreign", rewrites(nobody, strangersKey)],
  ["that names our key and has hashes anybody can make", "foreign", rewrites(nobody, same)],
  ["that names our key and was sealed with another", "foreign", rewrites(() => stranger, same)],
  ["unsealed, with a workspace elsewhere", "foreign", rewrites(nobody, unsealed, elsewhere)],
  ["unsealed, with a made-up worktree", "foreign", rewrites(nobody, unsealed, worktree)],
  ["sealed with another key, with a made-up worktree", "foreign", rewrites(() => stranger, strangersKey, worktree)],
  [
    "whose line in the middle was written anew",
    "journal_damaged",
    ({ journal }) => {
      const lines = linesIn(journal);
      const forged = { ...lines[3], by: { kind: "person", name: "ada", door: "cli" } };
      writeFileSync(journal, readFileSync(journal, "utf8").replace(JSON.stringify(lines[3]), JSON.stringify(forged)));
    },
  ],
  [
    "with an approval appended",
    "journal_damaged",
    ({ journal }) => {
      const body = { n: linesIn(journal).length + 1, type: "event", event: "approval_given", solution: "x" };
      appendFileSync(journal, withHashes([body]));
    },
  ],
  [
    "whose home was changed",
    "foreign",
    ({ journal }) => {
      writeFileSync(journal, readFileSync(journal, "utf8").replace(/"home":"[^"]+"/, '"home":"/nowhere"'));
    },
  ],
  [
    "of another chain of this home",
    "foreign",
    ({ place, journal }) => {
      cpSync(journal, journalOf(place, "002"));
      return "002";
    },
  ],
  [
    "of one prompt that was run on its own",
    "moved",
    ({ place, journal }) =>
      rewriteJournal(journal, seal(), (line) => (line["n"] === 1 ? { ...line, home: join(place.home, "runs") } : line)),
  ],
  ["of another project", "foreign", ({ journal }) => cpSync(journalOf(base), journal)],
  [
    "that is a link to another project's",
    "foreign",
    ({ journal }) => {
      rmSync(journal);
      symlinkSync(journalOf(base), journal);
    },
  ],
  [
    "in a home that is a link to another project's",
    "folder_is_link",
    ({ place }) => {
      rmSync(place.home, { recursive: true });
      symlinkSync(base.home, place.home);
    },
  ],
  ["in a folder of chains that is a link to another project's", "folder_is_link", linked("contexts")],
  ["in a folder of journals that is a link to another project's", "folder_is_link", linked("contexts/journal")],
  ["whose end lies behind a link to another project's", "folder_is_link", linked("contexts/journal-ends")],
  ["whose texts lie behind a link to another project's", "folder_is_link", linked("contexts/blobs")],
  ["that is gone, beside a context file", "foreign", ({ journal }) => rmSync(journal)],
  [
    "that is gone with its end, beside a context file",
    "foreign",
    ({ place, journal }) => {
      rmSync(journal);
      rmSync(join(place.home, "contexts", "journal-ends"), { recursive: true });
    },
  ],
  ["that is empty, beside a context file", "foreign", ({ journal }) => writeFileSync(journal, "")],
  [
    "that git tracks",
    "tracked_by_git",
    ({ place }) => {
      const git = (...argv: string[]) => execFileSync("git", argv, { cwd: place.workspace, stdio: "ignore" });
      git("init");
      git("add", "--force", ".claude-exec/contexts/journal/001.jsonl");
    },
  ],
  [
    "whose first line is no header",
    "foreign",
    ({ journal }) => writeFileSync(journal, withHashes([{ n: 1, type: "event", event: "completed" }])),
  ],
  [
    "of lines that make no sense",
    "foreign",
    ({ journal }) => {
      const nonsense = ["report_recorded", "solution_presented", "prompts_queued"].map((event) => ({
        type: "event",
        event,
      }));
      const lines = [{ type: "header", format: 1, chain_id: "001", engine: "x" }, ...nonsense];
      writeFileSync(journal, withHashes(lines.map((line, index) => ({ n: index + 1, at: "x", by: {}, ...line }))));
    },
  ],
  [
    "whose first line names a list as its key",
    "foreign",
    ({ journal }) => {
      writeFileSync(
        journal,
        withHashes([{ n: 1, type: "header", format: 2, chain_id: "001", engine: "x", home: {}, key: [] }]),
      );
    },
  ],
];

test.each(shapes)(`as ${user}: on a journal %s nothing is done (%s)`, async (_, code, shape) => {
  const made = project();
  const id = shape(made) ?? "001";
  const before = [base.workspace, made.place.workspace].map(everything);
  for (const [name, input] of acting(id)) {
    if (name === "recover" && code === "journal_damaged") continue;
    const refused = await refusal(operate(name, input, at(made.place)));
    expect([name, refused.code]).toEqual([name, code]);
    expect([10, 14]).toContain(refused.exit);
  }
  expect([base.workspace, made.place.workspace].map(everything)).toEqual(before);
});

const links = ["", "contexts", "contexts/journal", "contexts/journal-ends", "contexts/blobs", "contexts/inbox"];

test.each(links)(`as ${user}: behind a link at "%s" of a home nothing is adopted and nothing begins`, async (part) => {
  const { place } = project();
  linkedOrMade(place, part);
  const before = [base.workspace, place.workspace].map(everything);
  const input = { chain: "1", adopt: true, replay: replay(), permission: "edits", trust: true, unsandboxed: true };
  const { approve_policy: _, ...started } = begin;
  for (const [name, given] of [
    ["resume", input],
    ["new", { ...started, replay: replay() }],
    ["prompts run", { name: "component_mapper", trust: true, replay: replay() }],
    ["recover", { chain: "1", adopt: true, choice: "fresh", trust: true }],
  ] as const)
    expect([name, (await refusal(operate(name, given, at(place)))).code]).toEqual([name, "folder_is_link"]);
  expect([base.workspace, place.workspace].map(everything)).toEqual(before);
});

function linkedOrMade(place: Place, part: string): void {
  rmSync(join(place.home, part), { recursive: true, force: true });
  mkdirSync(join(base.home, part), { recursive: true });
  symlinkSync(join(base.home, part), join(place.home, part));
}
