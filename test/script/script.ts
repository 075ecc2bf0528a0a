// Tests as text: what is done, a line of dashes, what comes out. A script is read by people first.
//
//   # comment                 blocks are separated by empty lines, so outputs have none
//   put a 1 lease=7           command: a name, positional arguments, options
//   more input                any number of lines that the command may want
//   ----
//   revision 2                expected, up to the next empty line
//
// REWRITE=1 replaces what is expected by what came out; `git diff` is the review then.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

export interface Command {
  readonly name: string;
  readonly args: readonly string[];
  /** `key=value` arguments. */
  readonly options: ReadonlyMap<string, string>;
  readonly input: readonly string[];
}

export function parseCommand(line: string, input: readonly string[] = []): Command {
  const words = line.trim().split(/\s+/);
  const options = new Map<string, string>();
  const args: string[] = [];
  for (const word of words.slice(1)) {
    const equals = word.indexOf("=");
    if (equals > 0) options.set(word.slice(0, equals), word.slice(equals + 1));
    else args.push(word);
  }
  return { name: words[0]!, args, options, input };
}

/** @throws AssertionError naming file and line of the first block that comes out differently. */
export function runScript(path: string, execute: (command: Command) => string): void {
  const { REWRITE } = process.env;
  const isRewriting = REWRITE === "1";
  const blocks = readFileSync(path, "utf8")
    .trimEnd()
    .split(/\n(?:[ \t]*\n)+/);
  const rewritten: string[] = [];
  let seen = 0;
  for (const block of blocks) {
    const lines = block.split("\n");
    const comments = lines.filter((line) => line.startsWith("#"));
    const rest = lines.filter((line) => !line.startsWith("#"));
    const dashes = rest.indexOf("----");
    if (dashes < 1) {
      assert.equal(rest.length, 0, `${path}: a block without a command and dashes:\n${block}`);
      rewritten.push(block);
      continue;
    }
    seen++;
    const expected = rest.slice(dashes + 1).join("\n");
    const actual = execute(parseCommand(rest[0]!, rest.slice(1, dashes))).trimEnd();
    assert.ok(!/\n\s*\n/.test(actual), `${path}: an output has an empty line:\n${actual}`);
    if (!isRewriting) assert.equal(actual, expected, `${path}, block ${seen}: ${rest[0]}`);
    rewritten.push([...comments, ...rest.slice(0, dashes + 1), actual].join("\n").trimEnd());
  }
  assert.ok(seen > 0, `${path}: no block at all`);
  if (isRewriting) writeFileSync(path, `${rewritten.join("\n\n")}\n`);
}
