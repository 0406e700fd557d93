import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageVersion } from "../../src/session/places.ts";
import { rememberTestCommand } from "../../src/session/test_commands.ts";
import { trust } from "../../src/session/trust.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";

async function doctor({ workspace, env }: Place, more: Record<string, string> = {}) {
  const { exit, data } = await operate("doctor", {}, callerAt(workspace, { ...env, ...more }));
  const checks = data["checks"] as { what: string; ok: string; found: string; next: object[] }[];
  return { exit, data, check: (what: string) => checks.find((check) => check.what === what), checks };
}

test("doctor on a machine with nothing set up says what is missing and what to do", async () => {
  const place = placeWith({});
  const { exit, data, check, checks } = await doctor(place);
  expect(exit).toBe(78);
  expect(data["version"]).toBe(packageVersion());
  expect(checks.map(({ what }) => what)).toEqual([
    "Node",
    "model",
    "trust",
    "home",
    "config",
    "tests",
    "prompts",
    "index",
    "sandbox",
    "git",
    "rg",
  ]);
  expect(check("Node")).toEqual({ what: "Node", ok: "yes", found: process.version, next: [] });
  expect(check("model")).toEqual({
    what: "model",
    ok: "no",
    found: "no key",
    next: [{ operation: "demo", why: "export ANTHROPIC_API_KEY=…, or try" }],
  });
  expect(check("trust")).toEqual({
    what: "trust",
    ok: "optional",
    found: `${place.workspace} is not trusted`,
    next: [{ operation: "trust", why: "If you know what is in it" }],
  });
  expect(check("home")).toMatchObject({ ok: "optional", found: "none yet" });
  expect(check("config")).toMatchObject({
    ok: "yes",
    found: "the defaults (a folder that is not trusted sets nothing)",
  });
  expect(check("git")).toMatchObject({ ok: "yes", found: expect.stringMatching(/^git version /) as string });
});

test("doctor shows the test command that is remembered for this project, and how it is changed", async () => {
  const place = placeWith({});
  const world = { env: place.env, now: () => new Date(2026, 10, 12, 12).getTime() };
  rememberTestCommand(place.workspace, ["make", "check"], [], world);
  expect((await doctor(place)).check("tests")).toEqual({
    what: "tests",
    ok: "optional",
    found: "make check (the command you confirmed on 12 November)",
    next: [
      {
        operation: "new",
        input: { task: "…", test_command: "…" },
        why: "Name another command with your next task",
      },
    ],
  });
});

test("doctor with a key and a trusted folder is content, and tells no key", async () => {
  const place = placeWith({ ".claude-exec/config.json": "{}" });
  trust(place.workspace, place.env);
  const { exit, data, check } = await doctor(place, {
    ANTHROPIC_API_KEY: "sk-secret",
    ANTHROPIC_BASE_URL: "http://127.0.0.1:8080",
  });
  expect(exit).toBe(0);
  expect(check("model")).toMatchObject({ ok: "yes", found: "a key is set at http://127.0.0.1:8080", next: [] });
  expect(check("trust")).toMatchObject({ ok: "yes", found: `${place.workspace} is trusted` });
  expect(check("home")).toMatchObject({ ok: "yes", found: join(place.home, "contexts") });
  expect(check("config")).toMatchObject({ ok: "yes", found: "read" });
  expect(JSON.stringify(data)).not.toContain("sk-secret");
});

test("doctor finds the key in a trusted home's .env", async () => {
  const place = placeWith({ ".claude-exec/.env": "ANTHROPIC_API_KEY=sk-secret\n" });
  trust(place.workspace, place.env);
  const { check } = await doctor(place);
  expect(check("model")).toMatchObject({ ok: "yes", found: "a key is set" });
});

test("doctor names a config and a prompt that cannot be read", async () => {
  const place = placeWith({ ".claude-exec/prompts/note_taker.md": "no front matter\n" });
  trust(place.workspace, place.env);
  const key = { ANTHROPIC_API_KEY: "any" };
  const prompts = await doctor(place, key);
  expect(prompts.exit).toBe(78);
  expect(prompts.check("prompts")).toMatchObject({
    ok: "no",
    found: expect.stringMatching(/^\d+, and 1 that cannot be read: .*note_taker\.md:1: /) as string,
  });
  mkdirSync(place.home, { recursive: true });
  writeFileSync(join(place.home, "config.json"), '{"modles": {}}');
  const config = await doctor(place, key);
  expect(config.exit).toBe(78);
  expect(config.check("config")).toEqual({
    what: "config",
    ok: "no",
    found: `${place.home}/config.json cannot be used: ✖ Unrecognized key: "modles"`,
    next: [{ why: "Fix it; claude-exec.schema.json says what may stand there." }],
  });
});
