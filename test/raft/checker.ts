// What must hold in every run, whatever is lost or crashes. All checks are made as things happen,
// in constant time each; a violation throws.

import type { Raft } from "../../src/raft/raft.ts";
import type { ConfState, Entry, HardState } from "../../src/raft/ready.ts";

export class Violation extends Error {
  override name = "Violation";
}

function expect(condition: boolean, rule: string, detail: () => string): void {
  if (!condition) throw new Violation(`${rule}: ${detail()}`);
}

/** More than any run reaches. */
const TERMS_MAX = 1 << 20;

/** There are no more members than that when a cluster begins. */
const FIRST_ENTRIES_MAX = 5;

interface Committed {
  readonly entry: Entry;
  /** Of the state machine, after it. */
  readonly state: number;
  readonly configuration: string;
  /** When it was first applied anywhere: no later leader may lack it. */
  readonly term: number;
}

export class Checker {
  readonly #leaders = new Map<number, bigint>();
  /** By index and term: what an entry is, and which one it follows. */
  readonly #entries = new Map<number, { previousTerm: number; data: Uint8Array }>();
  readonly #texts = new WeakMap<ConfState, string>();
  readonly #committed = new Map<number, Committed>();
  /** The highest index that any member has applied. */
  committedIndex = 0;

  /** After a member has done anything. */
  afterStep(raft: Raft): void {
    if (!raft.isLeader) return;
    const known = this.#leaders.get(raft.term);
    if (known === raft.id) return;
    expect(known === undefined, "one leader in a term", () => {
      return `term ${raft.term} has ${known} and ${raft.id}`;
    });
    this.#leaders.set(raft.term, raft.id);
    const newest = this.#committed.get(this.committedIndex);
    if (newest === undefined || newest.term >= raft.term) return;
    const term = raft.termAt(this.committedIndex);
    expect(term === newest.entry.term, "a leader has all that was committed", () => {
      return `${raft.id} in term ${raft.term} lacks ${newest.entry.term}/${newest.entry.index}`;
    });
  }

  /** A member is about to persist these. */
  appended(raft: Raft, entries: readonly Entry[]): void {
    let previousTerm = entries.length > 0 ? raft.termAt(entries[0]!.index - 1) : 0;
    for (const { index, term, data } of entries) {
      const key = index * TERMS_MAX + term;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, { previousTerm, data });
      else {
        const isSame =
          known.data.length === data.length && known.data.every((b, i) => b === data[i]);
        expect(isSame, "an index and a term name one entry", () => `${term}/${index}`);
        const matches = previousTerm < 0 || known.previousTerm === previousTerm;
        expect(matches, "logs that share an entry share all before it", () => `${term}/${index}`);
      }
      previousTerm = term;
    }
  }

  /** The hard state of a member never goes back, and a vote is given once per term. */
  persisted(id: bigint, before: HardState, after: HardState): void {
    expect(after.term >= before.term, "the term never falls", () => `${id}`);
    expect(after.commit >= before.commit, "the commit index never falls", () => `${id}`);
    const keepsVote = after.term > before.term || before.vote === 0n || after.vote === before.vote;
    expect(keepsVote, "a vote is given once in a term", () => `${id} in term ${after.term}`);
  }

  applied(raft: Raft, entry: Entry, state: number, confState: ConfState): void {
    const known = this.#committed.get(entry.index);
    const configuration = this.#textOf(confState);
    if (known === undefined) {
      this.#committed.set(entry.index, { entry, state, configuration, term: raft.term });
      this.committedIndex = Math.max(this.committedIndex, entry.index);
      return;
    }
    expect(known.entry.term === entry.term, "what is committed never changes", () => {
      return `${raft.id} applies ${entry.term}/${entry.index}, not term ${known.entry.term}`;
    });
    // A cluster begins with the configuration that its first entries then lead to.
    const isFirst = entry.index <= FIRST_ENTRIES_MAX;
    const isSame = isFirst || known.configuration === configuration;
    const isEqual = known.state === state && isSame;
    expect(isEqual, "state machines and configurations are equal", () => {
      const difference = `${configuration}, not ${known.configuration}`;
      return `${raft.id} at ${entry.term}/${entry.index}: ${difference}`;
    });
  }

  #textOf(confState: ConfState): string {
    let text = this.#texts.get(confState);
    if (text === undefined) {
      text = textOf(confState);
      this.#texts.set(confState, text);
    }
    return text;
  }

  /** Once all is quiet, raft knows the same configuration everywhere. */
  settled(confStates: readonly ConfState[]): void {
    const texts = new Set(confStates.map(textOf));
    expect(texts.size === 1, "all settle on one configuration", () => [...texts].join(" or "));
  }

  /** A state that came as a snapshot. */
  installed(id: bigint, index: number, state: number): void {
    const known = this.#committed.get(index);
    expect(
      known !== undefined && known.state === state,
      "a snapshot is of a committed state",
      () => {
        return `${id} at ${index}`;
      },
    );
  }

  /** A read that was asked for when `committedBefore` was applied somewhere. */
  read(id: bigint, index: number, committedBefore: number): void {
    expect(index >= committedBefore, "a read sees what was committed before it", () => {
      return `${id} would read at ${index}, ${committedBefore} was committed`;
    });
  }
}

function textOf(confState: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  return `(${voters})&(${votersOutgoing}) ${learners} ${learnersNext} ${autoLeave}`;
}
