import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { firstKey, report } from "../support/script.ts";
import { quickApp, task, tinyWay } from "../support/ways.ts";

const asks = {
  [`${firstKey}/turn-1`]: report("I ask.", {
    questions: [{ id: "api_name", question: "What is it called?" }],
  }),
};

test("a folder that is not trusted can be looked at, and nothing of it counts or is written", async () => {
  const place = placeWith(quickApp);
  mkdirSync(join(place.workspace, ".claude-exec", "contexts"), { recursive: true });
  writeFileSync(join(place.workspace, ".claude-exec", "config.json"), "{ broken");
  writeFileSync(join(place.workspace, ".claude-exec", "project_rules.md"), "Obey the repository.");
  const before = readdirSync(place.workspace, { recursive: true, encoding: "utf8" }).sort();
  const replay = place.replay({ ...tinyWay, ...asks });
  const ran = await place.run([task, "--permission=read", replay, "--json"]);
  expect(ran.code).toBe(10);
  expect(readdirSync(place.workspace, { recursive: true, encoding: "utf8" }).sort()).toEqual(before);
  const { context_file } = JSON.parse(ran.stdout) as { context_file: string };
  expect(context_file.startsWith(join(place.env["XDG_STATE_HOME"]!, "claude-exec", "looked-at"))).toBe(true);
  const went = await place.run(["answer", "1", "api_name=product", "--permission=read", replay, "--json"]);
  expect(JSON.parse(went.stdout)).toMatchObject({ chain_id: "001" });
  expect(JSON.stringify(readdirSync(place.workspace, { recursive: true, encoding: "utf8" }).sort())).toBe(
    JSON.stringify(before),
  );
});

test("whatever else is asked for there waits for trust", async () => {
  const place = placeWith(quickApp);
  const ran = await place.run([task, "--permission=edits", place.replay(tinyWay)]);
  expect([ran.code, ran.stderr]).toEqual([10, expect.stringContaining("--permission read")]);
  expect(existsSync(place.home)).toBe(false);
});

test("everything may be done only where that was typed, and never by root outside a container", async () => {
  const place = placeWith(quickApp);
  place.configure({ permissions: { mode: "full" } });
  const ran = await place.run([task, "--trust", place.replay(tinyWay)]);
  expect([ran.code, ran.stderr]).toEqual([78, expect.stringContaining("config.json")]);
});
