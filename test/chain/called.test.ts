import { expect, test } from "vitest";
import { called } from "../../src/chain/called.ts";
import type { Context } from "../../src/chain/context.ts";
import { after, inEngine } from "./lines.ts";

const name = (context: Context) => called(context)?.prompts[0]?.name;

test.each([
  ["node-express-mongo", "node_interpreter"],
  ["TypeScript, Fastify, Postgres", "node_interpreter"],
  ["php-laravel-mysql", "php_interpreter"],
  ["Python 3.13 / Django", "python_interpreter"],
  ["php-laravel-node", "php_interpreter"],
  ["go-chi-postgres", undefined],
  ["phpunit_like-but-rust", undefined],
])("a stack of %j brings in %s, once", (stack, interpreter) => {
  const context = { ...after(), discovered: { stack }, prompts_executed: ["stack_detector"] };
  expect(name(context)).toBe(interpreter);
  expect(name({ ...context, prompts_executed: ["stack_detector", String(interpreter)] })).not.toBe(interpreter ?? "");
  expect(name({ ...context, current_phase: "implementation" })).toBeUndefined();
  expect(name({ ...context, prompts_executed: [] })).toBeUndefined();
});

test("of a stack with two frameworks both interpreters are brought in, one after the other", () => {
  const context = { ...after(), discovered: { stack: "python-django-react" } };
  const ran = (...prompts_executed: string[]) => name({ ...context, prompts_executed });
  expect(ran("stack_detector")).toBe("python_interpreter");
  expect(ran("stack_detector", "python_interpreter")).toBe("node_interpreter");
  expect(ran("stack_detector", "python_interpreter", "node_interpreter")).toBeUndefined();
});

test("a passed cost alert is looked at once in a chain", () => {
  const alerted = inEngine(after(), { alerted: true });
  expect(called(alerted)?.prompts).toEqual([
    {
      key: "requirements-clarification/0/0-cost_monitor",
      name: "cost_monitor",
      inputs: { costs: expect.stringContaining('"by_phase"') },
    },
  ]);
  expect(name({ ...alerted, prompts_executed: ["cost_monitor"] })).toBeUndefined();
});
