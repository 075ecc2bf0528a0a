// Whole clusters of raft alone, with a trivial state machine, from one seed: members crash and
// come back with what was durable, messages are lost, doubled and reordered, the configuration
// changes, and the checker looks on. At the end faults stop, and the cluster must make progress.
//
//   one round:  faults ─► deliver what is due ─► each member: tick, clients' wishes, Readies
//
// Seeds draw the limits too: small windows, messages and logs make rare paths common.

import { silentLogger } from "../../src/base/log.ts";
import type { Raft } from "../../src/raft/raft.ts";
import type { ConfState, HardState, Ready } from "../../src/raft/ready.ts";
import {
  type ConfChangeSingle,
  type ConfChangeType,
  type Message,
  MessageType,
} from "../../src/wire/messages/raft.ts";
import { Checker, Violation } from "./checker.ts";
import {
  bytesOf,
  type MemberSettings,
  noConfState,
  numberOf,
  SimulatedMember,
} from "./simulated-member.ts";

/** Behaviour that is wrong on purpose: the checker must find each of these. */
export interface Mutation {
  readonly restoreHardState?: (hardState: HardState) => HardState;
  readonly sendBeforeDurable?: boolean;
  readonly onSend?: (raft: Raft, message: Message) => void;
  readonly readAtOnce?: boolean;
}

interface Envelope {
  readonly dueAt: number;
  readonly message: Message;
}

interface Faults {
  readonly lossPercent: number;
  readonly doublePercent: number;
  readonly delayMax: number;
  readonly writeMax: number;
  readonly crashPermille: number;
  readonly cutPermille: number;
  readonly changePermille: number;
}

const noFaults: Faults = {
  lossPercent: 0,
  doublePercent: 0,
  delayMax: 1,
  writeMax: 0,
  crashPermille: 0,
  cutPermille: 0,
  changePermille: 0,
};

/** Enough rounds after the last fault for a few elections that fail. */
const RECOVERY_ROUNDS_MAX = 1500;
const MEMBERS_MAX = 8;
/** etcd stops a leader that was removed a little later. */
const REMOVED_ROUNDS_MAX = 20;
/** Clients wait while so many entries are not committed, or small windows never catch up. */
const BACKLOG_MAX = 30;

export class Simulation {
  readonly #mutation: Mutation;
  readonly #below: (bound: number) => number;
  readonly #checker = new Checker();
  readonly #settings: MemberSettings;
  readonly #members: SimulatedMember[] = [];
  readonly #learnerPercent: number;
  /** Before the first entry. */
  readonly #firstConfState: ConfState;
  #faults: Faults;
  #network: Envelope[] = [];
  /** Links that carry nothing: from × 16 + to. */
  #cut = new Set<number>();
  #round = 0;
  #hasClients = true;
  /** Entries that some member has and no member has applied. */
  #backlog = 0;
  #nextValue = 1;
  /** By the number that names a read: what was committed when it was asked for. */
  readonly #reads = new Map<number, number>();
  readCount = 0;
  leaderCount = 0;

  constructor(seed: number, mutation: Mutation = {}) {
    this.#mutation = mutation;
    const below = randomOf(seed);
    this.#below = below;
    this.#learnerPercent = below(3) === 0 ? 90 : 40;
    this.#faults = drawFaults(below);
    const count = [1, 2, 3, 3, 3, 4, 5, 5][below(8)]!;
    const ids = Array.from({ length: count }, (_, at) => BigInt(at + 1));
    this.#settings = drawSettings(below, this.#checker, mutation);
    // Some begin as a cluster does, others as if it had always been so, with learners.
    const voters = ids.slice(0, Math.max(1, Math.min(3, count)));
    const confState = { ...noConfState, voters, learners: ids.slice(voters.length) };
    this.#firstConfState = below(2) === 0 ? confState : noConfState;
    for (const id of ids) {
      if (this.#firstConfState === confState) this.#add(id);
      else this.#bootstrap(id, ids);
    }
  }

  #add(id: bigint): SimulatedMember {
    const member = new SimulatedMember(id, this.#settings, this.#firstConfState);
    this.#members.push(member);
    return member;
  }

  #bootstrap(id: bigint, ids: readonly bigint[]): void {
    const member = this.#add(id);
    member.raft.bootstrap(ids.map((peer) => ({ id: peer, context: new Uint8Array(0) })));
    // Servers begin only when this is on their disks.
    this.#take(member);
    this.#finish(member);
  }

