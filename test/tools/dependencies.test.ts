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
      "package.json: node >=20, npm@10.0.0, workspaces packages/* (in brackets: locked in package-lock.json)",
      "  needs: express ^4.18.0 (4.18.2), local workspace:*",
      "  dev: vitest ^1.0.0 (1.2.3)",
      "  peer: react >=18",
      "  scripts:",
      "    test: vitest run",
      `    build: ${"x".repeat(120)}…`,
      "elsewhere/package.json",
      "  needs: express ^5",
      "packages/a/package.json (in brackets: locked in package-lock.json)",
      "  needs: express ^3 (3.0.0)",
    ].join("\n"),
  );
});

test("node: what pnpm and both kinds of yarn have locked", async () => {
  const manifest = json({ dependencies: { express: "^4.18.0", "@x/y": "~1" }, devDependencies: { vitest: "^1" } });
  const pnpm = `lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      '@x/y':
        specifier: ~1
        version: 1.0.1(react@18.0.0)
      express:
        specifier: ^4.18.0
        version: 4.18.2
    devDependencies:
      vitest:
        specifier: ^1
        version: 1.2.3

  packages/a:
    dependencies:
      express:
        specifier: ^3
        version: 3.0.0

packages:

  express@4.18.2:
    resolution: {integrity: x}
`;
  const oldPnpm = `lockfileVersion: 5.4\nspecifiers:\n  express: ^4.18.0\ndependencies:\n  '@x/y': 1.0.1_react@18.0.0\n  express: 4.18.2\ndevDependencies:\n  vitest: 1.2.3\npackages:\n  /express/4.18.2:\n    dev: false\n`;
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
        "  needs: express ^4.18.0 (4.18.2), @x/y ~1 (1.0.1)",
        "  dev: vitest ^1 (1.2.3)",
      ].join("\n"),
    );
  }
  const inner = await told({
    "packages/a/package.json": json({ dependencies: { express: "^3" } }),
    "pnpm-lock.yaml": pnpm,
  });
  expect(inner).toContain("needs: express ^3 (3.0.0)");
});

test("php: composer with its platform, its lock and its scripts", async () => {
  const text = await told({
    "composer.json": json({
      require: { php: "^8.2", "ext-json": "*", "symfony/console": "^6.0" },
      "require-dev": { "phpunit/phpunit": "^10" },
      scripts: { test: ["@lint", "phpunit"], lint: "phpcs" },
    }),
    "composer.lock": json({
      packages: [{ name: "symfony/console", version: "v6.4.1" }, 7],
      "packages-dev": [{ name: "PHPUnit/phpunit", version: "10.5.0" }],
    }),
  });
  expect(text).toBe(
    [
      "1 of 1 manifests.",
      "composer.json: php ^8.2, ext-json * (in brackets: locked in composer.lock)",
      "  needs: symfony/console ^6.0 (v6.4.1)",
      "  dev: phpunit/phpunit ^10 (10.5.0)",
      "  scripts:",
      "    test: @lint && phpunit",
      "    lint: phpcs",
    ].join("\n"),
  );
});

test("python: pyproject of the standard and of poetry, with their locks", async () => {
  const standard = `[project]
name = "app"
requires-python = ">=3.11" # a comment
dependencies = [
  "requests[security]>=2.8,<3 ; python_version < '4'",  # another, with a "quote"
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
  const lock = `version = 1\n[[package]]\nname = "requests"\nversion = "2.31.0"\ndependencies = [\n { name = "flask-login" },\n]\n[[package]]\nname = "flask-login"\nversion = "0.6.3"\n`;
  expect(await told({ "pyproject.toml": standard, "uv.lock": lock })).toBe(
    [
      "1 of 1 manifests.",
      "pyproject.toml: python >=3.11 (in brackets: locked in uv.lock)",
      "  needs: requests[security] >=2.8,<3 (2.31.0), Flask_Login ~=0.6 (0.6.3)",
      "  optional docs: sphinx",
      "  dev: pytest >=8",
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
[tool.poetry.dev-dependencies]
black = "23"
`;
  expect(await told({ "pyproject.toml": poetry, "poetry.lock": lock })).toBe(
    [
      "1 of 1 manifests.",
      "pyproject.toml: python ^3.11 (in brackets: locked in poetry.lock)",
      "  needs: requests ^2.8 (2.31.0), quoted.name 1.0, here path ../here, many 1 <3.8",
      "  test: pytest *",
      "  dev: black 23",
    ].join("\n"),
  );
});

test("python: requirements, Pipfile and setup.cfg", async () => {
  const text = await told({
    "requirements-dev.txt":
      "-r requirements.txt\npytest==8.0 # why\n\n# no\ngit+https://x.org/a.git@main\nname @ https://x.org/b.whl\n",
    Pipfile:
      '[packages]\nrequests = "*"\n[dev-packages]\nblack = {version = "==23", extras = ["d"]}\n[requires]\npython_version = "3.11"\n',
    "Pipfile.lock": json({ default: { requests: { version: "==2.31.0" } }, develop: { black: { version: "==23.1" } } }),
    "setup.cfg":
      "[metadata]\nname = x\n[options]\npython_requires = >=3.8\ninstall_requires =\n    requests>=2\n    attrs\n[options.extras_require]\ndocs = sphinx\n",
  });
  expect(text).toBe(
    [
      "3 of 3 manifests.",
      "Pipfile: python 3.11 (in brackets: locked in Pipfile.lock)",
      "  needs: requests * (2.31.0)",
      "  dev: black ==23 (23.1)",
      "requirements-dev.txt (in brackets: locked in Pipfile.lock)",
      "  needs: -r requirements.txt, pytest ==8.0, git+https://x.org/a.git@main, name @ https://x.org/b.whl",
      "setup.cfg: python >=3.8 (in brackets: locked in Pipfile.lock)",
      "  needs: requests >=2 (2.31.0), attrs",
      "  optional docs: sphinx",
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
    /^30 of 41 manifests\. Cut here, read_file shows the others: p\/29\/package\.json, .*p\/39\/package\.json\.$/,
  );
  expect(lines.slice(1, 3)).toEqual(["package.json", "p/00/package.json: node 20"]);
  expect(lines).toHaveLength(31);
});

test("where nothing is known, or a file cannot be understood, that is said", async () => {
  expect(await told({ "Cargo.toml": "" })).toBe(
    "There is no package.json, composer.json, pyproject.toml, Pipfile, setup.cfg or requirements.txt; search_files may find others.",
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
  expect(text).toContain("needs: __proto__ 1, constructor 2, a b 3 [31m");
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
  const deep = `${'{"dependencies":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  expect(await told({ "package.json": deep })).toMatch(/^1 of 1 manifests\.\npackage\.json/);
  const many = { dependencies: Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`package-${at}`, "1"])) };
  expect((await told({ "package.json": json(many) })).length).toBeLessThan(10_000);
  const shapes = [1, null, [], { dependencies: [1], scripts: 7, engines: { node: {} }, workspaces: {} }];
  for (const shape of shapes) expect(await told({ "package.json": json(shape) })).toMatch(/^1 of 1 manifests\./);
  const slow = ['a = [\n"x" ', `a = { ${", ".repeat(300_000)}`, `${'" # '.repeat(300_000)}"`, "[[".repeat(400_000)];
  for (const toml of slow) {
    expect(await told({ "pyproject.toml": `[project]\ndependencies = [\n${toml}`, "poetry.lock": toml })).toMatch(
      /^1 of 1/,
    );
  }
});
