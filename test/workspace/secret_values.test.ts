import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

const pem = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";

test("the very values of closed files are taken out of whatever is shown, however they got there", () => {
  const folder = folderWith({
    ".env": 'PASSWORD=marmalade-harbour\nexport TOKEN="with spaces in it" \n# a comment\nMODE=development\nPORT=3000\n',
    "deep/server.key": `-----BEGIN KEY-----\n${pem}\n-----END KEY-----\n`,
  });
  const { redact } = openWorkspace(folder, { env: process.env, hide: [] });
  expect(redact(`+PASSWORD=marmalade-harbour then with spaces in it, ${pem}; development on 3000`)).toBe(
    "+PASSWORD=[redacted secret] then [redacted secret], [redacted secret]; development on 3000",
  );
  appendFileSync(join(folder, ".env"), "LATER=another-plain-word\n");
  expect(redact("another-plain-word")).toBe("[redacted secret]");
});

test("what is no secret stays as it is", () => {
  const folder = folderWith({
    ".env": "URL=http://localhost:3000\nHOST=127.0.0.1\nNAME=ada\nEMPTY=\nPATHS=./src/app\n",
  });
  const text = "http://localhost:3000 127.0.0.1 ada ./src/app";
  expect(openWorkspace(folder, { env: process.env, hide: [] }).redact(text)).toBe(text);
});
