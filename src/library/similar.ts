import type { Pattern } from "./pattern.ts";

/** What of a pattern is compared with a new task. The index keeps it, so that no file is read twice. */
export type PatternRow = {
  name: string;
  title: string;
  /** The words of its task, and all others that it uses. */
  goal: string[];
  words: string[];
  stack: string[];
  prompts: string[];
  form: string;
  took: Pattern["took"];
};

/** `prompts`: those that the library finds for the words of the task. */
type NewTask = Readonly<{ goal: string; stack: readonly string[]; prompts: readonly string[] }>;

/** From here on a pattern is offered: on the pairs of test/library/similar.test.ts nothing unlike comes above it. */
export const offeredFrom = 0.6;

export function rowOf(name: string, pattern: Pattern): PatternRow {
  const { title, goal, strategy, decisions, questions, stack, prompts, took } = pattern;
  const texts = [title, strategy, ...decisions.map(({ choice }) => choice), ...questions.map((one) => one.question)];
  const own = wordsOf(goal);
  return {
    name,
    title,
    goal: own,
    words: [...new Set(texts.flatMap(wordsOf))].filter((word) => !own.includes(word)),
    stack: stack.map((one) => one.toLowerCase()),
    prompts,
    form: formOf(goal),
    took,
  };
}

/**
 * The patterns most like a task, the likest first. Words decide: rare ones count more, and those of a pattern's task more
 * than its others. Stack, prompts and the form of the demand can only lessen what the words say.
 */
export function similarPatterns(task: NewTask, rows: readonly PatternRow[], limit = 3) {
  const texts = rows.flatMap(({ goal, words }) => [goal, words]);
  const { weigh, meantBy, meant, whole } = compareWith(task.goal, texts, rows.length);
  const form = formOf(task.goal);
  const compared = rows.map((row) => {
    const shared = meant(row.goal);
    const near = meant(row.words).filter((word) => !shared.includes(word));
    const back = row.goal.filter((word) => meantBy(word).length > 0);
    const told = (weigh(shared) + 0.7 * weigh(near)) / whole;
    const words = Math.sqrt(0.6 * told + (0.4 * weigh(back)) / (weigh(row.goal) || 1));
    const stack = task.stack.filter((one) => row.stack.includes(one));
    const prompts = task.prompts.filter((one) => row.prompts.includes(one));
    const isSameForm = form === row.form;
    const rest =
      0.5 * share(stack, Math.min(task.stack.length, row.stack.length)) +
      0.2 * Math.min(1, share(prompts, Math.min(2, task.prompts.length))) +
      0.3 * Number(isSameForm);
    const reasons = { words: [...shared, ...near], stack, prompts, form: isSameForm && form ? [form] : [] };
    return { row, likeness: words * (0.7 + 0.3 * rest), reasons };
  });
  const likest = compared.sort((a, b) => b.likeness - a.likeness).slice(0, limit);
  return likest.map(({ row, likeness, reasons }) => {
    const why = Object.entries(reasons).filter(([, found]) => found.length > 0);
    return { row, likeness, why: why.map(([what, found]) => `${what}: ${found.slice(0, 6).join(", ")}`) };
  });
}

/** The notes that a task is told, the most fitting first: each shares at least a fifth of what the words of the task tell. */
export function fittingNotes(task: string, notes: readonly string[]): string[] {
  const texts = notes.map(wordsOf);
  const { weigh, meant, whole } = compareWith(task, texts);
  const ranked = notes.map((note, at) => ({ note, fit: weigh(meant(texts[at]!)) / whole }));
  const fitting = ranked.filter(({ fit }) => fit >= 0.2).sort((a, b) => b.fit - a.fit);
  return fitting.slice(0, 8).map(({ note }) => note);
}

/**
 * weigh: how much words tell. The fewer of the texts hold a word, the more it tells.
 * meantBy, meant: the words of the task that one word, or several, can stand for. Each word is compared with the task once.
 * whole: what the words of the task tell together.
 */
function compareWith(task: string, texts: readonly (readonly string[])[], many = texts.length) {
  const holders = new Map<string, number>();
  for (const word of texts.flat()) holders.set(word, (holders.get(word) ?? 0) + 1);
  const weigh = (words: readonly string[]) =>
    words.reduce((sum, word) => sum + Math.log(1 + many / (holders.get(word) ?? 0.5)), 0);
  const wanted = wordsOf(task);
  const known = new Map<string, readonly string[]>();
  const meantBy = (word: string) => {
    const found = known.get(word) ?? wanted.filter((one) => isAlike(one, word));
    known.set(word, found);
    return found;
  };
  const meant = (words: readonly string[]) => [...new Set(words.flatMap(meantBy))];
  return { weigh, meantBy, meant, whole: weigh(wanted) || 1 };
}

/** Nothing known on one side speaks neither for nor against. */
function share(found: readonly string[], of: number): number {
  return of === 0 ? 0.5 : found.length / of;
}

/** "auth", "authentication" and "oauth", or "cache" and "ttlcache", but not "port" and "report". */
function isAlike(one: string, other: string): boolean {
  if (one === other) return true;
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  if (short.length >= 5 && long.endsWith(short)) return true;
  return short.length >= 4 && (long.startsWith(short) || long.slice(1) === short);
}

/** What kind of demand it is, by its first verb: patterns of another form seldom fit. */
function formOf(goal: string): string {
  const found = Object.entries(forms).map(([form, verbs]) => ({ form, at: goal.search(verbs) }));
  const [first] = found.filter(({ at }) => at >= 0).sort((a, b) => a.at - b.at);
  return first?.form ?? "";
}

const forms: Readonly<Record<string, RegExp>> = {
  "replace or migrate": /\b(?:replac|migrat|mov|switch|convert|port|upgrad|renam)/i,
  repair: /\b(?:fix|repair|bug|crash|broken|fail|wrong|error)/i,
  remove: /\b(?:remov|delet|drop)/i,
  rework: /\b(?:refactor|simplif|restructur|clean|split)/i,
  "speed up": /\b(?:speed|faster|slow|optimi|performance|cach)/i,
  explain: /\b(?:document|explain|describe)/i,
  add: /\b(?:add|build|creat|implement|support|introduc|allow|make|writ)/i,
};

/** In their order, each once; a plural counts as its singular, and words that any task can hold are left out. */
function wordsOf(text: string): string[] {
  const words =
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{N}]{3,}/gu) ?? [];
  const plain = words.map((word) => (word.length > 4 ? word.replace(/(?<!s)s$/, "") : word));
  return [...new Set(plain)].filter((word) => !common.has(word)).slice(0, 200);
}

const common = new Set(
  "add all also and any app application are based but can code create existing file for from has have implement into its make module need new not our out per please should support that the their then this use user using when where which with without you your".split(
    " ",
  ),
);
