import { isMixed, looksRandom } from "../../util/random_looking.ts";
import { positionsOf, type Remark } from "./finding.ts";

/** Keys, tokens and passwords, told by their shape. Of what was found, nothing is ever shown. */
export function secrets(text: string): Remark[] {
  const at = positionsOf(text);
  const found = new Map<number, Remark>();
  for (const { kind, pattern, isOne = () => true } of shapes) {
    for (const match of text.matchAll(pattern)) {
      const value = match.groups?.["value"] ?? match[0];
      const { line } = at(match.index);
      if (found.has(line) || placeholder.test(value) || !isOne(value, match[0])) continue;
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
  readonly isOne?: (value: string, whole: string) => boolean;
}

const shapes: readonly Shape[] = [
  { kind: "a private key (-----BEGIN …)", pattern: /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/g },
  { kind: "an Anthropic key (sk-ant-…)", pattern: /(?<![\w-])sk-ant-[\w-]{12,}/g },
  { kind: "an API key (sk-…)", pattern: /(?<![\w-])sk-[\w-]{32,}/g, isOne: isLongAndRandom },
  { kind: "an AWS key (AKIA…)", pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g },
  { kind: "a GitHub token (ghp_…)", pattern: /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})/g },
  { kind: "a Slack token (xox…)", pattern: /(?<![\w-])xox[abeoprs]-(?=[a-z-]*\d)[A-Za-z0-9-]{10,}/g },
  { kind: "a Google key (AIza…)", pattern: /(?<![\w-])AIza[\w-]{35}(?![\w-])/g },
  { kind: "a Stripe key (sk_live_…)", pattern: /(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/g },
  { kind: "an npm token (npm_…)", pattern: /(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])/g },
  { kind: "a signed token (eyJ…)", pattern: /(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/g },
  { kind: "a password within a URL", pattern: /:\/\/[^\s/:@"'`]{1,64}:(?<value>[^\s/:@"'`]{6,200})@/g },
  {
    kind: "a password or key that is assigned",
    pattern:
      /(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|private|auth|secret)[_-]?key)["'`]?\s{0,4}(?::?=|=>|:)\s{0,4}["'`]?(?<value>[^\s"'`,;<>(){}[\]]{8,200})/gi,
    isOne: (value, whole) => (/["'`]$/.test(whole.slice(0, -value.length)) ? isMixed(value) : isLongAndRandom(value)),
  },
];

const placeholder = /(.)\1{5}|example|placeholder|your[-_]|change[-_]?me|redacted|\.\.\.|…|\*\*\*/i;

/** A short word can change as often by chance. */
function isLongAndRandom(value: string): boolean {
  return value.length >= 12 && looksRandom(value);
}
