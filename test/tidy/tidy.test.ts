// The rules of CONTRIBUTING over the whole tree. `checks.test.ts` tests the checks themselves.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkBans, checkLockFile, checkText } from "./bans.ts";
import { checkCycles, checkImports } from "./layers.ts";
import { checkSizes } from "./sizes.ts";
import { findRoot, listFiles, readSources, show, type Violation } from "./source-file.ts";

const root = findRoot();
const sources = readSources(root, ["src", "test", "bench", "scripts"]);

function none(violations: readonly Violation[]): void {
  assert.equal(show(violations), "");
}

test("the sources are found", () => {
  assert.ok(sources.length > 20);
  assert.ok(sources.some((file) => file.path === "src/base/assert.ts"));
});

test("imports go down", () => none(sources.flatMap(checkImports)));

test("no file needs itself", () => {
  none(checkCycles(sources.filter((file) => file.path.startsWith("src/"))));
});

test("functions, files and lines fit on a screen", () => none(sources.flatMap(checkSizes)));

test("banned words", () => none(sources.flatMap(checkBans)));

test("names of files are words with dashes", () => {
  const odd = sources.filter(
    ({ path }) => !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.test)?\.ts$/.test(path),
  );
  none(odd.map(({ path }) => ({ path, line: 1, what: "not kebab-case" })));
});

test("no notes to oneself and no places of one machine, in any text", () => {
  const endings = [".md", ".mjs", ".cjs", ".json", ".yml", ".sh", ".proto", ".mod"];
  const paths = listFiles(root, ".", endings).filter((path) => path !== "package-lock.json");
  const texts = paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  none(texts.flatMap(checkText));
});

test("the lock file names no host", () => {
  const path = "package-lock.json";
  none(checkLockFile(path, readFileSync(join(root, path), "utf8")));
});

test("the version that the programs print is the package's", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const text = readFileSync(join(root, "src/cmd/etcd/product-version.ts"), "utf8");
  assert.match(text, new RegExp(`PRODUCT_VERSION = "${version.replaceAll(".", "\\.")}"`));
});
