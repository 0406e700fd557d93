import { addUpRows, amountsOf, column, eachRow, type About, type Figures } from "./figures.ts";

/** How each prompt did in all chains of a home, and each version of it: those that ran most come first. */
export function promptFigures(figures: Figures) {
  const versions = Map.groupBy(measure(figures, true), ({ prompt }) => prompt);
  return measure(figures, false).map(({ version: _, ...all }) => ({
    ...all,
    versions: versions.get(all.prompt)!.map(({ prompt: _prompt, common_patterns: _words, ...one }) => one),
  }));
}

function measure(figures: Figures, byVersion: boolean) {
  const { kinds, numbers, chains } = figures;
  const names = kinds.map(({ prompt, version }) => JSON.stringify([prompt, byVersion ? version : ""]));
  const groups = [...new Set(names)];
  const groupOf = names.map((name) => groups.indexOf(name));
  const days = groups.map(() => "");
  const seen = groups.map(() => new Map<number, number>());
  eachRow(figures, (start, chain) => {
    const kind = numbers[start]!;
    const group = groupOf[kind]!;
    if (kinds[kind]!.day > days[group]!) days[group] = kinds[kind]!.day;
    const gained = (seen[group]!.get(chain) ?? 0) + numbers[start + column.reduction]!;
    seen[group]!.set(chain, gained);
  });
  return addUpRows(figures, (start) => groupOf[numbers[start]!])
    .map(([group, sums]) => {
      const { runs, calls, tokens, usd, repairs, confidence_moved } = amountsOf(sums);
      const { prompt, version } = kinds[groupOf.indexOf(group)]!;
      const ran = [...seen[group]!].map(([at, gained]) => ({ gained, ...(chains[at]!.about as About) }));
      const ratings = ran.flatMap(({ rating }) => rating ?? []);
      return {
        prompt,
        version,
        runs,
        calls,
        tokens,
        usd,
        repairs,
        confidence_moved: Math.round(confidence_moved * 100) / 100,
        tokens_per_run: Math.round(tokens / Math.max(1, runs)),
        ms_per_run: Math.round(sums[column.ms]! / Math.max(1, runs)),
        reduction: meanOf(sums[column.measured]!, sums[column.reduction]!, sums[column.reduction_squared]!),
        rating: ratings[0] ? { mean: ratings.reduce((a, b) => a + b) / ratings.length, chains: ratings.length } : null,
        common_patterns: commonWords(ran.filter(({ gained }) => gained > 0).map(({ slug }) => slug.split("-"))),
        last_used: days[group]!,
      };
    })
    .filter(({ runs, calls }) => runs + calls > 0)
    .sort((a, b) => b.runs - a.runs || (a.prompt < b.prompt ? -1 : 1));
}

/** How much of the uncertainty a run took away on average, and where the true mean lies with 95 % probability. */
function meanOf(measured: number, sum: number, squares: number) {
  if (measured === 0) return null;
  const mean = sum / measured;
  if (measured === 1) return { mean, low: null, high: null, measured };
  const deviation = Math.sqrt(Math.max(0, squares - measured * mean ** 2) / (measured - 1));
  const half = (studentT[measured - 2] ?? 1.96 + 2.4 / (measured - 1)) * (deviation / Math.sqrt(measured));
  return { mean, low: Math.max(-1, mean - half), high: Math.min(1, mean + half), measured };
}

/** Student's t at 95 % for one degree of freedom and more. */
const studentT = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23];

/** The three words that stand in most of these goals, and in two of them at least. */
function commonWords(goals: readonly (readonly string[])[]): string[] {
  const counts = new Map<string, number>();
  for (const word of goals.flatMap((words) => [...new Set(words)])) counts.set(word, (counts.get(word) ?? 0) + 1);
  const common = [...counts]
    .filter(([, times]) => times > 1)
    .sort(([a, most], [b, times]) => times - most || (a < b ? -1 : 1));
  return common.slice(0, 3).map(([word]) => word);
}

/** One line for each of the thirty measured prompts that ran most, for a prompt that chooses among them. */
export function figureLines(figures: Figures): string {
  const lines = promptFigures(figures).flatMap(({ prompt, runs, usd, reduction }) =>
    reduction
      ? [
          `- ${prompt}: ${Math.round(reduction.mean * 100)} % in ${reduction.measured} of ${runs} runs, $${(usd / runs).toFixed(2)} a run`,
        ]
      : [],
  );
  if (lines.length === 0) return "";
  return `By how much each prompt lowered the uncertainty of what it scored here, on average:\n${lines.slice(0, 30).join("\n")}\n\n`;
}

/** A prompt that was written for a chain. */
interface Written {
  readonly name: string;
  readonly standing: string;
  readonly chain: string;
}

/** The same in the words of the source documents: what is not known is null. */
export function promptMetrics(prompts: ReturnType<typeof promptFigures>, written: readonly Written[]) {
  return Object.fromEntries(
    prompts.map(({ prompt, ...of }) => {
      const from = written.find(({ name }) => name === prompt);
      const metrics = {
        usage_count: of.runs,
        avg_uncertainty_reduction: of.reduction && Math.round(of.reduction.mean * 100) / 100,
        avg_tokens: of.tokens_per_run,
        user_satisfaction: of.rating && Math.round(of.rating.mean * 20) / 100,
        common_patterns: of.common_patterns,
        promotion_status: from?.standing ?? null,
        created_from_chain: from?.chain ?? null,
      };
      return [prompt, metrics];
    }),
  );
}
