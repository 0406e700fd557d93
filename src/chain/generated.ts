import { dirname, join } from "node:path";
import { listedPrompt, type Library, type Listing } from "../library/library.ts";
import { promptName } from "../library/names.ts";
import { readPrompt } from "../library/read_prompt.ts";
import { refuseLinkedFolders } from "../store/chains.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import type { GeneratedPrompt } from "./events.ts";
import type { Work } from "./deps.ts";
import { doubtfulAreas, type Draft } from "./gap.ts";
import type { Chain } from "./open.ts";
import type { Report } from "./reply.ts";

/**
 * The library as one chain sees it: with the prompts that were written for it. None of them takes the name of a prompt
 * of the library. Their texts are those that the journal names; what lies in the folder is written again where it differs.
 */
export function withGenerated(library: Library, chain: Chain): Library {
  const generated = () => Object.values(chain.context.engine.generated);
  const read = ({ name, text, tests }: GeneratedPrompt) => {
    const file = join(chain.prompts, `${name}.md`);
    const files = [file, join(chain.prompts, `${name}.tests.yaml`)];
    refuseLinkedFolders([dirname(chain.prompts), chain.prompts, ...files]);
    for (const [at, hash] of [text, tests].entries()) {
      const content = chain.blobs.get(hash);
      if (readTextIfThere(files[at]!) !== content) writeAtomic(files[at]!, content);
    }
    return readPrompt({ file, folder: "", scope: "custom" });
  };
  const withMine = async (listing: Listing): Promise<Listing> => {
    const isFree = (name: string) => !listing.prompts.some((prompt) => prompt.name === name);
    const mine = generated().filter(({ name, standing }) => standing !== "dropped" && isFree(name));
    if (mine.length === 0) return listing;
    return { ...listing, prompts: [...listing.prompts, ...(await Promise.all(mine.map(read))).map(listedPrompt)] };
  };
  return {
    ...library,
    async find(wanted) {
      const mine = generated().find(({ name }) => name === promptName(wanted));
      return mine && (await library.places(wanted)).length === 0 ? read(mine) : library.find(wanted);
    },
    all: async () => withMine(await library.all()),
    lately: async () => withMine(await library.lately()),
  };
}

/** The prompts that a reply holds, three at most. Each is kept beside the journal, and comes with a list of what is wrong with it. */
export async function draftsOf({ chain, deps }: Work, { artifacts = [], scores = [] }: Report): Promise<Draft[]> {
  const { gap, generated } = chain.context.engine;
  const written = artifacts.filter(({ kind }) => kind === "prompt").slice(0, gap ? 3 : 0);
  const doubtful = doubtfulAreas(chain.context);
  const score = (wanted: string) => scores.find(({ name }) => name === wanted)?.value;
  const read = async ({ name: called, content }: (typeof written)[number], at: number): Promise<Draft> => {
    const stem = called.replace(/\.md$/, "");
    const name = promptName(stem) ?? "";
    const tests = artifacts.find((one) => one.kind === "tests" && one.name === `${stem}.tests.yaml`)?.content;
    const isTwice = written.findIndex((one) => one.name === called) < at;
    const isTaken = isTwice || Object.hasOwn(generated, name) || (await deps.library.places(stem)).length > 0;
    const misnamed = name === "" ? "is no name for a prompt" : isTaken ? "is the name of another prompt" : undefined;
    const { errors, prompt } = misnamed ? nothingRead : await deps.lintPrompt(name, content, tests);
    const named = new Set(prompt?.uncertainty_reduction.map((area) => area.trim().replaceAll(" ", "_")));
    const areas = doubtful.filter((area) => named.has(area));
    const isLost = prompt !== undefined && areas.length === 0;
    const isUnfilled = Object.values(prompt?.inputs ?? {}).some(({ required }) => required);
    const problems = [
      ...(misnamed ? [`"${stem.slice(0, 60)}" ${misnamed}. Take another name.`] : []),
      ...errors,
      ...(isUnfilled ? ["Nobody fills its inputs: give each a default."] : []),
      ...(isLost ? [`uncertainty_reduction names no open area. Name some of: ${doubtful.join(", ")}.`] : []),
    ];
    const text = await chain.blobs.put(content);
    const about = { purpose: prompt?.purpose ?? "", reason: gap?.text.split("\n")[0] ?? "", areas };
    const forecast = score(name) ?? score("effectiveness") ?? null;
    const files = { text, tests: await chain.blobs.put(tests ?? "") };
    const fresh = { name, ...about, ...files, forecast, effect: null, standing: "trial" as const };
    return { prompt: fresh, content, problems };
  };
  return Promise.all(written.map(read));
}

const nothingRead = { errors: [], prompt: undefined };
