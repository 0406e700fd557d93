import type { ReplyBlock } from "../models/types.ts";
import type { Blobs } from "../store/blobs.ts";
import type { Content, Text } from "./events.ts";

/** A longer text lies beside the journal, so that its lines stay readable. */
export async function beside(text: string, put: Blobs["put"]): Promise<Text> {
  return text.length > 4096 ? { blob: await put(text) } : { text };
}

export function contentOf(content: Content, blobs: Blobs): readonly ReplyBlock[] {
  return "blob" in content ? (JSON.parse(blobs.get(content.blob)) as ReplyBlock[]) : content;
}

export function textOf(text: Text, blobs: Blobs): string {
  return "blob" in text ? blobs.get(text.blob) : text.text;
}

/** A text that a model reads as data. It cannot close its own fence. */
export function asData(name: string, text: string): string {
  return `<${name} kind="data">\n${text.replaceAll(`</${name}`, `<\\/${name}`)}\n</${name}>`;
}
