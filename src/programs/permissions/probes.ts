const linters = [
  /^(?:npx )?(?:eslint|oxlint|stylelint|flake8|pylint|mypy|shellcheck|golangci-lint run)\b/,
  /^(?:npx )?(?:prettier --check|tsc --noEmit|biome (?:lint|check)|ruff check)\b/,
  /^(?:npm|pnpm|yarn) run lint$/,
  /^npm pack --dry-run$/,
];

/**
 * Whether a line only looks, so that it can run where nothing can be changed: `node --version`, `npm pack --dry-run`, a
 * linter that repairs nothing. One simple command; whatever else a shell could read in it makes it no probe.
 */
export function isProbe(line: string): boolean {
  const text = line.trim();
  if (!/^[\w./@=:+ -]+$/.test(text) || /(?:^| )(?:--fix|--write|--apply|-w)\b/.test(text)) return false;
  return /^[\w./-]+ --version$/.test(text) || linters.some((linter) => linter.test(text));
}
