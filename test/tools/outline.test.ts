import { afterEach, expect, test } from "vitest";
import { outlineFileTool, outlineOf } from "../../src/tools/outline.ts";
import type { Plan } from "../../src/tools/types.ts";
import { openWorkspace } from "../../src/tools/workspace.ts";
import { cleanUp, folderWith } from "./folders.ts";

afterEach(cleanUp);

function plan(files: Record<string, string | Uint8Array>, path: string): Promise<Plan> {
  const workspace = openWorkspace(folderWith(files), { hide: [] });
  const reach = { workspace, findPrompts: () => Promise.resolve("") };
  return outlineFileTool.plan({ path }, reach, new AbortController().signal);
}

function outline(path: string, text: string): string[] {
  return (outlineOf(path, text.split("\n")) ?? []).map(
    ({ from, to, depth, text: line }) => `${from}-${to} ${"  ".repeat(depth)}${line}`,
  );
}

test("an outline shows definitions with their lines, and vouches for none of them", async () => {
  const text = "import fs from 'fs';\n\nexport class A {\n  go() {\n    return 1;\n  }\n}\n\nexport const x = 1;\n";
  expect(await plan({ "src/a.ts": text }, "./src/a.ts")).toEqual({
    type: "look",
    text: [
      "src/a.ts, 9 lines, 3 definitions, each with its lines.",
      "3-7\texport class A",
      "4-6\t  go()",
      "9\texport const x = 1;",
    ].join("\n"),
    seen: [{ kind: "list", ref: "src/a.ts" }],
  });
});

test("TypeScript and JavaScript: what is exported, functions and members, nothing local", () => {
  const text = `/*
function inComment() {}
*/
export default async function main(
  first: string,
  second: number,
): Promise<void> {
  const inner = () => 1;
  function local() {
    return inner();
  }
}
const arrow = async (a) => {
  if (a) go();
};
const plain = 3;
let handler = function () {};
export const table = {
  key: 1,
};
export type Shape =
  | "a"
  | "b";
export interface Port<T> {
  readonly name: string;
  open(path: string): Promise<T>;
}
enum Kind { A }
abstract class Store extends Base<string> {
  #count = 0;
  static async of(a) { return new Store(a); }
  constructor(private readonly name: string) {
    super();
    for (const one of []) this.go(one);
  }
  get size() {
    return 1;
  }
  onClick = (event) => {
    this.go(event);
  };
  private *[Symbol.iterator]() {
    yield 1;
  }
}
module.exports = { arrow };
describe("x", () => {
  go();
});`;
  const expected = [
    "4-12 export default async function main(",
    "13-15 const arrow = async (a) => {",
    "17-17 let handler = function () {};",
    "18-20 export const table = {",
    "21-23 export type Shape =",
    "24-27 export interface Port<T> {",
    "26-26   open(path: string): Promise<T>;",
    "28-28 enum Kind { A }",
    "29-45 abstract class Store extends Base<string> {",
    "31-31   static async of(a) { return new Store(a); }",
    "32-35   constructor(private readonly name: string) {",
    "36-38   get size() {",
    "39-41   onClick = (event) => {",
    "42-44   private *[Symbol.iterator]() {",
    "46-46 module.exports = { arrow };",
  ];
  for (const ending of ["ts", "tsx", "js", "jsx", "mjs", "cjs"]) expect(outline(`a.${ending}`, text)).toEqual(expected);
});

test("Python: classes, functions and constants, by indentation", () => {
  const text = `"""
def in_a_docstring():
"""
import os
LIMIT = 3
value = 4
class Store(Base):
    """One line."""
    MAX: int = 5

    def __init__(
        self,
        name,
    ):
        self.name = name

        def local():
            pass

    @property
    async def size(self):
        return 1

def main(): return 1
if __name__ == "__main__":
    main()`;
  expect(outline("a.py", text)).toEqual([
    "5-5 LIMIT = 3",
    "7-22 class Store(Base):",
    "9-9   MAX: int = 5",
    "11-18   def __init__(",
    "21-22   async def size(self):",
    "24-24 def main(): return 1",
  ]);
});

