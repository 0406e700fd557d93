import { httpError, readJson, requireUser } from "./middleware.js";
import { createSessions } from "./sessions.js";
import { createUsers } from "./users.js";

/** `now` tells the time in milliseconds, so that tests can move it. */
export function createApp({ now = Date.now } = {}) {
  const users = createUsers();
  const sessions = createSessions({ now });
  const notes = new Map();

  const routes = {
    "POST /api/register": async (request) => {
      const { name, password } = credentials(await readJson(request));
      if (!(await users.register(name, password))) throw httpError(409, "This name is taken.");
      return { status: 201, headers: { "set-cookie": sessions.start(name) }, body: { name } };
    },
    "POST /api/login": async (request) => {
      const { name, password } = credentials(await readJson(request));
      if (!(await users.verify(name, password))) throw httpError(401, "Wrong name or password.");
      return { status: 200, headers: { "set-cookie": sessions.start(name) }, body: { name } };
    },
    "POST /api/logout": (request) => {
      return { status: 204, headers: { "set-cookie": sessions.end(request) } };
    },
    "GET /api/me": requireUser(sessions, (_request, name) => {
      return { status: 200, body: { name } };
    }),
    "GET /api/notes": requireUser(sessions, (_request, name) => {
      return { status: 200, body: { notes: notes.get(name) ?? [] } };
    }),
    "POST /api/notes": requireUser(sessions, async (request, name) => {
      const { text } = await readJson(request);
      if (typeof text !== "string" || text.trim() === "") throw httpError(400, "A note needs a text.");
      const own = notes.get(name) ?? [];
      const note = { id: own.length + 1, text, created_at: new Date(now()).toISOString() };
      notes.set(name, [...own, note]);
      return { status: 201, body: note };
    }),
  };

  return async function app(request, response) {
    try {
      const route = routes[`${request.method} ${request.url.split("?")[0]}`];
      if (!route) throw httpError(404, "There is nothing here.");
      send(response, await route(request));
    } catch (error) {
      if (!error.status) console.error(error);
      const { status = 500, headers } = error;
      send(response, { status, headers, body: { error: error.status ? error.message : "Something broke." } });
    }
  };
}

function credentials({ name, password }) {
  if (typeof name !== "string" || !/^[a-z0-9_-]{2,32}$/.test(name)) {
    throw httpError(400, "A name has 2 to 32 of a-z, 0-9, _ and -.");
  }
  if (typeof password !== "string" || password.length < 8) {
    throw httpError(400, "A password has at least 8 characters.");
  }
  return { name, password };
}

function send(response, { status, headers = {}, body }) {
  if (body === undefined) return response.writeHead(status, headers).end();
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
