// Software transactional memory, as Go's `concurrency.NewSTM`: a function reads and writes keys as
// if it were alone. Its writes are kept here and made in one transaction of the cluster, which
// compares that what was read is still so; if not, the function runs again, on the newer values.
//
//   await transact(client, async (stm) => {
//     const balance = Number(text((await stm.get("a")) ?? bytes("0")));
//     stm.put("a", String(balance - 10));
//   });
//
//   run ─► get … put …  ─► txn { compare: what was read ─► success: the writes }
//    ▲                                     │             ─► failure: read it again } ─┐
//    └──────────── with these values at hand ◄─────────────────────────────────────────┘
//
// isolation              reads                                   compared
// serializable snapshot  all at the revision of the first        read keys, written keys
// serializable           all at the revision of the first        read keys
// repeatable reads       each key once, as it is                 read keys
// read committed         each key once, as it is                 nothing

import { Errors } from "../wire/errors.ts";
import type { KeyValue } from "../wire/messages/kv.ts";
import { newResponseHeader, type ResponseHeader } from "../wire/messages/rpc.ts";
import {
  type CompareInit,
  CompareResult,
  CompareTarget,
  type RequestOpInit,
  type TxnResponse,
} from "../wire/messages/rpc-kv.ts";
import { bytes } from "./bytes.ts";
import type { CallOptions } from "./caller.ts";
import { isError } from "./errors.ts";
import { Kv } from "./kv.ts";
import type { HasCaller } from "./session.ts";

export type Isolation =
  | "serializable snapshot"
  | "serializable"
  | "repeatable reads"
  | "read committed";

export interface TransactOptions extends CallOptions {
  /** Default: the strictest, "serializable snapshot". */
  readonly isolation?: Isolation | undefined;
  /** Keys that are read anyway: all of them in one call, before the function runs. */
  readonly prefetch?: readonly (string | Uint8Array)[] | undefined;
}

/** What the function works with: keys and values are bytes, or texts for their UTF-8 bytes. */
export interface Stm {
  /** The value, if there is one: as written here before, else as read. @throws RpcError */
  get(key: string | Uint8Array): Promise<Uint8Array | undefined>;
  /** The values of several keys, with one call. @throws RpcError */
  getMany(keys: readonly (string | Uint8Array)[]): Promise<(Uint8Array | undefined)[]>;
  /** The revision of the last change of the key that is read; 0: there is none. @throws RpcError */
  revision(key: string | Uint8Array): Promise<number>;
  put(key: string | Uint8Array, value: string | Uint8Array, lease?: bigint): void;
  delete(key: string | Uint8Array): void;
}

export interface Transacted<Result> {
  /** Of the transaction that made the writes. */
  readonly header: ResponseHeader;
  /** What the function returned when it ran last. */
  readonly result: Result;
}

/**
 * Runs the function until its writes are made without a conflict; so apart from `stm` it should
 * change nothing. What it throws ends it all, and nothing is written.
 *
 * @throws RpcError and what the function throws. After `Unavailable` and the like the writes may
 * have been made: it is not tried again, since nobody can say whether it was done.
 */
export async function transact<Result>(
  client: HasCaller,
  apply: (stm: Stm) => Promise<Result> | Result,
  options: TransactOptions = {},
): Promise<Transacted<Result>> {
  let known: ReadSet = new Map();
  for (;;) {
    const attempt = new Attempt(new Kv(client.caller), options, known);
    try {
      if (options.prefetch !== undefined) await attempt.getMany(options.prefetch);
      const result = await apply(attempt);
      const answer = await attempt.commit();
      if (answer.succeeded) return { header: answer.header ?? newResponseHeader(), result };
      known = attempt.readAgain(answer);
    } catch (error) {
      // The revision of the first read is gone: begin at a newer one.
      if (!isError(error, Errors.Compacted) || !attempt.isPinned) throw error;
      known = new Map();
    }
  }
}

interface ReadResult {
  readonly key: Uint8Array;
  readonly kv: KeyValue | undefined;
  /** Of the store when it was read. */
  readonly revision: number;
}

interface Write {
  readonly key: Uint8Array;
  /** Undefined: it is deleted. */
  readonly value: Uint8Array | undefined;
  readonly op: RequestOpInit;
}

/** By the bytes of the key, as latin1. */
type ReadSet = Map<string, ReadResult>;

function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? bytes(value) : value;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}

class Attempt implements Stm {
  readonly #kv: Kv;
  readonly #options: TransactOptions;
  readonly #isolation: Isolation;
  /** Read after a conflict, at one revision; not part of this attempt until asked for. */
  readonly #known: ReadSet;
  readonly #reads: ReadSet = new Map();
  readonly #writes = new Map<string, Write>();
  /** The store as it was at the first read; 0: nothing was read. */
  #firstRevision = 0;

