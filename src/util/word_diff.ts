import { diffArrays } from "diff/lib/diff/array.js";

/** How many words of an unchanged stretch stay beside a change. */
const near = 5;

/**
 * One text that shows what another became: "sign, [refresh → rotate], revoke". `share`: how much of both texts is the
 * same. `marks`: how many changes there are; more than two are hard to read. A word goes from space to space.
 */
export function markWords(before: string, after: string): { text: string; share: number; marks: number } {
  const all: { same: string; old: string; now: string }[] = [{ same: "", old: "", now: "" }];
  let kept = 0;
  for (const { value: parts, added, removed } of diffArrays(words(before), words(after))) {
    const value = `${parts.join(" ")} `;
    if (!added && !removed) {
      kept += value.length;
      all.push({ same: value, old: "", now: "" });
      continue;
    }
    const { same, old, now } = all.at(-1)!;
    // Two changes around a single word are read more easily as one.
    if (old === "" && now === "" && all.length > 2 && words(same).length <= 1) {
      all.pop();
      all.at(-1)!.old += same;
      all.at(-1)!.now += same;
    }
    all.at(-1)![added ? "now" : "old"] += value;
  }
  const text = all.map((one, at) => cutMiddle(one.same, at > 1 && one.old === one.now) + markOf(one)).join("");
  const marks = all.filter(({ old, now }) => old.trim() !== now.trim()).length;
  return { text: text.replaceAll(/\s+/g, " ").trim(), share: (2 * kept) / (before.length + after.length), marks };
}

/** "[old → new]", "[+ new]" or "[− old]", with the spaces that stood around it. */
function markOf({ old, now }: { old: string; now: string }): string {
  const [was, is] = [old.trim(), now.trim()];
  if (was === is) return now;
  const gone = words(was).length > 2 * near ? `${words(was).slice(0, near).join(" ")} …` : was;
  const mark = was === "" ? `+ ${is}` : is === "" ? `− ${gone}` : `${gone} → ${is}`;
  const shown = is === "" ? old : now;
  return `${/^\s/.test(shown) ? " " : ""}[${mark}]${/\s$/.test(shown) ? " " : ""}`;
}

/** The beginning of a text stays, so that it is known; of its end only the words behind the last change. */
function cutMiddle(same: string, isEnd: boolean): string {
  const parts = same.split(/(?<=\s)/);
  if (parts.length <= 2 * near + 2) return same;
  const head = parts.slice(0, near).join("");
  return isEnd ? `${head}…` : `${head}… ${parts.slice(-near).join("")}`;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