  /** @throws Violation, or an InvariantError of raft itself. */
  run(rounds: number): void {
    for (let round = 0; round < rounds; round++) this.#oneRound();
    this.#recover();
  }

  /** The members at this moment, one per line, for who looks into a failure. */
  table(): string {
    const lines = this.#members.map(({ id, raft, isUp, state }) => {
      const { role, term, lead, commit, applied, firstIndex, lastIndex } = raft;
      const { voters, learners, votersOutgoing } = state.confState;
      return [
        `${id} ${isUp ? role : "down"} term ${term} lead ${lead} log ${firstIndex}-${lastIndex}`,
        `commit ${commit} applied ${applied} state ${state.index}`,
        `(${voters})&(${votersOutgoing})|${learners}`,
      ].join(" ");
    });
    const { randomBelow, log, ...raft } = this.#settings.raft;
    const progress = this.#newestLeader()?.raft.status().progress ?? new Map();
    for (const [id, status] of progress) lines.push(`${id}: ${Object.values(status).join(" ")}`);
    return [`round ${this.#round}`, JSON.stringify({ ...raft, ...this.#faults }), ...lines].join(
      "\n",
    );
  }

  #recover(): void {
    this.#faults = noFaults;
    this.#hasClients = false;
    this.#cut.clear();
    for (const member of this.#members) if (!member.isUp) member.restart();
    let marker = { index: 0, term: 0 };
    for (let left = RECOVERY_ROUNDS_MAX; left > 0; left--) {
      this.#oneRound();
      const leader = this.#newestLeader();
      if (leader === undefined) continue;
      const { raft } = leader;
      // What was appended by another leader may be lost: this one has to get something in.
      if (marker.term !== raft.term) {
        const isIn = raft.propose(bytesOf(this.#nextValue++)) === "ok";
        if (isIn) marker = { index: raft.lastIndex, term: raft.term };
        continue;
      }
      const { voters, learners, votersOutgoing } = leader.state.confState;
      const members = this.#members.filter(({ id }) => [...voters, ...learners].includes(id));
      const isQuiet = votersOutgoing.length === 0 && raft.lastIndex >= marker.index;
      if (isQuiet && members.every(({ state }) => state.index === raft.lastIndex)) {
        this.#checker.settled(members.map((member) => member.raft.status().confState));
        return;
      }
    }
    throw new Violation(`progress once faults stop: none in ${RECOVERY_ROUNDS_MAX} rounds`);
  }

  /** Ids are given out in order. */
  #memberOf(id: bigint): SimulatedMember | undefined {
    return this.#members[Number(id) - 1];
  }

  #newestLeader(): SimulatedMember | undefined {
    let newest: SimulatedMember | undefined;
    for (const member of this.#members) {
      if (!member.isUp || !member.raft.isLeader) continue;
      if (newest === undefined || member.raft.term > newest.raft.term) newest = member;
    }
    return newest;
  }

  #oneRound(): void {
    this.#round++;
    this.#makeFaults();
    this.#deliver();
    let lastIndex = 0;
    for (const { raft } of this.#members) lastIndex = Math.max(lastIndex, raft.lastIndex);
    this.#backlog = lastIndex - this.#checker.committedIndex;
    for (const member of [...this.#members]) {
      if (member.isUp) this.#oneTurn(member);
      else if (this.#round >= member.upAgainAt) member.restart();
    }
  }

  #oneTurn(member: SimulatedMember): void {
    const { raft } = member;
    // Clocks differ a little.
    if (this.#below(10) > 0) raft.tick();
    if (this.#hasClients) this.#act(member);
    if (member.ready !== undefined && this.#round >= member.writeDoneAt) this.#finish(member);
    while (member.ready === undefined && raft.hasReady()) {
      this.#take(member);
      if (this.#round >= member.writeDoneAt) this.#finish(member);
    }
    this.#checker.afterStep(raft);
    if (member.isInConfiguration || !raft.isLeader) member.removedAt = 0;
    else if (member.removedAt === 0) member.removedAt = this.#round;
    else if (this.#round - member.removedAt > REMOVED_ROUNDS_MAX) {
      member.crash(Number.POSITIVE_INFINITY);
    }
  }

  #makeFaults(): void {
    const { cutPermille, crashPermille } = this.#faults;
    if (this.#below(1000) < cutPermille) this.#makeCut();
    if (this.#cut.size > 0 && this.#below(1000) < 40) this.#cut.clear();
    if (this.#below(1000) >= crashPermille) return;
    const victims = this.#below(20) === 0 ? this.#members : [this.#victim()];
    for (const member of victims) {
      if (member.isUp) member.crash(this.#round + this.#below(30));
    }
  }

  /** Mostly whoever leads: there it hurts. */
  #victim(): SimulatedMember {
    const leader = this.#below(2) === 0 ? this.#newestLeader() : undefined;
    return leader ?? this.#members[this.#below(this.#members.length)]!;
  }

  /** A group is heard by nobody else, hears nobody else, or both. */
  #makeCut(): void {
    const group = new Set([Number(this.#victim().id)]);
    const isSplit = this.#below(2) === 0;
    for (let id = 1; isSplit && id <= MEMBERS_MAX; id++) if (this.#below(2) === 0) group.add(id);
    const kind = this.#below(4);
    for (let outside = 1; outside <= MEMBERS_MAX; outside++) {
      if (group.has(outside)) continue;
      for (const inside of group) {
        if (kind !== 0) this.#cut.add(inside * 16 + outside);
        if (kind !== 1) this.#cut.add(outside * 16 + inside);
      }
    }
  }

  /** What clients and operators want of this member. */
  #act(member: SimulatedMember): void {
    const { raft } = member;
    const dice = this.#below(100);
    if (dice < 25 && this.#backlog < BACKLOG_MAX) {
      for (let count = this.#below(4); count >= 0; count--) {
        raft.propose(bytesOf(this.#nextValue++));
      }
    } else if (dice < 32) {
      const name = this.#nextValue++;
      this.#reads.set(name, this.#checker.committedIndex);
      const isWrong = this.#mutation.readAtOnce === true && raft.isLeader;
      if (isWrong) this.#onRead(member, name, raft.commit);
      else raft.readIndex(bytesOf(name));
    } else if (dice === 33 && this.#below(10) === 0) {
      raft.transferLeadership(BigInt(this.#below(this.#members.length) + 1));
    } else if (dice === 34) {
      member.saveState();
    } else if (dice === 35 && this.#below(5) === 0) {
      raft.campaign();
    }
    if (this.#below(1000) < this.#faults.changePermille && raft.isLeader) this.#change(member);
  }

  /**
   * One change, or two at once. At most one voter leaves at a time, and two stay: those that have
   * left may have longer logs than the others, who could not win without them.
   */
  #change(leader: SimulatedMember): void {
    const context = new Uint8Array(0);
    const first = this.#drawChange(leader.state.confState);
    if (this.#below(3) > 0) {
      leader.raft.proposeConfChange({ ...first, id: 0n, context });
      return;
    }
    const changes = [first];
    if (first.type === 0) changes.push(this.#drawChange(leader.state.confState));
    leader.raft.proposeConfChange({ transition: 1, changes, context });
  }

  #drawChange({ voters, learners }: ConfState): ConfChangeSingle {
    const isLearnerWanted = this.#below(100) < this.#learnerPercent;
    const become = (isLearnerWanted ? 3 : 0) as ConfChangeType;
    if (this.#members.length < MEMBERS_MAX && this.#below(3) === 0) {
      const nodeId = BigInt(this.#members.length + 1);
      this.#add(nodeId);
      return { type: become, nodeId };
    }
    const known = [...voters, ...learners];
    const nodeId = known[this.#below(known.length)] ?? 1n;
    if (learners.includes(nodeId)) return { type: become, nodeId };
    const mayLeave = voters.length > 3 || (voters.length === 3 && this.#below(4) === 0);
    // Removed ids never come back.
    const type = mayLeave ? ([1, 3, 1] as const)[this.#below(3)]! : 0;
    return { type, nodeId };
  }

  /** The Ready leaves raft: a leader sends, the disk begins to write. */
  #take(member: SimulatedMember): void {
    const mustWait = member.take();
    const delay = mustWait ? this.#below(this.#faults.writeMax + 1) : 0;
    member.writeDoneAt = this.#round + delay;
    if (member.raft.isLeader || this.#mutation.sendBeforeDurable === true) this.#send(member);
  }

  #finish(member: SimulatedMember): void {
    const ready = member.ready!;
    if (ready.softState?.role === "leader") this.leaderCount++;
    member.finishWrite(ready);
    for (const { context, index } of ready.readStates) {
      this.#onRead(member, numberOf(context), index);
    }
    if (!member.isSent) this.#send(member);
    member.advance(ready);
  }

  #send(member: SimulatedMember): void {
    member.isSent = true;
    for (const message of (member.ready as Ready).messages) {
      this.#mutation.onSend?.(member.raft, message);
      if (message.type === MessageType.MsgSnap) fillSnapshot(member, message);
      this.#post(message);
      if (this.#below(100) < this.#faults.doublePercent) this.#post(message);
    }
  }

  #post(message: Message): void {
    const { lossPercent, delayMax } = this.#faults;
    const isCut = this.#cut.has(Number(message.from) * 16 + Number(message.to));
    if (!isCut && this.#below(100) >= lossPercent) {
      this.#network.push({ dueAt: this.#round + 1 + this.#below(delayMax), message });
    } else if (message.type === MessageType.MsgSnap || this.#below(4) === 0) {
      this.#report(message, false);
    }
  }

  /** The transport tells its raft what became of a message, as far as it knows. */
  #report(message: Message, isDelivered: boolean): void {
    const sender = this.#memberOf(message.from);
    if (sender === undefined || !sender.isUp) return;
    if (!isDelivered) sender.raft.reportUnreachable(message.to);
    if (message.type === MessageType.MsgSnap) sender.raft.reportSnapshot(message.to, isDelivered);
  }

  #deliver(): void {
    const due: Envelope[] = [];
    const later: Envelope[] = [];
    for (const one of this.#network) (one.dueAt <= this.#round ? due : later).push(one);
    this.#network = later;
    for (let left = due.length; left > 0; left--) {
      const at = this.#below(left);
      const { message } = due[at]!;
      due[at] = due[left - 1]!;
      const target = this.#memberOf(message.to);
      const isUp = target?.isUp === true;
      if (isUp) {
        target.raft.step(message);
        this.#checker.afterStep(target.raft);
      }
      if (message.type === MessageType.MsgSnap) this.#report(message, isUp);
    }
  }

  #onRead(member: SimulatedMember, name: number, index: number): void {
    const committedBefore = this.#reads.get(name);
    if (committedBefore === undefined) throw new Violation(`no read has the name ${name}`);
    this.readCount++;
    this.#checker.read(member.id, index, committedBefore);
  }
}

/** What etcd's servers do: the newest applied state goes, not the one raft has asked for. */
function fillSnapshot(member: SimulatedMember, message: Message): void {
  const { index, term, confState, value } = member.state;
  message.snapshot = { data: bytesOf(value), metadata: { index, term, confState } };
}

function drawFaults(below: (bound: number) => number): Faults {
  const sometimes = (percent: number, bound: number) => (below(100) < percent ? below(bound) : 0);
  return {
    lossPercent: sometimes(65, 25),
    doublePercent: below(10),
    delayMax: 1 + below(4),
    writeMax: below(4),
    crashPermille: sometimes(50, 50),
    cutPermille: sometimes(65, 80),
    changePermille: sometimes(60, 80),
  };
}

function drawSettings(
  below: (bound: number) => number,
  checker: Checker,
  { restoreHardState }: Mutation,
): MemberSettings {
  return {
    raft: {
      electionTicks: 3 + below(7),
      heartbeatTicks: 1 + below(2),
      preVote: below(4) > 0,
      checkQuorum: below(4) > 0,
      maxSizePerMessageBytes: below(3) === 0 ? 1 + below(60) : 1024 * 1024,
      inflightCountMax: 1 + below(6),
      inflightBytesMax: below(3) === 0 ? 1 + below(40) : 0,
      uncommittedBytesMax: below(3) === 0 ? 20 + below(60) : 0,
      randomBelow: below,
      log: silentLogger,
    },
    isPreVoteMixed: below(4) === 0,
    below,
    checker,
    compactEvery: below(3) === 0 ? 5 : 20 + below(100),
    keepEntries: below(12),
    restoreHardState,
  };
}

/** A small generator with a good mix (splitmix32). */
export function randomOf(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % bound;
  };
}
