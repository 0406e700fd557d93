import { afterEach, expect, test } from "vitest";
import { readDependenciesTool } from "../../src/tools/dependencies.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

async function told(files: Record<string, string>): Promise<string> {
  const workspace = openWorkspace(folderWith(files), { env: process.env, hide: [] });
  const reach = { workspace, findPrompts: () => Promise.resolve("") };
  const plan = await readDependenciesTool.plan({}, reach, new AbortController().signal);
  expect([undefined, [{ kind: "list", ref: "read_dependencies" }]]).toContainEqual(
    "seen" in plan ? plan.seen : undefined,
  );
  return (plan as { text: string }).text;
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

test("node: wanted and locked versions, what is for development, platforms, workspaces and scripts", async () => {
  const manifest = {
    name: "app",
    engines: { node: ">=20" },
    packageManager: "npm@10.0.0",
    workspaces: ["packages/*"],
    dependencies: { express: "^4.18.0", local: "workspace:*" },
    devDependencies: { vitest: "^1.0.0" },
    peerDependencies: { react: ">=18" },
    scripts: { test: "vitest run", build: "x".repeat(200) },
  };
  const packages = {
    "": {},
    "packages/a": {},
    "node_modules/express": { version: "4.18.2" },
    "node_modules/vitest": { version: "1.2.3" },
    "node_modules/vitest/node_modules/express": { version: "1.0.0" },
    "packages/a/node_modules/express": { version: "3.0.0" },
  };
  const text = await told({
    "package.json": json(manifest),
    "package-lock.json": json({ lockfileVersion: 3, packages }),
    "packages/a/package.json": json({ dependencies: { express: "^3" } }),
    "elsewhere/package.json": json({ dependencies: { express: "^5" } }),
    "vendor/x/package.json": json({ dependencies: { never: "1" } }),
  });
  expect(text).toBe(
    [
      "3 of 3 manifests.",
      "package.json (in brackets: locked in package-lock.json)",
      "  engines: node >=20",
      "  packageManager: npm@10.0.0",
      "  workspaces: packages/*",
      "  dependencies: express ^4.18.0 (4.18.2, 3.0.0), local workspace:*",
      "  devDependencies: vitest ^1.0.0 (1.2.3)",
      "  peerDependencies: react >=18",
      "  scripts:",
      "    test: vitest run",
      `    build: ${"x".repeat(112)}…`,
      "elsewhere/package.json",
      "  dependencies: express ^5",
      "packages/a/package.json (in brackets: locked in package-lock.json)",
      "  dependencies: express ^3 (4.18.2, 3.0.0)",
    ].join("\n"),
  );
});

test("node: what pnpm and both kinds of yarn have locked", async () => {
  const manifest = json({ dependencies: { express: "^4.18.0", "@x/y": "~1" }, devDependencies: { vitest: "^1" } });
  const pnpm = `lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@x/y':\n        specifier: ~1\n        version: 1.0.1(react@18.0.0)\n\n  packages/a: {}\n\npackages:\n\n  '@x/y@1.0.1':\n    resolution: {integrity: x}\n\n  express@4.18.2:\n    resolution: {integrity: x}\n\n  vitest@1.2.3: {}\n\nsnapshots:\n\n  '@x/y@1.0.1(react@18.0.0)': {}\n`;
  const oldPnpm = `lockfileVersion: 5.4\npackages:\n  /express/4.18.2:\n    dev: false\n  /@x/y/1.0.1_react@18.0.0:\n    dev: false\n  /vitest/1.2.3:\n    dev: true\n`;
  const yarn = `# yarn lockfile v1\n\n"@x/y@~1", "@x/y@~1.0":\n  version "1.0.1"\n\nexpress@^4.18.0:\n  version "4.18.2"\n  dependencies:\n    vitest "^9"\n\nvitest@^1:\n  version "1.2.3"\n`;
  const berry = `__metadata:\n  version: 8\n\n"@x/y@npm:~1":\n  version: 1.0.1\n\n"express@npm:^4.18.0":\n  version: 4.18.2\n\n"vitest@npm:^1":\n  version: 1.2.3\n`;
  for (const [name, lock] of [
    ["pnpm-lock.yaml", pnpm],
    ["pnpm-lock.yaml", oldPnpm],
    ["yarn.lock", yarn],
    ["yarn.lock", berry],
  ] as const) {
    expect(await told({ "package.json": manifest, [name]: lock })).toBe(
      [
        "1 of 1 manifests.",
        `package.json (in brackets: locked in ${name})`,
        "  dependencies: express ^4.18.0 (4.18.2), @x/y ~1 (1.0.1)",
        "  devDependencies: vitest ^1 (1.2.3)",
      ].join("\n"),
    );
  }
  const inner = { "packages/a/package.json": json({ dependencies: { express: "^4" } }), "pnpm-lock.yaml": pnpm };
  expect(await told(inner)).toContain("dependencies: express ^4 (4.18.2)");
});

const tomlLock = `version = 1\n[[package]]\nname = "requests"\nversion = "2.31.0"\ndependencies = [\n { name = "flask-login" },\n]\n\n[[package]]\nname = "flask-login"\nversion = "0.6.3"\n`;

test("python: pyproject of the standard and of poetry, with their locks, and requirements", async () => {
  const standard = `[project]
name = "app"
description = """
[project]
dependencies = ["never"]
"""
requires-python = ">=3.11" # a comment
dependencies = [
  "requests[security]>=2.8,<3",  # another, with a "quote" and a ]
  'Flask_Login~=0.6',
  # "never==1",
]
[project.optional-dependencies]
docs = ["sphinx"]
[dependency-groups]
dev = ["pytest>=8"]
[project.scripts]
serve = "app:main"
[tool.other]
dependencies = ["no"]
`;
  expect(await told({ "pyproject.toml": standard, "uv.lock": tomlLock })).toBe(
    [
      "1 of 1 manifests.",
      "pyproject.toml (in brackets: locked in uv.lock)",
      "  project.requires-python: >=3.11",
      "  project.dependencies: requests[security]>=2.8,<3 (2.31.0), Flask_Login~=0.6 (0.6.3)",
      "  project.optional-dependencies.docs: sphinx",
      "  dependency-groups.dev: pytest>=8",
      "  scripts:",
      "    serve: app:main",
    ].join("\n"),
  );
  const poetry = `[tool.poetry.dependencies]
python = "^3.11"
requests = "^2.8"
"quoted.name" = {version = "1.0", extras = ["a"]}
here = {path = "../here"}
many = [
  {version = "1", python = "<3.8"},
]
[tool.poetry.group.test.dependencies]
pytest = "*"
`;
  expect(await told({ "pyproject.toml": poetry, "poetry.lock": tomlLock })).toBe(
    [
      "1 of 1 manifests.",
      "pyproject.toml (in brackets: locked in poetry.lock)",
      "  tool.poetry.dependencies: python ^3.11, requests ^2.8 (2.31.0), quoted.name 1.0, here path ../here, many 1, <3.8",
      "  tool.poetry.group.test.dependencies: pytest *",
    ].join("\n"),
  );
  const plain = "-r base.txt\npytest==8.0 # why\n\n# no\ngit+https://x.org/a.git@main#egg=a\n";
  expect(await told({ "requirements-dev.txt": plain })).toBe(
    "1 of 1 manifests.\nrequirements-dev.txt\n  requirements: -r base.txt, pytest==8.0, git+https://x.org/a.git@main#egg=a",
  );
});

test("php, rust, go and ruby", async () => {
  const text = await told({
    "composer.json": json({
      require: { php: "^8.2", "symfony/console": "^6.0" },
      "require-dev": { "phpunit/phpunit": "^10" },
      scripts: { test: ["@lint", "phpunit"] },
    }),
    "composer.lock": json({
      packages: [{ name: "symfony/console", version: "v6.4.1", authors: [{ name: "A/B", email: "a@b.c" }] }],
      "packages-dev": [{ name: "PHPUnit/phpunit", version: "10.5.0" }],
    }),
    "Cargo.toml": `[package]\nedition = "2024"\n[dependencies]\nserde = { version = "1", features = ["derive"] }\nrequests.git = "https://x.org/r"\n[dev-dependencies]\nplain = "0.1"\n`,
    "Cargo.lock": tomlLock,
    "inner/Cargo.toml": `[dependencies]\nflask-login = { workspace = true }\n`,
    "go.mod":
      "module x.org/a\n\ngo 1.24\n\nrequire (\n\tx.org/b/v2 v2.1.0\n\tx.org/c v0.1.0 // indirect\n)\n\nrequire x.org/d v1.0.0\n\nreplace x.org/d => ../d\n",
    Gemfile: `source "https://rubygems.org"\ngem "rails", "~> 8.0", require: false\n  gem 'rspec'\n`,
    "Gemfile.lock": "GEM\n  specs:\n    rails (8.0.1)\n      actionpack (= 8.0.1)\n    rspec (3.13.0)\n",
  });
  expect(text).toBe(
    [
      "5 of 5 manifests.",
      "Cargo.toml (in brackets: locked in Cargo.lock)",
      "  package.edition: 2024",
      "  dependencies: serde 1, requests git https://x.org/r (2.31.0)",
      "  dev-dependencies: plain 0.1",
      "Gemfile (in brackets: locked in Gemfile.lock)",
      "  gem: rails ~> 8.0 (8.0.1), rspec (3.13.0)",
      "composer.json (in brackets: locked in composer.lock)",
      "  require: php ^8.2, symfony/console ^6.0 (v6.4.1)",
      "  require-dev: phpunit/phpunit ^10 (10.5.0)",
      "  scripts:",
      "    test: @lint, phpunit",
      "go.mod",
      "  go: 1.24",
      "  require: x.org/b/v2 v2.1.0, x.org/c v0.1.0 // indirect, x.org/d v1.0.0",
      "inner/Cargo.toml (in brackets: locked in Cargo.lock)",
      "  dependencies: flask-login (0.6.3)",
    ].join("\n"),
  );
});

test("of many manifests the nearest are told, and which are left out", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [
      `p/${String(at).padStart(2, "0")}/package.json`,
      json({ engines: { node: "20" } }),
    ]),
  );
  const lines = (await told({ ...files, "package.json": "{}" })).split("\n");
  expect(lines[0]).toMatch(
    /^30 of 41 manifests\. Cut here, read_file shows the rest: p\/29\/package\.json, .*p\/39\/package\.json\.$/,
  );
  expect(lines.slice(1, 3)).toEqual(["package.json", "p/00/package.json"]);
  expect(lines).toHaveLength(60);
});

