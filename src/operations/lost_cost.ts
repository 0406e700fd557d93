import { setTimeout } from "node:timers/promises";
import type { Context } from "../chain/context.ts";
import { event, type ChainEvent } from "../chain/events.ts";
import { objection } from "../chain/inbox.ts";
import { readChain } from "../chain/inspect.ts";
import { lostKeys } from "../chain/lost.ts";
import { openChain, type Beginning } from "../chain/open.ts";
import type { Caller } from "../session/caller.ts";
import type { Session } from "../session/session.ts";
import { dropMessage } from "../store/chains.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { inboxOf } from "./drive.ts";
import { plainAmount } from "./flags.ts";

/**
 * A person says what lost calls really cost. No chain goes on by it; another process that has the chain takes it in.
 */
export async function enterLostCost(
  chain: string,
  amount: string,
  session: Session,
  caller: Caller,
): Promise<"entered" | "delivered"> {
  if (!plainAmount.test(amount)) {
    const message = `The cost of the lost calls is "${amount}", which is not an amount.`;
    const why = "Write what the provider charged for the lost calls, in dollars";
    throw new UserError("wrong_amount", message, { input: { lost: "0.07" }, why }, exitCodes.usage);
  }
  const usd = Number(amount);
  const message = { type: "lost_cost" as const, usd };
  const check = (context: Context) => {
    const objected = objection(context, message);
    if (objected) throw objected;
  };
  const { id } = await session.ownChain(chain);
  const begun = session.beginning(caller);
  const entered = (context: Context) => {
    check(context);
    return event("lost_cost_entered", { usd });
  };
  if (await appendTo(begun, id, entered)) return "entered";
  const { context, lines } = readChain(begun, id);
  check(context);
  const named = { ...message, calls: lostKeys(context.cost_tracking) };
  await dropMessage(inboxOf(begun, id, lines), { by: caller.by, message: named }, session.world.now());
  return "delivered";
}

/** Writes what a person says into a chain that no other process works on; false where one does. */
export async function appendTo(begun: Beginning, id: string, say: (context: Context) => ChainEvent): Promise<boolean> {
  // Another command of this kind holds the chain for a moment only, and takes no messages in.
  for (let tries = 40; tries >= 0; tries--) {
    const opened = openChain(begun, id);
    if (!opened) {
      if (tries > 0) await setTimeout(50);
      continue;
    }
    try {
      await opened.chain.append({ by: begun.by, bodies: [say(opened.chain.context)] });
      if (opened.edits.length === 0) opened.chain.writeView(true);
    } finally {
      await opened.chain.close();
    }
    return true;
  }
  return false;
}
