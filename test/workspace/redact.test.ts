import { expect, test } from "vitest";
import { redact } from "../../src/workspace/redact.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cpuTime } from "../support/cpu_time.ts";

/** Put together here, so that no source file holds anything that looks like a secret. */
const random = "k3Jx9Qa7Lm2Zt8Vw4Rb6Yc1Np5Hd0Gf3Se9Tu7";
const dashes = "KEY-----";
const aws = "AKIA";
const key = `-----BEGIN RSA PRIVATE ${dashes}\nMIIEow${random}\n${random}\n-----END RSA PRIVATE ${dashes}`;

test("secrets are taken out, and nothing around them", () => {
  const cases: [string, string][] = [
    [`a sk-ant-api03-${random}-x b`, "a [redacted Anthropic key] b"],
    [`"sk-proj-${random}"`, '"[redacted OpenAI key]"'],
    [`sk-${random}${random}`, "[redacted OpenAI key]"],
    [`id=${aws}IOSFODNN7EXAMPLE,`, "id=[redacted AWS key],"],
    [`aws_secret_access_key = ${random}/+A`, "aws_secret_access_key = [redacted secret]"],
    [`ghp_${random}`, "[redacted GitHub token]"],
    [`github_pat_${random}_x`, "[redacted GitHub token]"],
    [`xoxb-123456789012-${random}`, "[redacted Slack token]"],
    [
      `https://hooks.slack.com/services/T0A1B2C3D/B0A1B2C3D/${random.slice(0, 24)}`,
      "https://hooks.slack.com/services/[redacted Slack webhook]",
    ],
    [`sk_live_${random}`, "[redacted Stripe key]"],
    [`whsec_${random}`, "[redacted Stripe key]"],
    [`AIza${random.slice(0, 35)}`, "[redacted Google key]"],
    [`npm_${random.slice(0, 36)}`, "[redacted npm token]"],
    [`eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0x.${random}`, "[redacted JWT]"],
    [`Authorization: Bearer ${random}`, "Authorization: Bearer [redacted bearer token]"],
    ["postgres://app:S3cr9tPw42xQ@db/x", "postgres://app:[redacted password]@db/x"],
    ["DB_PASSWORD='xK9#mQ2$vL7pR4'", "DB_PASSWORD='[redacted secret]'"],
    [`{"apiKey": "${random}"}`, '{"apiKey": "[redacted secret]"}'],
    [`   12\tclient_secret: ${random}`, "   12\tclient_secret: [redacted secret]"],
    [`before ${key} after`, "before [redacted private key] after"],
    [JSON.stringify({ key }), '{"key":"[redacted private key]"}'],
    [key.slice(0, -40), "[redacted private key]"],
  ];
  for (const [text, clean] of cases) expect(redact(text)).toBe(clean);
  const all = cases.map(([text]) => text).join("\n");
  expect(redact(all)).toBe(cases.map(([, clean]) => clean).join("\n"));
  expect(redact(redact(all))).toBe(redact(all));
});

test("what only looks like a secret stays", () => {
  const harmless = [
    "const token = process.env.API_TOKEN_2;",
    "token: claude-sonnet-4-5-20250929",
    "token = base64EncodeString2",
    "password: ${{ secrets.DB_PASSWORD_1 }}",
    'password: "changeme1234"',
    "max_tokens: 8192, input_tokens: 123456789012",
    "sk-loading-spinner-container-element-wrapper-2",
    '"integrity": "sha512-k3Jx9Qa7Lm2Zt8Vw4Rb6Yc1Np5Hd0Gf3Se9Tu7=="',
    "https://user:password@example.org",
    "xoxb-your-token-here",
    `sha256: ${"0123456789abcdef".repeat(4)}`,
  ];
  for (const text of harmless) expect(redact(text)).toBe(text);
});

test("nothing in our own sources is taken for a secret", async () => {
  const workspace = openWorkspace(".", { env: process.env, hide: [] });
  const listed = await workspace.list(["src/**", "test/tools/**", "*.json", "*.md"]);
  const files = listed.filter((file) => file !== "test/workspace/redact.test.ts");
  expect(files.length).toBeGreaterThan(20);
  const texts = files.map((file) => ({ file, text: workspace.fingerprint(file)?.text ?? "" }));
  expect(texts.map(({ file, text }) => ({ file, text: redact(text) }))).toEqual(texts);
});

test("hostile text takes no longer than its length allows", async () => {
  const heads = [
    "eyJ",
    "eyJaaaaaaaa.",
    "://a:",
    `-----BEGIN PRIVATE ${dashes}`,
    "password=",
    "sk-",
    "xoxb-a",
    "bearer ",
    "a",
    " ",
  ];
  const time = (text: string) => cpuTime(() => redact(text));
  for (const head of heads) {
    const short = await time(head.repeat(Math.ceil(20_000 / head.length)));
    const long = await time(head.repeat(Math.ceil(320_000 / head.length)));
    expect({ head, linear: long < 16 * 6 * Math.max(1, short) }).toEqual({ head, linear: true });
  }
});
