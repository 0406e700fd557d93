import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { action, firstKey, report, uses, type Replies } from "../support/script.ts";
import { present, quickApp, tiny, tinyWay } from "../support/ways.ts";
import { lacking, unlessLacking } from "../programs/sandbox/sandboxes.ts";

const files = { ...quickApp, "check.sh": `ls -A > /dev/null; sleep 0.1; ${quickApp["check.sh"]}` };

/** Runs the tests again and again, and writes nothing. */
const onlyTests: Replies = {
  [`${firstKey}/turn-1`]: present,
  "implementation/1/1-tdd_flow_controller/turn-1": uses(["run_tests", {}], ["run_tests", {}], ["run_tests", {}]),
  "implementation/1/1-tdd_flow_controller/turn-2": report("They were run."),
  "implementation/2/controller/turn-1": action("I stop.", { type: "give_up", reason: "Enough is seen." }),
};

test.skipIf(lacking).for(Array.from({ length: 20 }, (_, at) => at + 1))(
  `two chains side by side in one folder both have a sandbox, and leave nothing in it, %i of 20${unlessLacking}`,
  async () => {
    const place = placeWith(files, { sandbox: true });
    const chains = [place.replay(tinyWay, "one"), place.replay(onlyTests, "two")].map((replay) =>
      place.start([...tiny, replay, "--approve-policy=auto"]),
    );
    const ended = await Promise.all(chains.map((chain) => chain.ended));
    expect(ended.map(({ stderr }) => /sandbox: (?:on|OFF)/.exec(stderr)?.[0])).toEqual(["sandbox: on", "sandbox: on"]);
    expect(ended[0]?.code, ended[0]?.stderr).toBe(0);
    const named = ["001", "002"].flatMap((id) => place.events("files_touched", id));
    const ours = ["src/product.js", "test/product.test.js"];
    const others = named.flatMap(({ touched, set_aside = [] }) => [...touched, ...set_aside].map(({ path }) => path));
    expect(others.filter((path) => !ours.includes(path))).toEqual([]);
    expect(readdirSync(place.workspace).sort()).toEqual([".claude-exec", "check.sh", "package.json", "src", "test"]);
  },
);
