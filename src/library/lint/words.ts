import { fencedParts } from "../fences.ts";
import { positionsOf, quoted, type Remark } from "./finding.ts";

/** `words` is a regular expression in which a blank stands for any white space, line breaks included. */
export interface WeakWording {
  readonly words: string;
  readonly why: string;
  readonly instead: string;
}

// oxfmt-ignore
export const weakWordings: readonly WeakWording[] = [
  { words: "(?:make|be) sure", why: "It asks for certainty and names nothing that would give it.", instead: "Name the check: what to run or read, and what it must show." },
  { words: "ensur(?:e|es|ing) that", why: "It states a wish about the end and leaves the way there open.", instead: "Say who does what so that it holds, and where one sees that it does." },
  { words: "be (?:very )?careful", why: "Care is no action: a reader who is told of no danger can avoid none.", instead: "Name the trap, and the sign by which it is noticed." },
  { words: "carefully", why: "It changes nothing a reader does; everybody believes they already read so.", instead: "Say what a hasty reading misses, or leave the word out." },
  { words: "(?:as|where|if|when) appropriate", why: "What is appropriate is the very decision the prompt was written to guide.", instead: "Give the condition: when to do it, when not." },
  { words: "(?:if|when|where) (?:necessary|needed)", why: "Who reads this cannot know what you would find necessary.", instead: "Name the case in which it is done: \"if the column is nullable\"." },
  { words: "as (?:needed|necessary)", why: "It puts no end to the work: nothing tells when the need is met.", instead: "Give an amount or a stopping sign." },
  { words: "(?<![./])etc(?![/])", why: "The reader must guess how the list goes on, and each guesses otherwise.", instead: "Write the list out, or name the rule that makes a member of it." },
  { words: "and so (?:on|forth)", why: "It claims a pattern that two or three examples do not show.", instead: "Finish the list, or say what its members share." },
  { words: "best practices?", why: "It names an authority without a rule; half of all practices were called best.", instead: "Write down the one practice you mean, and its reason." },
  { words: "high[- ]quality", why: "Nobody aims at poor quality: it divides no two answers.", instead: "Name the property by which you would tell a good answer from a poor one." },
  { words: "robust(?:ly|ness)?", why: "Robust against what? Without the threat there is nothing to build or to test.", instead: "Name what it must survive: an empty file, a lost connection, two writers." },
  { words: "comprehensive(?:ly)?", why: "It asks for length and sets no border, so the important drowns in the complete.", instead: "List what must be covered, and what may be left out." },
  { words: "thorough(?:ly)?", why: "It asks for effort, which nobody can see in the answer.", instead: "Say which places must have been looked at." },
  { words: "properly", why: "It says that a right way exists and keeps it secret.", instead: "Describe the right way." },
  { words: "seamless(?:ly)?", why: "It praises a result; the seams, where the work is, go unnamed.", instead: "Name the two parts and what must not change where they meet." },
  { words: "leverag(?:e|es|ed|ing)", why: "A grand word for \"use\" that hides what is used for what.", instead: "Write \"use\", and say for which step." },
  { words: "utili[sz](?:e|es|ed|ing)", why: "It is \"use\" in more letters.", instead: "Write \"use\"." },
  { words: "try to", why: "It permits failure in silence: having tried fulfils it.", instead: "Give the order itself, and say what to report when it cannot be done." },
  { words: "do your best|to the best of your ability", why: "It sets no mark, so whatever comes back has reached it.", instead: "Say what is enough, and what to return when that is not reached." },
  { words: "please", why: "Courtesy to a model costs tokens in every run and asks for nothing.", instead: "Leave it out." },
  { words: "in general", why: "It announces exceptions and keeps them for itself.", instead: "State the rule, then its exceptions." },
  { words: "it(?: is|'s|’s) (?:very )?(?:important|crucial|essential)", why: "All of a prompt is important; what is said so often ranks nothing.", instead: "Say what goes wrong when it is left undone." },
  { words: "you are (?:an? |the )?(?:[\\w-]+ ){0,3}expert", why: "A title gives no knowledge: only what an expert would look at does.", instead: "Write down what the expert looks at first and what misleads others." },
  { words: "world[- ]class", why: "Praise in advance; it tells a reader nothing to do.", instead: "Leave it out, or name the standard that is to be met." },
  { words: "state[- ]of[- ]the[- ]art|cutting[- ]edge", why: "It means something else each year and to each reader.", instead: "Name the version, method or paper." },
  { words: "step[- ]by[- ]step", why: "It asks for steps and gives none; models that reason do so unasked.", instead: "Number the steps, or say what must be settled before what." },
  { words: "think (?:very |really )?hard(?:er)?", why: "How long a model thinks is set where it is called, not by a plea.", instead: "Name the question that deserves the thought." },
  { words: "various", why: "It says there are several and names none.", instead: "Name them, or give their number." },
  { words: "some (?:kind|sort) of", why: "It shows that the writer had not decided.", instead: "Decide which, or give the choices and what decides." },
];

/** Weak wording in running text; what stands in a fence or a `code span` is spoken of, not said. */
export function weakWording(text: string, firstLine: number): Remark[] {
  const prose = proseOf(text);
  const at = positionsOf(text, firstLine);
  return [...prose.matchAll(anyOfThem)].map((match) => {
    const { why, instead } = weakWordings[match.findIndex((group, index) => index > 0 && group !== undefined) - 1]!;
    const what = `${quoted(match[0].replaceAll(/\s+/g, " "))} says nothing`;
    return { line: at(match.index).line, rule: "weak-wording", severity: "warning", what, why, mend: instead };
  });
}

const groups = weakWordings.map(({ words }) => `(${words.replaceAll(" ", "\\s+")})`);
const anyOfThem = new RegExp(`(?<![\\w-])(?:${groups.join("|")})(?!\\w)`, "gi");

/** The same text, every offset kept, with blanks for what is code. */
function proseOf(text: string): string {
  const blank = (code: string) => code.replaceAll(/[^\n]/g, " ");
  const spans = /(?<!`)(`{1,9})(?!`)(?:(?!\n[ \t]*\n)[^]){0,400}?(?<!`)\1(?!`)/g;
  return fencedParts(text)
    .map(({ text, fence }) => (fence === undefined ? text.replaceAll(spans, blank) : blank(text)))
    .join("");
}
