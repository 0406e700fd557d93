import { basename, dirname, join } from "node:path/posix";
import { besideName, type Foreign, restore } from "./foreign.ts";
import { type Claim, type Detected, detectFormat, type Format, isListed } from "./format.ts";
import { checkPath, decode, readPlain, refuse } from "./folder.ts";
import { costOf, ourKeys, rightsFor } from "./keys.ts";
import { originalText, type Ours, readIfOurs, readOurs, recordOf, writeOurs } from "./original.ts";
import { type Parts, splitText, takeVariables } from "./text.ts";

/** A file that is read and understood, and has no name yet. */
export interface Draft extends Detected {
  readonly entry: string;
  readonly mode: number;
  readonly wanted: string;
  /** Where it must lie to stay the file it is; any other name makes it another one. */
  readonly at?: string;
  readonly asked_for: readonly string[];
  readonly siblings: readonly Sibling[];
  /** Our file when it is called so; refuses what could not be given back to the byte. */
  text(name: string): string;
}

export interface Sibling {
  /** As it lies beside the prompt in its own format. */
  readonly path: string;
  readonly source: string;
}

export interface Source {
  /** The folder the paths stand below. */
  readonly root: string;
  readonly given: Format | undefined;
  readonly isAlone: boolean;
  readonly count: (text: string) => Promise<number>;
}

type Start = Pick<Draft, "entry" | "mode" | "siblings"> & { readonly original: string };

export async function draftOf({ entry, siblings }: Claim, source: Source): Promise<Draft> {
  checkPath(entry);
  const { bytes, mode } = await readPlain(`${source.root}/${entry}`, 256 * 1024);
  const original = decode(bytes);
  const { format, rule } = detect(entry, original, source);
  const start: Start = { entry, mode, original, siblings: siblings.map((path) => siblingOf(path, entry, format)) };
  if (format === "ours") return ourDraft(start, rule);
  const beside = format === "fabric" ? siblings.find((path) => path === join(dirname(entry), besideName)) : undefined;
  const told = beside && decode((await readPlain(`${source.root}/${beside}`, 256 * 1024)).bytes);
  return restoredDraft(start, format, told) ?? (await foreignDraft(start, { format, rule }, source));
}

function detect(entry: string, text: string, { root, given, isAlone }: Source): Detected {
  if (given) return { format: given, rule: "it was given" };
  const path = `${basename(root)}/${entry}`;
  const isPattern = basename(entry) === "system.md";
  const { head, body, data } = isPattern ? { head: "", body: text, data: {} } : splitText(text);
  if (/^readme\.md$/i.test(basename(entry)) && head.trim() === "" && !isAlone) {
    throw refuse("a README tells of a folder and is no prompt", "Give its format to import it all the same.");
  }
  return detectFormat({ path, data, body, isOurs: readIfOurs(text, entry) !== undefined });
}

/** A sibling of ours lies in `<name>.files/` with an ending that keeps it out of the library. */
function siblingOf(source: string, entry: string, format: Format): Sibling {
  const folder = dirname(entry);
  const path = folder === "." ? source : source.slice(folder.length + 1);
  if (format !== "ours") return { path, source };
  return { path: path.slice(`${basename(entry, ".md")}.files/`.length, -".kept".length), source };
}

function ourDraft({ original, ...start }: Start, rule: string): Draft {
  const { entry } = start;
  const ours = readOurs(original, entry);
  if (!isListed(entry)) throw refuse("the library would not list it there", "Import from its own folder.");
  const asked_for = strong(ours);
  const isCopy = asked_for.length === 0 && recordOf(ours)?.format !== "ours";
  const text = () => {
    if (isCopy) return original;
    const imported = { format: "ours", path: entry, front_matter: ours.head, asked_for } as const;
    return proven(writeOurs(lowered(ours), imported, ours.body), entry, entry, original);
  };
  return { ...start, format: "ours", rule, wanted: ours.name, at: entry, asked_for, text };
}

function restoredDraft({ original, ...start }: Start, format: Foreign, beside?: string): Draft | undefined {
  const { entry, siblings } = start;
  const found = restore(format, entry, original, beside);
  if (!found) return undefined;
  const { ours, variables, after, isExact } = found;
  const asked_for = strong(ours);
  const draft = { ...start, format, rule: "its claude-exec key holds a prompt of ours", wanted: ours.name, asked_for };
  if (isExact && asked_for.length === 0 && recordOf(ours)?.format !== format) {
    const others = siblings.filter(({ path }) => beside === undefined || path !== besideName);
    return { ...draft, siblings: others, at: `${ours.name}.md`, text: () => found.text };
  }
  const front_matter = partsOf(original, format).head;
  const { name: _, ...keys } = lowered(ours);
  const imported = { format, path: entry, front_matter, variables, after, asked_for };
  return { ...draft, text: (name) => proven(writeOurs(keys, imported, ours.body), `${name}.md`, entry, original) };
}

async function foreignDraft(start: Start, { format, rule }: Detected, { root, count }: Source): Promise<Draft> {
  const { original, entry, ...rest } = start;
  const { head, body, data } = partsOf(original, format as Foreign);
  const taken = takeVariables(body, format);
  const folder = basename(dirname(`${root}/${entry}`));
  const isNamedByFolder = format === "claude-skills" || format === "fabric";
  const wanted = promptNameFrom(isNamedByFolder ? folder : basename(entry).replace(/\.md$/i, ""));
  const { asked_for } = rightsFor(format, data);
  const { purpose, ...keys } = ourKeys({ format, name: wanted, data, body, variables: taken.variables });
  const cost_estimate = costOf(await count(taken.body));
  const imported = { format, path: entry, front_matter: head, variables: taken.variables, asked_for };
  const whole = writeOurs({ purpose, cost_estimate, ...keys }, imported, taken.body);
  const text = (name: string) => proven(whole, `${name}.md`, entry, original);
  return { ...rest, entry, format, rule, wanted, asked_for, text };
}

/** A pattern has no front matter, whatever it begins with. */
function partsOf(text: string, format: Foreign): Parts {
  if (format !== "fabric") return splitText(text);
  const mark = /^\uFEFF?/.exec(text)![0];
  return { head: mark, body: text.slice(mark.length), data: {} };
}

function strong({ known }: Ours): string[] {
  return known.tools === "none" || known.tools === "read" ? [] : [known.tools];
}

function lowered(ours: Ours): Record<string, unknown> {
  return strong(ours).length > 0 ? { ...ours.data, tools: "read" } : { ...ours.data };
}

/** What `a-z0-9_` leaves of a name; the name itself is kept in the path. */
function promptNameFrom(written: string): string {
  const plain = written.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
  const name = plain.replaceAll(/[^a-z0-9]+/g, "_").replaceAll(/^_+|_+$/g, "");
  return (name.length < 3 ? `prompt_${name}`.replace(/_$/, "") : name).slice(0, 50);
}

/** Nothing is written that would not give the original back. */
function proven(text: string, file: string, path: string, original: string): string {
  const ours = readOurs(text, file);
  const origin = recordOf(ours)!;
  if (origin.path !== path || originalText(origin, ours.body) !== original) {
    throw refuse("it could not be given back exactly as it is");
  }
  return text;
}
