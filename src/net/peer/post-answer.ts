// What the answer to a POST of raft traffic means.

import type { PeerAnswer } from "../../io/network.ts";
import { CLUSTER_ID_MISMATCH, hexId, INCOMPATIBLE_VERSION } from "./compatibility.ts";
import type { PeerContext } from "./peer-context.ts";

const statusTexts: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Null: taken. Else why not, after it was logged and, if so, the removal was told. */
export function postError(
  context: PeerContext,
  peerId: bigint,
  url: string,
  answer: PeerAnswer,
): string | null {
  const { log, self } = context;
  const id = { "remote-peer-id": hexId(peerId) };
  switch (answer.status) {
    case 204:
      return null;
    case 403:
      context.removed();
      return "the member has been permanently removed from the cluster";
    case 412: {
      const text = Buffer.from(answer.body).toString("latin1");
      const reason = text.replace(/\n$/, "");
      if (reason === INCOMPATIBLE_VERSION) {
        log.error("request sent was ignored by peer", id);
        return reason;
      }
      if (reason === CLUSTER_ID_MISMATCH) {
        log.error("request sent was ignored due to cluster ID mismatch", {
          ...id,
          "remote-peer-cluster-id": answer.headers["x-etcd-cluster-id"] ?? "",
          "local-member-cluster-id": hexId(self.clusterId),
        });
        return reason;
      }
      return `unhandled error ${JSON.stringify(text)} when precondition failed`;
    }
    default: {
      const text = statusTexts[answer.status] ?? String(answer.status);
      return `unexpected http status ${text} while posting to ${JSON.stringify(url)}`;
    }
  }
}
