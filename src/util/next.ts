/**
 * Something that can be done now. With an `operation`: ask for it with this `input`. With an `input` alone: ask for the
 * same operation again with these inputs, and leave out those that are null. With neither: the person does it themselves.
 * "…" and "<model>" stand for what the person fills in.
 */
export interface Next {
  readonly operation?: string;
  readonly input?: Input;
  /** A sentence, or with an operation or an input a phrase that can stand before a colon: "Take it over". */
  readonly why: string;
}

/** Inputs of an operation by their names. Those that all operations of a client share (home, model …) are its own to add. */
export type Input = Readonly<Record<string, string | number | boolean | readonly string[] | null>>;

/** What can be done now, in any form that code may give it: a sentence, one step, or a list of steps. */
export type Advice = string | Next | readonly Next[];

export function nextList(said: Advice): readonly Next[] {
  return typeof said === "string" ? [{ why: said }] : [said].flat();
}
