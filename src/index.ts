export { operations } from "./app/operations.ts";
export type { Answer, Operation } from "./app/operation.ts";
export type { Caller } from "./app/app.ts";
export { realWorld, type World } from "./util/world.ts";
export { exitCodes, UserError } from "./util/errors.ts";
export type { Model, ModelEvent, ModelRequest, Outcome } from "./models/types.ts";
export type { Context } from "./chain/context.ts";
export type { ChainEvent, ChainLine } from "./chain/events.ts";
