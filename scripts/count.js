// The closing line of a test run, counted from its report: nothing that was skipped looks like a pass.
import { readFileSync } from "node:fs";

const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
  readFileSync(process.argv[2], "utf8"),
);
const broken = testResults.filter(
  ({ status, assertionResults }) => status === "failed" && assertionResults.every(({ status }) => status !== "failed"),
);
for (const { name, message } of broken) console.log(`could not run: ${name}\n${message}`);
for (const { assertionResults } of testResults) {
  for (const { status, fullName } of assertionResults)
    if (status === "pending" || status === "skipped") console.log(`skipped: ${fullName}`);
}
console.log(
  `${numPassedTests} passed, ${numFailedTests + broken.length} failed, ${numPendingTests + numTodoTests} skipped`,
);
