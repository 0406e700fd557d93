import { z } from "zod";
import { shapeOf, type Operation } from "./operation.ts";
import { next } from "./results.ts";

/** The version of all documents that operations give as JSON. */
const schema_version = z.literal(2);

/** The JSON document that an operation gives. */
export async function documentOf(operation: Operation): Promise<z.ZodType> {
  return z.intersection(z.object({ schema_version }), await operation.result());
}

/** The document that stands in its place where its caller is refused something. */
export const errorDocument = z.object({
  schema_version,
  error: z.object({ code: z.string(), message: z.string(), next }),
});

/** JSON Schemas of what an operation takes, the options of its session included, and of what it gives. */
export async function schemasOf(operation: Operation) {
  const { name, summary, permission } = operation;
  const input = z.toJSONSchema(z.object(shapeOf(operation)), { io: "input", unrepresentable: "any" });
  const given = z.union([await documentOf(operation), errorDocument]);
  return { name, summary, permission, input, result: z.toJSONSchema(given, { unrepresentable: "any", reused: "ref" }) };
}
