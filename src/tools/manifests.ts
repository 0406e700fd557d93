import { isRecord, parseJson } from "../util/json.ts";
import type { Group, Manifest } from "./manifest.ts";
import { pipfile, pyproject, requirements, setupCfg } from "./python_manifests.ts";

type Kind = "node" | "php" | "python";

/** How a file of this name is read; undefined where it is no manifest. */
export function manifestKind(
  path: string,
): { readonly kind: Kind; readonly read: (text: string) => Manifest | undefined } | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name === "package.json") return { kind: "node", read: packageJson };
  if (name === "composer.json") return { kind: "php", read: composerJson };
  if (name === "pyproject.toml") return { kind: "python", read: pyproject };
  if (name === "Pipfile") return { kind: "python", read: pipfile };
  if (name === "setup.cfg") return { kind: "python", read: setupCfg };
  return /^requirements[\w.-]*\.txt$/.test(name) ? { kind: "python", read: requirements } : undefined;
}

function packageJson(text: string): Manifest | undefined {
  const json = parseJson(text);
  if (!isRecord(json)) return undefined;
  const engines = pairs(json["engines"]).map(([name, range]) => `${name} ${range}`);
  const workspaces = isRecord(json["workspaces"]) ? json["workspaces"]["packages"] : json["workspaces"];
  const folders = Array.isArray(workspaces) ? workspaces.filter((one) => typeof one === "string") : [];
  const manager = json["packageManager"];
  return {
    about: [
      ...engines,
      ...(typeof manager === "string" ? [manager] : []),
      ...(folders.length > 0 ? [`workspaces ${folders.join(" ")}`] : []),
    ],
    groups: groupsOf(json, [
      ["needs", "dependencies"],
      ["dev", "devDependencies"],
      ["peer", "peerDependencies"],
      ["optional", "optionalDependencies"],
    ]),
    scripts: pairs(json["scripts"]),
  };
}

function composerJson(text: string): Manifest | undefined {
  const json = parseJson(text);
  if (!isRecord(json)) return undefined;
  const isPlatform = (name: string) => /^(?:php|hhvm|(?:ext|lib|php|composer)-[\w-]+)$/.test(name);
  const groups = groupsOf(json, [
    ["needs", "require"],
    ["dev", "require-dev"],
  ]);
  const platform = pairs(json["require"]).filter(([name]) => isPlatform(name));
  const scripts = isRecord(json["scripts"]) ? Object.entries(json["scripts"]) : [];
  return {
    about: platform.map(([name, range]) => `${name} ${range}`),
    groups: groups.map(({ name, wanted }) => ({ name, wanted: wanted.filter((one) => !isPlatform(one.name)) })),
    scripts: scripts.map(([name, value]) => [name, Array.isArray(value) ? value.join(" && ") : String(value)] as const),
  };
}

function groupsOf(json: Record<string, unknown>, keys: readonly (readonly [string, string])[]): Group[] {
  return keys.map(([name, key]) => ({ name, wanted: pairs(json[key]).map(([one, range]) => ({ name: one, range })) }));
}

/** The keys of a record with their texts. */
function pairs(value: unknown): [string, string][] {
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([key, text]) => (typeof text === "string" ? [[key, text]] : []));
}
