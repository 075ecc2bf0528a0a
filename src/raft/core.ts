// The state of one member of the agreement, which the function modules of this folder share.
//
//   raft.ts        what the server calls            hand-over.ts   Ready and advance
//   step.ts        a message: terms, then the role  election.ts    campaigns, votes, ticks
//   leader.ts      answers of members, transfer     replication.ts what is sent to whom
//   follower.ts    the leader's messages            proposals.ts   new entries, their gates
//   reads.ts       ReadIndex, heartbeats            commit.ts      the commit rule
//   roles.ts       changes of role                  membership.ts  changes of the configuration
//
// Nothing here waits, reads a clock or does I/O: what is to happen in the world is collected in
// `messages`, the log's positions and so on, and leaves through the next Ready.

import type { Logger } from "../base/log.ts";
import { type Message, type MessageType, newMessage } from "../wire/messages/raft.ts";
import type { Configuration } from "./confchange.ts";
import type { RaftLog } from "./log.ts";
import type { HardState, ReadState, Role, SoftState } from "./ready.ts";
import type { Tracker } from "./tracker.ts";

export interface CoreOptions {
  readonly id: bigint;
  /** A follower campaigns after [electionTicks, 2 × electionTicks) ticks without a leader. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Ask whether an election could be won before disturbing anybody with a new term. */
  readonly preVote: boolean;
  /** A leader that hears of no quorum steps down; who hears a leader refuses its votes. */
  readonly checkQuorum: boolean;
  /** Of the entries in one message, and of the committed entries in one Ready. */
  readonly maxSizePerMessageBytes: number;
  readonly inflightCountMax: number;
  /** 0: no limit. */
  readonly inflightBytesMax: number;
  /** Payload of proposals that are not applied yet; 0: no limit. */
  readonly uncommittedBytesMax: number;
  /** A uniform integer in [0, bound). */
  readonly randomBelow: (bound: number) => number;
  readonly log: Logger;
}

/** A read that waits: for the first commit of the term, or for a quorum to confirm the leader. */
export interface ReadRequest {
  /** 0n or the own id: asked here. */
  readonly from: bigint;
  readonly context: Uint8Array;
  /** The commit index when it was asked. */
  index: number;
}

/** Reads under confirmation; positions count all of them since the role began. */
export interface ReadQueue {
  confirmed: number;
  /** Up to here the last heartbeats have asked. */
  asked: number;
  readonly waiting: ReadRequest[];
  readonly acknowledged: Map<bigint, number>;
}

export class Core {
  readonly id: bigint;
  readonly idHex: string;
  readonly options: CoreOptions;
  readonly logger: Logger;
  readonly log: RaftLog;
  readonly tracker: Tracker;

  term = 0;
  /** 0n: none. */
  vote = 0n;
  role: Role = "follower";
  /** 0n: none known. */
  lead = 0n;
  /** 0n: no transfer is under way. */
  leadTransferee = 0n;
  isLearner = false;
  /** No conf change is accepted before everything up to here is applied. */
  pendingConfIndex = 0;
  uncommittedBytes = 0;
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTicks = 0;
  reads: ReadQueue = newReadQueue();
  /** Asked before this leader had committed an entry of its term. */
  pendingReads: ReadRequest[] = [];

  /**
   * The configuration that a snapshot from the leader has replaced, until the snapshot is handed
   * out: entries given out before may still be applied, and their changes belong to this one.
   */
  superseded: Configuration | undefined = undefined;

  /** What leaves with the next Ready. */
  readStates: ReadState[] = [];
  messages: Message[] = [];
  /** The last of `messages` that forwards proposals: more of the same turn join it. */
  forwarding: { readonly message: Message; bytes: number } | undefined = undefined;
  /** Acknowledgements: true only after what they acknowledge is durable. */
  messagesAfterAppend: Message[] = [];
  /** Votes for oneself, counted when they are durable. */
  selfVotes: Message[] = [];
  /** Members may have to be told of new entries or a new commit index. */
  appendsPending = false;
  /** See replication.ts: a commit index alone may wait for entries to travel with. */
  holdsCommits = false;
  heartbeatPending = false;
  /** As last handed out. */
  softState: SoftState;
  hardState: HardState;

  constructor(options: CoreOptions, log: RaftLog, tracker: Tracker, hardState: HardState) {
    this.options = options;
    this.id = options.id;
    this.idHex = options.id.toString(16);
    this.logger = options.log;
    this.log = log;
    this.tracker = tracker;
    this.term = hardState.term;
    this.vote = hardState.vote;
    this.hardState = hardState;
    this.softState = { lead: 0n, role: "follower" };
  }

  /** In the current term; most messages are. */
  send(message: Message): void {
    message.from = this.id;
    message.term = this.term;
    this.messages.push(message);
  }

  /** Leaves when everything that this member has accepted so far is durable. */
  sendAfterAppend(message: Message): void {
    message.from = this.id;
    this.messagesAfterAppend.push(message);
  }
}

export function newReadQueue(): ReadQueue {
  return { confirmed: 0, asked: 0, waiting: [], acknowledged: new Map() };
}

export function messageTo(to: bigint, type: MessageType): Message {
  const message = newMessage();
  message.type = type;
  message.to = to;
  return message;
}
