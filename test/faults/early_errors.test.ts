import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { followed, placeWith, program, type Place } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { oldNode } from "../support/old_node.ts";
import { asksFirst, quickApp, task, tiny, tinyWay } from "../support/ways.ts";

const live = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: "http://127.0.0.1:9" };
const recordingIn = ({ beside }: Place) => join(beside, "replies.json");

/** A place with one thing of each kind that a path can lead to, beside its workspace. */
function oddPlace(): Place {
  const place = placeWith(quickApp, { sandbox: true });
  writeFileSync(join(place.beside, "file"), "mine\n");
  mkdirSync(join(place.beside, "full", "of"), { recursive: true });
  symlinkSync("/nonexistent/x", join(place.beside, "broken"));
  symlinkSync("loop", join(place.beside, "loop"));
  place.replay(tinyWay);
  return place;
}

const notFolder = (name: string, start = "The home BESIDE/") => `${start}${name} is not a folder. Nothing was changed.
Move it away, or name another folder: --home <folder>
`;
const unusable = (name: string, code: string) =>
  `BESIDE/${name} cannot be used (${code}). Nothing was changed.\nName another path, or repair this one, then go on: type the same again.\n`;
const rehearsal = "A rehearsal: the model's replies are recorded; engine, tools, files and tests are real.\n";

test.for<[argv: string[], env: Record<string, string>, code: number, stderr: string]>([
  [["status", "--home=BESIDE/file"], {}, 64, notFolder("file")],
  [["status"], { CLAUDE_EXEC_HOME: "BESIDE/file" }, 64, notFolder("file")],
  [["status", "--home=BESIDE/broken"], {}, 64, notFolder("broken")],
  [["resume", "1", "--home=BESIDE/loop"], live, 64, notFolder("loop")],
  [[task, "--trust", "--home=BESIDE/file"], live, 64, notFolder("file")],
  [
    ["status", "--home=BESIDE/file/y"],
    {},
    64,
    "The home BESIDE/file/y cannot be: there is no folder BESIDE/file.\nName a folder in one that exists: --home <folder>\n",
  ],
  [
    [task, "--trust"],
    { ...live, TMPDIR: "/nonexistent" },
    78,
    'TMPDIR is "/nonexistent", which is no folder that can be written. Nothing was begun.\nSet TMPDIR to a folder of yours, or unset it.\n',
  ],
  [
    [task, "--trust"],
    { ...live, TMPDIR: "BESIDE/file" },
    78,
    'TMPDIR is "BESIDE/file", which is no folder that can be written. Nothing was begun.\nSet TMPDIR to a folder of yours, or unset it.\n',
  ],
  [
    ["demo", "--answers=x", "--approve-policy=auto", "--folder=BESIDE/file/y"],
    {},
    1,
    `${rehearsal}${unusable("file/y", "ENOTDIR")}`,
  ],
  [
    ["demo", "--answers=x", "--approve-policy=auto", "--folder=BESIDE/full"],
    {},
    64,
    `${rehearsal}BESIDE/full is not empty. Nothing was copied.\nName an empty folder, or take a temporary one: leave --folder out\n`,
  ],
  [
    [task, "--trust"],
    { ...live, ANTHROPIC_BASE_URL: "not a url" },
    78,
    'ANTHROPIC_BASE_URL is "not a url", which is no address of a server. Nothing was begun.\nWrite it like http://127.0.0.1:8080, or unset it.\n',
  ],
  [
    [task, "--trust"],
    { ...live, ANTHROPIC_BASE_URL: "localhost:8080" },
    78,
    'ANTHROPIC_BASE_URL is "localhost:8080", which is no address of a server. Nothing was begun.\nWrite it like http://127.0.0.1:8080, or unset it.\n',
  ],
  [
    [task, "--trust"],
    { ...live, ANTHROPIC_API_KEY: "sk-\ntest" },
    78,
    "The API key holds a space, a line break or a letter that no key has. Nothing was begun.\nCopy the key again.\n",
  ],
  [
    [task, "--trust", "--record=BESIDE/new/x"],
    live,
    64,
    "There is no folder BESIDE/new to record in.\nMake the folder, or name a file in one that exists: --record <file>\n",
  ],
  [[task, "--trust", "--record=BESIDE/full"], live, 1, unusable("full", "EISDIR")],
  [
    [task, "--trust", "--record=BESIDE/file"],
    live,
    1,
    "The recording BESIDE/file is not JSON: Unexpected token 'm', \"mine\n\" is not valid JSON.\nNothing was changed. Mend the file at that place, or record it again.\n",
  ],
  [
    [task, "--trust", "--record=BESIDE/x", "--replay=BESIDE/replies.json"],
    {},
    64,
    "A recorded run that is played again has no new replies to record.\nEither play a run or record one.\n",
  ],
  [[task, "--trust", "--replay=BESIDE/full"], {}, 1, unusable("full", "EISDIR")],
  [
    ["trust", "BESIDE/loop"],
    {},
    64,
    "BESIDE/loop is not a folder. Nothing was trusted.\nName one: claude-exec trust <folder>\n",
  ],
  [["prompts", "import", "BESIDE/loop"], {}, 1, unusable("loop", "ELOOP")],
])("%j with %j is refused before anything begins, in words", async ([argv, env, code, stderr]) => {
  const place = oddPlace();
  const there = (text: string) => text.replaceAll("BESIDE", place.beside);
  const before = namesIn(place);
  const given = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, there(value)]));
  const ran = await place.run(argv.map(there), { env: given });
  expect({ ...ran, stderr: ran.stderr.replaceAll(place.beside, "BESIDE") }).toEqual({ code, stdout: "", stderr });
  expect(namesIn(place)).toEqual(before);
  expect(readFileSync(join(place.beside, "file"), "utf8")).toBe("mine\n");
});

