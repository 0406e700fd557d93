import { afterEach, expect, test } from "vitest";
import { countOffline } from "../../src/costs/estimate.ts";
import { firstKey, opening, report, uses, type Replies } from "../support/script.ts";
import { present } from "../support/ways.ts";
import { cleanUp } from "../support/folders.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const at = "requirements-clarification/2";
const folders = ["auth", "billing", "catalogue", "orders", "search", "shared", "users", "web", "worker", "tools"];
const lines = (name: string) =>
  Array.from({ length: 60 }, (_, n) => `export function ${name}${n}(value) {\n  return value + ${n};\n}`).join("\n");

/** 5,000 files in 500 folders, with a lock file as large projects have them. */
function largeProject(): Record<string, string> {
  const files: Record<string, string> = {};
  for (let n = 0; n < 4_990; n++) {
    const folder = folders[n % 10]!;
    files[`packages/${folder}/src/part${Math.floor(n / 10) % 50}/module_with_a_long_name_${n}.js`] =
      n % 50 === 0 ? lines(`${folder}_${n}_`) : `export const value${n} = ${n};\n`;
  }
  const names = Array.from({ length: 300 }, (_, n) => `dependency-${n}`);
  files["package.json"] = JSON.stringify({
    name: "large",
    dependencies: Object.fromEntries(names.map((name) => [name, "^1.0.0"])),
  });
  files["package-lock.json"] = JSON.stringify({
    lockfileVersion: 3,
    packages: Object.fromEntries(
      names.map((name) => [`node_modules/${name}`, { version: "1.2.3", integrity: "x".repeat(90) }]),
    ),
  });
  for (let n = 0; n < 8; n++) files[`docs/page${n}.md`] = `# Page ${n}\n`;
  return files;
}

const looks: Replies = {
  [`${firstKey}/turn-1`]: opening("I look.", {
    type: "run_prompts",
    prompts: [{ name: "component_mapper", inputs: [] }],
  }),
  [`${at}/1-component_mapper/turn-1`]: uses(["list_files", {}], ["read_dependencies", {}]),
  [`${at}/1-component_mapper/turn-2`]: uses(
    ["list_files", { path: "packages/auth" }],
    ["search_files", { pattern: "export function", path: "packages/auth" }],
    [
      "search_files",
      { pattern: "^export (?:async )?function", path: "packages/auth/src/part0/module_with_a_long_name_0.js" },
    ],
  ),
  [`${at}/1-component_mapper/turn-3`]: uses(
    ["read_file", { path: "packages/auth/src/part0/module_with_a_long_name_0.js", from: 1, to: 60 }],
    ["search_files", { pattern: "billing_\\d+_1\\b" }],
  ),
  [`${at}/1-component_mapper/turn-4`]: report("Ten packages."),
  "requirements-clarification/3/controller/turn-1": present,
};

test("a discovery prompt over a repository of 5,000 files stays under 30,000 input tokens", async () => {
  const bench = await workbench(looks, { size: "tiny", files: largeProject() });
  expect((await bench.run()).type).toBe("needs_approval");
  await bench.chain.close();
  const asked = bench.requests.filter(({ key }) => key.includes("component_mapper"));
  expect(asked).toHaveLength(4);
  const last = asked.at(-1)!;
  const tokens = await countOffline(JSON.stringify([last.tools, last.system, last.messages]));
  expect(tokens).toBeLessThan(30_000);
  // All of it was looked at, and cut where it was long.
  const said = JSON.stringify(last.messages);
  expect(said).toContain("5000 files");
  expect(said).toContain("dependency-1");
});
