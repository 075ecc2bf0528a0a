// `npm test [-- PATH ...] [--only PATH] [-t NAME]`: install, build, then run the compiled tests
// with node's own runner. Without a path: every test that needs no other software.
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { prepare, root } from "./build.mjs";

/** Files at the same time. Of two processors the runner itself would leave one idle. */
const AT_ONCE = availableParallelism();
/** A file that takes longer hangs: it fails, and the others are run. */
const FILE_TIMEOUT_MINUTES = Number(process.env.QUORATE_TEST_MINUTES ?? 15);

prepare();
const args = process.argv.slice(2);
const nameAt = args.indexOf("-t");
const name = nameAt >= 0 ? args.splice(nameAt, 2)[1] : undefined;
const paths = args.filter((arg) => arg !== "--only").map((path) => path.replace(/\.ts$/, ""));
const dist = join(root, "dist");
const wanted = (file) =>
  paths.length === 0
    ? !file.startsWith("test/compat/") && !file.startsWith("test/cluster/")
    : paths.some((path) => file.startsWith(path));
// Servers that wait for one another more than for the processor; but many would starve one another.
const isCompat = paths.some((path) => /^test\/(compat|cluster)/.test(path));
// Those that take minutes begin first, so that none of them is alone in the end.
const LONGEST = /\b(golden|flags|changes|mixed-cluster|migration|rounds|self-care)\.test\.js$/;
const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".test.js"))
  .map((entry) => relative(dist, join(entry.parentPath ?? entry.path, entry.name)))
  .filter(wanted)
  .sort()
  .sort((a, b) => Number(LONGEST.test(b)) - Number(LONGEST.test(a)));
if (files.length === 0) {
  console.error(`no test file matches ${paths.join(" ")}`);
  process.exit(1);
}
const stream = run({
  files: files.map((file) => join(dist, file)),
  timeout: FILE_TIMEOUT_MINUTES * 60_000,
  concurrency: isCompat ? AT_ONCE + 1 : AT_ONCE,
  ...(name === undefined ? {} : { testNamePatterns: [name] }),
});
stream.on("test:fail", () => {
  process.exitCode = 1;
});
stream.compose(new spec()).pipe(process.stdout);
