import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

/** Who may import whom. `types` means: types only, nothing that runs. */
const rooms: Record<string, { may: readonly string[]; types?: readonly string[] }> = {
  util: { may: [] },
  store: { may: ["util"] },
  models: { may: ["util"] },
  tools: { may: ["store", "util"], types: ["models"] },
  permissions: { may: ["tools", "util"] },
  sandbox: { may: ["tools", "util"] },
  library: { may: ["store", "util"], types: ["models"] },
  exchange: { may: ["library", "store", "util"] },
  lint: { may: ["library", "store", "util"] },
  costs: { may: ["store", "util"], types: ["models"] },
  chain: { may: ["library", "tools", "permissions", "sandbox", "costs", "models", "store", "util"] },
  app: {
    may: [
      "chain",
      "exchange",
      "lint",
      "library",
      "tools",
      "permissions",
      "sandbox",
      "costs",
      "models",
      "store",
      "util",
    ],
  },
  cli: { may: ["app", "util"] },
};

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

test.each(files)("%s imports only what its room may", (file) => {
  const room = file.includes("/") ? (file.split("/")[0] ?? "") : "index";
  const allowed = room === "index" ? { may: Object.keys(rooms).filter((name) => name !== "cli") } : rooms[room];
  expect(allowed, `the room ${room} stands in the table`).toBeDefined();
  const forbidden = importsOf(join("src", file)).filter(({ from, typeOnly }) => {
    if (from === room) return false;
    return !(allowed?.may.includes(from) || (typeOnly && allowed?.types?.includes(from)));
  });
  expect(forbidden).toEqual([]);
});

test("no folder has folders of its own", () => {
  expect(files.filter((file) => file.split("/").length > 2)).toEqual([]);
});

test("the shipped entry runs on a Node that knows no TypeScript", () => {
  const bin = readFileSync("bin/claude-exec.js", "utf8");
  expect([...bin.matchAll(/^import .* from "([^"]+)"/gm)].map((match) => match[1])).toEqual([
    "node:fs",
    "node:path",
    "node:url",
  ]);
});

function importsOf(path: string): { from: string; typeOnly: boolean }[] {
  const text = readFileSync(path, "utf8");
  const folder = dirname(path);
  const statements = [...text.matchAll(/^(import|export) (type )?([^;]*?)from "(\.[^"]+)"/gms)].map((match) => ({
    path: match[4] ?? "",
    typeOnly: match[2] !== undefined || /^\{(\s*type [^,}]+,?)+\s*\}\s*$/.test(match[3] ?? ""),
  }));
  const dynamic = [...text.matchAll(/import\("(\.[^"]+)"\)/g)].map((match) => ({
    path: match[1] ?? "",
    typeOnly: false,
  }));
  return [...statements, ...dynamic].map((found) => ({
    from: join(folder, found.path).split("/")[1] ?? "",
    typeOnly: found.typeOnly,
  }));
}
