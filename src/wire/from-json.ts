// JSON to a message, by the rules of the gateway (Go's protojson): names as in the .proto file or
// in lowerCamelCase, 64-bit integers as strings or numbers, enums by name or number, base64 of any
// kind, unknown fields ignored. The result is the encoded message.
//
// Texts of errors are those of Go's library, with line and column, because clients see them. The
// blank behind "proto:" is a no-break space or a plain one there, as the build falls.

import { decodeBase64 } from "./base64.ts";
import { JsonError, type JsonSpan, nextJsonValue, scanString } from "./json-scan.ts";
import {
  type FieldDescriptor,
  isLengthDelimited,
  type MessageDescriptor,
} from "./protobuf/descriptor.ts";
import {
  concatBytes,
  sizeBig,
  sizeUint32,
  utf8Length,
  writeBig,
  writeString,
  writeUint32,
} from "./protobuf/writer.ts";

/**
 * The encoded message. `span` is the value in `text`, found by `nextJsonValue`; by default the
 * first one. Throws JsonError.
 */
export function fromJson(
  descriptor: MessageDescriptor,
  text: string,
  span: JsonSpan | undefined = nextJsonValue(text, 0),
): Uint8Array {
  if (span === undefined) throw new JsonError("unexpected EOF");
  return new JsonReader(text, span).message(descriptor, 0);
}

/** Deeper messages are refused; protojson's own limit is beyond what the stack holds. */
const DEPTH_MAX = 1000;

const NO_BREAK_SPACE = "\u00a0";
/** Length of an escape like "\\ud83d". */
const ESCAPE_LENGTH = 6;
const EMPTY: Uint8Array = new Uint8Array(0);

/** Reads a value whose syntax is known to be right. */
class JsonReader {
  readonly #text: string;
  readonly #start: number;
  #at: number;

  constructor(text: string, span: JsonSpan) {
    this.#text = text;
    this.#start = span.start;
    this.#at = span.start;
  }

