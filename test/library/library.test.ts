import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { openLibrary } from "../../src/library/library.ts";
import { UserError } from "../../src/util/errors.ts";
import { printed } from "../support/printed.ts";
import { temporaryFolder } from "../support/temporary.ts";

let root: string;
beforeEach(() => {
  root = temporaryFolder("library-");
});

function write(path: string, body = "Do it.\n", purpose = "Do one thing"): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `---\npurpose: ${purpose}\ncost_estimate: low\n---\n${body}`);
  return file;
}

function open(...scopes: ("builtin" | "workspace" | "custom")[]) {
  return openLibrary(scopes.map((scope) => ({ scope, path: join(root, scope) })));
}

async function refusal(work: Promise<unknown>) {
  const error = await work.catch((error: unknown) => error);
  if (!(error instanceof UserError)) throw error;
  const { code, message, next } = error;
  return { code, message: message.replaceAll(root, "ROOT"), hint: printed(next).replaceAll(root, "ROOT") };
}

async function listing(library: ReturnType<typeof openLibrary>) {
  const { prompts, problems } = await library.all();
  return {
    prompts: prompts.map(({ name, scope, folder, file }) => `${name} ${scope} ${folder} ${file.replace(root, "")}`),
    problems: problems.map(({ message }) => message.replaceAll(root, "")),
  };
}

test("a prompt is found by its exact name at any depth, and a part of a name finds nothing", async () => {
  write("builtin/discovery/deep/trace_existing_flow.md", "Follow it.\n");
  const library = open("builtin");
  const { name, folder, file, body } = await library.find("trace_existing_flow");
  expect({ name, folder, file, body }).toEqual({
    name: "trace_existing_flow",
    folder: "discovery",
    body: "Follow it.\n",
    file: join(root, "builtin/discovery/deep/trace_existing_flow.md"),
  });
  expect((await refusal(library.find("trace_existing"))).code).toBe("unknown_prompt");
  expect((await refusal(library.find("existing_flow"))).code).toBe("unknown_prompt");
});

test("hyphens and underscores name the same prompt, in the question as in the file", async () => {
  const file = write("builtin/a/dash-and_line.md");
  const library = open("builtin");
  for (const name of ["dash_and_line", "dash-and-line", "dash-and_line"]) {
    expect(await library.find(name)).toMatchObject({ name: "dash_and_line", file });
  }
});

test("an unknown name is answered with the three nearest that can be found", async () => {
  for (const name of ["code_reviewer", "code_previewer", "simplicity_checker", "mock_generator"])
    write(`builtin/q/${name}.md`);
  write("builtin/q/Code_Review.md");
  expect(await refusal(open("builtin").find("code_review"))).toEqual({
    code: "unknown_prompt",
    message: 'No prompt is called "code_review".',
    hint: "The nearest names: code_reviewer, code_previewer, mock_generator.",
  });
  expect(await refusal(open("custom").find("code_review"))).toEqual({
    code: "unknown_prompt",
    message: 'No prompt is called "code_review".',
    hint: "There are no prompts in ROOT/custom.",
  });
});

test("a name that is a path, a pattern or a long text is just unknown", async () => {
  write("builtin/a/good_one.md");
  write("elsewhere/secret.md");
  const library = open("builtin");
  for (const name of ["../elsewhere/secret", "*", "good_*", "a/good_one", "", "{good_one,x}", "x".repeat(1_000_000)]) {
    expect(await refusal(library.find(name))).toEqual({
      code: "unknown_prompt",
      message: `No prompt is called ${JSON.stringify(name.slice(0, 60))}.`,
      hint: "The nearest names: good_one.",
    });
  }
});

test("an earlier folder wins, but nothing wins over a builtin system prompt", async () => {
  write("workspace/quality/reviewer.md");
  write("workspace/system/phase_controller.md");
  write("workspace/phase_controller.md");
  write("builtin/quality/reviewer.md");
  write("builtin/system/phase_controller.md");
  write("builtin/quality/only_here.md");
  const library = open("workspace", "builtin");
  expect(await listing(library)).toEqual({
    prompts: [
      "only_here builtin quality /builtin/quality/only_here.md",
      "phase_controller builtin system /builtin/system/phase_controller.md",
      "reviewer workspace quality /workspace/quality/reviewer.md",
    ],
    problems: [
      "/workspace/phase_controller.md:1: the name phase_controller is taken by /builtin/system/phase_controller.md",
      "/workspace/system/phase_controller.md:1: the name phase_controller is taken by /builtin/system/phase_controller.md",
    ],
  });
  expect((await library.find("reviewer")).scope).toBe("workspace");
  expect((await library.find("phase_controller")).scope).toBe("builtin");
  expect((await open("builtin", "workspace").find("reviewer")).scope).toBe("builtin");
});

