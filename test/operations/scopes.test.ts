import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { trust } from "../../src/session/trust.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate, refusal } from "../support/inside.ts";

afterEach(() => vi.unstubAllEnvs());

const says = (purpose: string) => `---\npurpose: ${purpose}\ncost_estimate: low\n---\nDo it.\n`;

function put(file: string, purpose: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, says(purpose));
  return file;
}

/** A trusted project beside which there is room for what a team and a user have. */
function project(files: Record<string, string> = {}) {
  const place = placeWith({ ".claude-exec/config.json": "{}", ...files });
  trust(place.workspace, place.env);
  const ask = (name: string, input: object = {}) => operate(name, input, callerAt(place.workspace, place.env));
  const shown = async (name: string) => {
    const { scope, purpose, hides } = (await ask("prompts show", { name })).data;
    return { scope, purpose, hides: (hides as { scope: string }[]).map((hidden) => hidden.scope) };
  };
  const problems = async () =>
    (await ask("prompts list")).data["problems"] as { file: string; message: string; next: object[] }[];
  /** What is said about the settings. */
  const told = async () => {
    const lines: string[] = [];
    const progress = (sign: { type: string; line?: string }) =>
      sign.type === "notice" && sign.line !== undefined && lines.push(sign.line);
    await operate("prompts list", {}, callerAt(place.workspace, place.env, { progress }));
    return lines;
  };
  const user = join(place.beside, "config", "claude-exec");
  return { place, ask, told, shown, problems, user };
}

const configure = (place: Place, prompts: object) =>
  writeFileSync(join(place.home, "config.json"), JSON.stringify({ prompts }));

test("a name belongs to the workspace, then the team, then the user, then what is shipped, then what was generated", async () => {
  const { place, shown, user } = project();
  const team = join(place.beside, "team");
  place.configure({ prompts: { team: [team] } });
  const at = {
    workspace: join(place.home, "prompts", "a", "code_reviewer.md"),
    team: join(team, "b", "code_reviewer.md"),
    user: join(user, "prompts", "c", "code_reviewer.md"),
    custom: join(place.home, "prompts", "custom", "code_reviewer.md"),
  };
  for (const [scope, file] of Object.entries(at)) put(file, scope);
  const order = ["workspace", "team", "user", "builtin", "custom"];
  for (const [rank, scope] of order.entries()) {
    const seen = await shown("code_reviewer");
    expect([seen.scope, ...seen.hides]).toEqual(order.slice(rank));
    if (scope === "builtin") break;
    expect(seen.purpose).toBe(scope);
    renameSync(at[scope as keyof typeof at], `${at[scope as keyof typeof at]}.gone`);
  }
});

test("a name is exact: no part of it, no other spelling finds a prompt of any scope", async () => {
  const { ask } = project({ ".claude-exec/prompts/tide_table.md": says("Tides") });
  for (const name of ["tide", "tide_tables", "Tide_table", "a/tide_table", "tide_table.md", " tide_table"]) {
    expect(await refusal(ask("prompts show", { name }))).toMatchObject({
      code: "unknown_prompt",
      message: `No prompt is called ${JSON.stringify(name)}.`,
    });
  }
});

test("a user names team folders relative to the settings, below the home folder, or from the root", async () => {
  const { place, shown, user } = project();
  const homeFolder = join(place.beside, "somebody");
  vi.stubEnv("HOME", homeFolder);
  put(join(user, "shared", "one_relative.md"), "relative");
  put(join(homeFolder, "team", "two_at_home.md"), "at home");
  put(join(place.beside, "abs", "x", "three_absolute.md"), "absolute");
  place.configure({ prompts: { team: ["shared", "~/team", join(place.beside, "abs")] } });
  expect(await shown("one_relative")).toEqual({ scope: "team", purpose: "relative", hides: [] });
  expect(await shown("two_at_home")).toEqual({ scope: "team", purpose: "at home", hides: [] });
  expect(await shown("three_absolute")).toEqual({ scope: "team", purpose: "absolute", hides: [] });
});

test("of team folders the project's come first, then the user's, each in the order they are named", async () => {
  const { place, shown, user } = project();
  place.configure({ prompts: { team: ["one", "two"] } });
  configure(place, { team: ["../shared"] });
  put(join(user, "two", "tide_table.md"), "second");
  expect((await shown("tide_table")).purpose).toBe("second");
  put(join(user, "one", "tide_table.md"), "first");
  expect((await shown("tide_table")).purpose).toBe("first");
  put(join(place.workspace, "shared", "tide_table.md"), "of the project");
  expect(await shown("tide_table")).toEqual({ scope: "team", purpose: "of the project", hides: ["team", "team"] });
});