  constructor(kv: Kv, options: TransactOptions, known: ReadSet) {
    this.#kv = kv;
    this.#options = options;
    this.#isolation = options.isolation ?? "serializable snapshot";
    this.#known = known;
  }

  /** Whether reads are made in the past. */
  get isPinned(): boolean {
    return this.#isSerializable && this.#firstRevision > 0;
  }

  get #isSerializable(): boolean {
    return this.#isolation === "serializable" || this.#isolation === "serializable snapshot";
  }

  async get(key: string | Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.getMany([key]))[0];
  }

  async getMany(keys: readonly (string | Uint8Array)[]): Promise<(Uint8Array | undefined)[]> {
    const wanted = keys.map(toBytes);
    await this.#fetch(wanted.filter((key) => !this.#writes.has(nameOf(key))));
    return wanted.map((key) => {
      const write = this.#writes.get(nameOf(key));
      return write === undefined ? this.#reads.get(nameOf(key))?.kv?.value : write.value;
    });
  }

  async revision(key: string | Uint8Array): Promise<number> {
    const wanted = toBytes(key);
    await this.#fetch([wanted]);
    return this.#reads.get(nameOf(wanted))?.kv?.modRevision ?? 0;
  }

  put(key: string | Uint8Array, value: string | Uint8Array, lease = 0n): void {
    const requestPut = { key: toBytes(key), value: toBytes(value), lease };
    const { key: name, value: content } = requestPut;
    this.#writes.set(nameOf(name), { key: name, value: content, op: { requestPut } });
  }

  delete(key: string | Uint8Array): void {
    const name = toBytes(key);
    const op: RequestOpInit = { requestDeleteRange: { key: name } };
    this.#writes.set(nameOf(name), { key: name, value: undefined, op });
  }

  commit(): Promise<TxnResponse> {
    // Read again at once if there is a conflict: saves a call.
    const failure = this.#isSerializable
      ? [...this.#reads.values()].map(({ key }) => ({ requestRange: { key } }))
      : [];
    const success = [...this.#writes.values()].map(({ op }) => op);
    return this.#kv.txn({ compare: this.#conflicts(), success, failure }, this.#options);
  }

  /** What the failed transaction has read, for the next attempt. */
  readAgain({ header, responses }: TxnResponse): ReadSet {
    const revision = header?.revision ?? 0;
    const again: ReadSet = new Map();
    [...this.#reads].forEach(([name, { key }], at) => {
      const range = responses[at]?.responseRange;
      if (range !== undefined) again.set(name, { key, kv: range.kvs[0], revision });
    });
    return again;
  }

  async #fetch(keys: readonly Uint8Array[]): Promise<void> {
    for (const key of keys) {
      const name = nameOf(key);
      const known = this.#known.get(name);
      if (known !== undefined && !this.#reads.has(name)) this.#add(name, known);
    }
    const missing = keys.filter((key) => !this.#reads.has(nameOf(key)));
    if (missing.length === 0) return;
    const { header, responses } = await this.#kv.txn(
      { success: missing.map((key) => ({ requestRange: { key, ...this.#rangeOptions() } })) },
      this.#options,
    );
    missing.forEach((key, at) => {
      const kv = responses[at]?.responseRange?.kvs[0];
      this.#add(nameOf(key), { key, kv, revision: header?.revision ?? 0 });
    });
  }

  #add(name: string, result: ReadResult): void {
    this.#reads.set(name, result);
    // All that comes after is read at this revision, or not compared with it.
    if (this.#firstRevision === 0) this.#firstRevision = result.revision;
  }

  /**
   * Pinned reads are not asked for as `serializable`: a member that lags behind the one that was
   * asked first does not know the revision yet.
   */
  #rangeOptions(): { revision?: number; serializable?: boolean } {
    if (!this.#isSerializable) return { serializable: true };
    return this.isPinned ? { revision: this.#firstRevision } : {};
  }

  #conflicts(): CompareInit[] {
    if (this.#isolation === "read committed") return [];
    const target = CompareTarget.MOD;
    const compares: CompareInit[] = [...this.#reads.values()].map(({ key, kv }) => {
      return { target, result: CompareResult.EQUAL, key, modRevision: kv?.modRevision ?? 0 };
    });
    // Without a read there is no snapshot that a write could conflict with.
    if (this.#isolation !== "serializable snapshot" || this.#firstRevision === 0) return compares;
    const modRevision = this.#firstRevision + 1;
    for (const { key } of this.#writes.values()) {
      compares.push({ target, result: CompareResult.LESS, key, modRevision });
    }
    return compares;
  }
}
