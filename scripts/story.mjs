// `npm run story -- NAME`: what users of etcd do with it, with the programs they do it with. See
// the head of each file in test/stories for what it needs.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./build.mjs";

prepare();
const story = join(root, "dist", "test", "stories", `${process.argv[2]}.js`);
if (!existsSync(story)) {
  console.error(`no story ${process.argv[2]}: see test/stories`);
  process.exit(1);
}
await import(pathToFileURL(story).href);
