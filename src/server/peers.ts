// The other members, as this one meets them: what they send goes to raft, what raft says to them
// goes out, and who belongs to the cluster is told to the transport as changes are applied.
//
//   network ─ message ─► to us? not removed? ─► raft.step        raft ─ Ready ─► send ─► network
//           ─ snapshot ─► sink (snapshot-receiver.ts)                        └► MsgSnap: the sender
//           ─ request ──► peer-requests.ts

import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import type {
  Network,
  PeerAnswer,
  PeerHandlers,
  PeerRequest,
  SnapshotSink,
} from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import { decodeMember, idText, type Member } from "../state/members/member-json.ts";
import type { Members } from "../state/members/members.ts";
import type { ConfChangeOutcome } from "../state/state.ts";
import { ConfChangeType, type Message, MessageType } from "../wire/messages/raft.ts";
import { SERVER_VERSION } from "./options.ts";
import type { ServerMetrics } from "./server-metrics.ts";
import { RefusingSink, type SnapshotReceiver } from "./snapshot-receiver.ts";
import type { SnapshotSender } from "./snapshot-sender.ts";

/** The oldest version whose members are understood, as etcd says it. */
const MIN_CLUSTER_VERSION = "3.0.0";

export interface PeersParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly network: Network;
  readonly raft: Raft;
  readonly members: Members;
  readonly metrics: ServerMetrics;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly tickMs: number;
  /** Before the own addition was applied: as configured. */
  readonly ownUrls: readonly string[];
  /** Raft has something to do. */
  readonly wake: () => void;
  readonly receiver: SnapshotReceiver;
  readonly sender: SnapshotSender;
  readonly answer: (request: PeerRequest, answer: (answer: PeerAnswer) => void) => void;
  /** This member was removed from the cluster: it must stop for good. */
  readonly onRemoved: () => void;
}

export class Peers implements PeerHandlers {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly version: string = SERVER_VERSION;
  readonly minClusterVersion: string = MIN_CLUSTER_VERSION;
  readonly #parts: PeersParts;
  readonly #raft: Raft;
  readonly #members: Members;
  /** Those the transport knows, with the URLs it was told. */
  readonly #known = new Map<bigint, readonly string[]>();
  /** When a heartbeat to each was due last. */
  readonly #heartbeatMs = new Map<bigint, number>();
  #isStopped = false;

  constructor(parts: PeersParts) {
    this.#parts = parts;
    this.#raft = parts.raft;
    this.#members = parts.members;
    this.memberId = parts.memberId;
    this.clusterId = parts.clusterId;
  }

  /** From now on peers are heard. The log will bring these, too; remotes are not dialled before. */
  start(known: {
    readonly founders: readonly Member[];
    readonly remotes: readonly Member[];
  }): void {
    const { network } = this.#parts;
    network.listen(this);
    for (const { id, peerUrls } of known.remotes) {
      if (id !== this.memberId && this.#members.find(id) === undefined) {
        network.addRemote(id, peerUrls);
      }
    }
    for (const { id, peerUrls } of known.founders) this.#add(id, peerUrls);
    this.#follow();
  }

