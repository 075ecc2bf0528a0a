// Who writes: requests and bytes per caller, in bounded memory. A caller is certificate, address
// and agent; one who opens a connection per request is still one. The connection's `Origin`
// remembers its row, so that a put costs a few additions.
//
// There are so many rows. When a new caller comes and all are taken, the one who wrote least gives
// its row away and the newcomer inherits its count as uncertainty ("space saving", Metwally 2005):
// whoever does more than 1/WRITERS_MAX of all writes is surely listed, however many others come
// and go.

import type { Origin } from "../../wire/rpc.ts";

export const WRITERS_MAX = 256;
/** Agents are clients' words: a long one is cut. */
const TEXT_MAX = 128;

export const WriteKind = { Put: 0, Txn: 1, Delete: 2, Lease: 3 } as const;
export type WriteKind = (typeof WriteKind)[keyof typeof WriteKind];

export class WriterRow {
  readonly key: string;
  readonly certificateName: string;
  /** Without the port. */
  readonly address: string;
  readonly agent: string;
  /** By WriteKind. */
  readonly counts: number[] = [0, 0, 0, 0];
  bytes = 0;
  refused = 0;
  /** Writes of others that the row had before. */
  readonly uncertain: number;
  lastMs = 0;
  /** The row was given away: whoever remembers it asks again. */
  isGone = false;

  constructor(key: string, origin: Origin, uncertain: number) {
    this.key = key;
    this.certificateName = origin.certificateName.slice(0, TEXT_MAX);
    this.address = hostOf(origin.remoteAddress);
    this.agent = origin.agent.slice(0, TEXT_MAX);
    this.uncertain = uncertain;
  }

  get writes(): number {
    const [puts = 0, txns = 0, deletes = 0, leases = 0] = this.counts;
    return puts + txns + deletes + leases;
  }

  /** What decides who stays. */
  get weight(): number {
    return this.writes + this.uncertain;
  }
}

export class Writers {
  /** Of all callers, those without a row too. */
  writes = 0;
  bytes = 0;
  readonly #rows = new Map<string, WriterRow>();
  readonly #rowsMax: number;

  constructor(rowsMax: number = WRITERS_MAX) {
    this.#rowsMax = rowsMax;
  }

  note(origin: Origin, kind: WriteKind, bytes: number, nowMs: number): void {
    let row = origin.memo as WriterRow | null;
    if (row === null || row.isGone) {
      row = this.#rowOf(origin);
      origin.memo = row;
    }
    row.counts[kind]!++;
    row.bytes += bytes;
    row.lastMs = nowMs;
    this.writes++;
    this.bytes += bytes;
  }

  /** What was noted last of this caller had no room. */
  refused(origin: Origin): void {
    const row = origin.memo as WriterRow | null;
    if (row !== null) row.refused++;
  }

  /** The busiest first. */
  top(limit: number): WriterRow[] {
    const rows = [...this.#rows.values()];
    rows.sort((a, b) => b.writes - a.writes || (a.key < b.key ? -1 : 1));
    return rows.slice(0, limit);
  }

  #rowOf(origin: Origin): WriterRow {
    const { certificateName, agent } = origin;
    const key = `${certificateName}\n${hostOf(origin.remoteAddress)}\n${agent}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    let uncertain = 0;
    if (this.#rows.size >= this.#rowsMax) {
      const least = this.#least();
      uncertain = least.weight;
      least.isGone = true;
      this.#rows.delete(least.key);
    }
    const row = new WriterRow(key, origin, uncertain);
    this.#rows.set(key, row);
    return row;
  }

  #least(): WriterRow {
    let least: WriterRow | undefined;
    for (const row of this.#rows.values()) {
      if (least === undefined || row.weight < least.weight) least = row;
    }
    return least!;
  }
}

function hostOf(remoteAddress: string): string {
  const colon = remoteAddress.lastIndexOf(":");
  return colon < 0 ? remoteAddress : remoteAddress.slice(0, colon);
}
