import { isMixed, looksRandom } from "../../util/random_looking.ts";
import { secretShapes } from "../../util/secret_shapes.ts";
import { positionsOf, type Remark } from "./finding.ts";

/** Keys, tokens and passwords, told by their shape. Of what was found, nothing is ever shown. */
export function secrets(text: string): Remark[] {
  const at = positionsOf(text);
  const found = new Map<number, Remark>();
  for (const { kind, pattern, isSecret = looksRandom } of shapes) {
    for (const { 0: whole, 1: group, index } of text.matchAll(pattern)) {
      const value = group ?? whole;
      const { line } = at(index);
      if (found.has(line) || placeholder.test(value) || (group !== undefined && !isSecret(group))) continue;
      const what = `${kind} of ${value.length} characters`;
      const why = "Prompts are sent, logged, shared and versioned; whoever reads one owns the secret.";
      const mend = "Take it out, and have it revoked where it was issued: it counts as known.";
      found.set(line, { line, rule: "secret", severity: "error", what, why, mend });
    }
  }
  return [...found.values()];
}

interface Shape {
  readonly kind: string;
  readonly pattern: RegExp;
  readonly isSecret?: (value: string) => boolean;
}

/** What nobody writes into a prompt by chance: the first line of a key alone, and short passwords in URLs and quotes. */
const alsoInPrompts: readonly Shape[] = [
  { kind: "private key", pattern: /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/g },
  { kind: "password", pattern: /:\/\/[^\s/:@"'`]{1,64}:([^\s/:@"'`]{6,200})@/g, isSecret: () => true },
  {
    kind: "password",
    pattern:
      /(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|private|auth|secret)[_-]?key)["'`]?\s{0,4}(?::?=|=>|:)\s{0,4}["'`]([^\s"'`,;<>(){}[\]]{8,200})/gi,
    isSecret: isMixed,
  },
];

const shapes: readonly Shape[] = [...secretShapes, ...alsoInPrompts];
const placeholder = /(.)\1{5}|example|placeholder|your[-_]|change[-_]?me|redacted|\.\.\.|…|\*\*\*/i;
