import type { Manifest, Wanted } from "./manifest.ts";
import { readToml } from "./toml.ts";
import type { TomlTable } from "./toml.ts";

export function pyproject(text: string): Manifest {
  const tables = readToml(text);
  const project = tables.get("project");
  const poetry = tables.get("tool.poetry.dependencies");
  const extras = [...(tables.get("project.optional-dependencies") ?? [])];
  const dev = [...(tables.get("dependency-groups") ?? [])];
  const groups = [...tables].flatMap(([name, table]) => {
    const group = /^tool\.poetry\.(?:group\.([\w-]+)\.|(dev)-)dependencies$/.exec(name);
    return group ? [{ name: group[1] ?? group[2] ?? "", wanted: inTable(table) }] : [];
  });
  const python = project?.get("requires-python") ?? poetry?.get("python");
  return {
    about: typeof python === "string" ? [`python ${python}`] : [],
    groups: [
      { name: "needs", wanted: [...inArray(project?.get("dependencies")), ...inTable(poetry)] },
      ...extras.map(([name, value]) => ({ name: `optional ${name}`, wanted: inArray(value) })),
      ...dev.map(([name, value]) => ({ name, wanted: inArray(value) })),
      ...groups,
    ],
    scripts: [...(tables.get("project.scripts") ?? []), ...(tables.get("tool.poetry.scripts") ?? [])].map(
      ([name, value]) => [name, String(value)] as const,
    ),
  };
}

export function pipfile(text: string): Manifest {
  const tables = readToml(text);
  const python = tables.get("requires")?.get("python_version");
  return {
    about: typeof python === "string" ? [`python ${python}`] : [],
    groups: [
      { name: "needs", wanted: inTable(tables.get("packages")) },
      { name: "dev", wanted: inTable(tables.get("dev-packages")) },
    ],
    scripts: [...(tables.get("scripts") ?? [])].map(([name, value]) => [name, String(value)] as const),
  };
}

/** One requirement a line; options such as `-r base.txt` are told as they are. */
export function requirements(text: string): Manifest {
  return { about: [], groups: [{ name: "needs", wanted: text.split(/\r?\n/).flatMap(requirement) }], scripts: [] };
}

export function setupCfg(text: string): Manifest {
  const sections = new Map<string, Map<string, string[]>>();
  let section = new Map<string, string[]>();
  let value: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const head = /^\[([^\]]+)\]/.exec(line)?.[1];
    const [, key, first = ""] = /^([\w.-]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (head !== undefined) {
      section = sections.get(head) ?? new Map<string, string[]>();
      sections.set(head, section);
    } else if (key !== undefined) {
      value = [first];
      section.set(key, value);
    } else if (/^\s+\S/.test(line)) value.push(line.trim());
  }
  const options = sections.get("options");
  const python = options?.get("python_requires")?.[0];
  const extras = [...(sections.get("options.extras_require") ?? [])];
  return {
    about: python === undefined || python === "" ? [] : [`python ${python}`],
    groups: [
      { name: "needs", wanted: (options?.get("install_requires") ?? []).flatMap(requirement) },
      ...extras.map(([name, lines]) => ({ name: `optional ${name}`, wanted: lines.flatMap(requirement) })),
    ],
    scripts: [],
  };
}

function inTable(table: TomlTable | undefined): Wanted[] {
  return [...(table ?? [])].flatMap(([name, range]) =>
    name === "python" ? [] : [{ name, range: typeof range === "string" ? range : range.join(" ") }],
  );
}

function inArray(value: string | readonly string[] | undefined): Wanted[] {
  return typeof value === "object" ? value.flatMap(requirement) : [];
}

/** Such as `requests[security]>=2.8,<3 ; python_version < "3"`. */
function requirement(line: string): Wanted[] {
  const plain = line.replace(/(?:^|\s)#.*$/, "").trim();
  if (plain === "") return [];
  const parts = /^([A-Za-z0-9][\w.-]*)\s*((?:\[[^\]]*\])?)\s*([^;]*)/.exec(plain);
  const isOne = parts && !/^(?:[:/+\\])/.test(parts[3] ?? "");
  return isOne ? [{ name: `${parts[1]}${parts[2]}`, range: parts[3]?.trim() ?? "" }] : [{ name: plain, range: "" }];
}
