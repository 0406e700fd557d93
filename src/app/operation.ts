import type { z } from "zod";
import type { Json } from "../util/json.ts";
import { paddedId } from "../store/chains.ts";
import type { Caller } from "./app.ts";
import { mendable } from "./trouble.ts";

/** Something that can be asked of us. Doors derive their whole surface from a list of these. */
export interface Operation<Schema extends z.ZodObject = z.ZodObject> {
  /** The words it is called by. */
  readonly name: string;
  readonly summary: string;
  /** read: looks only. run: lets a chain go on, which costs and may write. change: settings of ours. */
  readonly permission: "read" | "run" | "change";
  readonly input: Schema;
  /** Fields that are given by position rather than by name, in order. */
  readonly positional: readonly string[];
  readonly run: (input: z.infer<Schema>, caller: Caller) => Promise<Answer>;
}

export interface Answer {
  readonly exit: number;
  readonly data: { readonly schema_version: 1; readonly [key: string]: Json | undefined };
}

export function operation<Schema extends z.ZodObject>(definition: Operation<Schema>): Operation {
  return {
    ...definition,
    async run(input, caller) {
      try {
        return await definition.run(input as z.infer<Schema>, caller);
      } catch (error) {
        const { chain } = input;
        throw mendable(
          error,
          typeof chain === "string" ? paddedId(chain) : undefined,
          input,
          definition.permission !== "run",
        );
      }
    },
  };
}

export type { ChainLine } from "../chain/events.ts";
export type { Progress } from "../chain/deps.ts";
