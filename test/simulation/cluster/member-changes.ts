// Members come and go: a learner is added and started, promoted when it has caught up, and removed
// again; now and then one of the founders goes, too. One change at a time, as operators do it.
//
// A member that was removed stays on the network for a while: it must stop by itself.

import type { JoinedCluster } from "../../../src/server/join.ts";
import {
  decodeMemberAddResponse,
  encodeMemberAddRequest,
  encodeMemberPromoteRequest,
  encodeMemberRemoveRequest,
} from "../../../src/wire/messages/rpc-cluster.ts";
import { memberOptions } from "../../watch/served-member.ts";
import { urlOf } from "../sim-network.ts";
import type { SimCluster } from "./cluster.ts";
import type { Result, SimClient } from "./sim-client.ts";
import type { SimNode } from "./sim-node.ts";

/** Machines that a run may use up. */
const MACHINES_MAX = 8;
const SERVICE = "/etcdserverpb.Cluster/";

export class MemberChanges {
  readonly #cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  act(client: SimClient, done: (result: Result) => void): void {
    const { nodes } = this.#cluster;
    const { random } = client;
    const learner = nodes.find((node) => node.isReady && node.member!.isLearner);
    if (learner !== undefined && random.oneIn(2)) {
      this.#promote(client, learner, done);
    } else if (learner !== undefined || (random.oneIn(3) && this.#votersLeft > 3)) {
      this.#remove(client, learner ?? random.pick(nodes.filter(({ isUp }) => isUp)), done);
    } else if (nodes.length < MACHINES_MAX) {
      this.#add(client, done);
    } else done(new Uint8Array(0));
  }

  get #votersLeft(): number {
    const member = this.#cluster.leader?.member;
    return member?.members.confState().voters.length ?? 0;
  }

  #add(client: SimClient, done: (result: Result) => void): void {
    const cluster = this.#cluster;
    const number = cluster.nodes.length + 1;
    const node = cluster.addNode(memberOptions({ ...cluster.plan.options, name: `m${number}` }));
    node.isLost = true;
    const url = urlOf(node.machine.id);
    // A voter that is added and never starts may cost the quorum; a learner costs nothing.
    const isSafe = cluster.nodes.every(({ isLost, isUp }) => isLost || isUp);
    const isLearner = !isSafe || !client.random.oneIn(4);
    const request = encodeMemberAddRequest({ peerURLs: [url], isLearner });
    client.ask(`add m${number}`, `${SERVICE}MemberAdd`, request, (result) => {
      if (result instanceof Uint8Array) this.#join(node, result);
      done(result);
    });
  }

  /** The new member is told what `member add` printed. */
  #join(node: SimNode, answer: Uint8Array): void {
    const { member, members } = decodeMemberAddResponse(answer);
    const founder = this.#cluster.upNodes[0]?.member;
    if (founder === undefined) return;
    const joined: JoinedCluster = {
      memberId: member!.id,
      clusterId: founder.clusterId,
      members: members.map(({ id, name, peerURLs, clientURLs, isLearner }) => ({
        ...{ id, name, isLearner },
        peerUrls: peerURLs,
        clientUrls: clientURLs,
      })),
    };
    const names = joined.members.map(({ id, name, peerUrls }) => {
      return [id === joined.memberId ? node.options.name : name || `${id}`, peerUrls] as const;
    });
    node.options = { ...node.options, joined, initialCluster: new Map(names) };
    node.isLost = false;
    this.#cluster.count("joined");
    this.#cluster.start(node);
  }

  #promote(client: SimClient, node: SimNode, done: (result: Result) => void): void {
    const request = encodeMemberPromoteRequest({ id: node.member!.id });
    const name = `promote m${node.number}`;
    client.ask(name, `${SERVICE}MemberPromote`, request, (result) => {
      if (result instanceof Uint8Array) this.#cluster.count("promoted");
      done(result);
    });
  }

  #remove(client: SimClient, node: SimNode, done: (result: Result) => void): void {
    const request = encodeMemberRemoveRequest({ id: node.member!.id });
    client.ask(`remove m${node.number}`, `${SERVICE}MemberRemove`, request, (result) => {
      if (result instanceof Uint8Array) this.#cluster.count("removed");
      done(result);
    });
  }
}
