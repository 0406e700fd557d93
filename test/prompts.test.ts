import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { isForModels } from "../src/chain/roles.ts";
import { catalogueText } from "../src/library/catalogue.ts";
import { openLibrary } from "../src/library/library.ts";
import { lintPlaces } from "../src/library/lint/places.ts";
import { lintPrompts } from "../src/library/lint/lint.ts";
import { renderPrompt } from "../src/library/render.ts";
import { countOffline, withCounter } from "../src/costs/estimate.ts";
import { temporaryFolder } from "./support/temporary.ts";

const library = openLibrary([{ scope: "builtin", path: "prompts" }]);
const { prompts: listed, problems } = await library.all();
const prompts = await Promise.all(listed.map(({ name }) => library.find(name)));
const named = (name: string) => prompts.find((prompt) => prompt.name === name)!;

/** What the first design promised, folder by folder. */
const promised: Record<string, string> = {
  system: `new_case phase_controller uncertainty_analysis prompt_selector prompt_gap_detector prompt_generator
    context_preservation context_health_checker cost_monitor error_recovery pattern_extractor memory_consolidator
    assumption_validator`,
  requirements: `requirement_disambiguator requirement_validator requirement_extractor clarification_generator
    constraint_mapper`,
  discovery: `trace_existing_flow component_mapper dependency_analyzer api_surface_mapper database_schema_analyzer
    integration_point_finder performance_profiler dead_code_detector hidden_coupling_finder`,
  design: `solution_synthesizer solution_presenter solution_designer tdd_flow_controller api_contract_designer
    migration_strategist refactoring_planner feature_flag_designer cache_strategy_planner error_handler_designer`,
  debug: `stack_trace_analyzer log_pattern_finder reproduction_creator bisect_assistant state_debugger heisenbug_hunter`,
  testing: `test_generator integration_test_designer edge_case_generator mock_generator test_data_factory
    load_test_planner snapshot_test_creator`,
  quality: `simplicity_checker security_scanner code_reviewer architecture_checker performance_auditor
    accessibility_checker api_consistency_checker breaking_change_detector dependency_auditor bundle_size_analyzer`,
  communication: `pr_description_writer adr_generator status_reporter incident_postmortem api_doc_generator
    tech_debt_documenter`,
  workflow: `git_advisor pr_generator parallel_work_planner deployment_checker rollback_planner hotfix_orchestrator
    release_notes_generator environment_promoter feature_toggle_manager dependency_updater`,
  stack_context: "php_interpreter node_interpreter python_interpreter stack_detector",
  meta: `chain_planner uncertainty_resolver learning_optimizer cost_optimizer chain_debugger confidence_calibrator
    prompt_effectiveness pattern_recognizer`,
};

test("the library holds the 88 promised prompts, each in its folder, and nothing that cannot be read", () => {
  const expected = Object.entries(promised).flatMap(([folder, names]) =>
    names.split(/\s+/).map((name) => `${folder}/${name}`),
  );
  expect(expected).toHaveLength(88);
  expect(prompts.map(({ folder, name }) => `${folder}/${name}`).sort()).toEqual(expected.toSorted());
  expect(problems).toEqual([]);
});

test("the linter finds nothing to mend in any of them", async () => {
  const files = lintPlaces(["prompts"]);
  expect(files).toHaveLength(88);
  const names = new Set(prompts.map(({ name }) => name));
  expect(await withCounter((count) => lintPrompts(files, names, count))).toEqual([]);
});

test.each(prompts.map(({ name, file }) => [name, file.replace(/\.md$/, ".tests.yaml")] as const))(
  "%s has at least two test cases that its text can be rendered for",
  (name, file) => {
    expect(existsSync(file)).toBe(true);
    const cases = parse(readFileSync(file, "utf8")) as { description: string; vars?: Record<string, string> }[];
    expect(cases.length).toBeGreaterThanOrEqual(2);
    for (const { vars = {} } of cases) {
      expect(renderPrompt(named(name), vars)).not.toBe("");
    }
  },
);

