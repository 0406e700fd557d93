import { z } from "zod";
import { isRecord } from "../../util/json.ts";
import { assertionTrouble } from "./assertions.ts";
import type { Finding } from "./finding.ts";
import { formTrouble, listed } from "./form.ts";
import { type Path, readYaml } from "../guarded_yaml.ts";
import type { Prompt } from "../prompt.ts";

/** Test cases in promptfoo's format. Without `inputs`, where the prompt itself is broken, variables are not judged. */
export function checkTests(text: string, file: string, inputs: Prompt["inputs"] | undefined): Finding[] {
  const findings: Finding[] = [];
  const yaml = readYaml(text);
  if ("what" in yaml) return [finding({ file, ...yaml, ...unreadable })];
  const { data, lineOf } = yaml;
  const say: Say = (path, what, because) => findings.push(finding({ file, line: lineOf(path), what, ...because }));
  const at = isRecord(data) ? ["tests"] : [];
  const cases = isRecord(data) ? data["tests"] : data;
  const shared = isRecord(data) && isRecord(data["defaultTest"]) ? data["defaultTest"] : {};
  if (!Array.isArray(cases)) {
    say(at, "the file is neither a list of cases nor a map with a list as tests:", malformed);
    return findings;
  }
  if (cases.length === 0) say(at, "there is no case", empty);
  const firstOf = new Map<string, number>();
  cases.forEach((item: unknown, index) => {
    const path = [...at, index];
    const name = `case ${index + 1}`;
    if (typeof item === "string" && item.startsWith("file://"))
      return say(path, `${name} is in another file`, elsewhere);
    for (const { inner, what } of formTrouble(caseForm, item)) say([...path, ...inner], `${name}: ${what}`, malformed);
    if (!isRecord(item)) return;
    checkVariables(item, shared, inputs, (inner, what, because) =>
      say([...path, ...inner], `${name} ${what}`, because),
    );
    checkAssertions(item, shared, (inner, what, because) => say([...path, ...inner], `${name} ${what}`, because));
    const { description } = item;
    if (typeof description !== "string") return;
    const first = firstOf.get(description);
    if (first === undefined) firstOf.set(description, index + 1);
    else say([...path, "description"], `${name} is described in the same words as case ${first}`, twice);
  });
  return findings;
}

type Because = Pick<Finding, "why" | "mend"> & { readonly severity?: Finding["severity"] };
type Say = (path: Path, what: string, because: Because) => void;

function finding(it: Pick<Finding, "file" | "line" | "what"> & Because): Finding {
  const { file, line, what, why, mend, severity = "error" } = it;
  return { file, line, rule: "tests", severity, what, why, mend };
}

const unreadable = { why: "Tests that cannot be read prove nothing.", mend: "Mend the YAML." };
const malformed = {
  why: "The test cannot be run as it stands, or leaves out what it was written for.",
  mend: "Write it in promptfoo's format of test cases.",
};
const empty: Because = {
  severity: "warning",
  why: "It looks as if the prompt were tested.",
  mend: "Write a case, or delete the file.",
};
const elsewhere: Because = {
  severity: "warning",
  why: "What another file holds is not looked at here.",
  mend: "Write it into this file.",
};
const twice: Because = {
  severity: "warning",
  why: "A failure's report names the case by its description.",
  mend: "Say what tells this case from the other.",
};

const map = z.record(z.string(), z.unknown());
const whatever = z.unknown().optional();
const caseForm = z.strictObject({
  description: z.string().optional(),
  vars: z.union([map, z.string().startsWith("file://")], "is neither a map nor a file://").optional(),
  provider: whatever,
  providers: whatever,
  prompts: whatever,
  providerOutput: whatever,
  assert: z.array(z.unknown()).optional(),
  assertScoringFunction: whatever,
  options: map.optional(),
  threshold: z.number().optional(),
  metadata: map.optional(),
});

type Case = Readonly<Record<string, unknown>>;

function checkVariables({ vars }: Case, shared: Case, inputs: Prompt["inputs"] | undefined, say: Say): void {
  if (typeof vars === "string") return say(["vars"], "has its variables in another file", elsewhere);
  if (inputs === undefined) return;
  const own = isRecord(vars) ? vars : {};
  const given = { ...(isRecord(shared["vars"]) ? shared["vars"] : {}), ...own };
  const strange = Object.keys(own).filter((name) => !Object.hasOwn(inputs, name));
  if (strange.length > 0) {
    say(["vars", strange[0]!], `sets ${listed(strange)}, no input of the prompt`, {
      why: "The value reaches nothing: the case tests something else than it says.",
      mend: `Its inputs: ${Object.keys(inputs).join(", ") || "none"}.`,
    });
  }
  const missing = Object.keys(inputs).filter((name) => inputs[name]!.required && !Object.hasOwn(given, name));
  if (missing.length > 0) {
    say(["vars"], `has no value for ${missing.join(", ")}`, {
      why: "The prompt is refused without it, so the case can only fail.",
      mend: `Set ${missing.join(", ")} under vars:.`,
    });
  }
}

function checkAssertions({ assert }: Case, shared: Case, say: Say): void {
  const common: unknown = shared["assert"];
  if (assert === undefined || (Array.isArray(assert) && assert.length === 0)) {
    if (Array.isArray(common) && common.length > 0) return;
    return say(["assert"], "asserts nothing", {
      severity: "warning",
      why: "It passes whatever the reply is.",
      mend: "Add an assertion that a lazy answer fails.",
    });
  }
  if (!Array.isArray(assert)) return;
  assert.forEach((item: unknown, index) => {
    for (const { inner, what } of assertionTrouble(item)) {
      say(["assert", index, ...inner], `assertion ${index + 1}: ${what}`, malformed);
    }
  });
}
