// Clients that write, read and swap a few keys through all members and note what they saw. An
// operation that fails for whatever reason counts as one without an answer.

import { performance } from "node:perf_hooks";
import { bytes } from "../../src/client/bytes.ts";
import { Client } from "../../src/client/client.ts";
import {
  CompareResult,
  CompareTarget,
  type TxnRequestInit,
} from "../../src/wire/messages/rpc-kv.ts";
import type { Lcg } from "../compat/mixed-load.ts";
import type { Action, Operation, Value } from "../linearizability/history.ts";

const CALL_TIMEOUT_MS = 2500;
/** So that a client of a dead member does not spin. */
const PAUSE_AFTER_FAILURE_MS = 30;
const PAUSE_MS = 3;
const LAST_READ_ATTEMPTS = 12;

interface Answered {
  readonly action: Action;
  readonly revision: number;
}

export class Workload {
  readonly history: Operation[] = [];
  readonly #prefix: string;
  readonly #keys: number;
  readonly #running: Promise<void>[] = [];
  #values = 0;
  #isStopped = false;

  /** Its keys begin with `prefix`; nobody else may write them. */
  constructor(prefix: string, keys: number) {
    this.#prefix = prefix;
    this.#keys = keys;
  }

  get answeredCount(): number {
    return this.history.filter(({ returnedAt }) => returnedAt !== Infinity).length;
  }

  run(endpoint: string, random: Lcg): void {
    this.#running.push(this.#client(endpoint, random));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  /** What is there in the end, as reads. */
  async readAll(endpoint: string): Promise<void> {
    const client = new Client({ endpoints: [endpoint] });
    for (let at = 0; at < this.#keys; at++) await this.#readAtLast(client, this.#keyAt(at));
    client.close();
  }

  #keyAt(at: number): string {
    return `${this.#prefix}/${at}`;
  }

  async #client(endpoint: string, random: Lcg): Promise<void> {
    const client = new Client({ endpoints: [endpoint] });
    const seen = new Map<string, Value>();
    while (!this.#isStopped) {
      const key = this.#keyAt(random.below(this.#keys));
      const dice = random.below(10);
      let isAnswered: boolean;
      if (dice < 4) isAnswered = await this.#read(client, key, false, seen);
      else if (dice < 7) isAnswered = await this.#write(client, key);
      else if (dice < 8) isAnswered = await this.#delete(client, key);
      else isAnswered = await this.#swap(client, key, seen.get(key) ?? null);
      await pause(isAnswered ? PAUSE_MS : PAUSE_AFTER_FAILURE_MS);
    }
    client.close();
  }

  /** A read without an answer says nothing; on a busy machine it is asked again. */
  async #readAtLast(client: Client, key: string): Promise<void> {
    for (let attempt = 1; attempt < LAST_READ_ATTEMPTS; attempt++) {
      if (await this.#read(client, key, false)) return;
    }
    await this.#read(client, key, true);
  }

  #read(client: Client, key: string, mustAnswer: boolean, seen?: Map<string, Value>) {
    const unknown: Action = { kind: "read", found: undefined, modRevision: 0 };
    const call = async (): Promise<Answered> => {
      const { header, kvs } = await client.kv.range({ key: bytes(key) }, options);
      const kv = kvs[0];
      const found = kv === undefined ? null : Buffer.from(kv.value).toString();
      seen?.set(key, found);
      const action: Action = { kind: "read", found, modRevision: kv?.modRevision ?? 0 };
      return { action, revision: header!.revision };
    };
    return this.#record(key, unknown, call, mustAnswer);
  }

  #write(client: Client, key: string): Promise<boolean> {
    const value = this.#newValue();
    const action: Action = { kind: "write", value };
    return this.#record(key, action, async () => {
      const request = { key: bytes(key), value: bytes(value) };
      const { header } = await client.kv.put(request, options);
      return { action, revision: header!.revision };
    });
  }

  #delete(client: Client, key: string): Promise<boolean> {
    const action: Action = { kind: "write", value: null };
    return this.#record(key, action, async () => {
      const { header } = await client.kv.deleteRange({ key: bytes(key) }, options);
      return { action, revision: header!.revision };
    });
  }

  #swap(client: Client, key: string, expected: Value): Promise<boolean> {
    const value = this.#newValue();
    const swap = { kind: "swap", expected, value } as const;
    return this.#record(key, { ...swap, succeeded: undefined }, async () => {
      const { header, succeeded } = await client.kv.txn(swapRequest(key, expected, value), options);
      return { action: { ...swap, succeeded }, revision: header!.revision };
    });
  }

  async #record(
    key: string,
    unknown: Action,
    call: () => Promise<Answered>,
    mustAnswer = false,
  ): Promise<boolean> {
    const calledAt = performance.now();
    try {
      const { action, revision } = await call();
      this.history.push({ key, action, calledAt, returnedAt: performance.now(), revision });
      return true;
    } catch (error) {
      if (mustAnswer) throw error;
      this.history.push({ key, action: unknown, calledAt, returnedAt: Infinity, revision: 0 });
      return false;
    }
  }

  #newValue(): string {
    this.#values++;
    return `v${this.#values}`;
  }
}

const options = { timeoutMs: CALL_TIMEOUT_MS };

function swapRequest(key: string, expected: Value, value: string): TxnRequestInit {
  const same = { key: bytes(key), result: CompareResult.EQUAL };
  return {
    compare: [
      expected === null
        ? { ...same, target: CompareTarget.CREATE, createRevision: 0 }
        : { ...same, target: CompareTarget.VALUE, value: bytes(expected) },
    ],
    success: [{ requestPut: { key: bytes(key), value: bytes(value) } }],
  };
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
