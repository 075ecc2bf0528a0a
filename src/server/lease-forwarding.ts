// Only the leader knows how long leases live. Another member asks it, over the peers' port; when
// the leader changes meanwhile, the next one, until the time of a request is over.
//
//   renew       POST <leader>/leases            a LeaseKeepAliveRequest
//   timeToLive  POST <leader>/leases/internal   a LeaseInternalRequest

import type { Clock } from "../io/io.ts";
import type { Network, PeerAnswer } from "../io/network.ts";
import type { Raft } from "../raft/raft.ts";
import type { Members } from "../state/members/members.ts";
import { Errors } from "../wire/errors.ts";
import { decodeLeaseInternalResponse, encodeLeaseInternalRequest } from "../wire/messages/lease.ts";
import {
  decodeLeaseKeepAliveResponse,
  encodeLeaseKeepAliveRequest,
  type LeaseTimeToLiveResponse,
} from "../wire/messages/rpc-lease.ts";
import type { RpcError } from "../wire/status.ts";
import { askPeer } from "./ask-peer.ts";
import { requestTimeoutMs } from "./options.ts";

/** Between two questions without an answer that counts. */
const RETRY_MS = 50;

export interface LeaseForwardingParts {
  readonly clock: Clock;
  readonly network: Pick<Network, "ask">;
  readonly raft: Raft;
  readonly members: Members;
  readonly memberId: bigint;
  readonly options: { readonly electionMs: number };
  /** This member counts the leases. */
  readonly isPrimary: () => boolean;
}

interface Asking<Result> {
  readonly path: string;
  readonly body: Uint8Array;
  readonly read: (answer: PeerAnswer) => Result;
  /** This member leads by now: it knows itself. */
  readonly here: () => void;
  readonly done: (result: Result | RpcError) => void;
  readonly untilMs: number;
}

/** What a lease that does not exist is answered with. */
interface NotFound {
  readonly isMissing: true;
}

const NOT_FOUND: NotFound = { isMissing: true };

/** `here` is called when this member leads by now, else one of the others. */
export interface RemoteRenewal {
  here(): void;
  /** The whole time to live in seconds, or 0: there is no such lease. */
  renewed(ttlSeconds: number): void;
  fail(error: RpcError): void;
}

export interface RemoteTimeToLive {
  here(): void;
  /** undefined: there is no such lease. */
  told(response: LeaseTimeToLiveResponse | undefined): void;
  fail(error: RpcError): void;
}

export class LeaseForwarding {
  readonly #parts: LeaseForwardingParts;
  #isStopped = false;

  constructor(parts: LeaseForwardingParts) {
    this.#parts = parts;
  }

  renew(id: bigint, renewal: RemoteRenewal): void {
    this.#start<{ readonly ttl: number } | NotFound>({
      path: "/leases",
      body: encodeLeaseKeepAliveRequest({ id }),
      read: (answer) => readAnswer(answer, decodeLeaseKeepAliveResponse),
      here: () => renewal.here(),
      done: (result) => {
        if ("isMissing" in result) renewal.renewed(0);
        else if ("ttl" in result) renewal.renewed(result.ttl);
        else renewal.fail(result);
      },
    });
  }

  timeToLive(id: bigint, keys: boolean, asked: RemoteTimeToLive): void {
    this.#start<{ readonly leaseTimeToLiveResponse: LeaseTimeToLiveResponse } | NotFound>({
      path: "/leases/internal",
      body: encodeLeaseInternalRequest({ leaseTimeToLiveRequest: { id, keys } }),
      read: (answer) =>
        readAnswer(answer, (bytes) => {
          const { leaseTimeToLiveResponse } = decodeLeaseInternalResponse(bytes);
          if (leaseTimeToLiveResponse === undefined) throw new Error("the answer is empty");
          return { leaseTimeToLiveResponse };
        }),
      here: () => asked.here(),
      done: (result) => {
        if ("isMissing" in result) asked.told(undefined);
        else if ("leaseTimeToLiveResponse" in result) asked.told(result.leaseTimeToLiveResponse);
        else asked.fail(result);
      },
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  #start<Result extends object>(asking: Omit<Asking<Result>, "untilMs">): void {
    const { clock, options } = this.#parts;
    this.#ask({ ...asking, untilMs: clock.monotonicMs() + requestTimeoutMs(options) });
  }

  #ask<Result extends object>(asking: Asking<Result>): void {
    const { clock, raft, members, memberId, network, options, isPrimary } = this.#parts;
    const leftMs = asking.untilMs - clock.monotonicMs();
    const leader = members.find(raft.lead);
    if (this.#isStopped) asking.done(Errors.Stopped);
    else if (leftMs <= 0) asking.done(leader === undefined ? Errors.NoLeader : Errors.Timeout);
    else if (leader === undefined) {
      clock.after(Math.min(options.electionMs, leftMs), () => this.#ask(asking));
    } else if (leader.id === memberId) {
      // Elected, but perhaps not yet through with what was agreed before.
      if (isPrimary()) asking.here();
      else clock.after(RETRY_MS, () => this.#ask(asking));
    } else {
      const { path, body, read, done } = asking;
      const headers = { "content-type": "application/protobuf" };
      const request = { method: "POST", path, headers, body, timeoutMs: leftMs } as const;
      askPeer(
        { network, urls: leader.peerUrls, request, read, onFailure: () => {} },
        (result: Result | Error) => {
          if (result instanceof Error) clock.after(RETRY_MS, () => this.#ask(asking));
          else done(result);
        },
      );
    }
  }
}

/** @throws Error: this is no answer. */
function readAnswer<Result>(
  { status, body }: PeerAnswer,
  decode: (bytes: Uint8Array) => Result,
): Result | NotFound {
  if (status === 404 && Buffer.from(body).toString("latin1").trim() === "lease not found") {
    return NOT_FOUND;
  }
  if (status !== 200) throw new Error(`lease: unknown answer ${status}`);
  return decode(body);
}
