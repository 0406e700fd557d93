import { createApp } from "../src/app.js";
import { createServer } from "../src/server.js";

/** Runs the app on a free port until the test ends; `call` keeps the session cookie as a browser does. */
export async function startApp(t, options) {
  const server = createServer(createApp(options));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close().closeAllConnections());
  const { port } = server.address();
  let cookie = "";

  return async function call(method, path, body, headers = {}) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { ...(cookie && { cookie }), ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const set = response.headers.get("set-cookie");
    if (set) cookie = set.split(";")[0];
    const text = await response.text();
    return { status: response.status, body: text && JSON.parse(text), cookie: set };
  };
}