test("a folder given on its own is not part of the one around it", async () => {
  const file = write("builtin/custom/system/made_up.md");
  const library = openLibrary([
    { scope: "builtin", path: join(root, "builtin") },
    { scope: "custom", path: join(root, "builtin/custom") },
  ]);
  expect(await listing(library)).toEqual({
    prompts: ["made_up custom system /builtin/custom/system/made_up.md"],
    problems: [],
  });
  expect(await library.find("made_up")).toMatchObject({ scope: "custom", folder: "system", file });
});

test("one bad file hides no other, and is refused by its own name", async () => {
  write("builtin/a/first.md");
  write("builtin/a/second.md");
  writeFileSync(join(root, "builtin/a/broken.md"), "---\npurpose: [\n---\n");
  writeFileSync(join(root, "builtin/a/no_end.md"), "---\npurpose: x\n");
  writeFileSync(join(root, "builtin/a/huge.md"), Buffer.alloc(5 * 1024 * 1024));
  const library = open("builtin");
  const { prompts, problems } = await listing(library);
  expect(prompts).toEqual(["first builtin a /builtin/a/first.md", "second builtin a /builtin/a/second.md"]);
  expect(problems).toEqual([
    expect.stringMatching(/^\/builtin\/a\/broken\.md:\d: Flow sequence/),
    "/builtin/a/huge.md:1: the file is longer than 300 KB",
    "/builtin/a/no_end.md:1: the front matter has no end",
  ]);
  expect(await refusal(library.find("no_end"))).toEqual({
    code: "prompt_unreadable",
    message: "ROOT/builtin/a/no_end.md:1: the front matter has no end",
    hint: "Put a line with only --- below it.",
  });
  expect((await library.find("second")).name).toBe("second");
});

test("a broken file keeps its name: no prompt of a later folder stands in for it", async () => {
  write("builtin/a/reviewer.md");
  write("workspace/a/other.md");
  writeFileSync(join(root, "workspace/a/reviewer.md"), "---\n- no\n---\n");
  const library = open("workspace", "builtin");
  const message = "/workspace/a/reviewer.md:2: the front matter is not made of `key: value`";
  expect(await listing(library)).toEqual({
    prompts: ["other workspace a /workspace/a/other.md"],
    problems: [message],
  });
  expect((await refusal(library.find("reviewer"))).message).toBe(`ROOT${message}`);
});

test("a name that lies twice in one folder belongs to the first path, for find and all alike", async () => {
  write("builtin/a/same-name.md");
  write("builtin/b/same_name.md");
  const library = open("builtin");
  expect(await listing(library)).toEqual({
    prompts: ["same_name builtin a /builtin/a/same-name.md"],
    problems: ["/builtin/b/same_name.md:1: the name same_name is taken by /builtin/a/same-name.md"],
  });
  expect((await library.find("same_name")).folder).toBe("a");
});

test("templates, README files and hidden ones are left out", async () => {
  write("builtin/top_level.md");
  write("builtin/templates/a_template.md");
  write("builtin/a/templates/another.md");
  write("builtin/README.md");
  write("builtin/a/README.md");
  write("builtin/.draft.md");
  write("builtin/.git/config_notes.md");
  write("builtin/a/notes.txt");
  const library = open("builtin");
  expect(await listing(library)).toEqual({
    prompts: ["top_level builtin  /builtin/top_level.md"],
    problems: [],
  });
  expect((await refusal(library.find("a_template"))).code).toBe("unknown_prompt");
});

