import { expect } from "vitest";
import { readArguments } from "../../src/clients/cli/arguments.ts";
import { operationNamed, operations, type OperationName } from "../../src/operations/operations.ts";
import { documentOf, errorDocument } from "../../src/operations/schemas.ts";
import { UserError } from "../../src/util/errors.ts";
import { parseJson } from "../../src/util/json.ts";

/** Every document that the program prints for `--json` has the form that its schema promises, and nothing more. */
export async function expectPromisedForm(argv: readonly string[], stdout: string): Promise<void> {
  const document = parseJson(stdout);
  if (document === undefined) return;
  const name = operationOf(argv);
  const schemas = [errorDocument, ...(name === undefined ? [] : [await documentOf(operationNamed(name))])];
  const read = schemas.map((schema) => schema.safeParse(document));
  const fits = read.find(({ success }) => success);
  if (!fits) throw new Error(`${argv.join(" ")} printed what its schema does not promise: ${read.at(-1)?.error}`);
  expect(fits.data).toEqual(document);
}

/** What an operation gives in this process, the same. */
export async function expectPromisedData(name: OperationName, data: object): Promise<void> {
  const schema = await operationNamed(name).result();
  expect(schema.parse(data)).toEqual(data);
}

/** Undefined where the words name none, or are wrong: then only an error can be printed. */
function operationOf(argv: readonly string[]): OperationName | undefined {
  try {
    const order = readArguments(argv, operations);
    return !("operation" in order) ? undefined : operations.find(({ name }) => name === order.operation.name)?.name;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
