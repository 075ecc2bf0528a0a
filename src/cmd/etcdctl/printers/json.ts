// Messages as Go's encoding/json writes the structs that protoc generates: names as in the .proto
// file, zero values left out, numbers (64-bit ones, too) and enums as numbers, bytes as base64.
// This is not the JSON of the gateway.

import type { FieldDescriptor, MessageDescriptor } from "../../../wire/protobuf/descriptor.ts";

/** With the characters escaped that Go escapes: `<`, `>`, `&` and the two line separators. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** Fields that are printed as hexadecimal strings with `--hex`. */
export type HexFields = ReadonlySet<string>;

const noHexFields: HexFields = new Set();

function valueJson(field: FieldDescriptor, value: unknown, hexFields: HexFields): string {
  if (value instanceof Uint8Array) return `"${base64(value)}"`;
  if (typeof value === "string") return jsonString(value);
  if (field.message !== undefined) return messageJson(field.message(), value, hexFields);
  if (typeof value === "bigint" && hexFields.has(field.name)) return `"${value.toString(16)}"`;
  return String(value);
}

function isZero(value: unknown): boolean {
  if (value === undefined || value === 0 || value === 0n || value === false || value === "") {
    return true;
  }
  return (value instanceof Uint8Array || Array.isArray(value)) && value.length === 0;
}

export function messageJson(
  descriptor: MessageDescriptor,
  message: unknown,
  hexFields: HexFields = noHexFields,
): string {
  const values = message as Readonly<Record<string, unknown>>;
  const members: string[] = [];
  for (const field of descriptor.declared) {
    const value = values[field.property];
    if (isZero(value)) continue;
    const text = Array.isArray(value)
      ? `[${value.map((one) => valueJson(field, one, hexFields)).join(",")}]`
      : valueJson(field, value, hexFields);
    const member = `${jsonString(field.name)}:${text}`;
    if (field.oneof === undefined) members.push(member);
    // A oneof is a Go interface: a field of its own that holds the member.
    else members.push(`"${field.oneof[0]!.toUpperCase()}${field.oneof.slice(1)}":{${member}}`);
  }
  return `{${members.join(",")}}`;
}
