// Are the stores of all members equal? Three ways to ask, all by comparing hashes (mvcc/hash.ts):
//
//   at the start       this member against the others, before it serves anybody
//   periodically       the leader, for its present revision
//   after compactions  the leader, for hashes that every member took when it compacted
//
// Hashes of different compactions say nothing about each other. What is found becomes the alarm
// CORRUPT of the member that is wrong, after which the cluster serves no keys.

import type { Logger } from "../base/log.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import { idText } from "../state/members/member-json.ts";
import type { KeyValueHash } from "../state/mvcc/hash.ts";
import type { State } from "../state/state.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { AlarmAction, AlarmType, encodeAlarmRequest } from "../wire/messages/rpc-maintenance.ts";
import { RpcError } from "../wire/status.ts";
import { CompactHashCheck } from "./compact-hash-check.ts";
import { hashKv } from "./hash-kv.ts";
import { requestTimeoutMs } from "./options.ts";
import { askHashes, type HashAnswer, type PeerHash } from "./peer-hashes.ts";
import type { Proposals } from "./proposals.ts";
import type { ReadWaiter } from "./reads.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface CorruptionCheckParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly state: State;
  readonly network: Pick<Network, "ask">;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly proposals: Pick<Proposals, "propose">;
  readonly confirmRead: (waiter: ReadWaiter) => boolean;
  readonly isLeader: () => boolean;
  readonly options: {
    readonly electionMs: number;
    /** 0: never. */
    readonly corruptCheckMs: number;
    readonly compactHashCheckMs: number;
  };
}

type HashDone = (hash: KeyValueHash | RpcError, currentRevision: number) => void;

export class CorruptionCheck {
  readonly #parts: CorruptionCheckParts;
  readonly #compactHashes: CompactHashCheck;
  readonly #timers: (Timer | undefined)[] = [];
  #isStopped = false;

