// The network between the members of a simulated cluster. Every message is encoded by the sender
// and decoded by the receiver; on its way it is lost, late, doubled or overtaken; a direction
// between two machines can be cut, clogged and healed. Sockets are not simulated; what the real
// transport promises beyond UDP is: who is gone is reported sooner or later, as unreachable.
//
//   port.send ─ encode ─► in flight (delay) ─► cut? gone? paused? ─ decode ─► handlers.message
//
// Machines are known by number and by URL (`urlOf`), members by their ids: as in reality, a
// member is found under the URL that its peers were told.

import type {
  Network,
  PeerAnswer,
  PeerHandlers,
  PeerRequest,
  SnapshotSource,
} from "../../src/io/network.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  MessageType,
} from "../../src/wire/messages/raft.ts";
import type { Schedule, SimClock } from "./sim-clock.ts";
import { SimLink } from "./sim-link.ts";
import type { SimRandom } from "./sim-random.ts";
import { SnapshotTransfer } from "./sim-transfer.ts";

export interface NetworkFaults {
  /** One message in so many is lost or doubled; Infinity: none. */
  lossOneIn: number;
  doubleOneIn: number;
  /** One transfer of a snapshot in so many breaks somewhere in the middle. */
  snapshotCutOneIn: number;
  /** How long a message travels: [low, high). */
  delayMs: readonly [number, number];
  /** Messages overtake each other; otherwise a link keeps their order, as TCP does. */
  reorders: boolean;
  /** Bytes of one piece of a snapshot. */
  snapshotPieceBytes: number;
}

export const CALM: NetworkFaults = {
  lossOneIn: Infinity,
  doubleOneIn: Infinity,
  snapshotCutOneIn: Infinity,
  delayMs: [0.1, 0.3],
  reorders: true,
  snapshotPieceBytes: 65_536,
};

/** Where the peers of a machine find it. */
export const urlOf = (machine: bigint): string => `http://m${machine}:2380`;

const ASK_TIMEOUT_MS = 5000;

export class SimNetworkFabric {
  faults: NetworkFaults;
  readonly schedule: Schedule;
  readonly random: SimRandom;
  readonly #ports = new Map<bigint, SimNetwork>();
  readonly #machines = new Set<bigint>();
  readonly #byUrl = new Map<string, bigint>();
  readonly #cuts = new Set<string>();
  /** Extra delay per direction, until when. */
  readonly #clogs = new Map<string, { extraMs: number; untilMs: number }>();
  /** What passes, for the checkers: as decoded at the receiver. */
  onDelivered: ((to: bigint, message: Message) => void) | undefined;
  onSent: ((message: Message) => void) | undefined;

  constructor(schedule: Schedule, random: SimRandom, faults: NetworkFaults = CALM) {
    this.schedule = schedule;
    this.random = random;
    this.faults = faults;
  }

  /** A new process on this machine takes the place of the one before. */
  attach(machine: bigint, clock: SimClock): SimNetwork {
    this.detach(machine);
    this.#machines.add(machine);
    this.#byUrl.set(urlOf(machine), machine);
    const port = new SimNetwork(this, machine, clock);
    this.#ports.set(machine, port);
    return port;
  }

  /** The process is gone: whoever was connected finds out. */
  detach(machine: bigint): void {
    const port = this.#ports.get(machine);
    this.#ports.delete(machine);
    port?.die();
    this.#refresh();
  }

  port(machine: bigint): SimNetwork | undefined {
    return this.#ports.get(machine);
  }

  /** The machine behind a URL, and the process that listens there now. */
  machineAt(url: string): bigint | undefined {
    return this.#byUrl.get(url);
  }

  /** Nothing gets through from `from` to `to` any more. */
  cut(from: bigint, to: bigint): void {
    this.#cuts.add(`${from}>${to}`);
    this.#refresh();
  }

