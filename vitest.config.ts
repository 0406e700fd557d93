import { globSync } from "node:fs";
import { configDefaults, defineConfig } from "vitest/config";

/** `npm run test:long` sets this variable to "long": then the files named `*.long.test.ts` run, and no others. */
const isLong = process.env["TEST_SUITE"] === "long";
const long = "test/**/*.long.test.ts";
/** They measure how long something takes, so nothing else may run beside them. */
const ratios = "test/bench/**";
// Only a test that hangs reaches it: a loaded machine takes several times as long as an idle one.
const timeout = isLong ? 900_000 : 400_000;

/**
 * Tests of our own functions that start few programs, and not ours, and that end within a second or so: `npm run check`
 * runs these alone. Files share a process, in which they leave nothing behind, so that the sources are loaded once.
 */
const quickPatterns = [
  "test/{docs,imports,prompts}.test.ts",
  "test/{chain,costs,library,models,programs/permissions,store,util}/*.test.ts",
  "test/session/{config,log}.test.ts",
];
const slower = [
  "test/chain/{looking,outcome,run,together,transcript,use}.test.ts",
  "test/costs/estimate.test.ts",
  "test/library/plain_front_matter.test.ts",
];
const quick = globSync(quickPatterns, { exclude: slower });

/**
 * Most of these run the command line in their own process, again and again: files share a process here too, because code
 * that has run for a while runs several times as fast as code that was just loaded.
 */
const warmPatterns = ["test/{clients,faults,library,operations,session,tools,workspace}/**/*.test.ts"];
const warm = globSync(warmPatterns, {
  exclude: [long, ...quick, "test/faults/{killed,launcher,terminal}.test.ts"],
});

/** Projects with a higher order wait for all that have a lower one. */
const project = (
  name: string,
  files: { include: string[]; exclude?: string[] },
  { order = 0, isolate = true, isBuilt = true }: { order?: number; isolate?: boolean; isBuilt?: boolean } = {},
) => ({
  extends: true as const,
  test: {
    name,
    isolate,
    globalSetup: isBuilt ? ["test/support/built.ts"] : [],
    include: files.include,
    exclude: [...configDefaults.exclude, ...(files.exclude ?? [])],
    sequence: { groupOrder: order },
  },
});

export default defineConfig({
  test: {
    testTimeout: timeout,
    hookTimeout: timeout,
    pool: "forks",
    // Most tests wait for programs that they started: two workers more than Vitest would take on two processors.
    maxWorkers: isLong ? 2 : 3,
    globalSetup: ["test/support/run_folder.ts"],
    setupFiles: ["test/support/each_file.ts"],
    projects: isLong
      ? [project("long", { include: [long] })]
      : [
          project("quick", { include: quick }, { isolate: false, isBuilt: false }),
          project("warm", { include: warm }, { isolate: false }),
          project("whole", { include: ["test/**/*.test.ts"], exclude: [long, ratios, ...quick, ...warm] }),
          project("ratios", { include: [`${ratios}/*.test.ts`] }, { order: 1 }),
        ],
  },
});
