// Runs the text scripts of testdata/ (see test/raft/script-cluster.ts for the commands).

import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { ScriptCluster } from "../../test/raft/script-cluster.ts";
import { runScript } from "../../test/script/script.ts";

/** Scripts are not compiled: they lie in the sources, also when the tests run from elsewhere. */
function directoryOfScripts(): string {
  const name = join("src", "raft", "testdata");
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, name)) && dirname(root) !== root) root = dirname(root);
  return existsSync(join(root, name)) ? join(root, name) : join(process.cwd(), name);
}

const directory = directoryOfScripts();
for (const file of readdirSync(directory).filter((name) => name.endsWith(".txt"))) {
  test(`script ${file.slice(0, -4)}`, () => {
    runScript(join(directory, file), new ScriptCluster().execute);
  });
}