test("PHP, Go, Rust, Ruby, Java and C: types with their members, and functions", () => {
  const php = `<?php
namespace App;
const LIMIT = 3;
final class Store extends Base implements Port
{
    public const MAX = 5;
    private ?string $name;
    public function __construct(private string $name) {
        $this->go(function () { return 1; });
    }
    abstract protected static function of(): self;
}
function helper(array $a): int {
    return count($a);
}`;
  expect(outline("a.php", php)).toEqual([
    "3-3 const LIMIT = 3;",
    "4-12 final class Store extends Base implements Port",
    "6-6   public const MAX = 5;",
    "8-10   public function __construct(private string $name) {",
    "11-11   abstract protected static function of(): self;",
    "13-15 function helper(array $a): int {",
  ]);
  const go = `package main
import "fmt"
const Limit = 3
type Store struct {
	name string
}
func (s *Store) Open(path string) error {
	return nil
}
func main() {
	fmt.Println("x")
}`;
  expect(outline("a.go", go)).toEqual([
    "3-3 const Limit = 3",
    "4-6 type Store struct {",
    "7-9 func (s *Store) Open(path string) error {",
    "10-12 func main() {",
  ]);
  const rust = `pub const LIMIT: usize = 3;
#[derive(Debug)]
pub(crate) struct Store<'a> {
    name: &'a str,
}
impl<'a> Store<'a> {
    pub async fn open(&self) -> Result<(), Error> {
        let f = |x| x;
        f(Ok(()))
    }
}
macro_rules! go { () => {} }`;
  expect(outline("a.rs", rust)).toEqual([
    "1-1 pub const LIMIT: usize = 3;",
    "3-5 pub(crate) struct Store<'a> {",
    "6-11 impl<'a> Store<'a> {",
    "7-10   pub async fn open(&self) -> Result<(), Error> {",
    "12-12 macro_rules! go { () => {} }",
  ]);
  const ruby = `module App
  LIMIT = 3
  class Store < Base
    def initialize(name)
      @name = name
    end
    def self.of = new(1)
  end
end`;
  expect(outline("a.rb", ruby)).toEqual([
    "1-9 module App",
    "2-2   LIMIT = 3",
    "3-8   class Store < Base",
    "4-6     def initialize(name)",
    "7-7     def self.of = new(1)",
  ]);
  const java = `package app;
public final class Store<T> extends Base {
    public static final int MAX = 5;
    @Override
    public <R> List<R> open(String path) throws IOException {
        if (path.isEmpty()) return List.of();
        return go(path);
    }
    Store(String name) {
    }
    interface Port {
        void close();
    }
}`;
  expect(outline("A.java", java)).toEqual([
    "2-14 public final class Store<T> extends Base {",
    "3-3   public static final int MAX = 5;",
    "5-8   public <R> List<R> open(String path) throws IOException {",
    "9-10   Store(String name) {",
    "11-13   interface Port {",
    "12-12     void close();",
  ]);
  const c = `#include <stdio.h>
#define MAX(a, b) ((a) > (b) ? (a) : (b))
typedef struct {
  int x;
} point;
static int *find(const char *name, size_t length)
{
  if (length == 0) return NULL;
  return go(name);
}
int main(void) {
  return 0;
}`;
  expect(outline("a.c", c)).toEqual([
    "2-2 #define MAX(a, b) ((a) > (b) ? (a) : (b))",
    "3-5 typedef struct {",
    "6-10 static int *find(const char *name, size_t length)",
    "11-13 int main(void) {",
  ]);
});

test("markdown: headings with their sections, not what stands in a fence", () => {
  const text = "# One\n\ntext\n## Two\n```sh\n# comment\n```\n### Three\n## Four\nend";
  expect(outline("README.md", text)).toEqual(["1-10 # One", "4-8 ## Two", "8-8 ### Three", "9-10 ## Four"]);
});

test("what has no outline says so, and what cannot be read says why", async () => {
  const texts = await Promise.all(
    ["data.xyz", "Makefile", ".env", "none.ts", "x.constructor"].map(
      async (path) =>
        (await plan({ "data.xyz": "x", Makefile: "all:", ".env": "K=1", "x.constructor": "" }, path)) as {
          text: string;
        },
    ),
  );
  expect(texts.map(({ text }) => text)).toEqual([
    "There is no outline for .xyz files; read_file shows data.xyz.",
    "There is no outline for files without an ending; read_file shows Makefile.",
    '".env" may hold secrets and is closed.',
    'There is no file "none.ts".',
    "There is no outline for .constructor files; read_file shows x.constructor.",
  ]);
});

test("a long outline is cut, and says where it goes on", async () => {
  const text = Array.from({ length: 400 }, (_, at) => `export function f${at}() {\n}`).join("\n");
  const shown = ((await plan({ "a.ts": text }, "a.ts")) as { text: string }).text.split("\n");
  expect(shown[0]).toBe("a.ts, 800 lines, 400 definitions, each with its lines. Cut here: 100 more from line 601 on.");
  expect(shown).toHaveLength(301);
});

test("lines made to be slow end in time", async () => {
  const lines = [
    "export function a() {",
    `const x${" ".repeat(390)}(`,
    `${"a<".repeat(200)}(`,
    `${"static ".repeat(60)}(`,
  ];
  for (const ending of ["ts", "java", "cpp", "py", "php", "rs", "md"]) {
    const text = lines.join("\n").concat("\nclass A {\n", `${lines.slice(1).join("\n")}\n`.repeat(500));
    const planned = await plan({ [`a.${ending}`]: text }, `a.${ending}`);
    expect(planned.type === "look" || (planned as { text: string }).text.includes("takes too long")).toBe(true);
  }
});