/** What is there, except the log and the folder of the key, which every use makes. */
function namesIn({ beside, workspace }: Place): string[] {
  const names = [beside, workspace].flatMap((folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }));
  return names.filter((name) => !name.startsWith("state/")).toSorted();
}

test.for([
  ["/proc/self", "/proc/self/contexts cannot be used (ENOENT). Nothing was changed."],
  ["/proc/none", "The home /proc/none could not be made: Error: ENOENT"],
] as const)(
  "a home in %s, where no folder can be made, is refused in words and ends",
  async ([home, message], { skip }) => {
    if (!existsSync("/proc/self")) return skip("There is no /proc.");
    const place = placeWith(quickApp);
    const { child, ended } = place.start([...tiny, place.replay(tinyWay)], { env: { CLAUDE_EXEC_HOME: home } });
    const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const ran = await ended;
    clearTimeout(timer);
    expect(ran.stderr).toContain(message);
    expect(ran.stderr).not.toContain("    at ");
    expect([1, 78]).toContain(ran.code);
  },
);

test("a file named .claude-exec in a project is refused as a home, and left as it is", async () => {
  const place = placeWith({ ...quickApp, ".claude-exec": "mine\n" });
  for (const argv of [["status"], [...tiny, place.replay(tinyWay)]])
    expect(await place.run(argv)).toEqual({
      code: 64,
      stdout: "",
      stderr: notFolder(".claude-exec", `The home ${place.workspace}/`),
    });
});

test("an address that is wrong is refused when a chain goes on, and the chain is kept", async () => {
  const place = placeWith(quickApp);
  await place.run([...tiny, place.replay(asksFirst)]);
  const lines = place.journal().length;
  const env = { ...live, ANTHROPIC_BASE_URL: "not a url" };
  expect((await place.run(["resume", "1"], { env })).code).toBe(78);
  expect(place.journal()).toHaveLength(lines);
  const doctor = await place.run(["doctor"], { env });
  expect(doctor.stdout).toContain('ANTHROPIC_BASE_URL is "not a url"');
});

test.for([
  ["this Node", process.execPath],
  ["an old Node", oldNode],
] as const)("a current folder that was deleted is told in words by %s", async ([, node], context) => {
  if (!node) return context.skip("There is no old Node.");
  const place = placeWith(quickApp);
  const argv = [
    "-c",
    'cd "$1" && rmdir "$1" && exec "$2" "$3" status',
    "sh",
    join(place.beside, "gone"),
    node,
    program,
  ];
  mkdirSync(join(place.beside, "gone"));
  expect(await followed(spawn("/bin/sh", argv, { env: place.env, stdio: ["ignore", "pipe", "pipe"] })).ended).toEqual({
    code: 64,
    stdout: "",
    stderr:
      "The current folder is not there any more. Nothing was begun.\nGo to a folder that exists, then type the same again.\n",
  });
});

test("a user whom the system does not know can use it", async (context) => {
  if (process.geteuid?.() !== 0) return context.skip("Only root may become another user.");
  const place = placeWith(quickApp);
  const argv = ["--reuid=54321", "--clear-groups", process.execPath, program, "trust", "/tmp"];
  const env = { ...place.env, HOME: "/tmp/claude-exec-nobody", XDG_CONFIG_HOME: "", XDG_STATE_HOME: "" };
  const ran = await followed(spawn("setpriv", argv, { env, cwd: "/", stdio: ["ignore", "pipe", "pipe"] })).ended;
  rmSync("/tmp/claude-exec-nobody", { recursive: true, force: true });
  if (ran.stderr.includes("setpriv")) return context.skip("There is no setpriv.");
  expect(ran).toMatchObject({ code: 0, stderr: "" });
});

test("a clock ten years back is called wrong, and costs are counted with the newest prices", async () => {
  const place = placeWith(quickApp);
  const lines: string[] = [];
  const caller = callerAt(place.workspace, place.env, {
    progress: (sign) => sign.type === "notice" && lines.push(sign.line),
  });
  const back = { ...caller, world: { ...caller.world, now: () => Date.now() - 10 * 365.25 * 24 * 3600 * 1000 } };
  place.replay(asksFirst);
  const input = { task, trust: true, size: "tiny", test_command: "sh check.sh", replay: recordingIn(place) };
  const { data } = await operate("new", input, back);
  expect(data["cost"]).toMatchObject({ unpriced_calls: 0 });
  expect(lines).toEqual([
    expect.stringMatching(
      /^The clock of this machine looks wrong: it says \d{4}-\d\d-\d\d\. Costs are counted with the prices of 2026-11-20\.$/,
    ),
  ]);
  expect(existsSync(place.home)).toBe(true);
});
