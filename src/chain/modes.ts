export const workModes = ["tdd", "direct", "plan-only"] as const;
/** tdd: no code before its tests failed. direct: the tests must pass in the end. plan-only: nothing is written. */
export type WorkMode = (typeof workModes)[number];
