// Finds the next JSON value in a text and checks its syntax, with the error texts of Go's
// encoding/json: clients of the gateway see them. Nothing is built and nothing recurses; `open`
// holds the brackets that are still to be closed.
//
//            ┌──────── "," ────────┐
//            ▼                     │
//   value ──scalar──────────────► after ──(nothing open)──► done
//     │                            ▲
//     ├─"["─► valueOrEnd ──"]"─────┤
//     └─"{"─► keyOrEnd ────"}"─────┘        key ──":"──► value

export class JsonError extends Error {
  override readonly name: string = "JsonError";
}

export interface JsonSpan {
  readonly start: number;
  readonly end: number;
}

type State = "value" | "valueOrEnd" | "key" | "keyOrEnd" | "after";

/** Go's limit. */
const DEPTH_MAX = 10_000;

const SPACE = /[ \t\r\n]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them inside strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const DIGITS = /[0-9]*/y;

/** Undefined if only white space is left. Throws JsonError. What follows the value is not read. */
export function nextJsonValue(text: string, from: number): JsonSpan | undefined {
  const start = run(SPACE, text, from);
  if (start === text.length) return undefined;
  const open: string[] = [];
  let state: State = "value";
  let at = start;
  for (;;) {
    if (state === "after") {
      if (open.length === 0) return { start, end: at };
      at = run(SPACE, text, at);
      state = closeOrGoOn(text, at, open);
      at++;
      continue;
    }
    at = run(SPACE, text, at);
    const char = text[at];
    const isEnd =
      (state === "keyOrEnd" && char === "}") || (state === "valueOrEnd" && char === "]");
    if (isEnd) {
      open.pop();
      at++;
      state = "after";
    } else if (state === "key" || state === "keyOrEnd") {
      if (char !== '"') throw unexpected(text, at, "looking for beginning of object key string");
      at = run(SPACE, text, scanString(text, at));
      if (text[at] !== ":") throw unexpected(text, at, "after object key");
      at++;
      state = "value";
    } else if (char === "{" || char === "[") {
      if (open.push(char === "{" ? "}" : "]") > DEPTH_MAX) {
        throw new JsonError("exceeded max depth");
      }
      at++;
      state = char === "{" ? "keyOrEnd" : "valueOrEnd";
    } else {
      at = scanScalar(text, at);
      state = "after";
    }
  }
}

function closeOrGoOn(text: string, at: number, open: string[]): State {
  const closing = open[open.length - 1];
  const char = text[at];
  if (char === closing) {
    open.pop();
    return "after";
  }
  const isObject = closing === "}";
  if (char === ",") return isObject ? "key" : "value";
  throw unexpected(text, at, isObject ? "after object key:value pair" : "after array element");
}

/** The offset behind the string, number or literal that begins at `at`. */
function scanScalar(text: string, at: number): number {
  const char = text[at];
  switch (char) {
    case '"':
      return scanString(text, at);
    case "t":
      return scanLiteral(text, at, "true");
    case "f":
      return scanLiteral(text, at, "false");
    case "n":
      return scanLiteral(text, at, "null");
    default:
      if (char === "-" || isDigit(char)) return scanNumber(text, at);
      throw unexpected(text, at, "looking for beginning of value");
  }
}

function scanLiteral(text: string, at: number, word: string): number {
  for (let i = 1; i < word.length; i++) {
    if (text[at + i] === word[i]) continue;
    throw unexpected(text, at + i, `in literal ${word} (expecting '${word[i]}')`);
  }
  return at + word.length;
}

function scanNumber(text: string, from: number): number {
  let at = text[from] === "-" ? from + 1 : from;
  if (!isDigit(text[at])) throw unexpected(text, at, "in numeric literal");
  at = text[at] === "0" ? at + 1 : run(DIGITS, text, at);
  if (text[at] === ".") {
    at++;
    if (!isDigit(text[at])) {
      throw unexpected(text, at, "after decimal point in numeric literal");
    }
    at = run(DIGITS, text, at);
  }
  if (text[at] === "e" || text[at] === "E") {
    at++;
    if (text[at] === "+" || text[at] === "-") at++;
    if (!isDigit(text[at])) throw unexpected(text, at, "in exponent of numeric literal");
    at = run(DIGITS, text, at);
  }
  return at;
}

/** The offset behind the string that begins at `from`. */
export function scanString(text: string, from: number): number {
  let at = from + 1;
  for (;;) {
    at = run(PLAIN, text, at);
    const char = text[at];
    if (char === '"') return at + 1;
    if (char !== "\\") throw unexpected(text, at, "in string literal");
    at++;
    const escaped = text[at];
    if (escaped === "u") {
      for (let i = 1; i <= 4; i++) {
        if (!/^[0-9a-fA-F]$/.test(text[at + i] ?? "")) {
          throw unexpected(text, at + i, "in \\u hexadecimal character escape");
        }
      }
      at += 4;
    } else if (escaped === undefined || !'bfnrt\\/"'.includes(escaped)) {
      throw unexpected(text, at, "in string escape code");
    }
    at++;
  }
}

/** The offset behind what `pattern`, which matches also the empty string, finds at `at`. */
function run(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  pattern.test(text);
  return pattern.lastIndex;
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= "0" && char <= "9";
}

function unexpected(text: string, at: number, where: string): JsonError {
  if (at >= text.length) return new JsonError("unexpected EOF");
  return new JsonError(`invalid character ${quoteByte(text.codePointAt(at)!)} ${where}`);
}

const ESCAPES: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  39: "\\'",
  92: "\\\\",
};

/** Go's scanner sees bytes: of a character beyond ASCII it quotes the first one, as Latin-1. */
function quoteByte(point: number): string {
  if (point < 0x80) {
    const isControl = point < 0x20 || point === 0x7f;
    const plain = isControl
      ? `\\x${point.toString(16).padStart(2, "0")}`
      : String.fromCharCode(point);
    return `'${ESCAPES[point] ?? plain}'`;
  }
  if (point < 0x800) return `'${String.fromCharCode(0xc0 | (point >> 6))}'`;
  if (point < 0x1_0000) return `'${String.fromCharCode(0xe0 | (point >> 12))}'`;
  return `'${String.fromCharCode(0xf0 | (point >> 18))}'`;
}
