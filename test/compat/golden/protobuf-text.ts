// An encoded message as text, by field numbers: `-w protobuf` is compared without its descriptors.

type Field = readonly [number: number, wireType: number, value: bigint | Buffer];

/** Undefined when the bytes are no message, or not encoded in the one canonical way. */
export function protobufLines(bytes: Buffer): string[] | undefined {
  const fields = decode(bytes);
  return fields === undefined ? undefined : show(fields, 0);
}

function show(fields: readonly Field[], depth: number): string[] {
  const indent = "  ".repeat(depth);
  return fields.flatMap(([number, wireType, value]) => {
    if (!(value instanceof Buffer)) return [`${indent}${number}: ${value}`];
    if (wireType !== 2) return [`${indent}${number}: fixed ${value.toString("hex")}`];
    const text = printable(value);
    // A text may by chance be a message as well; only the header is known to be one.
    const nested =
      value.length > 0 && (text === undefined || (depth === 0 && number === 1))
        ? decode(value)
        : undefined;
    if (nested !== undefined) {
      return [`${indent}${number} {`, ...show(nested, depth + 1), `${indent}}`];
    }
    const shown = text === undefined ? `hex ${value.toString("hex")}` : JSON.stringify(text);
    return [`${indent}${number}: ${shown}`];
  });
}

function printable(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  if (!Buffer.from(text).equals(bytes)) return undefined;
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} \n\t]*$/u.test(text) ? text : undefined;
}

function decode(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 127) << shift;
      // A longer spelling than necessary would not be encoded again the same way.
      if (byte < 128) return byte === 0 && shift > 0n ? undefined : value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === undefined) return undefined;
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (number === 0 || number > 4000) return undefined;
    const length = wireType === 1 ? 8n : wireType === 5 ? 4n : wireType > 2 ? undefined : varint();
    if (length === undefined) return undefined;
    if (wireType === 0) {
      fields.push([number, wireType, length]);
    } else {
      const end = at + Number(length);
      if (end > bytes.length) return undefined;
      fields.push([number, wireType, bytes.subarray(at, end)]);
      at = end;
    }
  }
  return fields;
}
