import { expect, test } from "vitest";
import { secrets } from "../../../src/library/lint/secrets.ts";

/** Put together here, so that nothing takes this file for one that leaks. */
const random = ["q7Zp2Lx9Vb4Nw8Tc", "6Rd3Hs5Jf1Kg0Ym2Qa"].join("");
const key = (...pieces: string[]) => pieces.join("");
const upper = "Q7ZP2LX9VB4NW8TC";

test.each([
  [key("sk-", `ant-api03-${random}`), "Anthropic key of 47 characters"],
  [key("sk-", `proj-${random}`), "OpenAI key of 42 characters"],
  [key("AKI", `A${upper}`), "AWS key of 20 characters"],
  [key("gh", `p_${random}ab`), "GitHub token of 40 characters"],
  [key("xox", "b-1234567890-abcdef"), "Slack token of 22 characters"],
  [key("AIz", `a${random}x`), "Google key of 39 characters"],
  [key("sk_", `live_${random}`), "Stripe key of 42 characters"],
  [key("npm", `_${random}ab`), "npm token of 40 characters"],
  [key("eyJ", "hbGciOiJI.eyJ", "zdWIiOiIx.c2lnbmF0dXJl"), "JWT of 38 characters"],
  [key("-----BEGIN RSA PRIV", "ATE KEY-----"), "private key of 31 characters"],
  [key("postgres://me:", "s3cr3tword@host/db"), "password of 10 characters"],
  [key("postgres://me:", "hunter22@host/db"), "password of 8 characters"],
  [key('password: "tr0ub4dor', '&3"'), "password of 11 characters"],
  ["API_KEY=" + random, "secret of 34 characters"],
])("%j is a secret, and nothing of it is shown", (text, what) => {
  const [finding, ...more] = secrets(`first\nhere: ${text} there`);
  expect(finding).toStrictEqual({
    line: 2,
    rule: "secret",
    severity: "error",
    what,
    why: "Prompts are sent, logged, shared and versioned; whoever reads one owns the secret.",
    mend: "Take it out, and have it revoked where it was issued: it counts as known.",
  });
  expect(more).toEqual([]);
});

test.each([
  "Look for sk-ant-, AKIA, ghp_ and -----BEGIN in the history",
  key("AKI", "AIOSFODNN7EXAMPLE"),
  key("sk-", "ant-xxxxxxxxxxxxxxxxxxxx"),
  'api_key: "your-key-number-1"',
  "password: at least 12 characters",
  "token = getToken2(request)",
  "the secret: never_log_what_was_read",
  "postgres://user@host/db",
  key("sk-", "learn-is-a-library-with-a-long-name-of-words"),
])("%j is none", (text) => {
  expect(secrets(text)).toEqual([]);
});
