// The two tables of HPACK (RFC 7541, 2.3): 61 static entries, then the dynamic ones, newest
// first. The dynamic table is a ring, so that neither adding nor evicting moves anything.

import { HeaderField } from "./header-field.ts";

/** SETTINGS_HEADER_TABLE_SIZE in both directions: the protocol's default, enough for gRPC. */
export const TABLE_BYTES_MAX = 4096;
/** Entries count 32 bytes and more, so this ring can never be too small; a power of two. */
const RING_SIZE = 128;
export const STATIC_ENTRIES = 61;

const staticFields = makeStaticTable();

export class HpackTable {
  readonly #ring: (HeaderField | undefined)[] = new Array(RING_SIZE).fill(undefined);
  /** Ring position of the newest entry. */
  #newest = 0;
  #count = 0;
  #sizeBytes = 0;
  #limitBytes = TABLE_BYTES_MAX;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** The field at HPACK index `index` (from 1), or undefined. */
  get(index: number): HeaderField | undefined {
    if (index <= STATIC_ENTRIES) return staticFields[index];
    const age = index - STATIC_ENTRIES - 1;
    if (age >= this.#count) return undefined;
    return this.#ring[(this.#newest - age) & (RING_SIZE - 1)];
  }

  add(field: HeaderField): void {
    this.#evictTo(this.#limitBytes - field.sizeBytes);
    // An entry larger than the table empties it and is not kept (RFC 7541, 4.4).
    if (field.sizeBytes > this.#limitBytes) return;
    this.#newest = (this.#newest + 1) & (RING_SIZE - 1);
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#sizeBytes += field.sizeBytes;
  }

  setLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
    this.#evictTo(limitBytes);
  }

  #evictTo(sizeBytes: number): void {
    while (this.#count > 0 && this.#sizeBytes > sizeBytes) {
      const oldest = (this.#newest - this.#count + 1) & (RING_SIZE - 1);
      this.#sizeBytes -= this.#ring[oldest]!.sizeBytes;
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }
}

/** RFC 7541, appendix A; index 0 is no entry. */
function makeStaticTable(): (HeaderField | undefined)[] {
  const rows = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split("\n");
  const fields = rows.map((row) => {
    const space = row.indexOf(" ");
    return space < 0
      ? new HeaderField(row, "")
      : new HeaderField(row.slice(0, space), row.slice(space + 1));
  });
  return [undefined, ...fields];
}