test("folders and links that look like prompts are named; a ring of links is not walked", async () => {
  write("builtin/folder.md/inner_one.md");
  write("outside/secret.md");
  symlinkSync(join(root, "outside/secret.md"), join(root, "builtin/linked.md"));
  symlinkSync(join(root, "outside"), join(root, "builtin/linked_folder"));
  symlinkSync(join(root, "builtin"), join(root, "builtin/ring"));
  symlinkSync("dangling.md", join(root, "builtin/dangling.md"));
  expect(await listing(open("builtin"))).toEqual({
    prompts: ["inner_one builtin folder.md /builtin/folder.md/inner_one.md"],
    problems: [
      "/builtin/dangling.md:1: this is not a plain file",
      "/builtin/folder.md:1: this is not a plain file",
      "/builtin/linked.md:1: this is not a plain file",
      "/builtin/linked_folder: a link to a folder is not followed",
      "/builtin/ring: a link to a folder is not followed",
    ],
  });
});

test("a pipe called like a prompt is refused without waiting for it", async () => {
  mkdirSync(join(root, "builtin"));
  execFileSync("mkfifo", [join(root, "builtin/a_pipe.md")]);
  expect((await refusal(open("builtin").find("a_pipe"))).message).toBe(
    "ROOT/builtin/a_pipe.md:1: this is not a plain file",
  );
});

test("a folder that cannot be listed is named, and the others are read", async () => {
  write("builtin/a/first.md");
  writeFileSync(join(root, "workspace"), "not a folder");
  const library = open("workspace", "builtin");
  expect(await listing(library)).toEqual({
    prompts: ["first builtin a /builtin/a/first.md"],
    problems: ["/workspace: cannot be listed (ENOTDIR)"],
  });
  expect((await refusal(library.find("frist"))).message).toBe(
    'No prompt is called "frist". ROOT/workspace: cannot be listed (ENOTDIR).',
  );
  expect((await library.find("first")).name).toBe("first");
});

test.skipIf(process.getuid?.() === 0)("files and folders without the right to read are named", async () => {
  write("builtin/a/first.md");
  chmodSync(write("builtin/a/locked.md"), 0);
  write("builtin/closed/inside.md");
  chmodSync(join(root, "builtin/closed"), 0);
  try {
    expect(await listing(open("builtin"))).toEqual({
      prompts: ["first builtin a /builtin/a/first.md"],
      problems: [
        "/builtin/a/locked.md:1: the file cannot be read (EACCES)",
        "/builtin/closed: cannot be listed (EACCES)",
      ],
    });
  } finally {
    chmodSync(join(root, "builtin/closed"), 0o700);
  }
});

test("a missing folder is an empty one", async () => {
  expect(await open("builtin", "custom").all()).toEqual({ prompts: [], problems: [] });
});

test("a prompt changed, added or removed between two questions is seen", async () => {
  const file = write("builtin/a/changing.md", "Before.\n");
  const library = open("builtin");
  const before = await library.find("changing");
  write("builtin/a/changing.md", "After.\n");
  const after = await library.find("changing");
  expect([before.body, after.body, before.sha256 === after.sha256]).toEqual(["Before.\n", "After.\n", false]);
  write("builtin/a/added.md");
  expect((await library.all()).prompts.map(({ name }) => name)).toEqual(["added", "changing"]);
  rmSync(file);
  expect((await refusal(library.find("changing"))).code).toBe("unknown_prompt");
});

test("three hundred prompts come sorted by name, whatever their order on disk", async () => {
  const names = Array.from({ length: 300 }, (_, index) => `prompt_${(index * 7919) % 1000}`);
  for (const [index, name] of names.entries()) write(`builtin/folder_${index % 7}/${name}.md`);
  const { prompts, problems } = await open("builtin").all();
  expect(prompts.map(({ name }) => name)).toEqual(names.toSorted());
  expect(problems).toEqual([]);
});

test("gray-matter and yaml are loaded for the first prompt that is read", () => {
  write("builtin/a/first.md");
  const module = new URL("../../src/library/library.ts", import.meta.url).href;
  const script = `
    import { createRequire } from "node:module";
    const loaded = () => ["gray-matter", "yaml"].filter((name) =>
      Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("/node_modules/" + name + "/")));
    const { openLibrary } = await import(${JSON.stringify(module)});
    const library = openLibrary([{ scope: "builtin", path: ${JSON.stringify(join(root, "builtin"))} }]);
    const before = loaded();
    await library.find("first");
    console.log(JSON.stringify([before, loaded()]));`;
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(JSON.parse(printed)).toEqual([[], ["gray-matter", "yaml"]]);
});
