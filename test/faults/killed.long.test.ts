// All moments at which a chain can be killed; the quick suite takes every fifth of them.
import "./killed.test.ts";
