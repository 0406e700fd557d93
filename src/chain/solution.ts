import { sha256 } from "../util/hash.ts";
import type { Solution } from "./reply.ts";

/** A file may be written before its tests failed only where it is a test itself, and that shows in its path. */
export function looksLikeTest(path: string): boolean {
  return (
    /(^|[^a-z])(tests?|specs?|conftest|e2e)([^a-z]|$)|\.cy\.|\.feature$/i.test(path) ||
    /[a-z](Tests?|Specs?)\b/.test(path)
  );
}

/** By its ending: what a program runs or is built from. */
export function looksLikeCode(path: string): boolean {
  return /\.(?:[cm]?[jt]sx?|vue|svelte|py|php|go|rs|rb|java|kts?|cs|c|cc|cpp|h|hpp|swift|scala|sh|bash|sql)$/i.test(
    path,
  );
}

/** By its name: a text for people, which may be changed without another approval. No agent or pipeline obeys it. */
export function isDocument(path: string): boolean {
  const isText =
    /(?:^|\/)(?:readme|change(?:log|s)|history|news|contributing|upgrading)(?:\.(?:md|markdown|rst|adoc|txt))?$/i.test(
      path,
    ) || /(?:^|\/)docs?\/.*\.(?:md|markdown|rst|adoc)$/i.test(path);
  return isText && !/(?:^|\/)(?:\.|node_modules\/|(?:agents|claude|gemini)\.md$)/i.test(path);
}

/** By its name or folder: what decides which code of others runs here, or in a pipeline. */
export function isRunByOthers(path: string): boolean {
  return (
    /(?:^|\/)(?:package\.json|pyproject\.toml|setup\.(?:py|cfg)|tox\.ini|requirements[^/]*\.txt|Pipfile|Cargo\.toml|build\.rs|go\.mod|composer\.json|Gemfile|pom\.xml|build\.gradle[^/]*|deno\.jsonc?|\.npmrc|[^/]*\.csproj|[^/]*\.gemspec|Makefile|Dockerfile[^/]*|(?:docker-)?compose[^/]*\.ya?ml|Jenkinsfile|\.gitlab-ci\.ya?ml|\.pre-commit-config\.yaml)$/i.test(
      path,
    ) || /(?:^|\/)(?:\.github|\.circleci|\.husky|scripts?|bin)\/|\.(?:sh|bash|ps1|bat|cmd)$/i.test(path)
  );
}

export function solutionHash(text: string, base: Readonly<Record<string, string | null>>): string {
  return sha256(text, JSON.stringify(base)).slice(0, 12);
}

/** Small enough that clarifying, approving and implementing are all the ceremony it needs. */
export function fitsTiny(solution: Solution): boolean {
  const many = (wanted: string) => solution.files.filter(({ role }) => role === wanted).length;
  return many("code") <= 1 && many("test") <= 1 && many("doc") <= 1 && many("code") + many("doc") > 0;
}

/** Small enough that the report that proposes it may measure what is still uncertain. Tests and documents do not count. */
export function isSmallChange({ files }: Solution): boolean {
  return (
    files.filter(({ role }) => role === "code").length <= 3 && !files.some(({ path }) => /migrat|\.sql$/i.test(path))
  );
}
