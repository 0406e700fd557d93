import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  chainIds,
  chainPaths,
  contextFiles,
  dropMessage,
  removeLeftovers,
  removeMessage,
  takeChainId,
  waitingMessages,
  type Inbox,
} from "../../src/store/chains.ts";
import { sealWith } from "../../src/store/seal.ts";
import { testSeal } from "../support/sealed.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { child, wholeOutput } from "./children.ts";

afterEach(cleanUp);

test("the files of a chain have their places", () => {
  expect(chainPaths("/c", "047")).toEqual({
    journal: "/c/journal/047.jsonl",
    lock: "/c/journal/047.lock",
    prompts: "/c/prompts/047",
    spare: "/c/journal/047.spare",
    end: "/c/journal-ends/047.json",
    blobs: "/c/blobs",
    aside: "/c/set-aside/047",
    tree: "/c/journal/047.tree",
    inbox: "/c/inbox/047",
  });
});

test("numbers begin at 001, and each is taken with an empty journal of its owner's alone", () => {
  const contexts = join(folderWith({}), "contexts");
  expect([takeChainId(contexts), takeChainId(contexts), takeChainId(contexts)]).toEqual(["001", "002", "003"]);
  const stats = fs.statSync(chainPaths(contexts, "003").journal);
  expect([stats.size, stats.mode & 0o777, chainIds(contexts)]).toEqual([0, 0o600, ["001", "002", "003"]]);
});

test("several processes at once never get the same number", async () => {
  const contexts = join(folderWith({}), "contexts");
  const code = `for (let i = 0; i < 25; i++) console.log(ours.takeChainId(${JSON.stringify(contexts)}));`;
  const outputs = await Promise.all(Array.from({ length: 4 }, () => wholeOutput(child(["store/chains.ts"], code))));
  const taken = outputs.flatMap((output) => output.trim().split("\n")).sort();
  expect(taken).toEqual(Array.from({ length: 100 }, (_, index) => String(index + 1).padStart(3, "0")));
});

test("a number that was given is not given again when earlier chains are removed", () => {
  const contexts = folderWith({ "chain-007-old-2026-11-20-10-00.json": "{}", "journal/003.jsonl": "" });
  expect(takeChainId(contexts)).toBe("008");
  fs.rmSync(join(contexts, "chain-007-old-2026-11-20-10-00.json"));
  fs.rmSync(join(contexts, "journal", "003.jsonl"));
  expect(takeChainId(contexts)).toBe("009");
});

test("numbers go on past 999, and are ordered as numbers", () => {
  const contexts = folderWith({ "journal/999.jsonl": "", "journal/5.jsonl": "", "chain-080-a-b.json": "{}" });
  expect(takeChainId(contexts)).toBe("1000");
  expect(chainIds(contexts)).toEqual(["5", "080", "999", "1000"]);
});

test("only journals and context files count as chains", () => {
  const contexts = folderWith({
    "chain-002-jwt-auth-2026-11-20-14-22.json": "{}",
    "chain-abc-x.json": "{}",
    "chain-003-x.json.imported": "{}",
    "notes.json": "{}",
    "journal/001.jsonl": "",
    "journal/001.lock": "",
    "journal/004.jsonl.damaged-2026": "",
  });
  expect(chainIds(contexts)).toEqual(["001", "002"]);
  expect([...contextFiles(contexts)]).toEqual([["002", join(contexts, "chain-002-jwt-auth-2026-11-20-14-22.json")]]);
  expect([chainIds(join(contexts, "none")), contextFiles(join(contexts, "none")).size]).toEqual([[], 0]);
});

test("messages wait in the order of their time until they are removed", async () => {
  const inbox = inboxIn(join(folderWith({}), "inbox", "001"));
  expect(await waitingMessages(inbox)).toEqual([]);
  for (const [now, message] of [
    [1_000_000, { say: "second" }],
    [999, { say: "first" }],
    [1_800_000_000_000, { say: "third" }],
  ] as const)
    await dropMessage(inbox, message, now);
  const waiting = await waitingMessages(inbox);
  expect(waiting.map(({ message }) => message)).toEqual([{ say: "first" }, { say: "second" }, { say: "third" }]);
  await removeMessage(inbox, waiting[0]!.name);
  await removeMessage(inbox, waiting[0]!.name);
  expect(await waitingMessages(inbox)).toEqual(waiting.slice(1));
});

test("what is no message yet, or cannot be read, stops nothing", async () => {
  const inbox = inboxIn(folderWith({ ".1.tmp": "{", ".2.json": "{}", README: "x", "000-torn.json": '{"by":' }));
  expect(await waitingMessages(inbox)).toEqual([{ name: "000-torn.json", message: undefined }]);
});

test("a message counts for one chain, one key and one name, and only as it was written", async () => {
  const inbox = inboxIn(join(folderWith({}), "inbox", "001"));
  await dropMessage(inbox, { say: "yes" }, 1);
  const [{ name, message } = { name: "", message: "none" }] = await waitingMessages(inbox);
  expect(message).toEqual({ say: "yes" });
  const sealed = fs.readFileSync(join(inbox.folder, name), "utf8");
  const seen = async (other: Partial<Inbox>) =>
    (await waitingMessages({ ...inbox, ...other })).map((one) => one.message);
  expect([await seen({ chain: "another chain" }), await seen({ seal: sealWith(Buffer.alloc(32, 8)) })]).toEqual([
    [undefined],
    [undefined],
  ]);
  fs.rmSync(join(inbox.folder, name));
  for (const [file, text] of Object.entries({
    "000000000000002-copy.json": sealed,
    "000000000000003-changed.json": sealed.replace("yes", "no"),
    "000000000000004-bare.json": '{"say":"yes"}',
  }))
    fs.writeFileSync(join(inbox.folder, file), text);
  fs.mkdirSync(join(inbox.folder, "000000000000005-folder.json"));
  execFileSync("mkfifo", [join(inbox.folder, "000000000000006-pipe.json")]);
  expect(await seen({})).toEqual([undefined, undefined, undefined, undefined, undefined]);
  for (const one of await waitingMessages(inbox)) await removeMessage(inbox, one.name);
  expect(await seen({})).toEqual([]);
});

test("an inbox behind a link is neither read nor emptied, since its files may be somebody else's", async () => {
  const folder = folderWith({ "documents/001/letter.json": "{}" });
  fs.mkdirSync(join(folder, "contexts"));
  fs.symlinkSync(join(folder, "documents"), join(folder, "contexts", "inbox"));
  const inbox = inboxIn(join(folder, "contexts", "inbox", "001"));
  for (const work of [
    () => waitingMessages(inbox),
    () => dropMessage(inbox, {}, 1),
    () => removeLeftovers(join(folder, "contexts"), "001"),
  ])
    await expect(async () => work()).rejects.toMatchObject({ code: "folder_is_link", exitCode: 14 });
  expect(fs.readdirSync(join(folder, "documents", "001"))).toEqual(["letter.json"]);
});

function inboxIn(folder: string): Inbox {
  return { folder, seal: testSeal, chain: "the hash of its first line" };
}
