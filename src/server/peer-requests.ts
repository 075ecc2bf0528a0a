// What peers ask besides raft's messages: who is in the cluster, which versions run, what the
// leader knows of leases, a hash to compare. Status codes and texts are those that Go's members
// read: they tell "not found" from "try again" by them.
//
//   GET  /version              GET /members            POST /members/promote/<id in decimal>
//   GET  /downgrade/enabled    GET /members/hashkv     POST /leases, /leases/internal

import type { Logger } from "../base/log.ts";
import type { Clock } from "../io/io.ts";
import type { PeerAnswer, PeerRequest } from "../io/network.ts";
import { idText } from "../state/members/member-json.ts";
import type { Members } from "../state/members/members.ts";
import type { State } from "../state/state.ts";
import { Errors } from "../wire/errors.ts";
import { RpcError } from "../wire/status.ts";
import type { AppliedWait } from "./applied-wait.ts";
import { hashKv } from "./hash-kv.ts";
import { type LearnerPromotion, NOT_LEARNER_TEXT } from "./learner-promotion.ts";
import type { LeaseClock } from "./lease-clock.ts";
import { answerLeaseRenewal, answerTimeToLive } from "./lease-requests.ts";
import { SERVER_VERSION } from "./options.ts";
import { jsonAnswer, methodNotAllowed, plainText } from "./peer-answers.ts";
import { encodePeerMembers } from "./peer-members.ts";
import type { ReadWaiter } from "./reads.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface PeerRequestsParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly clusterId: bigint;
  readonly state: State;
  readonly members: Members;
  readonly metrics: ServerMetrics;
  readonly leaseClock: LeaseClock;
  readonly promotion: LearnerPromotion;
  readonly applied: AppliedWait;
  readonly confirmRead: (waiter: ReadWaiter) => boolean;
  readonly storageVersion: () => string | undefined;
}

type Answer = (answer: PeerAnswer) => void;

const CLUSTER_ID = "x-etcd-cluster-id";
const PROMOTE_PREFIX = "/members/promote/";
const MAX_ID = 2n ** 64n - 1n;

export class PeerRequests {
  readonly #parts: PeerRequestsParts;
  readonly #clusterHeader: Readonly<Record<string, string>>;

  constructor(parts: PeerRequestsParts) {
    this.#parts = parts;
    this.#clusterHeader = { [CLUSTER_ID]: idText(parts.clusterId) };
  }

  /** `answer` is called once, mostly before this returns. */
  handle(request: PeerRequest, answer: Answer): void {
    const path = request.path.split("?", 1)[0]!;
    if (path.startsWith(PROMOTE_PREFIX)) {
      this.#only("POST", request, answer, () => this.#promote(path, answer));
      return;
    }
    switch (path) {
      case "/version":
        this.#only("GET", request, answer, () => answer(this.#version()));
        break;
      case "/members":
        this.#only("GET", request, answer, () => answer(this.#members()));
        break;
      case "/members/hashkv":
        this.#only("GET", request, answer, () => this.#hashKv(request, answer));
        break;
      case "/downgrade/enabled":
        this.#only("GET", request, answer, () => this.#downgradeEnabled(answer));
        break;
      case "/leases":
      case "/leases/internal":
        this.#lease(path, request, answer);
        break;
      default:
        answer(plainText(404, "404 page not found"));
    }
  }

