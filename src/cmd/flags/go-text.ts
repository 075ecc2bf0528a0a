// Texts as the Go standard library writes and reads them: quoted strings, numbers, booleans and
// durations. etcd's command lines, error messages and output formats are made of them, and scripts
// match them byte by byte.

/** Thrown by the parsers below; `message` is the text that Go's error has. */
export class ParseError extends Error {
  override name = "ParseError";
}

const namedEscapes: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

// What Go calls printable: letters, marks, numbers, punctuation, symbols and the ASCII space.
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

function quoteRune(rune: number, delimiter: number): string {
  if (rune === delimiter) return `\\${String.fromCharCode(rune)}`;
  if (rune !== 34) {
    const named = namedEscapes[rune];
    if (named !== undefined) return named;
  }
  if (rune < 0x20 || rune === 0x7f) return `\\x${rune.toString(16).padStart(2, "0")}`;
  const text = String.fromCodePoint(rune);
  if (printable.test(text)) return text;
  if (rune < 0x10000) return `\\u${rune.toString(16).padStart(4, "0")}`;
  return `\\U${rune.toString(16).padStart(8, "0")}`;
}

const encoder = new TextEncoder();

/** Length of the valid UTF-8 sequence at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}

function decodeRune(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return bytes[at]!;
  let rune = bytes[at]! & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) rune = (rune << 6) | (bytes[at + i]! & 0x3f);
  return rune;
}

/** As `%q`: double quotes, escapes, bytes that are not UTF-8 as `\xff`. */
export function quote(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  let text = '"';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += `\\x${bytes[at]!.toString(16).padStart(2, "0")}`;
      at++;
    } else {
      text += quoteRune(decodeRune(bytes, at, length), 34);
      at += length;
    }
  }
  return `${text}"`;
}

/** As `%q` of a rune: `'v'`. */
export function quoteCharacter(character: string): string {
  return `'${quoteRune(character.codePointAt(0) ?? 0xfffd, 39)}'`;
}

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "\\": 92,
};

/** The bytes that a double-quoted or back-quoted Go string stands for; undefined: malformed. */
export function unquote(text: string): Uint8Array | undefined {
  const mark = text[0];
  if (text.length < 2 || text[text.length - 1] !== mark) return undefined;
  const body = text.slice(1, -1);
  if (mark === "`") {
    return body.includes("`") ? undefined : encoder.encode(body.replaceAll("\r", ""));
  }
  if (mark !== '"' || body.includes("\n")) return undefined;
  const out: number[] = [];
  let at = 0;
  for (const match of body.matchAll(escapes)) {
    if (match.index !== at) return undefined;
    at += match[0].length;
    if (!appendPiece(out, match)) return undefined;
  }
  return at === body.length ? Uint8Array.from(out) : undefined;
}

const escapes =
  /\\x(?<hex>[0-9a-fA-F]{2})|\\(?<octal>[0-3][0-7]{2})|\\u(?<short>[0-9a-fA-F]{4})|\\U(?<long>[0-9a-fA-F]{8})|\\(?<simple>[abtnvfr"\\])|(?<plain>[^\\"]+)/g;

function appendPiece(out: number[], match: RegExpExecArray): boolean {
  const { hex, octal, simple, short, long, plain } = match.groups ?? {};
  const byte = hex ?? octal;
  const point = short ?? long;
  if (byte !== undefined) {
    out.push(Number.parseInt(byte, hex === undefined ? 8 : 16));
  } else if (simple !== undefined) {
    out.push(simpleEscapes[simple]!);
  } else if (point !== undefined) {
    const rune = Number.parseInt(point, 16);
    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return false;
    out.push(...encoder.encode(String.fromCodePoint(rune)));
  } else out.push(...encoder.encode(plain ?? ""));
  return true;
}

// ---------------------------------------------------------------- numbers

const digitsOf: Readonly<Record<number, RegExp>> = {
  2: /^[01]+$/,
  8: /^[0-7]+$/,
  10: /^[0-9]+$/,
  16: /^[0-9a-fA-F]+$/,
};
const prefixOf: Readonly<Record<number, string>> = { 2: "0b", 8: "0o", 10: "", 16: "0x" };

/** Base 0 as in Go: the prefix decides, and underscores may separate digits. */
function magnitude(text: string, base: number): bigint | undefined {
  let digits = text;
  let radix = base;
  if (base === 0) {
    const lower = text.toLowerCase();
    if (lower.startsWith("0x")) radix = 16;
    else if (lower.startsWith("0b")) radix = 2;
    else if (lower.startsWith("0o") || /^0./.test(lower)) radix = 8;
    else radix = 10;
    digits = radix === 10 ? text : text.slice(/^0[xbo]/i.test(text) ? 2 : 1);
    if (digits.includes("_")) {
      const allowed = radix === 10 ? /^[0-9]+(_[0-9]+)*$/ : /^_?[0-9a-fA-F]+(_[0-9a-fA-F]+)*$/;
      if (!allowed.test(digits)) return undefined;
      digits = digits.replaceAll("_", "");
    }
  }
  if (!digitsOf[radix]!.test(digits)) return undefined;
  // BigInt() takes a leading zero in base 10 but a prefix must match for the others.
  return BigInt(prefixOf[radix]! + digits);
}

function numberError(func: string, text: string, why: string): ParseError {
  return new ParseError(`strconv.${func}: parsing ${quote(text)}: ${why}`);
}

/** @throws ParseError `strconv.ParseInt: parsing "x": invalid syntax` */
export function parseInt64(text: string, base = 10): bigint {
  const sign = text[0] === "-" || text[0] === "+" ? text[0] : "";
  const value = magnitude(text.slice(sign.length), base);
  if (value === undefined) throw numberError("ParseInt", text, "invalid syntax");
  const signed = sign === "-" ? -value : value;
  if (BigInt.asIntN(64, signed) !== signed) {
    throw numberError("ParseInt", text, "value out of range");
  }
  return signed;
}

/** @throws ParseError `strconv.ParseUint: parsing "x": invalid syntax` */
export function parseUint64(text: string, base = 10): bigint {
  const value = magnitude(text, base);
  if (value === undefined) throw numberError("ParseUint", text, "invalid syntax");
  if (BigInt.asUintN(64, value) !== value) {
    throw numberError("ParseUint", text, "value out of range");
  }
  return value;
}

/** @throws ParseError */
export function parseBool(text: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw numberError("ParseBool", text, "invalid syntax");
}

// ---------------------------------------------------------------- durations

const unitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's largest duration; more is "invalid duration". */
const DURATION_NS_MAX = 2 ** 63;

/** Nanoseconds. @throws ParseError `time: invalid duration "abc"` */
export function parseDuration(text: string): number {
  const negative = text[0] === "-";
  let rest = negative || text[0] === "+" ? text.slice(1) : text;
  if (rest === "0") return 0;
  if (rest === "") throw new ParseError(`time: invalid duration ${quote(text)}`);
  let total = 0;
  while (rest !== "") {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) throw new ParseError(`time: invalid duration ${quote(text)}`);
    rest = rest.slice(number.length);
    const unit = /^[^\d.]+/.exec(rest)?.[0];
    if (unit === undefined) {
      throw new ParseError(`time: missing unit in duration ${quote(text)}`);
    }
    const scale = unitNs[unit];
    if (scale === undefined) {
      throw new ParseError(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    }
    rest = rest.slice(unit.length);
    total += Number(number) * scale;
    if (total >= DURATION_NS_MAX) throw new ParseError(`time: invalid duration ${quote(text)}`);
  }
  total = Math.trunc(total);
  return negative ? -total : total;
}
