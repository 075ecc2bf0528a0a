// Streams whose client insists on a leader (metadata `hasleader: true`). A watch that hears nothing
// cannot tell a quiet cluster from a lost one: when no leader is known for three election timeouts
// such streams end, and the client tries another member.

import type { Timer } from "../io/io.ts";
import type { Member } from "../server/member.ts";
import { Errors } from "../wire/errors.ts";
import type { StreamCall } from "../wire/rpc.ts";

/** Looks in a row that find no leader. */
const LOOKS_MAX = 3;

interface Stream {
  readonly call: StreamCall;
  readonly handler: { onCancel(): void };
}

export class LeaderRequired {
  readonly #member: Member;
  readonly #streams = new Set<Stream>();
  #timer: Timer | undefined;
  #looksWithout = 0;

  constructor(member: Member) {
    this.#member = member;
  }

  /** Watches over the stream until the function returned is called. */
  add(call: StreamCall, handler: { onCancel(): void }): () => void {
    const stream = { call, handler };
    this.#streams.add(stream);
    this.#schedule();
    return () => void this.#streams.delete(stream);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#streams.size === 0) return;
    const { clock, options } = this.#member;
    this.#timer = clock.after(options.electionMs, () => {
      this.#timer = undefined;
      this.#look();
      this.#schedule();
    });
  }

  #look(): void {
    // Nobody tells of those that have ended in order.
    for (const stream of this.#streams) if (stream.call.isCancelled) this.#streams.delete(stream);
    this.#looksWithout = this.#member.hasLeader ? 0 : this.#looksWithout + 1;
    if (this.#looksWithout < LOOKS_MAX) return;
    this.#looksWithout = 0;
    for (const { call, handler } of this.#streams) {
      handler.onCancel();
      call.fail(Errors.NoLeader);
    }
    this.#streams.clear();
  }
}
