// What fits on a screen: a function of 70 lines, a file of 500 (a test of 1000), a line of 100.

import {
  isGenerated,
  isTest,
  lineAt,
  type SourceFile,
  type Violation,
  violation,
} from "./source-file.ts";

export const FILE_LINES_MAX = 500;
export const TEST_FILE_LINES_MAX = 1000;
export const FUNCTION_LINES_MAX = 70;
export const LINE_CHARACTERS_MAX = 100;

export function checkSizes(file: SourceFile): Violation[] {
  if (isGenerated(file.path)) return [];
  return [...checkFile(file), ...checkLines(file), ...checkFunctions(file)];
}

function checkFile(file: SourceFile): Violation[] {
  const lines = file.text.trimEnd().split("\n").length;
  const max = isTest(file.path) ? TEST_FILE_LINES_MAX : FILE_LINES_MAX;
  return lines > max ? [violation(file, 0, `${lines} lines, more than ${max}`)] : [];
}

/** Long texts cannot always be broken; long code can. */
function checkLines(file: SourceFile): Violation[] {
  const code = file.code.split("\n");
  return file.text.split("\n").flatMap((line, at) => {
    if (line.length <= LINE_CHARACTERS_MAX || !isCodeTooLong(line, code[at]!)) return [];
    const what = `${line.length} characters, more than ${LINE_CHARACTERS_MAX}`;
    return [{ path: file.path, line: at + 1, what }];
  });
}

/** Comments have to be broken, and code; a single long string or expression may stand out. */
function isCodeTooLong(line: string, code: string): boolean {
  const isComment = code.trim() === "" && /^\s*(\/\/|\/?\*)/.test(line);
  if (isComment) return true;
  const withoutTexts = code
    .replace(/(["'])\s*\1/g, "")
    .replace(/\s+$/, "")
    .replace(/\s{2,}/g, "");
  return withoutTexts.length > LINE_CHARACTERS_MAX;
}

/** A function that holds tests is a list of functions. */
const HOLDS_TESTS = /\b(?:test|it)\(\s*["'`(]/;

function checkFunctions(file: SourceFile): Violation[] {
  return functionsOf(file.code).flatMap(({ start, end }) => {
    if (isTest(file.path) && HOLDS_TESTS.test(file.code.slice(start, end))) return [];
    const first = lineAt(file.code, start);
    const lines = lineAt(file.code, end) - first + 1;
    if (lines <= FUNCTION_LINES_MAX) return [];
    const what = `function of ${lines} lines, more than ${FUNCTION_LINES_MAX}`;
    return [{ path: file.path, line: first, what }];
  });
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Each braced body of a function, from its parameters to its closing brace. */
export function functionsOf(code: string): Span[] {
  const found: Span[] = [];
  const open: { position: number; function: number | undefined }[] = [];
  const parentheses: number[] = [];
  /** Of the last parenthesis that was closed: where it opened, and where it closed. */
  let closed = { from: -1, to: -1 };
  for (let at = 0; at < code.length; at++) {
    const character = code[at];
    if (character === "(") parentheses.push(at);
    else if (character === ")") closed = { from: parentheses.pop() ?? -1, to: at };
    else if (character === "{") {
      const head = code.slice(Math.max(0, closed.to), at);
      open.push({ position: at, function: functionStart(code, head, closed.from, at) });
    } else if (character === "}") {
      const start = open.pop()?.function;
      if (start !== undefined) found.push({ start, end: at });
    }
  }
  return found;
}

const NOT_FUNCTIONS = /\b(?:if|for|while|switch|catch|with|await)\s*$/;

/** Where the function of this brace starts; undefined: the brace is something else's. */
function functionStart(
  code: string,
  head: string,
  parametersFrom: number,
  at: number,
): number | undefined {
  if (/=>\s*$/.test(code.slice(Math.max(0, at - 10), at))) {
    // Parameters in parentheses right before the arrow, or one bare name.
    return /^\)(?:\s*:[^;{}]*)?\s*=>\s*$/.test(head) ? parametersFrom : at;
  }
  // Between the parameters and the body there is nothing, or a type.
  if (parametersFrom < 0 || !/^\)(?:\s*|:\s[^;{}()=]*)$/.test(head)) return undefined;
  const before = code.slice(Math.max(0, parametersFrom - 20), parametersFrom);
  return NOT_FUNCTIONS.test(before) ? undefined : parametersFrom;
}
