import { randomBytes } from "node:crypto";

const LIFETIME_SECONDS = 24 * 60 * 60;

export function createSessions({ now }) {
  const sessions = new Map();

  return {
    /** Opens a session for the user; the answer is the cookie that carries it. */
    start(name) {
      forgetExpired();
      const id = randomBytes(32).toString("base64url");
      sessions.set(id, { name, expiresAt: now() + LIFETIME_SECONDS * 1000 });
      return cookie(id, LIFETIME_SECONDS);
    },
    /** The user of the request's session, or undefined. */
    user(request) {
      const session = sessions.get(sessionId(request));
      return session && session.expiresAt > now() ? session.name : undefined;
    },
    /** Closes the request's session; the answer is the cookie that clears it. */
    end(request) {
      sessions.delete(sessionId(request));
      return cookie("", 0);
    },
  };

  // All sessions live equally long and a Map keeps their order: the first live one ends the sweep.
  function forgetExpired() {
    for (const [id, session] of sessions) {
      if (session.expiresAt > now()) return;
      sessions.delete(id);
    }
  }
}

function cookie(id, seconds) {
  return `sid=${id}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}`;
}

function sessionId(request) {
  return /(?:^|;\s*)sid=([^;]*)/.exec(request.headers.cookie ?? "")?.[1];
}
