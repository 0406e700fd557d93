import type { z } from "zod";
import { paddedId } from "../store/chains.ts";
import type { Caller } from "../session/caller.ts";
import { sessionOptions, type SessionOptions } from "../session/options.ts";
import type { Session } from "../session/session.ts";
import type { Fitting } from "./newest_chain.ts";
import { mendable } from "./trouble.ts";

/** Something that can be asked of us. Clients derive their whole surface from a list of these. */
export interface Operation<
  Name extends string = string,
  Input extends z.ZodObject = z.ZodObject,
  Result extends z.ZodType = z.ZodType,
> {
  /** The words it is called by. */
  readonly name: Name;
  readonly summary: string;
  /** read: looks only. run: lets a chain go on, which costs and may write. change: settings of ours. */
  readonly permission: "read" | "run" | "change";
  readonly input: Input;
  /** What it gives. Loaded only by whoever wants to know: a command that is typed does not wait for it. */
  readonly result: () => Promise<Result>;
  /** What its caller may say about the session that it is asked in. */
  readonly options: readonly (keyof SessionOptions)[];
  /** Which chains are meant where none is named. */
  readonly newest?: Fitting;
  /** Fields that are given by position rather than by name, in order. */
  readonly positional: readonly string[];
  /** Where its session is opened, for an operation that brings a folder of its own. */
  prepare?(
    input: z.infer<Input>,
    cwd: string,
    options: SessionOptions,
  ): { readonly cwd: string; readonly options: SessionOptions };
  run(input: z.infer<Input>, session: Session, caller: Caller): Promise<Answer<z.infer<Result>>>;
}

export interface Answer<Data = unknown> {
  readonly exit: number;
  readonly data: Data;
}

export function operation<const Name extends string, Input extends z.ZodObject, Result extends z.ZodType>(
  definition: Omit<Operation<Name, Input, Result>, "input"> & { readonly input: () => Input },
): Operation<Name, Input, Result> {
  const { prepare, run, input: makeInput, ...rest } = definition;
  // To make the schemas of all operations takes longer than to carry out one that only looks.
  let made: Input | undefined;
  const told = (error: unknown, input: Record<string, unknown>) => {
    const chain = definition.positional.includes("chain") ? String(input["chain"]) : "";
    const id = /^\d+$/.test(chain) ? paddedId(chain) : undefined;
    return mendable(error, id, definition.permission !== "run");
  };
  return {
    ...rest,
    get input() {
      return (made ??= makeInput());
    },
    ...(prepare && {
      prepare(input, cwd, options) {
        try {
          return prepare(input, cwd, options);
        } catch (error) {
          throw told(error, input);
        }
      },
    }),
    async run(input, session, caller) {
      let meant = input;
      try {
        if ("chain" in input && input["chain"] === "newest") {
          const { newestChain } = await import("./newest_chain.ts");
          meant = { ...input, chain: await newestChain(session, definition.newest) };
        }
        return await run(meant, session, caller);
      } catch (error) {
        throw told(error, meant);
      }
    },
  };
}

/** The options of a session in which a chain may go on. */
export const allOptions = sessionOptions.keyof().options;
/** Those for which a model is asked, without what chains may do to files. */
export const thinkingOptions = allOptions.filter((name) => name !== "permission" && name !== "unsandboxed");

/** All that may be said with an operation: of its session, and of its input. */
export function shapeOf({ options, input }: Operation): Record<string, z.ZodType> {
  const ofSession = Object.entries(sessionOptions.shape).filter(([name]) => options.some((one) => one === name));
  return { ...Object.fromEntries(ofSession), ...(input.shape as Record<string, z.ZodType>) };
}

export { sessionOptions, type SessionOptions } from "../session/options.ts";
export { userFolders } from "../session/places.ts";
export { openSession, type Session } from "../session/session.ts";
export type { ChainLine } from "../chain/events.ts";
export type { Progress } from "../chain/deps.ts";
export type { Caller, PatternOffer } from "../session/caller.ts";
