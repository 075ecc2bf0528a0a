// Generates src/wire/messages/*.ts and src/wire/services.ts from proto/*.proto. The result is
// committed; a test checks that generating again changes nothing.
//
//   npm run gen                 writes the files

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emitMessageFile } from "./gen/emit-messages.ts";
import { emitServices } from "./gen/emit-services.ts";
import { buildModel } from "./gen/model.ts";
import { parseProto } from "./gen/parse-proto.ts";

const MESSAGES = "src/wire/messages";

/** Path below `root` → text of every generated file. */
export function generate(root: string): Map<string, string> {
  const files = readdirSync(join(root, "proto"))
    .filter((name) => name.endsWith(".proto"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(root, "proto", name), "utf8");
      return parseProto(name, text, `${name.slice(0, -".proto".length).replaceAll("_", "-")}.ts`);
    });
  const model = buildModel(files);
  const result = new Map<string, string>();
  for (const file of model.sources.keys()) {
    result.set(`${MESSAGES}/${file}`, emitMessageFile(model, file));
  }
  result.set("src/wire/services.ts", emitServices(model));
  return result;
}

function main(root: string): void {
  const result = generate(root);
  mkdirSync(join(root, MESSAGES), { recursive: true });
  for (const name of readdirSync(join(root, MESSAGES))) {
    if (!result.has(`${MESSAGES}/${name}`)) rmSync(join(root, MESSAGES, name));
  }
  for (const [path, text] of result) writeFileSync(join(root, path), text);
}

if (process.argv[1]?.match(/gen-messages\.[jt]s$/)) main(process.cwd());
