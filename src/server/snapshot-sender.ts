// A follower needs what was cut from the log: it gets the whole database instead. Raft says only
// that; what is sent is the state as it is applied by now, committed and pinned for as long as the
// transfer takes, with the index, term and configuration of exactly that commit.
//
//   MsgSnap (metadata) ─► backend.snapshot ─► metadata of that commit ─► network.sendSnapshot
//                                                            snapshotSent ─► raft.reportSnapshot

import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import { idText } from "../state/members/member-json.ts";
import type { State } from "../state/state.ts";
import type { Backend } from "../storage/backend.ts";
import type { BackendSnapshot } from "../storage/backend-snapshot.ts";
import { encodeV2Store } from "../storage/snapshot/v2-store.ts";
import type { Message } from "../wire/messages/raft.ts";
import type { LogSnapshots } from "./log-snapshots.ts";

/** Each pins a state of the database and a read of the disk (etcd: maxInFlightMsgSnap). */
const IN_FLIGHT_MAX = 16;
/** So long the follower may need the entries after it (etcd: releaseDelayAfterSnapshot). */
const RELEASE_DELAY_MS = 30_000;
/** A change of the configuration is committed with the next batch at the latest. */
const ATTEMPTS_MAX = 10;

export interface SnapshotSenderParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly network: Network;
  readonly raft: Raft;
  readonly state: State;
  readonly backend: Backend;
  readonly snapshots: LogSnapshots;
  readonly memberId: bigint;
  /** Raft has something to do. */
  readonly wake: () => void;
}

export class SnapshotSender {
  readonly #parts: SnapshotSenderParts;
  #inFlight = 0;
  /** Of the last change of the configuration. */
  #configurationIndex = 0;
  #isStopped = false;

  constructor(parts: SnapshotSenderParts) {
    this.#parts = parts;
  }

  configurationChanged(index: number): void {
    this.#configurationIndex = index;
  }

  send(message: Message): void {
    if (this.#inFlight >= IN_FLIGHT_MAX) {
      this.#parts.raft.reportSnapshot(message.to, false);
      return;
    }
    this.#inFlight++;
    this.#parts.snapshots.hold();
    this.#pin(message, ATTEMPTS_MAX);
  }

  /** The transport is done with it. */
  sent(to: bigint, isOk: boolean): void {
    if (this.#isStopped) return;
    const { raft, clock, snapshots, wake } = this.#parts;
    this.#inFlight--;
    raft.reportSnapshot(to, isOk);
    wake();
    if (isOk) clock.after(RELEASE_DELAY_MS, () => snapshots.release());
    else snapshots.release();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #pin(message: Message, attempts: number): void {
    const { backend } = this.#parts;
    backend.snapshot((database) => {
      const index = backend.durableAppliedIndex;
      if (this.#isStopped) {
        database.close();
      } else if (this.#configurationIndex > index && attempts > 1) {
        // The configuration of that moment is not known any more.
        database.close();
        this.#pin(message, attempts - 1);
      } else if (this.#configurationIndex > index || !this.#complete(message, index)) {
        database.close();
        this.sent(message.to, false);
      } else {
        this.#hand(message, index, database);
      }
    });
  }

  /** False when it cannot be sent any more. */
  #complete(message: Message, index: number): boolean {
    const { raft, state } = this.#parts;
    const term = raft.termAt(index);
    if (!raft.isLeader || raft.term !== message.term || term < 0) return false;
    const { members } = state;
    const { voters, learners } = members.confState();
    const data = encodeV2Store({
      members: members.all(),
      removed: members.removed(),
      version: members.clusterVersion,
    });
    const rest = { votersOutgoing: [], learnersNext: [], autoLeave: false };
    const metadata = { index, term, confState: { voters, learners, ...rest } };
    message.snapshot = { data, metadata };
    return true;
  }

  #hand(message: Message, index: number, database: BackendSnapshot): void {
    const { log, memberId, network } = this.#parts;
    log.info("sending merged snapshot", {
      from: idText(memberId),
      to: idText(message.to),
      "snapshot-index": index,
      bytes: database.sizeBytes,
    });
    network.sendSnapshot(message, database);
  }
}