  message(descriptor: MessageDescriptor, depth: number): Uint8Array {
    if (depth > DEPTH_MAX)
      throw new JsonError(`proto:${NO_BREAK_SPACE}exceeded max recursion depth`);
    if (this.#peek() !== "{") throw this.#unexpectedToken();
    this.#at++;
    const pieces = new Map<FieldDescriptor, Uint8Array>();
    const seen = new Set<FieldDescriptor>();
    const seenOneofs = new Set<string>();
    while (this.#peek() !== "}") {
      if (this.#text[this.#at] === ",") this.#at++;
      this.#peek();
      const nameAt = this.#at;
      const name = this.#string();
      this.#peek();
      this.#at++;
      const field = fieldsOf(descriptor).get(name);
      if (field === undefined) {
        this.#skipValue();
        continue;
      }
      const raw = (): string => this.#text.slice(nameAt, scanString(this.#text, nameAt));
      if (seen.has(field)) throw this.#error(nameAt, `duplicate field ${raw()}`);
      seen.add(field);
      if (this.#peek() === "n") {
        this.#skipValue();
        continue;
      }
      if (field.oneof !== undefined) {
        if (seenOneofs.has(field.oneof)) {
          const oneof = `${descriptor.name}.${field.oneof}`;
          throw this.#error(nameAt, `error parsing ${raw()}, oneof ${oneof} is already set`);
        }
        seenOneofs.add(field.oneof);
      }
      pieces.set(field, this.#field(descriptor, field, depth));
    }
    this.#at++;
    return concatBytes(descriptor.fields.map((field) => pieces.get(field) ?? EMPTY));
  }

  /** The field as it is encoded, with its tag; empty if it is zero and need not be written. */
  #field(descriptor: MessageDescriptor, field: FieldDescriptor, depth: number): Uint8Array {
    if (field.repeated) return this.#list(descriptor, field, depth);
    const value = this.#single(field, depth);
    if (value === undefined) return EMPTY;
    const hasPresence =
      descriptor.syntax === "proto2" || field.oneof !== undefined || field.type === "message";
    if (!hasPresence && value.isZero) return EMPTY;
    return concatBytes([tagOf(field, isLengthDelimited(field) ? 2 : 0), value.bytes]);
  }

  #list(descriptor: MessageDescriptor, field: FieldDescriptor, depth: number): Uint8Array {
    if (this.#peek() !== "[") throw this.#unexpectedToken();
    this.#at++;
    const isDelimited = isLengthDelimited(field);
    const isPacked = !isDelimited && descriptor.syntax === "proto3";
    const pieces: Uint8Array[] = [];
    while (this.#peek() !== "]") {
      if (this.#text[this.#at] === ",") this.#at++;
      const value = this.#single(field, depth);
      if (value === undefined) continue;
      if (!isPacked) pieces.push(tagOf(field, isDelimited ? 2 : 0));
      pieces.push(value.bytes);
    }
    this.#at++;
    if (!isPacked || pieces.length === 0) return concatBytes(pieces);
    return concatBytes([tagOf(field, 2), delimited(concatBytes(pieces))]);
  }

  /** Undefined for the name of an enum value that does not exist: it counts as unknown. */
  #single(field: FieldDescriptor, depth: number): EncodedValue | undefined {
    if (field.type === "message") {
      return { bytes: delimited(this.message(field.message!(), depth + 1)), isZero: false };
    }
    this.#peek();
    const from = this.#at;
    const isString = this.#text[from] === '"';
    const text = isString ? this.#string() : undefined;
    if (!isString) this.#skipValue();
    const raw = this.#text.slice(from, this.#at);
    const value = encodeScalar(field, text, raw);
    if (value !== "invalid") return value;
    const shown = raw.startsWith("{") || raw.startsWith("[") ? raw.charAt(0) : raw;
    const what = `invalid value for ${field.type} field ${field.jsonName}: ${shown}`;
    throw this.#error(from, what);
  }

  /** Skips white space; the next character. */
  #peek(): string {
    for (;;) {
      const char = this.#text[this.#at]!;
      if (char !== " " && char !== "\n" && char !== "\t" && char !== "\r") return char;
      this.#at++;
    }
  }

  #string(): string {
    const end = scanString(this.#text, this.#at);
    const raw = this.#text.slice(this.#at, end);
    const value = raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (LONE_SURROGATE.test(value)) throw this.#badEscape();
    this.#at = end;
    return value;
  }

  /** A surrogate without its partner: shown is what stands where the partner should. */
  #badEscape(): JsonError {
    const escapes = /\\(?:u([0-9a-fA-F]{4})|.)/g;
    escapes.lastIndex = this.#at;
    for (let found = escapes.exec(this.#text); found !== null; found = escapes.exec(this.#text)) {
      const unit = Number.parseInt(found[1] ?? "0", 16);
      if (unit < 0xd800 || unit > 0xdfff) continue;
      const shown = this.#text.slice(escapes.lastIndex, escapes.lastIndex + ESCAPE_LENGTH);
      if (unit < 0xdc00 && /^\\u[dD][c-fC-F]/.test(shown)) {
        escapes.lastIndex += ESCAPE_LENGTH;
        continue;
      }
      if (shown.length < ESCAPE_LENGTH) break;
      const what = `invalid escape code ${JSON.stringify(shown)} in string`;
      return this.#error(this.#at, what, "syntax error ");
    }
    return new JsonError(`proto:${NO_BREAK_SPACE}unexpected EOF`);
  }

  #skipValue(): void {
    this.#at = nextJsonValue(this.#text, this.#at)!.end;
  }

  #unexpectedToken(): JsonError {
    const from = this.#at;
    const char = this.#text[from]!;
    if (char !== "{" && char !== "[") this.#skipValue();
    const raw = this.#text.slice(from, Math.max(this.#at, from + 1));
    return this.#error(from, `unexpected token ${raw}`, "syntax error ");
  }

  #error(at: number, text: string, kind = ""): JsonError {
    const before = this.#text.slice(this.#start, at);
    const line = before.split("\n").length;
    const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
    return new JsonError(`proto:${NO_BREAK_SPACE}${kind}(line ${line}:${column}): ${text}`);
  }
}

