// One header field, with what can be known of it once and for all worked out when it is made. A
// field of the dynamic table is made once per connection and then met in every request, so a
// fully indexed header block is decoded without looking at a single character.

/** Numbers below `PSEUDO_KINDS` are the request's pseudo header fields. */
export const HeaderKind = {
  Method: 0,
  Scheme: 1,
  Path: 2,
  Authority: 3,
  ContentType: 4,
  ContentLength: 5,
  GrpcTimeout: 6,
  GrpcEncoding: 7,
  /** Of the transport: nothing that a handler would ask for. */
  Transport: 8,
  /** Everything that applications send. */
  Metadata: 9,
  Status: 10,
  /** A field that no request may have: upper case, "connection", unknown pseudo fields … */
  Malformed: 11,
  UserAgent: 12,
} as const;
export type HeaderKind = (typeof HeaderKind)[keyof typeof HeaderKind];
export const PSEUDO_KINDS = 4;

/** The size that HPACK adds to each entry of a table (RFC 7541, 4.1). */
const ENTRY_OVERHEAD_BYTES = 32;
export const MEMO_UNSET = -2;

export class HeaderField {
  readonly name: string;
  /** One character per byte (latin1): what is not ASCII was not decoded. */
  readonly value: string;
  readonly sizeBytes: number;
  readonly kind: HeaderKind;
  /** For the layer above: what it made of the value (route, milliseconds …). */
  memo: number = MEMO_UNSET;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.kind = kindOf(name, value);
  }
}

const kinds = new Map<string, HeaderKind>([
  [":method", HeaderKind.Method],
  [":scheme", HeaderKind.Scheme],
  [":path", HeaderKind.Path],
  [":authority", HeaderKind.Authority],
  [":status", HeaderKind.Status],
  ["content-type", HeaderKind.ContentType],
  ["content-length", HeaderKind.ContentLength],
  ["grpc-timeout", HeaderKind.GrpcTimeout],
  ["grpc-encoding", HeaderKind.GrpcEncoding],
  ["grpc-accept-encoding", HeaderKind.Transport],
  ["accept-encoding", HeaderKind.Transport],
  ["user-agent", HeaderKind.UserAgent],
  ["te", HeaderKind.Transport],
  ["connection", HeaderKind.Malformed],
  ["keep-alive", HeaderKind.Malformed],
  ["proxy-connection", HeaderKind.Malformed],
  ["transfer-encoding", HeaderKind.Malformed],
  ["upgrade", HeaderKind.Malformed],
]);

/** Token characters without capitals (RFC 9113, 8.2.1); pseudo fields are in the map above. */
const legalName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const illegalValue = /[\0\r\n]|^[ \t]|[ \t]$/;

function kindOf(name: string, value: string): HeaderKind {
  const kind = kinds.get(name);
  if (kind === undefined && !legalName.test(name)) return HeaderKind.Malformed;
  if (illegalValue.test(value)) return HeaderKind.Malformed;
  if (name === "te" && value !== "trailers") return HeaderKind.Malformed;
  return kind ?? HeaderKind.Metadata;
}