test("a team folder that is not there is told, and counts as soon as it is", async () => {
  const { place, ask, shown, problems } = project();
  const team = join(place.beside, "team");
  place.configure({ prompts: { team: [team] } });
  expect(await problems()).toEqual([
    {
      file: team,
      message: `${team}: there is no such folder`,
      next: [{ why: "Check the team's prompts out there, or take the folder out of prompts.team in config.json." }],
    },
  ]);
  expect((await refusal(ask("prompts show", { name: "tide_table" }))).message).toBe(
    `No prompt is called "tide_table". ${team}: there is no such folder.`,
  );
  expect((await shown("code_reviewer")).scope).toBe("builtin");
  put(join(team, "tide_table.md"), "of the team");
  expect(await problems()).toEqual([]);
  expect((await shown("tide_table")).scope).toBe("team");
});

test("a team folder that is a file is told", async () => {
  const { place, problems } = project();
  const team = join(place.beside, "team");
  writeFileSync(team, "");
  place.configure({ prompts: { team: [team] } });
  expect((await problems()).map(({ message }) => message)).toEqual([`${team}: cannot be listed (ENOTDIR)`]);
});

test("other scopes need no folder", async () => {
  const { problems } = project();
  expect(await problems()).toEqual([]);
});

test("a project names team folders inside itself only, also by way of a link", async () => {
  const { place, ask, told, shown } = project();
  const outside = join(place.beside, "outside");
  put(join(outside, "tide_table.md"), "of a stranger");
  put(join(place.workspace, "docs", "prompts", "ebb_hour.md"), "of the project");
  symlinkSync(outside, join(place.workspace, "link"));
  symlinkSync(join(place.workspace, "docs"), join(place.workspace, "within"));
  for (const team of [outside, "../../outside", "../link", "../link/.", "~/team"]) {
    configure(place, { team: [team] });
    expect(await told()).toEqual([`Settings in ${place.home}: looser than yours, so not counted: prompts.team.`]);
    expect((await refusal(ask("prompts show", { name: "tide_table" }))).code).toBe("unknown_prompt");
  }
  configure(place, { team: ["../within/prompts"] });
  expect((await shown("ebb_hour")).scope).toBe("team");
});

test("only the user's own settings let a prompt stand in for a system prompt", async () => {
  const { place, told, shown, problems } = project({ ".claude-exec/prompts/system/phase_controller.md": says("Mine") });
  const file = join(place.home, "prompts", "system", "phase_controller.md");
  expect((await shown("phase_controller")).scope).toBe("builtin");
  expect(await problems()).toEqual([
    {
      file,
      message: expect.stringMatching(
        /:1: the name phase_controller is taken by .+\/prompts\/system\/phase_controller\.md$/,
      ) as string,
      next: [
        {
          why: 'Rename this file, or allow it by name in your own config.json: "prompts": {"may_replace": ["phase_controller"]}.',
        },
      ],
    },
  ]);
  configure(place, { may_replace: ["phase_controller"] });
  expect(await told()).toEqual([`Settings in ${place.home}: looser than yours, so not counted: prompts.may_replace.`]);
  expect((await shown("phase_controller")).scope).toBe("builtin");
  configure(place, {});
  place.configure({ prompts: { may_replace: ["new_case"] } });
  expect((await shown("phase_controller")).scope).toBe("builtin");
  place.configure({ prompts: { may_replace: ["phase_controller"] } });
  expect(await shown("phase_controller")).toEqual({ scope: "workspace", purpose: "Mine", hides: ["builtin"] });
  expect(await problems()).toEqual([]);
});

test("what the user allowed, a project may not widen but may name again", async () => {
  const { place, told } = project();
  place.configure({ prompts: { may_replace: ["phase_controller"] } });
  configure(place, { may_replace: ["phase_controller"] });
  expect(await told()).toEqual([]);
  configure(place, { may_replace: ["phase_controller", "new_case"] });
  expect(await told()).toEqual([`Settings in ${place.home}: looser than yours, so not counted: prompts.may_replace.`]);
});
