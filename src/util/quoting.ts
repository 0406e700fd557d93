/** A word as a shell reads it back, quoted only where it has to be. */
export function quoted(word: string): string {
  return /^[\w./@%+=:,-]+$/.test(word) && !/^[\w]+=/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function quotedLine(argv: readonly string[]): string {
  return argv.map(quoted).join(" ");
}
