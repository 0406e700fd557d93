import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { operations } from "../../src/operations/operations.ts";
import { packageFolder } from "../../src/session/places.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate, refusal } from "../support/inside.ts";
import { temporaryFolder } from "../support/temporary.ts";

const skills = join(packageFolder, "integrations", "claude-code", "plugin", "skills");
const install = (place: Place, more: object = {}) =>
  operate("install", { into: "claude", ...more }, callerAt(place.workspace, place.env));
const read = (place: Place, path: string) => readFileSync(join(place.workspace, ".claude", path), "utf8");

test("each shipped skill calls an operation of ours, and may call that alone without asking", () => {
  for (const name of readdirSync(skills)) {
    const text = readFileSync(join(skills, name, "SKILL.md"), "utf8");
    const command = /^claude-exec (.+?) (?:\$ARGUMENTS|"\$ARGUMENTS") --json$/m.exec(text)?.[1] ?? "";
    expect(operations.map((operation) => operation.name)).toContain(command);
    expect(text).toContain(`\nallowed-tools: Bash(claude-exec ${command} *)\n`);
    expect(["approve", "allow", "answer", "waive", "accept"]).not.toContain(command);
    expect(text).toContain(`\nname: ${name}\n`);
  }
});

test("what is put in can be put in again and taken out, and the user's own settings stay", async () => {
  const place = placeWith({
    ".claude/settings.json": JSON.stringify({ model: "opus", hooks: { Stop: [{ hooks: [] }] } }),
  });
  const before = read(place, "settings.json");
  const first = await install(place);
  expect(first.data["written"]).toHaveLength(readdirSync(skills).length);
  expect(JSON.parse(read(place, "settings.json"))).toMatchObject({
    model: "opus",
    hooks: { Stop: [{ hooks: [] }], SessionStart: [{ matcher: "resume|compact" }] },
  });
  expect((await install(place)).data).toMatchObject({ written: [], removed: [], kept: [], hook: "unchanged" });
  const undone = await install(place, { undo: true });
  expect(undone.data).toMatchObject({ hook: "removed", kept: [] });
  expect(JSON.parse(read(place, "settings.json"))).toEqual(JSON.parse(before));
  expect(readdirSync(join(place.workspace, ".claude"))).toEqual(["settings.json"]);
});

test("a skill of the user's by the same name, and one they changed, stay; the others come and go", async () => {
  const mine = "---\nname: implement\n---\nMine.\n";
  const place = placeWith({ ".claude/skills/implement/SKILL.md": mine });
  expect((await install(place)).data["kept"]).toEqual([join("skills", "implement", "SKILL.md")]);
  const changed = join(place.workspace, ".claude", "skills", "chain-cost", "SKILL.md");
  writeFileSync(changed, "Changed.");
  expect((await install(place)).data["kept"]).toHaveLength(2);
  await install(place, { undo: true });
  expect(read(place, join("skills", "implement", "SKILL.md"))).toBe(mine);
  expect(readFileSync(changed, "utf8")).toBe("Changed.");
  expect(readdirSync(join(place.workspace, ".claude", "skills")).toSorted()).toEqual(["chain-cost", "implement"]);
});

test("settings that cannot be read are left as they are, and said to be", async () => {
  const place = placeWith({ ".claude/settings.json": "{ not json" });
  expect((await install(place)).data["hook"]).toBe("unreadable");
  expect(read(place, "settings.json")).toBe("{ not json");
});

test.each([".claude", ".claude/skills", ".claude/skills/implement", ".claude/settings.json"])(
  "nothing is written through a link at %s",
  async (path) => {
    const place = placeWith({});
    const elsewhere = temporaryFolder();
    mkdirSync(join(place.workspace, path, ".."), { recursive: true });
    symlinkSync(path.endsWith("json") ? join(elsewhere, "settings.json") : elsewhere, join(place.workspace, path));
    expect(await refusal(install(place))).toMatchObject({ code: "is_a_link" });
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(existsSync(join(place.workspace, ".claude", "claude-exec.json"))).toBe(false);
  },
);
