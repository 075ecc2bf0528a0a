// What members say to each other, checked as it is sent, over all their lives: a member that has
// forgotten its term or its vote in a crash gives itself away by what it says next.

import { createHash } from "node:crypto";
import type { Message } from "../../../src/wire/messages/raft.ts";
import { MessageType } from "../../../src/wire/messages/raft.ts";
import { require } from "./violation.ts";

/** More than any run reaches. */
const TERMS_MAX = 1 << 20;

export class RaftSafety {
  readonly #leaders = new Map<number, bigint>();
  /** By member and term: who got its vote. */
  readonly #votes = new Map<string, bigint>();
  /** The highest that a member has ever sent, and had before its last start. */
  readonly #terms = new Map<bigint, number>();
  readonly #termsBefore = new Map<bigint, number>();
  /** By index and term: what the entry is. */
  readonly #entries = new Map<number, string>();

  /** `message` leaves its sender. */
  sent(message: Message): void {
    const { type, from, to, term } = message;
    this.#checkTerm(message);
    switch (type) {
      case MessageType.MsgApp:
      case MessageType.MsgHeartbeat:
      case MessageType.MsgSnap:
        this.#checkLeader(term, from);
        if (type === MessageType.MsgApp) this.#checkEntries(message);
        break;
      case MessageType.MsgVote:
        this.#checkVote(from, term, from);
        break;
      case MessageType.MsgVoteResp:
        if (!message.reject) this.#checkVote(from, term, to);
        break;
    }
  }

  /** A new process of this member. */
  started(id: bigint): void {
    this.#termsBefore.set(id, this.#terms.get(id) ?? 0);
  }

  #checkTerm({ type, from, term, reject }: Message): void {
    // Those that ask about a term that is not theirs yet, and those without a term.
    const isPreVote =
      type === MessageType.MsgPreVote || (type === MessageType.MsgPreVoteResp && !reject);
    if (isPreVote || term === 0) return;
    // Within a life what waited for the disk may follow what did not.
    const before = this.#termsBefore.get(from) ?? 0;
    require(term >= before, "a term outlives a crash", () => {
      return `${hex(from)} says ${term} after ${before}`;
    });
    if (term > (this.#terms.get(from) ?? 0)) this.#terms.set(from, term);
  }

  #checkLeader(term: number, id: bigint): void {
    const known = this.#leaders.get(term);
    if (known === id) return;
    require(known === undefined, "one leader in a term", () => {
      return `term ${term} has ${hex(known!)} and ${hex(id)}`;
    });
    this.#leaders.set(term, id);
  }

  #checkVote(voter: bigint, term: number, candidate: bigint): void {
    const key = `${voter}/${term}`;
    const known = this.#votes.get(key);
    require(known === undefined || known === candidate, "a vote is given once in a term", () => {
      return `${hex(voter)} in term ${term} to ${hex(known!)} and ${hex(candidate)}`;
    });
    this.#votes.set(key, candidate);
  }

  #checkEntries({ entries }: Message): void {
    for (const { index, term, data } of entries) {
      const key = index * TERMS_MAX + term;
      const known = this.#entries.get(key);
      const text = data.length > 64 ? digest(data) : Buffer.from(data).toString("latin1");
      if (known === undefined) this.#entries.set(key, text);
      else require(known === text, "an index and a term name one entry", () => `${term}/${index}`);
    }
  }
}

const digest = (data: Uint8Array): string => createHash("sha1").update(data).digest("base64");

const hex = (id: bigint): string => id.toString(16);
