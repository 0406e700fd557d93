/** `count(1, "line")` → "1 line", `count(2, "match", "matches")` → "2 matches". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
