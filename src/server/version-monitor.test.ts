import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState } from "../../test/model/applied-state.ts";
import { silentLogger } from "../base/log.ts";
import type { PeerAnswer } from "../io/network.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import {
  encodeClusterVersionSetRequest,
  encodeDowngradeInfoSetRequest,
} from "../wire/messages/membership.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { VersionMonitor } from "./version-monitor.ts";

const OWN = 0x11n;

class Fixture {
  readonly clock: ManualClock = new ManualClock();
  readonly applied: AppliedState = new AppliedState({ serverVersion: "3.7.3" });
  readonly monitor: VersionMonitor;
  /** What members run, by URL; undefined: they cannot be reached. */
  readonly versions: Map<string, string | undefined> = new Map();
  isLeader = true;

  constructor(...others: string[]) {
    const { clock, applied } = this;
    for (const [at, url] of ["http://own", ...others].entries()) {
      const id = OWN + BigInt(at);
      const context = Buffer.from(`{"id":${id},"peerURLs":["${url}"]}`);
      const change = { type: 0, nodeId: id, context, id: 1n } as const;
      const index = applied.state.appliedIndex + 1;
      applied.state.applyConfChange(index, 1, change, () => ({
        voters: [],
        learners: [],
        votersOutgoing: [],
        learnersNext: [],
        autoLeave: false,
      }));
    }
    this.monitor = new VersionMonitor({
      ...{ clock, log: silentLogger, memberId: OWN, state: applied.state },
      options: { electionMs: 1000, downgradeCheckMs: 5000 },
      backend: applied.store,
      proposals: {
        propose: (field, bytes, _start, _end, waiter) => waiter.settle(applied.apply(field, bytes)),
      },
      network: { ask: (url, _request, done) => done(this.#answer(url)) },
      isLeader: () => this.isLeader,
    });
  }

  get clusterVersion(): string | undefined {
    return this.applied.state.members.clusterVersion;
  }

  downgradeTo(ver: string): void {
    const request = encodeDowngradeInfoSetRequest({ enabled: true, ver });
    this.applied.apply(RequestField.DowngradeInfoSet, request);
  }

  #answer(url: string): PeerAnswer | Error {
    const etcdserver = this.versions.get(url);
    if (etcdserver === undefined) return new Error("connection refused");
    const body = Buffer.from(JSON.stringify({ etcdserver, etcdcluster: "3.7.0" }));
    return { status: 200, headers: {}, body };
  }
}

test("alone, a leader decides at once", () => {
  const fixture = new Fixture();
  fixture.monitor.check();
  assert.equal(fixture.clusterVersion, "3.7.0");
  assert.equal(fixture.monitor.storageVersion, "3.7.0");
});

test("the version of the cluster is the lowest of its members, and rises with them", () => {
  const fixture = new Fixture("http://b", "http://c");
  fixture.versions.set("http://b", "3.6.14").set("http://c", "3.7.3");
  fixture.isLeader = false;
  fixture.monitor.check();
  assert.equal(fixture.clusterVersion, undefined);
  fixture.isLeader = true;
  fixture.monitor.check();
  assert.equal(fixture.clusterVersion, "3.6.0");
  fixture.versions.set("http://b", undefined);
  fixture.clock.pass(4000);
  assert.equal(fixture.clusterVersion, "3.6.0");
  fixture.versions.set("http://b", "3.8.0-alpha.0");
  fixture.clock.pass(4000);
  assert.equal(fixture.clusterVersion, "3.7.0");
  assert.equal(fixture.monitor.storageVersion, "3.7.0");
});

test("as long as a member is missing, a new cluster has the version that any member knows", () => {
  const fixture = new Fixture("http://b");
  fixture.monitor.check();
  assert.equal(fixture.clusterVersion, "3.0.0");
  assert.equal(fixture.monitor.storageVersion, undefined);
  fixture.versions.set("http://b", "3.7.0");
  fixture.clock.pass(4000);
  assert.equal(fixture.clusterVersion, "3.7.0");
});

test("a downgrade lowers it by one minor version, and ends when all run the older one", () => {
  const fixture = new Fixture("http://b");
  fixture.versions.set("http://b", "3.7.3");
  fixture.monitor.check();
  fixture.downgradeTo("3.6.0");
  fixture.clock.pass(4000);
  assert.equal(fixture.clusterVersion, "3.6.0");
  assert.equal(fixture.monitor.storageVersion, "3.6.0");
  fixture.clock.pass(20_000);
  // This member itself still runs the newer one.
  assert.equal(fixture.applied.state.members.downgrade.enabled, true);
  assert.equal(fixture.clusterVersion, "3.6.0");
});

test("a downgrade by more than one minor version is not carried out", () => {
  const fixture = new Fixture("http://b");
  fixture.versions.set("http://b", "3.7.3");
  fixture.monitor.check();
  fixture.downgradeTo("3.5.0");
  fixture.clock.pass(8000);
  assert.equal(fixture.clusterVersion, "3.7.0");
});

test("a downgrade that is done is ended by the leader", () => {
  const fixture = new Fixture();
  const request = encodeClusterVersionSetRequest({ ver: "3.7.0" });
  fixture.applied.apply(RequestField.ClusterVersionSet, request);
  // As an older server sees it that has taken over: the target is its own version.
  fixture.downgradeTo("3.7.0");
  fixture.clock.pass(5000);
  assert.equal(fixture.applied.state.members.downgrade.enabled, false);
});
