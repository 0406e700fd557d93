import type { Phase } from "../library/names.ts";

/**
 * The prompts that the engine knows by name, and what it knows them for. No other file of `src` names a prompt: a new
 * reviewer, trigger or owner of a score is one line here.
 */

/** The engine rules at the head of every request. */
export const rulesPrompt = "new_case";

/** The prompt that chooses what comes next. */
export const controllerPrompt = "phase_controller";

/** A model may choose every prompt except these two, which the engine itself puts into each request. */
export function isForModels({ name }: { readonly name: string }): boolean {
  return name !== rulesPrompt && name !== controllerPrompt;
}

/** A prompt that the engine runs, and the reason that the journal and the screen give for it. */
export interface Trigger {
  readonly prompt: string;
  readonly why: string;
}

/** When the engine runs a prompt that no model chose. `why` says what comes now; what happened before was said. */
export const triggers = {
  fresh_chain: { prompt: "requirement_disambiguator", why: "A new task is clarified first." },
  assumptions_made: { prompt: "assumption_validator", why: "Something rests on assumptions." },
  fresh_measurement: { prompt: "uncertainty_analysis", why: "This phase measures what is still uncertain." },
  approved_with_tests: { prompt: "test_generator", why: "The approved tests are written first." },
  approved_without_tests: { prompt: "tdd_flow_controller", why: "The approved solution is built now." },
  tests_failed_first: { prompt: "tdd_flow_controller", why: "The code is written now." },
  blocking_findings: { prompt: "tdd_flow_controller", why: "What the review found is fixed now." },
  rejected_solution: { prompt: "requirement_disambiguator", why: "Another solution is looked for." },
  question_of_person: { prompt: "uncertainty_resolver", why: "The question is looked into." },
  wish_to_measure: { prompt: "uncertainty_analysis", why: "A person asked for a measurement." },
  explore_more: { prompt: "chain_planner", why: "The measurement is below the gate, so more exploration is planned." },
  ledger_too_long: { prompt: "context_preservation", why: "The record has grown too long." },
  bad_signs: { prompt: "context_health_checker", why: "The record shows signs of confusion, so it is looked at." },
  cost_alert: { prompt: "cost_monitor", why: "It is looked at where the money goes." },
  reported_gap: { prompt: "prompt_gap_detector", why: "Prompts for it are looked for." },
  found_gap: { prompt: "prompt_generator", why: "A prompt for it is written now." },
  wished_prompt: { prompt: "prompt_generator", why: "A person asked for a prompt that closes the gap." },
  first_principles: { prompt: "chain_planner", why: "The task is broken down into known components." },
  recovery: { prompt: "error_recovery", why: "The chain was recovered." },
  end_in_worktree: { prompt: "git_advisor", why: "Committing is for the user to do." },
} as const satisfies Readonly<Record<string, Trigger>>;

/** Once this prompt has run, the interpreter of the framework it found runs too. */
export const stackDetector = "stack_detector";

/** Which frameworks an interpreter explains, by the words of "node-express-mongo". */
export const interpreters: Readonly<Record<string, readonly string[]>> = {
  node_interpreter: [
    "express",
    "fastify",
    "koa",
    "nest",
    "nestjs",
    "next",
    "next.js",
    "nextjs",
    "react",
    "vue",
    "hono",
  ],
  php_interpreter: ["laravel", "symfony", "wordpress", "drupal"],
  python_interpreter: ["django", "flask", "fastapi"],
};

/** Prompts that the rules of a phase demand: the short list of that phase always holds them. */
export const demanded: Readonly<Record<Phase, readonly string[]>> = {
  "requirements-clarification": ["requirement_disambiguator", "requirement_validator"],
  "context-building": ["chain_planner", "uncertainty_resolver", "solution_synthesizer"],
  "uncertainty-analysis": ["assumption_validator", "uncertainty_analysis", "uncertainty_resolver"],
  "solution-approval": ["solution_synthesizer", "solution_designer", "solution_presenter"],
  implementation: ["test_generator", "tdd_flow_controller"],
};

/** Chooses between prompts, and is told how each of them did before. */
export const promptChooser = "prompt_selector";

/** Writes the prompt that somebody wishes for, also outside of any chain. */
export const promptWriter = triggers.found_gap.prompt;

/** The reviewers of a project whose `gates.quality` names no others. */
export const defaultReviewers = ["code_reviewer", "security_scanner", "simplicity_checker", "deployment_checker"];

/** These review too, whenever a model chooses one of them, whatever `gates.quality` says. */
const reviewersOnChoice: ReadonlySet<string> = new Set([
  ...defaultReviewers,
  "architecture_checker",
  "performance_auditor",
  "accessibility_checker",
  "api_consistency_checker",
  "breaking_change_detector",
  "dependency_auditor",
  "bundle_size_analyzer",
]);

/** Whether a prompt reviews in a chain with these reviewers: then only the prompt itself can withdraw its findings. */
export function isReviewer(prompt: string, quality: readonly string[]): boolean {
  return quality.includes(prompt) || reviewersOnChoice.has(prompt);
}

/** Looks once more at the whole change, after all other reviewers. */
export const lastReviewer = "deployment_checker";

/**
 * Whose reports say what is known of a change before it goes out. `isOfChange`: a report counts only for the files that
 * it was made of.
 */
export const readinessReviews: Readonly<Record<string, { prompts: readonly string[]; isOfChange: boolean }>> = {
  "breaking changes": { prompts: ["breaking_change_detector"], isOfChange: true },
  "migration plan": { prompts: ["migration_strategist"], isOfChange: false },
  "feature flags": { prompts: ["feature_toggle_manager", "feature_flag_designer"], isOfChange: false },
};

/** Without a network, these cannot ask whether a dependency has known vulnerabilities. */
export const advisoryReaders: readonly string[] = ["security_scanner", "dependency_auditor"];

/**
 * Whose work it is to measure the confidence of an area. Any other prompt may score an area only while it has no score.
 * The controller is among them because it records what a person answered.
 */
export const confidenceOwners: Readonly<Record<string, readonly string[]>> = {
  requirements: ["requirement_disambiguator", "requirement_validator", "requirement_extractor"],
  implementation_details: ["test_generator", "tdd_flow_controller"],
  "*": [
    controllerPrompt,
    "uncertainty_analysis",
    "uncertainty_resolver",
    "assumption_validator",
    "confidence_calibrator",
    "solution_synthesizer",
  ],
};

/** Gates read these scores. Each is believed only from the prompts whose work it is. */
export const scoreOwners = {
  ambiguity: ["requirement_disambiguator", "requirement_validator"],
  simplicity: ["simplicity_checker"],
  substitute_check: ["deployment_checker"],
  health: ["context_health_checker"],
  confidence_with_existing: ["prompt_gap_detector"],
  whole_task_is_new: ["prompt_gap_detector"],
} as const satisfies Readonly<Record<string, readonly string[]>>;
