// A member alone in the simulated world, with its API: what tests of services call.

import assert from "node:assert/strict";
import { Api } from "../../src/api/method-table.ts";
import { silentLogger } from "../../src/base/log.ts";
import type { World } from "../../src/io/io.ts";
import { Member } from "../../src/server/member.ts";
import type { MemberOptions } from "../../src/server/options.ts";
import type { MethodTable, StreamHandler } from "../../src/wire/rpc.ts";
import { SimWorld } from "../simulation/world.ts";
import { type FakeStream, FakeUnary } from "./fake-call.ts";

const LIMIT_MS = 60_000;

export function memberOptions(different: Partial<MemberOptions> = {}): MemberOptions {
  return {
    name: "m1",
    dataDir: "/data",
    walDir: undefined,
    clientUrls: ["http://127.0.0.1:2379"],
    initialCluster: new Map([["m1", ["http://127.0.0.1:2380"]]]),
    initialClusterToken: "simulated",
    tickMs: 100,
    electionMs: 1000,
    preVote: true,
    snapshotCount: 10_000,
    snapshotCatchupEntries: 5000,
    maxSnapshots: 2,
    maxWals: 2,
    quotaBackendBytes: 0,
    backendBatchIntervalMs: 100,
    backendBatchLimit: 10_000,
    backendFreelistType: "map",
    bootstrapDefragThresholdBytes: 0,
    compactionBatchLimit: 1000,
    compactionSleepMs: 10,
    unsafeNoFsync: false,
    maxRequestBytes: 1_572_864,
    maxTxnOps: 128,
    maxLearners: 1,
    warningApplyMs: 1e9,
    warningUnaryRequestMs: 1e9,
    watchProgressNotifyMs: 600_000,
    leaseCheckpoint: false,
    ...different,
  };
}

/** A member and its methods; it is ready after `start`. */
export class ServedMember {
  readonly member: Member;
  readonly methods: MethodTable;
  readonly #world: SimWorld;
  #isReady = false;

  constructor(world: SimWorld, io: World, options: MemberOptions) {
    this.#world = world;
    this.member = new Member({
      world: io,
      log: silentLogger,
      options,
      onFatal: (error) => assert.fail(error),
      onAnswered: () => {},
      onReady: () => {
        this.#isReady = true;
      },
    });
    this.methods = new Api(this.member, silentLogger).methods;
  }

  /** `look` is called before each event. */
  start(look: () => void = () => {}): this {
    this.member.start();
    const isReady = (): boolean => {
      look();
      return this.#isReady;
    };
    assert.ok(this.#world.runUntil(isReady, LIMIT_MS), "the member becomes ready");
    return this;
  }

  /** Begins a call; the world has to run until it is answered. */
  call(path: string, request: Uint8Array): FakeUnary {
    const method = this.methods.get(path);
    assert.ok(method?.kind === "unary", path);
    const call = new FakeUnary();
    method.handle(call, request, 0, request.length);
    return call;
  }

  /** The answer of a call, decoded. */
  ask<Answer>(path: string, request: Uint8Array, decode: (bytes: Uint8Array) => Answer): Answer {
    const call = this.call(path, request);
    this.#world.runUntil(() => call.isDone, LIMIT_MS);
    assert.ok(call.answer !== undefined, call.error?.message ?? `${path} is not answered`);
    return decode(call.answer);
  }

  /** The text of the error that a call ends with. */
  refusal(path: string, request: Uint8Array): string {
    const call = this.call(path, request);
    this.#world.runUntil(() => call.isDone, LIMIT_MS);
    assert.ok(call.error !== undefined, `${path} succeeds`);
    return `${call.error.code} ${call.error.message}`;
  }

  open(path: string, call: FakeStream): StreamHandler {
    const method = this.methods.get(path);
    assert.ok(method?.kind === "bidi-stream", path);
    return method.open(call);
  }

  /** Calls a method that answers with a stream. */
  listen(path: string, request: Uint8Array, call: FakeStream): { onCancel(): void } {
    const method = this.methods.get(path);
    assert.ok(method?.kind === "server-stream", path);
    return method.handle(call, request, 0, request.length);
  }
}

/** A member that runs, in a world of its own. */
export function served(
  different: Partial<MemberOptions> = {},
  seed = 1,
): ServedMember & { world: SimWorld } {
  const world = new SimWorld(seed);
  const member = new ServedMember(world, world.machine(1n).start(), memberOptions(different));
  return Object.assign(member.start(), { world });
}
