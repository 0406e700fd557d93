import { parseArgs } from "node:util";
import { machineLine, tableText, type Table } from "./measure.ts";

const benchmarks = [
  "start",
  "steps",
  "library",
  "reader",
  "memory",
  "tools",
  "costs",
  "layout",
  "patterns",
  "ceremony",
  "session",
];

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.find((name) => !benchmarks.includes(name));
if (unknown !== undefined) {
  console.error(`There is no benchmark "${unknown}". There are: ${benchmarks.join(", ")}.`);
  process.exit(64);
}

console.log(machineLine());
for (const name of positionals.length > 0 ? positionals : benchmarks) {
  const { bench } = (await import(`./${name}.ts`)) as { bench: () => Promise<Table> };
  const table = await bench();
  console.log(`\n${tableText(table)}`);
  if (table.limits.some(({ value, most }) => !(value <= most))) process.exitCode = 1;
}
