const MAX_BODY_BYTES = 10_000;

export function httpError(status, message, headers = {}) {
  return Object.assign(new Error(message), { status, headers });
}

/** Lets only logged-in requests through, and tells the handler who it is. */
export function requireUser(sessions, handler) {
  return (request) => {
    const name = sessions.user(request);
    if (!name) throw httpError(401, "Log in first.");
    return handler(request, name);
  };
}

/** The request's body as a JSON object, of bounded size. */
export async function readJson(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw httpError(413, "The body is too large.", { connection: "close" });
    chunks.push(chunk);
  }
  const body = parse(Buffer.concat(chunks).toString("utf8"));
  if (body === null || typeof body !== "object") throw httpError(400, "The body must be a JSON object.");
  return body;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
