import { createContext, Script } from "node:vm";

const box: { work: () => void } = { work: () => undefined };
const context = createContext(box);
const script = new Script("work()");

/**
 * Runs `work`, or stops it in the middle after `ms` and says undefined: a regular expression can backtrack for
 * ever, and nothing else ends one in this thread. `work` must only compute; what it holds open would stay open.
 */
export function withinMs<T>(ms: number, work: () => T): { readonly value: T } | undefined {
  let done: { value: T } | undefined;
  box.work = () => {
    done = { value: work() };
  };
  try {
    script.runInContext(context, { timeout: Math.max(1, Math.ceil(ms)) });
  } catch (error) {
    // It is made in the context, and so is no Error of ours.
    if ((error as { code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return undefined;
    throw error;
  } finally {
    box.work = () => undefined;
  }
  return done;
}
