// Words that may not stand in some places, or nowhere: the doors to the world, waiting where
// everything has to be synchronous, holes in the types, tests that do not run, notes to oneself.

import { isGenerated, isTest, matches, type SourceFile, type Violation } from "./source-file.ts";

export function checkBans(file: SourceFile): Violation[] {
  const always = [...checkTypes(file), ...checkText(file)];
  if (!file.path.startsWith("src/")) return [...always, ...checkTests(file)];
  if (isTest(file.path)) return [...always, ...checkTests(file)];
  return [...always, ...checkDoors(file), ...checkSynchronous(file), ...checkExports(file)];
}

const DOORS = ["src/io/", "src/net/", "src/cmd/"];

/** Time, chance, files and sockets come in through io/; net/ and cmd/ are the rim. */
function checkDoors(file: SourceFile): Violation[] {
  if (DOORS.some((folder) => file.path.startsWith(folder))) return [];
  return [
    ...matches(
      file,
      /(?<![.\w])(?:Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask)\b(?!\s*:)/g,
      "time comes from the Clock",
    ),
    ...matches(
      file,
      /\bMath\.random\b|\bcrypto\.random\w*|\b(?:randomBytes|randomUUID|randomInt|getRandomValues)\b/g,
      "chance comes from Random",
    ),
    ...importsNode(file),
  ];
}

const MODULES =
  "fs|fs/promises|net|http|https|http2|tls|dns|dns/promises|child_process|dgram|timers";

function importsNode(file: SourceFile): Violation[] {
  // Strings are blank in the code: look at the text, where the code has an import.
  const inText = new RegExp(
    `\\b(?:from|import\\(?|import)\\s*["'](?:node:)?(?:${MODULES})["']`,
    "g",
  );
  return [...file.text.matchAll(inText)]
    .filter((match) => /^(?:from|import)/.test(file.code.slice(match.index)))
    .map((match) => ({
      path: file.path,
      line: file.text.slice(0, match.index).split("\n").length,
      what: "the world comes in through io/",
    }));
}

const SYNCHRONOUS = ["src/raft/", "src/state/", "src/storage/bolt/"];

/** What was checked at the top of a function still holds at its end. */
function checkSynchronous(file: SourceFile): Violation[] {
  if (!SYNCHRONOUS.some((folder) => file.path.startsWith(folder))) return [];
  return matches(file, /(?<![.\w])(?:async|await|Promise)\b(?!\s*:)/g, "nothing waits here");
}

function checkExports(file: SourceFile): Violation[] {
  return [
    ...matches(file, /^export\s+default\b/gm, "exports have names"),
    ...matches(file, /^export\s+(?:type\s+)?(?:\*|\{[^}]*\}\s*from)/gm, "no re-exports"),
    ...matches(file, /\b(?:WeakRef|FinalizationRegistry)\b/g, "the garbage collector is no clock"),
  ];
}

function checkTypes(file: SourceFile): Violation[] {
  return isGenerated(file.path)
    ? []
    : matches(file, /\bas\s+any\b|[:<,|&]\s*any\b(?=\s*[;,)>=|&[\]{}])/g, "any is a hole");
}

function checkTests(file: SourceFile): Violation[] {
  const call = /\b(?:test|it|describe|suite)\.(?:only|skip|todo)\b/g;
  const option = /\{[^{}]*\b(?:only|skip|todo):\s*(?:true|"|')/g;
  return [
    ...matches(file, call, "tests run, all of them"),
    ...matches(file, option, "tests run, all of them"),
  ];
}

/** In comments as well. The words are put together, so that this file has none of them. */
const NOTES = new RegExp(`\\b(?:TO${"DO"}|FIX${"ME"}|X${"XX"})\\b`, "g");
const SUPPRESSIONS = new RegExp(`@ts-(?:ig${"nore"}|no${"check"}|expect-err${"or"})`, "g");
/** Paths of one machine: homes, and the folders that work is done in. */
const PLACES = new RegExp(`(?<![\\w.])/(?:ho${"me"}|ro${"ot"}|Us${"ers"}|wo${"rk"})/\\w`, "g");

/** For every text of the repository, whatever its language. */
export function checkText(file: Pick<SourceFile, "path" | "text">): Violation[] {
  const rules: readonly (readonly [RegExp, string])[] = [
    [NOTES, "do it, or write an issue"],
    [SUPPRESSIONS, "the compiler is right"],
    [PLACES, "a path of one machine"],
  ];
  return rules.flatMap(([pattern, what]) =>
    [...file.text.matchAll(pattern)].map((match) => ({
      path: file.path,
      line: file.text.slice(0, match.index).split("\n").length,
      what,
    })),
  );
}

/** A lock file that names hosts sends everyone to them. */
export function checkLockFile(path: string, text: string): Violation[] {
  return [...text.matchAll(/"resolved":|https?:\/\/[^"]*(?:registry|npmjs|yarnpkg)[^"]*/g)].map(
    (match) => ({
      path,
      line: text.slice(0, match.index).split("\n").length,
      what: "packages come from whatever registry npm is set to",
    }),
  );
}
