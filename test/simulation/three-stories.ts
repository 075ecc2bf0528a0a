// Three Sundays of etcd's tracker as a load on members of the simulated world: a status that is
// rewritten for ever with a lease that is renewed, two pollers of one lock, services that are
// created, updated fifty times and deleted again. Time is virtual and steps are coarse; the quota
// is as much smaller than etcd's as the load is.

import assert from "node:assert/strict";
import type { Member } from "../../src/server/member.ts";
import type { MemberOptions } from "../../src/server/options.ts";
import { Column } from "../../src/state/accounting/prefix-tree.ts";
import { RequestField } from "../../src/wire/internal-raft-request.ts";
import { encodeDeleteRangeRequest, encodePutRequest } from "../../src/wire/messages/rpc-kv.ts";
import { encodeLeaseGrantRequest } from "../../src/wire/messages/rpc-lease.ts";
import { SmallCluster } from "./small-cluster.ts";

const DAY_MS = 24 * 3600_000;
const MIB = 1024 ** 2;
const isTold = process.env["SELF_CARE_STORY"] === "1";

/** Coarse ticks: a month of heartbeats would be most of the work. */
const OPTIONS: Partial<MemberOptions> = {
  tickMs: 60_000,
  electionMs: 600_000,
  selfCare: "on",
  quotaBackendBytes: 8 * MIB,
  snapshotCount: 2000,
  snapshotCatchupEntries: 500,
  backendBatchIntervalMs: 1000,
  compactionSleepMs: 10,
};

interface Failed {
  readonly message: string;
}

export class Story {
  readonly cluster: SmallCluster;
  fileMax = 0;
  /** Of file to what is live and kept. */
  ratioMax = 0;
  /** Longest time in which the file was more than twice what it holds. */
  bloatedMaxMs = 0;
  writes = 0;
  readonly errors: string[] = [];
  readonly #bloatedSinceMs = new Map<Member, number>();

  constructor(seed: number, size: number, options: Partial<MemberOptions> = {}) {
    this.cluster = new SmallCluster(seed, size, { ...OPTIONS, ...options });
    this.cluster.startAll();
    const { world } = this.cluster;
    assert.ok(
      world.runUntil(() => this.cluster.leader !== undefined, 3600_000),
      "there is a leader",
    );
    world.runFor(3600_000);
    this.#propose(RequestField.LeaseGrant, encodeLeaseGrantRequest({ id: 77n, ttl: 3600 }));
    this.#propose(RequestField.LeaseGrant, encodeLeaseGrantRequest({ id: 0x6f1an, ttl: 1e9 }));
    this.#propose(RequestField.LeaseGrant, encodeLeaseGrantRequest({ id: 0x6f1bn, ttl: 1e9 }));
  }

  /** One day; `services` are created, updated and deleted in it. */
  day(services: number, steps = 144): void {
    const { world } = this.cluster;
    const changes = services * 52;
    let done = 0;
    for (let step = 0; step < steps; step++) {
      for (let i = 0; i < 8; i++) this.#put("/service/batman/status", "s".repeat(700));
      this.#poll(0x6f1an);
      this.#poll(0x6f1bn);
      for (; done < (changes * (step + 1)) / steps; done++) this.#changeService(services, done);
      for (let part = 0; part < 6; part++) {
        world.runFor(DAY_MS / steps / 6);
        this.#measure();
      }
    }
  }

  /** A TryLock that does not get the lock. */
  #poll(lease: bigint): void {
    const key = `my-lock/${lease.toString(16)}`;
    this.#put(key, "", lease);
    this.#propose(RequestField.DeleteRange, encodeDeleteRangeRequest({ key: Buffer.from(key) }));
  }

  /** In the order in which a test does it: all are created, updated in rounds, deleted. */
  #changeService(services: number, at: number): void {
    const round = Math.floor(at / services);
    const key = `/registry/services/specs/test/service-${at % services}`;
    if (round < 51) this.#put(key, `${round}`.padEnd(900, "v"));
    else
      this.#propose(RequestField.DeleteRange, encodeDeleteRangeRequest({ key: Buffer.from(key) }));
  }

  #put(key: string, value: string, lease = 0n): void {
    const request = { key: Buffer.from(key), value: Buffer.from(value), lease };
    this.#propose(RequestField.Put, encodePutRequest(request));
  }

  #propose(field: number, body: Uint8Array): void {
    this.writes++;
    const fail = (error: Failed | null): void => {
      if (error !== null) this.errors.push(error.message);
    };
    const waiter = {
      proposedAtMs: 0,
      settle: (o: { error: Failed | null }) => fail(o.error),
      fail,
    };
    this.cluster.leader!.propose(field, body, 0, body.length, waiter);
  }

  #measure(): void {
    for (const member of this.cluster.running) {
      const { space } = member.mvcc;
      const held = space.total(Column.LiveBytes) + space.total(Column.HistoryBytes);
      const file = member.backend.sizeBytes;
      this.fileMax = Math.max(this.fileMax, file);
      // A few pages are always there, and a file is not copied for less than a small win.
      const spareBytes = OPTIONS.quotaBackendBytes! / 256 + 64 * 1024;
      const ratio = (file - spareBytes) / held;
      this.ratioMax = Math.max(this.ratioMax, ratio);
      const { nowMs } = this.cluster.world;
      const sinceMs = this.#bloatedSinceMs.get(member) ?? nowMs;
      if (ratio > 2) this.#bloatedSinceMs.set(member, sinceMs);
      else this.#bloatedSinceMs.delete(member);
      this.bloatedMaxMs = Math.max(this.bloatedMaxMs, nowMs - sinceMs);
    }
  }

  tell(name: string): void {
    if (!isTold) return;
    const kib = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;
    const ratio = this.ratioMax.toFixed(2);
    const summary = `${this.writes} writes, largest file ${kib(this.fileMax)}, ratio ${ratio}`;
    const lines = [`${name}: ${summary}`];
    for (const [at, member] of this.cluster.running.entries()) {
      lines.push(`member ${at + 1}: file ${kib(member.backend.sizeBytes)}`);
      for (const event of member.care.self.events) {
        const day = ((event.unixMs - firstMs(member)) / DAY_MS).toFixed(1);
        const sizes = `${kib(event.bytesBefore)} → ${kib(event.bytesAfter)}`;
        lines.push(`  +${day} d ${event.action} ${event.result}: ${sizes}, ${event.reason}`);
      }
    }
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}

function firstMs(member: Member): number {
  return member.care.self.events[0]?.unixMs ?? 0;
}

export function actionsOf(member: Member, action: string): number {
  const { events } = member.care.self;
  return events.filter((event) => event.action === action && event.result === "done").length;
}
