// The header list of one request, as the checks of RFC 9113 (8.2, 8.3) need it. One object per
// connection, refilled for every request: what is to be kept is copied by whoever keeps it.

import { type HeaderField, HeaderKind, PSEUDO_KINDS } from "./header-field.ts";
import type { FieldSink } from "./hpack-decoder.ts";

/** All bits at and above this one are regular fields: no pseudo field may follow them. */
const FIRST_REGULAR_BIT = 1 << PSEUDO_KINDS;
const REQUIRED_BITS = (1 << HeaderKind.Method) | (1 << HeaderKind.Scheme) | (1 << HeaderKind.Path);
const CONNECT_BITS = (1 << HeaderKind.Method) | (1 << HeaderKind.Authority);
const PSEUDO_BITS = FIRST_REGULAR_BIT - 1;

export class RequestHead implements FieldSink {
  /** Regular fields; those at and above `fieldCount` are of an earlier request. */
  readonly fields: HeaderField[] = [];
  fieldCount = 0;
  /** How many of `fields` are of kind Metadata. */
  metadataCount = 0;
  method: HeaderField | null = null;
  path: HeaderField | null = null;
  authority: HeaderField | null = null;
  contentType: HeaderField | null = null;
  contentLength: HeaderField | null = null;
  grpcTimeout: HeaderField | null = null;
  grpcEncoding: HeaderField | null = null;
  userAgent: HeaderField | null = null;
  /** Set by the connection: the list was larger than allowed and is incomplete. */
  isTooLarge = false;
  /** Set by the connection: END_STREAM came with it. */
  isEnd = false;
  #seen = 0;
  #isMalformed = false;

  reset(): void {
    this.fieldCount = 0;
    this.metadataCount = 0;
    this.method = null;
    this.path = null;
    this.authority = null;
    this.contentType = null;
    this.contentLength = null;
    this.grpcTimeout = null;
    this.grpcEncoding = null;
    this.userAgent = null;
    this.isTooLarge = false;
    this.isEnd = false;
    this.#seen = 0;
    this.#isMalformed = false;
  }

  onField(field: HeaderField): void {
    const kind = field.kind;
    const bit = 1 << kind;
    if (kind < PSEUDO_KINDS) {
      // Twice the same, or after a regular field.
      if ((this.#seen & bit) !== 0 || this.#seen >= FIRST_REGULAR_BIT) this.#isMalformed = true;
      this.#seen |= bit;
      if (kind === HeaderKind.Path) this.path = field;
      else if (kind === HeaderKind.Method) this.method = field;
      else if (kind === HeaderKind.Authority) this.authority = field;
      return;
    }
    this.#seen |= bit;
    this.fields[this.fieldCount++] = field;
    switch (kind) {
      case HeaderKind.Metadata:
        this.metadataCount++;
        break;
      case HeaderKind.ContentType:
        this.contentType = field;
        break;
      case HeaderKind.ContentLength:
        this.contentLength = field;
        break;
      case HeaderKind.GrpcTimeout:
        this.grpcTimeout = field;
        break;
      case HeaderKind.GrpcEncoding:
        this.grpcEncoding = field;
        break;
      case HeaderKind.UserAgent:
        this.userAgent = field;
        break;
      case HeaderKind.Transport:
        break;
      default:
        this.#isMalformed = true;
    }
  }

  isWellFormedRequest(): boolean {
    if (this.#isMalformed) return false;
    const pseudo = this.#seen & PSEUDO_BITS;
    if (this.method?.value === "CONNECT") return pseudo === CONNECT_BITS;
    return (pseudo & REQUIRED_BITS) === REQUIRED_BITS && this.path?.value !== "";
  }

  areWellFormedTrailers(): boolean {
    return !this.#isMalformed && (this.#seen & PSEUDO_BITS) === 0;
  }
}
