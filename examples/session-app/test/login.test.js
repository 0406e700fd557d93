import assert from "node:assert/strict";
import { test } from "node:test";
import { startApp } from "../support/client.js";

const ada = { name: "ada", password: "correct horse" };

test("a registered user is logged in until logout", async (t) => {
  const call = await startApp(t);
  const registered = await call("POST", "/api/register", ada);
  assert.deepEqual([registered.status, registered.body], [201, { name: "ada" }]);
  assert.match(registered.cookie, /^sid=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=86400$/);
  assert.deepEqual((await call("GET", "/api/me")).body, { name: "ada" });

  const stolen = registered.cookie.split(";")[0];
  assert.equal((await call("POST", "/api/logout")).status, 204);
  assert.equal((await call("GET", "/api/me", undefined, { cookie: stolen })).status, 401);
});

test("login takes the right password only, and a name only once", async (t) => {
  const call = await startApp(t);
  await call("POST", "/api/register", ada);
  assert.equal((await call("POST", "/api/register", ada)).status, 409);
  assert.equal((await call("POST", "/api/login", { ...ada, password: "wrong horse" })).status, 401);
  assert.equal((await call("POST", "/api/login", { ...ada, name: "bob" })).status, 401);
  assert.equal((await call("POST", "/api/login", ada)).status, 200);
});

test("a session ends after a day", async (t) => {
  let time = Date.parse("2026-01-01T00:00:00Z");
  const call = await startApp(t, { now: () => time });
  await call("POST", "/api/register", ada);
  time += 24 * 60 * 60 * 1000 - 1;
  assert.equal((await call("GET", "/api/me")).status, 200);
  time += 1;
  assert.equal((await call("GET", "/api/me")).status, 401);
});

test("a body that is too large, or no JSON object, is refused", async (t) => {
  const call = await startApp(t);
  assert.equal((await call("POST", "/api/login", { name: "a".repeat(20_000) })).status, 413);
  assert.equal((await call("POST", "/api/login", "{")).status, 400);
  assert.equal((await call("POST", "/api/login", "null")).status, 400);
  assert.equal((await call("POST", "/api/login", { name: "ada", password: 1 })).status, 400);
});