  isolate(id: bigint): void {
    this.partition(
      [id],
      [...this.#machines].filter((other) => other !== id),
    );
  }

  /** Nothing passes between a machine of `left` and one of `right`. */
  partition(left: readonly bigint[], right: readonly bigint[]): void {
    for (const one of left) {
      for (const other of right) {
        this.#cuts.add(`${one}>${other}`);
        this.#cuts.add(`${other}>${one}`);
      }
    }
    this.#refresh();
  }

  heal(): void {
    this.#cuts.clear();
    this.#clogs.clear();
    this.#refresh();
  }

  /** What is sent from `from` to `to` for some time comes later. */
  clog(from: bigint, to: bigint, extraMs: number, durationMs: number): void {
    this.#clogs.set(`${from}>${to}`, { extraMs, untilMs: this.schedule.nowMs + durationMs });
  }

  passes(from: bigint, to: bigint): boolean {
    return this.#cuts.size === 0 || !this.#cuts.has(`${from}>${to}`);
  }

  delayMs(from: bigint, to: bigint): number {
    const [low, high] = this.faults.delayMs;
    const delayMs = this.random.between(low, high);
    if (this.#clogs.size === 0) return delayMs;
    const clog = this.#clogs.get(`${from}>${to}`);
    return clog !== undefined && clog.untilMs > this.schedule.nowMs
      ? delayMs + clog.extraMs
      : delayMs;
  }

  #refresh(): void {
    for (const port of this.#ports.values()) port.refreshLinks();
  }

  listening(): void {
    this.#refresh();
  }
}

/** What one process sees of the network. */
export class SimNetwork implements Network {
  readonly fabric: SimNetworkFabric;
  readonly machine: bigint;
  readonly clock: SimClock;
  /** Links to peers and remotes, by member id. */
  readonly #links = new Map<bigint, SimLink>();
  readonly #transfers = new Set<SnapshotTransfer>();
  handlers: PeerHandlers | undefined;

  constructor(fabric: SimNetworkFabric, machine: bigint, clock: SimClock) {
    this.fabric = fabric;
    this.machine = machine;
    this.clock = clock;
  }

  listen(handlers: PeerHandlers): void {
    this.handlers = handlers;
    this.fabric.listening();
  }

  addPeer(id: bigint, urls: readonly string[]): void {
    this.#links.set(id, new SimLink(this, id, urls, true));
  }

  addRemote(id: bigint, urls: readonly string[]): void {
    if (!this.#links.has(id)) this.#links.set(id, new SimLink(this, id, urls, false));
  }

  updatePeer(id: bigint, urls: readonly string[]): void {
    if (this.#links.has(id)) this.addPeer(id, urls);
  }

  removePeer(id: bigint): void {
    this.#links.delete(id);
    // Its streams end; when it dials again it hears why.
    this.fabric.listening();
  }

  send(messages: readonly Message[]): void {
    // A process that has ended may still be unwinding.
    if (!this.clock.isAlive) return;
    for (const message of messages) {
      this.fabric.onSent?.(message);
      const link = this.#links.get(message.to);
      // A proposal that came twice would be done twice.
      link?.send(encodeMessage(message), message.type !== MessageType.MsgProp);
    }
  }

  sendSnapshot(message: Message, database: SnapshotSource): void {
    const link = this.#links.get(message.to);
    if (link === undefined) {
      database.close();
      this.later(() => this.handlers?.snapshotSent(message.to, false));
      return;
    }
    if (this.clock.isAlive) this.fabric.onSent?.(message);
    const transfer = new SnapshotTransfer(link, encodeMessage(message), database, () =>
      this.#transfers.delete(transfer),
    );
    this.#transfers.add(transfer);
    transfer.start();
  }

  ask(url: string, request: PeerRequest, done: (answer: PeerAnswer | Error) => void): void {
    const { fabric, machine } = this;
    let isDone = false;
    const once = (answer: PeerAnswer | Error): void => {
      if (isDone) return;
      isDone = true;
      done(answer);
    };
    const timeoutMs = request.timeoutMs ?? ASK_TIMEOUT_MS;
    const timer = this.clock.after(timeoutMs, () => once(new Error("context deadline exceeded")));
    const back = (answer: PeerAnswer | Error): void => {
      timer.cancel();
      once(answer);
    };
    const target = fabric.machineAt(url);
    if (target === undefined) {
      this.later(() => back(new Error(`dial tcp: lookup ${url}: no such host`)));
      return;
    }
    fabric.schedule.after(fabric.delayMs(machine, target), () => {
      if (!fabric.passes(machine, target)) return;
      const port = fabric.port(target);
      const answer = (given: PeerAnswer | Error): void =>
        fabric.schedule.after(fabric.delayMs(target, machine), () => {
          if (fabric.passes(target, machine)) this.clock.whenAwake(() => back(given));
        });
      if (port?.handlers === undefined) answer(new Error("connect: connection refused"));
      else port.clock.whenAwake(() => port.handlers?.request(request, answer));
    });
  }

  activeSinceMs(id: bigint): number | undefined {
    return this.#links.get(id)?.activeSinceMs;
  }

  close(): void {
    this.handlers = undefined;
    this.#links.clear();
    for (const transfer of [...this.#transfers]) transfer.abort("the sender has closed");
    this.fabric.listening();
  }

  // --- for the fabric and its links

  /** The process has ended: nobody is told here, the others find out. */
  die(): void {
    this.handlers = undefined;
    for (const transfer of [...this.#transfers]) transfer.senderDied();
  }

  refreshLinks(): void {
    for (const link of this.#links.values()) link.refresh();
  }

  later(task: () => void): void {
    this.clock.endOfTurn(task);
  }

  /** A message has arrived at this machine. */
  deliver(sender: SimNetwork, to: bigint, bytes: Uint8Array): void {
    const { handlers } = this;
    if (handlers === undefined || handlers.memberId !== to) return;
    if (!this.admits(sender)) return;
    const message = decodeMessage(bytes);
    this.fabric.onDelivered?.(this.machine, message);
    handlers.message(message);
  }

  /** As rafthttp's handlers: other clusters are refused, removed members told, strangers noted. */
  admits(sender: SimNetwork): boolean {
    const { handlers } = this;
    const from = sender.handlers;
    if (handlers === undefined || from === undefined) return handlers !== undefined;
    if (from.clusterId !== handlers.clusterId) return false;
    if (handlers.isRemoved(from.memberId)) {
      this.#tellRemoved(sender);
      return false;
    }
    if (!this.#links.has(from.memberId)) this.addRemote(from.memberId, from.peerUrls());
    return true;
  }

  #tellRemoved(sender: SimNetwork): void {
    const { fabric, machine } = this;
    fabric.schedule.after(fabric.delayMs(machine, sender.machine), () => {
      if (!fabric.passes(machine, sender.machine)) return;
      sender.clock.whenAwake(() => sender.handlers?.removed());
    });
  }
}