  constructor(parts: CorruptionCheckParts) {
    this.#parts = parts;
    this.#compactHashes = new CompactHashCheck({
      log: parts.log,
      memberId: parts.memberId,
      timeoutMs: requestTimeoutMs(parts.options),
      hashes: () => parts.state.hashes.all(),
      askHashes: (revision, done) => this.#askHashes(revision, done),
      raise: (id) => this.#raise(id),
    });
  }

  /** Begins what is done from time to time. */
  start(): void {
    const { options, log, memberId } = this.#parts;
    if (options.corruptCheckMs > 0) {
      log.info("enabled corruption checking", {
        "local-member-id": idText(memberId),
        interval: `${options.corruptCheckMs / 1000}s`,
      });
      this.#repeat(0, options.corruptCheckMs, (done) => this.checkNow(done));
    }
    if (options.compactHashCheckMs > 0) {
      this.#repeat(1, options.compactHashCheckMs, (done) => this.#compactHashes.check(done));
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) timer?.cancel();
  }

  /** Against all members that can be reached; an error: this member must not start. */
  checkAtStart(done: (error: Error | null) => void): void {
    const { log, memberId, options } = this.#parts;
    const local = { "local-member-id": idText(memberId) };
    const timeout = `${requestTimeoutMs(options) / 1000}s`;
    log.info("starting initial corruption check", { ...local, timeout });
    this.#hash((own) => {
      if (own instanceof RpcError) {
        done(new Error(`${idText(memberId)} failed to fetch hash (${own.message})`));
        return;
      }
      this.#askHashes(own.revision, (peers) => {
        const mismatches = peers.filter((peer) => this.#isMismatch(own, peer)).length;
        if (mismatches > 0) {
          done(new Error(`${idText(memberId)} found data inconsistency with peers`));
          return;
        }
        log.info("initial corruption checking passed; no corruption", local);
        done(null);
      });
    });
  }

  /** The leader compares the others with itself; what is wrong raises the alarm. */
  checkNow(done: () => void): void {
    const { log, confirmRead } = this.#parts;
    const failed = ({ message }: RpcError): void => {
      log.warn("failed to check hash KV", { error: message });
      done();
    };
    const compare = (first: KeyValueHash, peers: PeerHash[]): void =>
      this.#hash((second, revision) => {
        if (second instanceof RpcError) {
          failed(second);
          return;
        }
        this.#compare(first, second, revision, peers);
        done();
      });
    this.#hash((first) => {
      if (first instanceof RpcError) {
        failed(first);
        return;
      }
      this.#askHashes(first.revision, (peers) => {
        const ready = (): void => compare(first, peers);
        if (confirmRead({ ready, fail: failed })) ready();
      });
    });
  }

  // ---

  /** One check of a kind at a time; none while another member leads. */
  #repeat(at: number, everyMs: number, check: (done: () => void) => void): void {
    this.#timers[at] = this.#parts.clock.after(everyMs, () => {
      const again = (): void => {
        if (!this.#isStopped) this.#repeat(at, everyMs, check);
      };
      if (this.#parts.isLeader()) check(again);
      else again();
    });
  }

  #hash(done: HashDone): void {
    const { state } = this.#parts;
    const { currentRevision } = state.mvcc;
    hashKv(this.#parts, 0, (result) => {
      if (!this.#isStopped) done(result, currentRevision);
    });
  }

  #askHashes(revision: number, done: (hashes: PeerHash[]) => void): void {
    const { network, log, memberId, clusterId, state, options } = this.#parts;
    const members = state.members.all();
    const timeoutMs = requestTimeoutMs(options);
    const question = { network, log, memberId, clusterId, members, revision, timeoutMs };
    askHashes(question, (hashes) => {
      if (!this.#isStopped) done(hashes);
    });
  }

  #isMismatch(own: KeyValueHash, { id, urls, answer }: PeerHash): boolean {
    const { log, memberId } = this.#parts;
    const local = {
      "local-member-id": idText(memberId),
      "local-member-revision": own.revision,
      "local-member-compact-revision": own.compactRevision,
      "local-member-hash": own.hash,
      "remote-peer-id": idText(id),
      "remote-peer-endpoints": urls,
    };
    if (answer instanceof RpcError) {
      const text = INITIAL_REFUSALS.get(answer);
      if (text !== undefined) log.warn(text, { ...local, error: answer.message });
      return false;
    }
    if (answer instanceof Error || answer.hash === own.hash) return false;
    const isComparable = answer.compactRevision === own.compactRevision;
    const what = isComparable ? "hash" : "compact revision";
    log.warn(`found different ${what} values from remote peer`, {
      ...local,
      "remote-peer-revision": answer.currentRevision,
      "remote-peer-compact-revision": answer.compactRevision,
      "remote-peer-hash": answer.hash,
    });
    return isComparable;
  }

  #compare(first: KeyValueHash, second: KeyValueHash, revision: number, peers: PeerHash[]): void {
    const { log, memberId } = this.#parts;
    let wrong: bigint | undefined;
    if (
      first.hash !== second.hash &&
      first.revision === second.revision &&
      first.compactRevision === second.compactRevision
    ) {
      log.warn("found hash mismatch", {
        "revision-1": first.revision,
        "compact-revision-1": first.compactRevision,
        "hash-1": first.hash,
        "revision-2": second.revision,
        "compact-revision-2": second.compactRevision,
        "hash-2": second.hash,
      });
      wrong = memberId;
    }
    let checked = 0;
    for (const { id, answer } of peers) {
      if (answer instanceof RpcError || answer instanceof Error) continue;
      checked++;
      if (this.#isWrong(id, answer, first, second, revision)) wrong ??= id;
    }
    if (wrong !== undefined) this.#raise(wrong);
    log.info("finished peer corruption check", { "number-of-peers-checked": checked });
  }

  /** What a follower can never be: ahead of its leader, or different at the same compaction. */
  #isWrong(
    id: bigint,
    follower: HashAnswer,
    first: KeyValueHash,
    second: KeyValueHash,
    revision: number,
  ): boolean {
    const { log } = this.#parts;
    const peer = { "follower-peer-id": idText(id) };
    let isWrong = false;
    if (follower.currentRevision > revision) {
      const fields = {
        "leader-revision": revision,
        "follower-revision": follower.currentRevision,
      };
      const text = "revision from follower must be less than or equal to leader's";
      log.warn(text, { ...fields, ...peer });
      isWrong = true;
    }
    const compactions = {
      "leader-compact-revision": second.compactRevision,
      "follower-compact-revision": follower.compactRevision,
    };
    if (follower.compactRevision > second.compactRevision) {
      const text = "compact revision from follower must be less than or equal to leader's";
      log.warn(text, { ...compactions, ...peer });
      isWrong = true;
    }
    if (follower.compactRevision === first.compactRevision && follower.hash !== first.hash) {
      log.warn("same compact revision then hashes must match", {
        ...compactions,
        "leader-hash": first.hash,
        "follower-hash": follower.hash,
        ...peer,
      });
      isWrong = true;
    }
    return isWrong;
  }

  /** 0: it is not known which member is wrong. */
  #raise(memberID: bigint): void {
    const { proposals } = this.#parts;
    const alarm = AlarmType.CORRUPT;
    const body = encodeAlarmRequest({ action: AlarmAction.ACTIVATE, memberID, alarm });
    const ignore = (): void => {};
    const waiter = { proposedAtMs: 0, settle: ignore, fail: ignore };
    proposals.propose(RequestField.Alarm, body, 0, body.length, waiter);
  }
}

const INITIAL_REFUSALS: ReadonlyMap<RpcError, string> = new Map([
  [Errors.FutureRev, "cannot fetch hash from slow remote peer"],
  [Errors.Compacted, "cannot fetch hash from remote peer; local member is behind"],
  [Errors.ClusterIDMismatch, "cluster ID mismatch"],
]);
