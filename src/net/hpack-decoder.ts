// Decodes header blocks (RFC 7541). The decoder is a state of the connection: every block has to
// be decoded, also of a request that will be refused, or the two tables part ways.
//
//   1xxxxxxx  indexed field                01xxxxxx  literal, added to the table
//   001xxxxx  table size update            000xxxxx  literal, not added (0001: never to be)

import { ConnectionError, ErrorCode } from "./frames.ts";
import { HeaderField } from "./header-field.ts";
import { HpackTable, TABLE_BYTES_MAX } from "./hpack-table.ts";
import { huffmanDecode } from "./huffman.ts";

/** Takes the fields of a block in order. */
export interface FieldSink {
  onField(field: HeaderField): void;
}

/** An integer is a string length or an index; more bytes than this are an attack. */
const INTEGER_BYTES_MAX = 4;
/** Shorter strings are put together by hand, which is quicker than the call into Node. */
const SHORT_STRING_BYTES = 24;

let scratch = Buffer.allocUnsafeSlow(4096);

export class HpackDecoder {
  readonly #table = new HpackTable();
  /** Decoded size (RFC 9113, 6.5.2) above which fields are no longer handed over. */
  readonly #listBytesMax: number;
  #bytes: Uint8Array = scratch;
  #at = 0;
  #end = 0;

  constructor(listBytesMax: number) {
    this.#listBytesMax = listBytesMax;
  }

  /**
   * Returns false when the list was larger than allowed: `sink` has not seen all of it, the
   * table is right nevertheless.
   * @throws ConnectionError when the block is malformed
   */
  decode(bytes: Uint8Array, start: number, end: number, sink: FieldSink): boolean {
    const table = this.#table;
    let listBytes = 0;
    let isFirst = true;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    while (this.#at < end) {
      const first = bytes[this.#at]!;
      let field: HeaderField | undefined;
      if (first >= 0x80) {
        const index = first === 0xff ? this.#integer(0x7f) : first & 0x7f;
        if (first !== 0xff) this.#at++;
        field = table.get(index);
        if (field === undefined) throw broken("index out of range");
      } else if (first >= 0x40) {
        field = this.#literal(0x3f);
        table.add(field);
      } else if (first >= 0x20) {
        if (!isFirst) throw broken("table size update inside a header block");
        const limitBytes = this.#integer(0x1f);
        if (limitBytes > TABLE_BYTES_MAX) throw broken("table size above the limit");
        table.setLimit(limitBytes);
        continue;
      } else {
        field = this.#literal(0x0f);
      }
      isFirst = false;
      listBytes += field.sizeBytes;
      if (listBytes <= this.#listBytesMax) sink.onField(field);
    }
    return listBytes <= this.#listBytesMax;
  }

  #literal(indexMask: number): HeaderField {
    const index = this.#integer(indexMask);
    let name: string;
    if (index === 0) {
      name = this.#string();
    } else {
      const named = this.#table.get(index);
      if (named === undefined) throw broken("index out of range");
      name = named.name;
    }
    return new HeaderField(name, this.#string());
  }

  /** Reads an integer whose first bits are in the byte at hand (RFC 7541, 5.1). */
  #integer(mask: number): number {
    if (this.#at >= this.#end) throw broken("header block ends inside a field");
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let count = 0; count < INTEGER_BYTES_MAX; count++) {
      if (this.#at >= this.#end) throw broken("header block ends inside an integer");
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return value;
    }
    throw broken("integer too large");
  }

  #string(): string {
    if (this.#at >= this.#end) throw broken("header block ends inside a field");
    const isHuffman = this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw broken("header block ends inside a string");
    this.#at = end;
    if (!isHuffman) return latin1(this.#bytes, start, end);
    // The shortest code has five bits.
    if (scratch.length < length * 2) scratch = Buffer.allocUnsafeSlow(length * 2);
    const decoded = huffmanDecode(this.#bytes, start, end, scratch);
    if (decoded < 0) throw broken("invalid Huffman code");
    return latin1(scratch, 0, decoded);
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT_STRING_BYTES) {
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
  }
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

function broken(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.CompressionError, message);
}