test("where nothing is known, or a file cannot be understood, that is said", async () => {
  expect(await told({ "pom.xml": "", Pipfile: "" })).toBe(
    "There is no package.json, composer.json, pyproject.toml, requirements.txt, Cargo.toml, go.mod, Gemfile; search_files may find others.",
  );
  expect(await told({ "package.json": "{" })).toBe("1 of 1 manifests.\npackage.json: it cannot be understood.");
  expect(await told({ "package.json": "x".repeat(2_000_001) })).toContain('"package.json" is larger than 2 MB');
  const large = { "package.json": json({ dependencies: { a: "1" } }), "package-lock.json": "x".repeat(2_000_001) };
  expect(await told(large)).toContain('(locked versions are not known: "package-lock.json" is larger than 2 MB');
});

test("hostile manifests change nothing and hold up nothing", async () => {
  const polluting =
    '{"__proto__":{"polluted":"1"},"dependencies":{"__proto__":"1","constructor":"2","a\\nb":"3\\u001b[31m"}}';
  const text = await told({
    "package.json": polluting,
    "package-lock.json": '{"packages":{"__proto__":{"version":"1"}}}',
  });
  expect(text).toContain("dependencies: __proto__ 1, constructor 2, a b 3 [31m");
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
  const deep = `${'{"dependencies":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  expect(await told({ "package.json": deep })).toMatch(/^1 of 1 manifests\.\npackage\.json/);
  const many = { dependencies: Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`package-${at}`, "1"])) };
  expect((await told({ "package.json": json(many) })).length).toBeLessThan(24_200);
  const shapes = [1, null, [], { dependencies: [1], scripts: 7, engines: { node: {} }, workspaces: {} }];
  for (const shape of shapes) expect(await told({ "package.json": json(shape) })).toMatch(/^1 of 1 manifests\./);
  const slow = ['a = [\n"x" ', `a = { ${", ".repeat(300_000)}`, `${'" # '.repeat(300_000)}"`, "[[".repeat(400_000)];
  slow.push(`a = [${'"'.repeat(100_000)}`, '"'.repeat(100_000), "a =\n".repeat(50_000));
  for (const toml of slow) {
    expect(await told({ "pyproject.toml": `[project]\ndependencies = [\n${toml}`, "poetry.lock": toml })).toMatch(
      /^1 of 1/,
    );
  }
});
