import { join } from "node:path";
import { z } from "zod";
import { abilitiesSchema, type KnownAbilities } from "../models/abilities.ts";
import { unlessRefused } from "../util/errors.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { parseJson } from "../util/json.ts";
import type { World } from "../util/world.ts";
import { userFolders } from "./places.ts";

const kept = z.record(z.string(), abilitiesSchema);

/** What was found out of the servers that the user named, so that each is asked once for each of its models. */
export function knownServers(env: World["env"], baseUrl: string | undefined): KnownAbilities {
  const file = join(userFolders(env).state, "servers.json");
  const found = new Map<string, z.infer<typeof abilitiesSchema>>();
  const named = (model: string) => `${model} at ${baseUrl ?? "the provider"}`;
  // A file that cannot be read or written remembers nothing: the server is asked again.
  const read = () => kept.safeParse(parseJson(unlessRefused(() => readTextIfThere(file)) ?? "")).data ?? {};
  return {
    of: (model) => found.get(model) ?? read()[named(model)],
    keep(model, abilities) {
      found.set(model, abilities);
      const text = `${JSON.stringify({ ...read(), [named(model)]: abilities }, null, 2)}\n`;
      unlessRefused(() => writeAtomic(file, text));
    },
  };
}
