/** Names and words change between capitals, small letters and digits seldom; random text does so all the time. */
export function looksRandom(value: string): boolean {
  if (!isMixed(value)) return false;
  const runs = value.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g) ?? [];
  return runs.join("").length / runs.length < 2.8;
}

/** Both letters and digits. */
export function isMixed(value: string): boolean {
  return /\d/.test(value) && /[a-z]/i.test(value);
}