test("the template, copied under a name of one's own, is a prompt at once", async () => {
  const folder = temporaryFolder("template-");
  const file = join(folder, "my-first-prompt.md");
  copyFileSync("prompts/templates/basic.md", file);
  expect(await openLibrary([{ scope: "custom", path: folder }]).find("my_first_prompt")).toMatchObject({ file });
  expect(await lintPrompts(lintPlaces([file]), new Set(prompts.map(({ name }) => name)), countOffline)).toEqual([]);
});

test("every system and meta prompt says who calls it, and so do the interpreters", () => {
  const without = prompts.filter(
    ({ folder, extra }) => ["system", "meta", "stack_context"].includes(folder) && typeof extra["caller"] !== "string",
  );
  expect(without.map(({ name }) => name)).toEqual([]);
});

test("whom the engine is said to call, it calls by name", () => {
  const source = readFileSync("src/chain/roles.ts", "utf8");
  const engine = prompts.filter(({ extra }) => String(extra["caller"]).startsWith("the engine"));
  expect(engine.length).toBeGreaterThan(8);
  const uncalled = engine.filter(({ name }) => !new RegExp(`["\\s]${name}["\\s:]`).test(source));
  expect(uncalled.map(({ name }) => name)).toEqual([]);
});

test("whom the phase controller is said to call, its text names", () => {
  const controller = named("phase_controller").body;
  const called = prompts.filter(
    ({ folder, extra }) =>
      ["system", "meta"].includes(folder) && /(^|; )the phase controller,/.test(String(extra["caller"])),
  );
  expect(called.map(({ name }) => name).filter((name) => !controller.includes(name))).toEqual([]);
});

test("the prompts that were written out beforehand keep what they ask and what they give back", () => {
  const missing = Object.entries(writtenOut).flatMap(([name, parts]) => {
    const body = named(name)
      .body.toLowerCase()
      .replaceAll(/[\s*`]+/g, " ");
    return parts.filter((part) => !body.includes(part.toLowerCase())).map((part) => `${name}: ${part}`);
  });
  expect(missing).toEqual([]);
});

const writtenOut: Record<string, string[]> = {
  phase_controller: [
    "phase:",
    "overall confidence",
    "requirement_disambiguator",
    "requirement_validator",
    "discovery prompts",
    "gap",
    "uncertainty_analysis",
    "blocking",
    "0.80",
    "decision",
    "tradeoff",
    "small, verifiable chunks",
    "quality gates met",
  ],
  requirement_disambiguator: [
    "fast",
    "secure",
    "OWASP",
    "user-friendly",
    "authentication",
    "GraphQL",
    "mobile",
    "single-tenant",
    "i18n",
    "ambiguity",
    "critical clarifications",
    "one to five questions",
  ],
  prompt_gap_detector: [
    "current uncertainties",
    "available-prompts-searched",
    "current context",
    "can existing prompts address these uncertainties?",
    "would combining 2-3 prompts solve this?",
    "is this a pattern we've seen before?",
    "is this genuinely novel?",
    "gap description",
    "suggested prompt type",
    "similar patterns",
    "key questions the new prompt should answer",
    "use existing",
    "combine prompts",
    "generate new",
  ],
  solution_synthesizer: [
    "architecture",
    "technology",
    "implementation strategy",
    "mvp",
    "enhancements",
    "optimi",
    "key decisions",
    "because",
    "rejected",
    "tradeoff",
    "risk",
    "mitigation",
    "success_criteria",
    "functional",
    "non-functional",
    "confidence",
    "remaining_concerns",
  ],
  prompt_generator: [
    "name",
    "purpose",
    "good_for",
    "uncertainty_reduction",
    "input",
    "analysis",
    "output",
    "success criteria",
    "test",
    "effectiveness",
  ],
};

test("the whole catalogue costs at most 45 tokens a prompt", async () => {
  const shown = listed.filter(isForModels);
  expect((await countOffline(catalogueText(shown))) / shown.length).toBeLessThanOrEqual(45);
});