  /** All members are others now: a snapshot has replaced the state. */
  replaced(): void {
    this.#parts.log.info("removing old peers from network");
    for (const id of [...this.#known.keys()]) this.#remove(id);
    this.#parts.log.info("removed old peers from network");
    this.#parts.log.info("adding peers from new cluster configuration");
    this.#follow();
    this.#parts.log.info("added peers from new cluster configuration");
  }

  #follow(): void {
    for (const { id, peerUrls } of this.#members.all()) this.#add(id, peerUrls);
  }

  #add(id: bigint, urls: readonly string[]): void {
    if (id === this.memberId || this.#known.has(id)) return;
    this.#known.set(id, urls);
    this.#parts.network.addPeer(id, urls);
  }

  #remove(id: bigint): void {
    this.#known.delete(id);
    this.#heartbeatMs.delete(id);
    this.#parts.network.removePeer(id);
  }

  /** A change of the configuration was applied. */
  changed({ change, error, isReplay }: ConfChangeOutcome): void {
    if (isReplay || error !== null) return;
    const id = change.nodeId;
    switch (change.type) {
      case ConfChangeType.ConfChangeRemoveNode:
        this.#memberRemoved(id);
        return;
      case ConfChangeType.ConfChangeUpdateNode:
        this.#memberUpdated(id);
        return;
      default:
        this.#memberAdded(id, change.context);
    }
  }

  #memberAdded(id: bigint, context: Uint8Array): void {
    const member = this.#members.find(id);
    if (member === undefined) return;
    if (decodeMember(context).isPromote) {
      this.#logMember("promote member", { "promoted-member-id": idText(id) });
      return;
    }
    this.#add(id, member.peerUrls);
    this.#logMember("added member", {
      "added-peer-id": idText(id),
      "added-peer-peer-urls": member.peerUrls,
      "added-peer-is-learner": member.isLearner,
    });
  }

  #memberUpdated(id: bigint): void {
    const member = this.#members.find(id);
    if (member === undefined) return;
    if (this.#known.has(id)) {
      this.#known.set(id, member.peerUrls);
      this.#parts.network.updatePeer(id, member.peerUrls);
    }
    this.#logMember("updated member", {
      "updated-remote-peer-id": idText(id),
      "updated-remote-peer-urls": member.peerUrls,
      "updated-remote-peer-is-learner": member.isLearner,
    });
  }

  #memberRemoved(id: bigint): void {
    const urls = this.#known.get(id) ?? [];
    if (id !== this.memberId) this.#remove(id);
    this.#logMember("removed member", {
      "removed-remote-peer-id": idText(id),
      "removed-remote-peer-urls": urls,
    });
    if (id === this.memberId) this.#parts.onRemoved();
  }

  #logMember(text: string, fields: Record<string, unknown>): void {
    this.#parts.log.info(text, {
      "cluster-id": idText(this.clusterId),
      "local-member-id": idText(this.memberId),
      ...fields,
    });
  }

  /** What raft says to the others. In order: a later append means nothing without the earlier. */
  send(messages: readonly Message[]): void {
    if (this.#isStopped) return;
    let best: Message | undefined;
    let isMixed = false;
    for (let at = 0; at < messages.length; at++) {
      const message = messages[at]!;
      if (message.type === MessageType.MsgSnap) isMixed = true;
      else if (message.type === MessageType.MsgHeartbeat) this.#observeHeartbeat(message.to);
      else if (isAcknowledgement(message)) {
        if (best !== undefined) isMixed = true;
        if (best === undefined || best.to !== message.to || best.index <= message.index) {
          best = message;
        }
      }
    }
    const { network } = this.#parts;
    if (!isMixed) {
      network.send(messages);
      return;
    }
    network.send(
      messages.filter((message) => {
        // One acknowledgement of a turn says it all.
        if (isAcknowledgement(message)) return message === best || message.to !== best?.to;
        return message.type !== MessageType.MsgSnap;
      }),
    );
    for (const message of messages) {
      if (message.type === MessageType.MsgSnap) this.#parts.sender.send(message);
    }
  }

  /** A leader whose disk or processor is slow is late; its followers may soon elect another. */
  #observeHeartbeat(to: bigint): void {
    const { clock, tickMs, log, metrics } = this.#parts;
    const nowMs = clock.monotonicMs();
    const lateMs = nowMs - (this.#heartbeatMs.get(to) ?? nowMs) - 2 * tickMs;
    this.#heartbeatMs.set(to, nowMs);
    if (lateMs <= 0) return;
    log.warn(
      "leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk",
      {
        to: idText(to),
        "heartbeat-interval": `${tickMs}ms`,
        "expected-duration": `${2 * tickMs}ms`,
        "exceeded-duration": `${lateMs}ms`,
      },
    );
    metrics.heartbeatSendFailures.add();
  }

  /** The leader is another one: who was late before does not count. */
  leaderChanged(): void {
    this.#heartbeatMs.clear();
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.receiver.stop();
    this.#parts.sender.stop();
    this.#parts.network.close();
  }

  // --- what the network brings

  peerUrls(): readonly string[] {
    return this.#members.find(this.memberId)?.peerUrls ?? this.#parts.ownUrls;
  }

  isRemoved(id: bigint): boolean {
    return this.#members.isRemoved(id);
  }

  message(message: Message): void {
    if (this.#isStopped || !this.#isForUs(message)) return;
    // Without the database behind it it would be believed.
    if (message.type === MessageType.MsgSnap) return;
    this.#raft.step(message);
    this.#parts.wake();
  }

  snapshot(message: Message): SnapshotSink {
    if (this.#isStopped || !this.#isForUs(message)) {
      return new RefusingSink(new Error("the snapshot is not for this member"));
    }
    return this.#parts.receiver.receive(message);
  }

  snapshotSent(to: bigint, isOk: boolean): void {
    this.#parts.sender.sent(to, isOk);
  }

  unreachable(id: bigint): void {
    if (this.#isStopped) return;
    this.#raft.reportUnreachable(id);
    this.#parts.wake();
  }

  refused(id: bigint): void {
    if (!this.#isStopped) this.#raft.reportRefused(id);
  }

  removed(): void {
    this.#parts.onRemoved();
  }

  request(request: PeerRequest, answer: (answer: PeerAnswer) => void): void {
    this.#parts.answer(request, answer);
  }

  #isForUs({ from, to }: Message): boolean {
    const { log } = this.#parts;
    const fields = { "local-member-id": idText(this.memberId) };
    if (this.#members.isRemoved(from)) {
      const sender = { "removed-member-id": idText(from) };
      log.warn("rejected Raft message from removed member", { ...fields, ...sender });
      return false;
    }
    if (to !== this.memberId) {
      const target = { "mismatch-member-id": idText(to) };
      log.warn("rejected Raft message to mismatch member", { ...fields, ...target });
      return false;
    }
    return true;
  }
}

function isAcknowledgement({ type, reject }: Message): boolean {
  return type === MessageType.MsgAppResp && !reject;
}
