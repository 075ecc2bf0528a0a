// A message as JSON, by the rules of the gateway (Go's protojson): names as in the .proto file,
// bytes in base64, 64-bit integers as strings, enums by name, zero fields left out. It works on the
// encoded message and its descriptor, so no 64-bit value passes through a Number.
//
// Go's library puts a blank behind the commas or not, as the build falls; with a blank is what the
// builds do that we compare with.

import { encodeBase64 } from "./base64.ts";
import {
  type FieldDescriptor,
  isLengthDelimited,
  type MessageDescriptor,
} from "./protobuf/descriptor.ts";
import { Reader } from "./protobuf/reader.ts";
import { concatBytes } from "./protobuf/writer.ts";

/** "spaced" for a message by itself, "compact" for one inside a chunk of a stream. */
export type JsonStyle = "spaced" | "compact";

/** Throws ProtoError on malformed bytes. */
export function toJson(
  descriptor: MessageDescriptor,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  style: JsonStyle = "spaced",
): string {
  return messageToJson(descriptor, new Reader(bytes, start, end), style);
}

type Range = readonly [start: number, end: number];

function messageToJson(descriptor: MessageDescriptor, r: Reader, style: JsonStyle): string {
  const values = new Map<FieldDescriptor, string[]>();
  const embedded = new Map<FieldDescriptor, Range[]>();
  while (r.at < r.end) {
    const tag = r.tag();
    const field = descriptor.fields.find(({ number }) => number === tag >>> 3);
    if (field === undefined || !isWireTypeOf(field, tag & 7)) {
      r.skip(tag);
      continue;
    }
    dropOtherMembers(descriptor, field, values, embedded);
    if (field.type === "message" && !field.repeated) {
      const length = r.length();
      embedded.set(field, [...(embedded.get(field) ?? []), [r.at, r.at + length]]);
      r.at += length;
    } else {
      const list = field.repeated ? (values.get(field) ?? []) : [];
      values.set(field, list);
      readValues(field, tag & 7, r, style, list);
    }
  }
  for (const [field, ranges] of embedded) {
    values.set(field, [messageToJson(field.message!(), joined(r, ranges), style)]);
  }
  return printMessage(descriptor, values, style);
}

function isWireTypeOf(field: FieldDescriptor, wireType: number): boolean {
  const isDelimited = isLengthDelimited(field);
  if (wireType === 0) return !isDelimited;
  return wireType === 2 && (isDelimited || field.repeated);
}

/** Of a oneof the last member that was sent counts. */
function dropOtherMembers(
  descriptor: MessageDescriptor,
  field: FieldDescriptor,
  values: Map<FieldDescriptor, string[]>,
  embedded: Map<FieldDescriptor, Range[]>,
): void {
  if (field.oneof === undefined) return;
  for (const other of descriptor.fields) {
    if (other === field || other.oneof !== field.oneof) continue;
    values.delete(other);
    embedded.delete(other);
  }
}

/** A message field that was sent in parts means their concatenation. */
function joined(r: Reader, ranges: readonly Range[]): Reader {
  const [first] = ranges;
  const reader = new Reader(r.bytes, first![0], first![1]);
  if (ranges.length > 1) {
    const whole = concatBytes(ranges.map(([start, end]) => r.bytes.subarray(start, end)));
    reader.reset(whole, 0, whole.length);
  }
  reader.depth = r.depth;
  reader.enterDepth();
  return reader;
}

function readValues(
  field: FieldDescriptor,
  wireType: number,
  r: Reader,
  style: JsonStyle,
  into: string[],
): void {
  if (field.type === "message") {
    const outer = r.enter();
    into.push(messageToJson(field.message!(), r, style));
    r.leave(outer);
  } else if (wireType === 2 && !isLengthDelimited(field)) {
    const outer = r.enter();
    while (r.at < r.end) into.push(readScalar(field, r, style));
    r.leave(outer);
  } else {
    into.push(readScalar(field, r, style));
  }
}

function readScalar(field: FieldDescriptor, r: Reader, style: JsonStyle): string {
  switch (field.type) {
    case "int64":
      return `"${r.bigInt64()}"`;
    case "uint64":
      return `"${r.bigUint64()}"`;
    case "int32":
      return String(r.int32());
    case "uint32":
      return String(r.uint32());
    case "bool":
      return String(r.bool());
    case "string":
      return quoteJson(r.string(), style);
    case "bytes":
      return `"${encodeBase64(r.view())}"`;
    default: {
      const number = r.int32();
      const name = field.enum?.nameOf.get(number);
      return name === undefined ? String(number) : `"${name}"`;
    }
  }
}

/** A string as JSON. */
export function quoteJson(text: string, style: JsonStyle): string {
  const quoted = JSON.stringify(text);
  if (style === "spaced") return quoted;
  // A chunk passes through encoding/json once more, which makes it safe to embed in HTML.
  return quoted.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function printMessage(
  descriptor: MessageDescriptor,
  values: ReadonlyMap<FieldDescriptor, readonly string[]>,
  style: JsonStyle,
): string {
  const separator = style === "spaced" ? ", " : ",";
  const hasPresence = descriptor.syntax === "proto2";
  const parts: string[] = [];
  for (const field of descriptor.declared) {
    const list = values.get(field);
    if (list === undefined || list.length === 0) continue;
    if (field.repeated) {
      parts.push(`"${field.name}":[${list.join(separator)}]`);
      continue;
    }
    const value = list[0]!;
    const isShown = hasPresence || field.oneof !== undefined || !isZeroText(field, value);
    if (isShown) parts.push(`"${field.name}":${value}`);
  }
  return `{${parts.join(separator)}}`;
}

function isZeroText(field: FieldDescriptor, value: string): boolean {
  switch (field.type) {
    case "message":
      return false;
    case "bool":
      return value === "false";
    case "string":
    case "bytes":
      return value === '""';
    case "enum":
      return value === `"${field.enum?.nameOf.get(0)}"`;
    default:
      return value === "0" || value === '"0"';
  }
}
