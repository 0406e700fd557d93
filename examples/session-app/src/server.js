import http from "node:http";
import { pathToFileURL } from "node:url";
import { createApp } from "./app.js";

export function createServer(app) {
  return http.createServer(app);
}

export function settings(env) {
  return { port: Number(env.PORT ?? 3000) };
}

function start({ port }) {
  const server = createServer(createApp());
  server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}`));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) start(settings(process.env));
