// Ids of members and clusters, derived from URLs so that every member of a new cluster comes to the
// same ones on its own: the first eight bytes of a SHA-1, big-endian.

import { createHash } from "node:crypto";

/** `peerUrls` sorted; the token of the cluster. */
export function memberIdOf(peerUrls: readonly string[], token: string): bigint {
  return firstEightBytes(
    createHash("sha1")
      .update(peerUrls.join("") + token)
      .digest(),
  );
}

export function clusterIdOf(memberIds: readonly bigint[]): bigint {
  const hash = createHash("sha1");
  for (const id of [...memberIds].sort((a, b) => (a < b ? -1 : 1))) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(id);
    hash.update(bytes);
  }
  return firstEightBytes(hash.digest());
}

function firstEightBytes(digest: Buffer): bigint {
  return digest.readBigUInt64BE(0);
}
