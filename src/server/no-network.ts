// What a member has that is alone and always will be: tools and tests that need no peers.

import type { Network, SnapshotSource } from "../io/network.ts";

export const NO_NETWORK: Network = {
  listen() {},
  addPeer() {},
  addRemote() {},
  updatePeer() {},
  removePeer() {},
  send() {},
  sendSnapshot(_, database: SnapshotSource) {
    database.close();
  },
  ask(url, _, done) {
    done(new Error(`there is no way to ${url}`));
  },
  activeSinceMs: () => undefined,
  close() {},
};
