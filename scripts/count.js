// The closing lines of a test run, counted from its reports: no skipped test looks like a pass.
import { readFileSync } from "node:fs";

const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
const results = reports.flatMap(({ testResults }) => testResults);
const broken = results.filter(
  ({ status, assertionResults }) => status === "failed" && assertionResults.every(({ status }) => status !== "failed"),
);
for (const { name, message } of broken) console.log(`could not run: ${name}\n${message}`);
for (const { assertionResults } of results) {
  for (const { status, fullName, failureMessages } of assertionResults) {
    if (status === "pending" || status === "skipped") console.log(`skipped: ${fullName}`);
    if (status === "failed") console.log(`failed: ${fullName}\n${failureMessages?.[0]?.slice(0, 2000) ?? ""}`);
  }
}
const sum = (key) => reports.reduce((total, report) => total + report[key], 0);
const [passed, failed] = [sum("numPassedTests"), sum("numFailedTests") + broken.length];
console.log(`${passed} passed, ${failed} failed, ${sum("numPendingTests") + sum("numTodoTests")} skipped`);