  #only(method: string, request: PeerRequest, answer: Answer, handle: () => void): void {
    if (request.method === method) handle();
    else answer(methodNotAllowed(method));
  }

  #withCluster(answer: PeerAnswer): PeerAnswer {
    return { ...answer, headers: { ...answer.headers, ...this.#clusterHeader } };
  }

  #version(): PeerAnswer {
    const { members, storageVersion } = this.#parts;
    const etcdcluster = members.clusterVersion ?? "not_decided";
    const storage = storageVersion() ?? "unknown";
    return jsonAnswer(200, JSON.stringify({ etcdserver: SERVER_VERSION, etcdcluster, storage }));
  }

  #members(): PeerAnswer {
    return this.#withCluster(jsonAnswer(200, encodePeerMembers(this.#parts.members.all())));
  }

  #promote(path: string, answer: Answer): void {
    const { promotion, log } = this.#parts;
    const text = path.slice(PROMOTE_PREFIX.length);
    const id = /^\d+$/.test(text) ? BigInt(text) : -1n;
    if (id < 0n || id > MAX_ID) {
      answer(this.#withCluster(plainText(404, `member ${text} not found in cluster`)));
      return;
    }
    promotion.promote(id, (result) => {
      if (!(result instanceof RpcError)) {
        answer(this.#withCluster(jsonAnswer(200, encodePeerMembers(result))));
        return;
      }
      log.warn("failed to promote a member", { "member-id": idText(id), error: result.message });
      answer(this.#withCluster(failedPromotion(result)));
    });
  }

  #downgradeEnabled(answer: Answer): void {
    const { confirmRead, members } = this.#parts;
    const ready = (): void => {
      const body = Buffer.from(String(members.downgrade.enabled));
      const headers = { "content-type": "text/plain" };
      answer(this.#withCluster({ status: 200, headers, body }));
    };
    const fail = ({ message }: RpcError): void =>
      answer(this.#withCluster(plainText(500, `failed linearized read: ${message}`)));
    if (confirmRead({ ready, fail })) ready();
  }

  #hashKv(request: PeerRequest, answer: Answer): void {
    const { clusterId, log, state } = this.#parts;
    const given = request.headers?.[CLUSTER_ID] ?? "";
    if (given !== "" && given !== idText(clusterId)) {
      answer(plainText(412, "cluster ID mismatch"));
      return;
    }
    const revision = revisionOf(request.body);
    if (revision instanceof Error) {
      log.warn("failed to unmarshal request", { error: revision });
      answer(plainText(400, "error unmarshalling request"));
      return;
    }
    hashKv(this.#parts, revision, (result) => {
      if (result instanceof RpcError) {
        const error = withoutPrefix(result);
        log.warn("failed to get hashKV", { "requested-revision": revision, error });
        answer(plainText(400, error));
        return;
      }
      // As Go's encoding/json: zeros are left out.
      const body = {
        header: withoutZeros({ revision: state.mvcc.currentRevision }),
        ...withoutZeros({
          hash: result.hash,
          compact_revision: result.compactRevision,
          hash_revision: result.revision,
        }),
      };
      answer(this.#withCluster(jsonAnswer(200, JSON.stringify(body))));
    });
  }

  #lease(path: string, request: PeerRequest, answer: Answer): void {
    const { state, leaseClock, applied } = this.#parts;
    if (request.method !== "POST") answer(plainText(405, "Method Not Allowed"));
    else if (path === "/leases") answerLeaseRenewal({ leaseClock, applied }, request.body, answer);
    else answerTimeToLive({ state, leaseClock, applied }, request.body, answer);
  }
}

/** Members tell by status and text whether another attempt makes sense. */
function failedPromotion(error: RpcError): PeerAnswer {
  if (error === Errors.MemberNotFound) return plainText(404, "membership: ID not found");
  if (error === Errors.MemberNotLearner) return plainText(412, NOT_LEARNER_TEXT);
  if (error === Errors.LearnerNotReady) return plainText(412, error.message);
  return jsonAnswer(500, '{"message":"Internal Server Error"}');
}

function revisionOf(body: Uint8Array | undefined): number | Error {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body ?? []).toString("utf8"));
    if (typeof parsed !== "object" || parsed === null) throw new SyntaxError("not an object");
    const { revision = 0 } = parsed as { readonly revision?: unknown };
    if (typeof revision !== "number" || !Number.isInteger(revision)) {
      throw new SyntaxError("the revision is no whole number");
    }
    return revision;
  } catch (error) {
    return error as Error;
  }
}

function withoutZeros(fields: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0));
}

/** "mvcc: required revision …", as the store of etcd says it. */
function withoutPrefix({ message }: RpcError): string {
  return message.replace(/^etcdserver: /, "");
}
