/** Whether two texts say the same, apart from spaces, capital letters and what ends the sentence. */
export function isSameText(one: string, other: string): boolean {
  return plainText(one) === plainText(other);
}

export function plainText(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/\s+/g, " ")
    .replaceAll(/^[ -]+|[ .;:,!]+$/g, "");
}
