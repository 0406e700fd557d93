import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Progress } from "../../src/chain/deps.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { recordingAt } from "../support/script.ts";
import { asksFirst, quickApp, task } from "../support/ways.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

/** A chain whose first call passes the threshold: how it ended, and the notices it gave. */
async function alerted(command: (folder: string) => string[]) {
  const place = placeWith(quickApp);
  const settings = { limits: { cost_alert_usd: 0.001 }, alerts: { command: command(place.beside) } };
  place.configure(settings);
  const notices: string[] = [];
  const progress = (sign: Progress) => void (sign.type === "notice" && notices.push(sign.line));
  const caller = callerAt(place.workspace, place.env, { progress });
  const replay = recordingAt(place.beside, asksFirst);
  const { data } = await operate("new", { task, trust: true, replay }, caller);
  expect(place.events("cost_alerted")).toMatchObject([{ threshold: 0.001 }]);
  expect(data["ending"]).toMatchObject({ type: "needs_answers" });
  return { place, notices };
}

test("the command of the user's own settings gets the facts of an alert on stdin, as JSON and in no word of a shell", async () => {
  const { place, notices } = await alerted((folder) => [
    "sh",
    "-c",
    'cat > "$1"',
    "sh",
    join(folder, "$(touch x) facts"),
  ]);
  const facts = JSON.parse(readFileSync(join(place.beside, "$(touch x) facts"), "utf8")) as object;
  const [{ usd } = { usd: 0 }] = place.events("cost_alerted");
  expect(facts).toEqual({
    alert: "chain",
    chain_id: "001",
    goal: task,
    workspace: place.workspace,
    usd,
    threshold_usd: 0.001,
  });
  expect(notices.join()).not.toContain("alerts.command");
});

test.each([
  ["no-such-program-of-ours", "no such program"],
  ["false", "exit 1"],
])("where %s is the command, one line says why it failed, and the chain goes on", async (program, why) => {
  const { notices } = await alerted(() => [program]);
  expect(notices.filter((line) => line.includes("alerts"))).toEqual([
    `alerts.command failed (${why}). The chain goes on.`,
  ]);
});

test("a workspace names no command", async () => {
  const stolen = join(placeWith({}).beside, "stolen");
  const place = placeWith({
    ...quickApp,
    ".claude-exec/config.json": JSON.stringify({ alerts: { command: ["touch", stolen] } }),
  });
  place.configure({ limits: { cost_alert_usd: 0.001 } });
  const replay = recordingAt(place.beside, asksFirst);
  await operate("new", { task, trust: true, replay }, callerAt(place.workspace, place.env));
  expect(place.events("cost_alerted")).toHaveLength(1);
  expect(existsSync(stolen)).toBe(false);
});

test("what all chains cost on a day and together is told once, by whichever chain passes it", async () => {
  const place = placeWith(quickApp);
  const file = join(place.beside, "facts");
  const command = ["sh", "-c", 'cat >> "$1"; echo >> "$1"', "sh", file];
  const configure = (day: number, project: number) =>
    place.configure({ limits: { cost_alert_day_usd: day, cost_alert_project_usd: project }, alerts: { command } });
  const replay = recordingAt(place.beside, asksFirst);
  const server = await startMessagesServer(replayHandler(replay));
  closing.push(server.close);
  const env = { ...place.env, ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: "key" };
  const caller = callerAt(place.workspace, env);
  const begin = (more: object = {}) => operate("new", { task, trust: true, ...more }, caller);
  const alerts = () => {
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
    return lines.map((line) => {
      const { alert, chain_id } = JSON.parse(line) as Record<string, unknown>;
      return [alert, chain_id];
    });
  };
  await begin();
  const { usd } = (await operate("chain-cost", { chain: "1" }, caller)).data as { usd: number };
  configure(usd * 1.5, usd * 2.5);
  // Nobody paid for what a recording replied.
  await begin({ replay });
  expect(alerts()).toEqual([]);
  await begin();
  expect(alerts()).toEqual([["day", "003"]]);
  await begin();
  await begin();
  expect(alerts()).toEqual([
    ["day", "003"],
    ["project", "004"],
  ]);
  expect(place.events("cost_alerted", "004")).toMatchObject([{ of: "project", threshold: usd * 2.5 }]);
  // A sum that is below again, because a higher one was set, is told when it passes that.
  configure(usd * 100, usd * 4.5);
  await begin();
  expect(alerts().at(-1)).toEqual(["project", "006"]);
});
