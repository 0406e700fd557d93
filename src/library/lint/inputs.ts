import { fencedParts } from "../fences.ts";
import { frontLine, positionsOf, type Remark } from "./finding.ts";
import type { Prompt } from "../prompt.ts";
import { variable } from "../render.ts";

/** What is used and not declared, declared and not used, or stands where it can speak like the prompt itself. */
export function inputUses(prompt: Prompt, front: string): Remark[] {
  const uses = usesIn(prompt);
  return [...undeclared(prompt, uses), ...unused(prompt, uses, front), ...untrusted(prompt, uses)];
}

interface Use {
  readonly name: string;
  readonly line: number;
  /** What stands behind the fence around it, or undefined outside of fences. */
  readonly info: string | undefined;
}

function usesIn({ body, bodyLine }: Prompt): Use[] {
  const at = positionsOf(body, bodyLine);
  return fencedParts(body).flatMap(({ text, from, info }) =>
    [...text.matchAll(variable)].map((match): Use => {
      const onFence = info !== undefined && match.index < text.indexOf("\n");
      return { name: match[1]!, line: at(from + match.index).line, info: onFence ? undefined : info };
    }),
  );
}

function undeclared({ inputs }: Prompt, uses: readonly Use[]): Remark[] {
  const firstUses = new Map([...uses].reverse().map((use) => [use.name, use]));
  const strange = [...firstUses.values()].filter(({ name }) => !Object.hasOwn(inputs, name));
  const known = Object.keys(inputs).join(", ") || "none";
  return strange.map(({ name, line }) => ({
    line,
    rule: "variables",
    severity: "error",
    what: `{{ ${name} }} is used and not declared`,
    why: "Nobody can give it a value: the prompt is refused when it is run.",
    mend: `Declare ${name} under inputs:, or mend its name. Declared: ${known}.`,
  }));
}

function unused({ inputs }: Prompt, uses: readonly Use[], front: string): Remark[] {
  const used = new Set(uses.map(({ name }) => name));
  return Object.keys(inputs)
    .filter((name) => !used.has(name))
    .map((name) => ({
      line: frontLine(front, "inputs", name),
      rule: "variables",
      severity: "warning",
      what: `the input ${name} is declared and not used`,
      why: "Whoever runs the prompt is asked for a value that changes nothing.",
      mend: `Put {{ ${name} }} where it is meant to stand, or take it out of inputs:.`,
    }));
}

function untrusted({ inputs }: Prompt, uses: readonly Use[]): Remark[] {
  return uses
    .filter(({ name, info }) => {
      return Object.hasOwn(inputs, name) && inputs[name]!.type === "text" && !/^data\b/.test(info ?? "");
    })
    .map(({ name, line, info }) => ({
      line,
      rule: "untrusted-input",
      severity: "warning",
      what:
        info === undefined
          ? `the text {{ ${name} }} stands outside of a fence`
          : `the fence around the text {{ ${name} }} is not named as data`,
      why: "A text comes from outside: unmarked, it can speak like the prompt itself and give orders.",
      mend: `Put it on a line of its own between \`\`\`data ${name} and \`\`\`, or declare it as type: line.`,
    }));
}