interface EncodedValue {
  readonly bytes: Uint8Array;
  readonly isZero: boolean;
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** `text` is set for a JSON string, `raw` is the value as it stands in the JSON. */
function encodeScalar(
  field: FieldDescriptor,
  text: string | undefined,
  raw: string,
): EncodedValue | undefined | "invalid" {
  switch (field.type) {
    case "bool":
      if (raw !== "true" && raw !== "false") return "invalid";
      return { bytes: Uint8Array.of(raw === "true" ? 1 : 0), isZero: raw === "false" };
    case "string":
      if (text === undefined) return "invalid";
      return { bytes: encodedString(text), isZero: text === "" };
    case "bytes": {
      const bytes = text === undefined ? undefined : decodeBase64(text);
      if (bytes === undefined) return "invalid";
      return { bytes: delimited(bytes), isZero: bytes.length === 0 };
    }
    case "enum": {
      if (text === undefined) return encodeInteger(raw, -(2n ** 31n), 2n ** 31n - 1n);
      const number = field.enum?.numberOf.get(text);
      return number === undefined ? undefined : encodedBig(BigInt(number));
    }
    case "int32":
      return encodeInteger(text ?? raw, -(2n ** 31n), 2n ** 31n - 1n);
    case "uint32":
      return encodeInteger(text ?? raw, 0n, 2n ** 32n - 1n);
    case "int64":
      return encodeInteger(text ?? raw, -(2n ** 63n), 2n ** 63n - 1n);
    default:
      return encodeInteger(text ?? raw, 0n, 2n ** 64n - 1n);
  }
}

function encodeInteger(raw: string, min: bigint, max: bigint): EncodedValue | "invalid" {
  const value = parseInteger(raw);
  if (value === undefined || value < min || value > max) return "invalid";
  return encodedBig(value);
}

/** Longest integer that protojson builds from digits and exponent; 2^64 has twenty digits. */
const INTEGER_DIGITS_MAX = 20;

/** What follows ends a number; only in quotes is there anything. */
const NUMBER = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?(?![-+._a-zA-Z0-9])/;

/**
 * A JSON number that is an integer, also as 1.0 or 1e3. Of one in quotes protojson reads the first
 * token, and of what is behind it only that it does not end with white space.
 */
function parseInteger(raw: string): bigint | undefined {
  const match = NUMBER.exec(raw);
  if (match === null || raw.trimEnd() !== raw) return undefined;
  const whole = match[2] === "0" ? "" : match[2]!;
  const fraction = (match[3] ?? "").replace(/0+$/, "");
  if (whole === "" && fraction === "") return 0n;
  const exponent = Number(match[4] ?? "0");
  let digits: string;
  if (exponent >= 0) {
    if (fraction.length > exponent || whole.length + exponent > INTEGER_DIGITS_MAX)
      return undefined;
    digits = whole + fraction.padEnd(exponent, "0");
  } else {
    const kept = whole.length + exponent;
    if (fraction !== "" || kept < 0 || /[1-9]/.test(whole.slice(kept))) return undefined;
    digits = whole.slice(0, kept);
  }
  return match[1] === "-" ? -BigInt(digits) : BigInt(digits);
}

const nameTables = new WeakMap<MessageDescriptor, ReadonlyMap<string, FieldDescriptor>>();

/** Fields by both of their names. */
function fieldsOf(descriptor: MessageDescriptor): ReadonlyMap<string, FieldDescriptor> {
  const known = nameTables.get(descriptor);
  if (known !== undefined) return known;
  const table = new Map<string, FieldDescriptor>();
  for (const field of descriptor.fields) table.set(field.name, field);
  for (const field of descriptor.fields) table.set(field.jsonName, field);
  nameTables.set(descriptor, table);
  return table;
}

function tagOf(field: FieldDescriptor, wireType: number): Uint8Array {
  return encodedUint32((field.number << 3) | wireType);
}

function encodedUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(sizeUint32(value));
  writeUint32(bytes, 0, value);
  return bytes;
}

function encodedBig(value: bigint): EncodedValue {
  const bytes = new Uint8Array(sizeBig(value));
  writeBig(bytes, 0, value);
  return { bytes, isZero: value === 0n };
}

function encodedString(text: string): Uint8Array {
  const length = utf8Length(text);
  const bytes = new Uint8Array(sizeUint32(length) + length);
  writeString(bytes, 0, text);
  return bytes;
}

function delimited(bytes: Uint8Array): Uint8Array {
  return concatBytes([encodedUint32(bytes.length), bytes]);
}
