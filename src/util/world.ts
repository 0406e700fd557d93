import { userInfo } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { unlessRefused } from "./errors.ts";

/** What functions need from outside, handed in so that tests can turn the clock and fix the dice. */
export interface World {
  now(): number;
  random(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function realWorld(env: Readonly<Record<string, string | undefined>> = process.env): World {
  return {
    now: Date.now,
    random: Math.random,
    sleep: async (ms, signal) => {
      await wait(ms, undefined, signal ? { signal } : {});
    },
    env,
  };
}

/** What the system knows of its user; in a container it may know nothing. */
export function userOfSystem(): { username: string; homedir: string } | undefined {
  return unlessRefused(() => userInfo());
}
