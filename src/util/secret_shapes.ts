/** Where a pattern has a group, only the group is secret, and only when it looks random. */
export const secretShapes: readonly { readonly kind: string; readonly pattern: RegExp }[] = [
  {
    kind: "private key",
    pattern:
      /-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[^]{40,8000}?-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|[\w+/=\s\\]{40,})/g,
  },
  { kind: "JWT", pattern: /(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/g },
  { kind: "Anthropic key", pattern: /(?<![\w-])sk-ant-[\w-]{20,}/g },
  { kind: "OpenAI key", pattern: /(?<![\w-])(sk-[\w-]{32,})/g },
  { kind: "AWS key", pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g },
  { kind: "GitHub token", pattern: /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})/g },
  { kind: "Slack token", pattern: /(?<![\w-])(?:xox[abeoprs]|xapp)-(?=[A-Za-z-]*\d)[A-Za-z0-9-]{10,}/g },
  { kind: "Slack webhook", pattern: /hooks\.slack\.com\/services\/([A-Za-z0-9/]{20,})/g },
  { kind: "Stripe key", pattern: /(?<![A-Za-z0-9])(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}/g },
  { kind: "Google key", pattern: /(?<![\w-])AIza[\w-]{35}(?![\w-])/g },
  { kind: "npm token", pattern: /(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])/g },
  { kind: "bearer token", pattern: /(?<![\w-])bearer\s{1,4}([\w.~+/=-]{20,})/gi },
  { kind: "password", pattern: /:\/\/[^\s/:@"'`]{1,64}:([^\s/:@"'`]{8,200})@/g },
  {
    kind: "secret",
    pattern:
      /(?:passw(?:or)?d|passphrase|pwd|token|credential|secret(?:[_-]?key)?|(?:api|access|private|auth)[_-]?key)["'`]?\s{0,4}(?::?=|=>|:)\s{0,4}["'`]?([^\s"'`,;<>(){}[\]]{12,})/gi,
  },
];
