import { createHmac, createSecretKey } from "node:crypto";

/** The key of a user, as something to seal with: what carries its hash was written by claude-exec for this user. */
export interface Seal {
  /** Tells keys apart; nothing about the key can be learned from it. */
  readonly id: string;
  hash(...parts: (string | Uint8Array)[]): string;
}

export function sealWith(key: Uint8Array): Seal {
  // Bytes would be made into such a key anew for each hash, which takes ten times as long as hashing a line.
  const secret = createSecretKey(key);
  const hash: Seal["hash"] = (...parts) => {
    const hmac = createHmac("sha256", secret);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  };
  return { id: hash("id").slice(0, 12), hash };
}

/** A text in a file of its own, sealed for one chain and one purpose: it counts for no other. */
export function sealText(seal: Seal, purpose: readonly string[], text: string): string {
  return `${sealOf(seal, purpose, text)}\n${text}`;
}

/** The text without its seal; undefined where the seal is missing or another. */
export function unsealText(seal: Seal, purpose: readonly string[], sealed: string): string | undefined {
  const end = sealed.indexOf("\n");
  const text = sealed.slice(end + 1);
  return end > 0 && sealed.slice(0, end) === sealOf(seal, purpose, text) ? text : undefined;
}

function sealOf(seal: Seal, purpose: readonly string[], text: string): string {
  return seal.hash(JSON.stringify(purpose), text);
}
