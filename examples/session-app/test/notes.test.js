import assert from "node:assert/strict";
import { test } from "node:test";
import { startApp } from "../support/client.js";

test("notes belong to the user who wrote them", async (t) => {
  const call = await startApp(t, { now: () => Date.parse("2026-01-01T00:00:00Z") });
  await call("POST", "/api/register", { name: "ada", password: "correct horse" });
  const note = { id: 1, text: "call Charles", created_at: "2026-01-01T00:00:00.000Z" };
  const written = await call("POST", "/api/notes", { text: "call Charles" });
  assert.deepEqual([written.status, written.body], [201, note]);
  assert.deepEqual((await call("GET", "/api/notes")).body, { notes: [note] });

  await call("POST", "/api/register", { name: "bob", password: "battery staple" });
  assert.deepEqual((await call("GET", "/api/notes")).body, { notes: [] });
});

test("notes need a login and a text", async (t) => {
  const call = await startApp(t);
  assert.equal((await call("GET", "/api/notes")).status, 401);
  assert.equal((await call("POST", "/api/notes", { text: "hello" })).status, 401);
  await call("POST", "/api/register", { name: "ada", password: "correct horse" });
  assert.equal((await call("POST", "/api/notes", { text: " " })).status, 400);
  assert.equal((await call("GET", "/api/nowhere")).status, 404);
});
