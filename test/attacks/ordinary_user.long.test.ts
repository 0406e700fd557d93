import { afterAll, expect, test } from "vitest";
import { isRoot, runAsOrdinaryUser } from "./as_user.ts";
import { mountSmallDisk, unmountSmallDisks } from "./small_disk.ts";

afterAll(unmountSmallDisks);

/** These attacks know which user they run as, and some of them end elsewhere for root. */
const files = ["commands", "disk", "files", "foreign", "own_chains", "races", "sizes"];

test.skipIf(!isRoot).for(files)(
  "all that test/attacks/%s.test.ts holds against root holds for an ordinary user too (without root it is what ran already)",
  async (name, { skip }) => {
    const disk = name === "disk" ? mountSmallDisk("65534") : undefined;
    const ran = await runAsOrdinaryUser(
      `test/attacks/${name}.test.ts`,
      disk === undefined ? {} : { ATTACKED_DISK: disk },
    );
    if (!ran) return skip("Nobody may read this checkout, or there is no setpriv.");
    expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
  },
);
