// The whole dance after "mvcc: database space exceeded", in one command and with stock requests
// only, so that it works on clusters of Go's etcd and mixed ones too:
//
//   look ─► snapshot ─► compact ─► defragment: followers … leader ─► sizes? ─► disarm ─► test write
//
// Every step looks before it leaps and stops the dance at the first doubt: what was done so far is
// safe to leave as it is, and running the command again goes on from there.

import { humanSize } from "../../base/human-size.ts";
import { Cluster } from "../../client/cluster.ts";
import { errorText } from "../../client/errors.ts";
import { Kv } from "../../client/kv.ts";
import { Maintenance } from "../../client/maintenance.ts";
import { Errors } from "../../wire/errors.ts";
import {
  AlarmAction,
  AlarmType,
  type StatusResponse,
} from "../../wire/messages/rpc-maintenance.ts";
import { RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

/** The alarm goes only if all members are so far below their quota. */
const QUOTA_SHARE_MAX = 0.9;
/** Entries that a member may be behind: more, and it has troubles of its own. */
const LAG_MAX = 5000;
const TEST_KEY = "/quorate/recover-test";

interface MemberLook {
  readonly name: string;
  readonly endpoint: string;
  readonly maintenance: Maintenance;
  status: StatusResponse;
}

interface Options {
  readonly isDryRun: boolean;
  readonly snapshotPath: string;
  readonly keptRevisions: number;
  readonly testKey: string;
}

class Recovery {
  readonly #session: Session;
  readonly #options: Options;
  #members: MemberLook[] = [];
  #step = 0;

  constructor(session: Session, options: Options) {
    this.#session = session;
    this.#options = options;
  }

  async run(): Promise<void> {
    await this.#look();
    await this.#snapshot();
    await this.#compact();
    await this.#defragment();
    await this.#disarm();
    await this.#testWrite();
    this.#say(this.#options.isDryRun ? "dry run: nothing was changed" : "recovered");
  }

  async #look(): Promise<void> {
    this.#begin("look at all members");
    const session = this.#session;
    const cluster = new Cluster(await session.caller());
    const { members } = await this.#ask("list the members", () =>
      cluster.memberList({ linearizable: true }, session.callOptions),
    );
    for (const { name, clientURLs } of members) {
      const endpoint = clientURLs[0];
      if (endpoint === undefined) this.#doubt(`member "${name}" has not started: no client URL`);
      const maintenance = new Maintenance(await session.callerOf(endpoint));
      const status = await this.#ask(`status of ${name} at ${endpoint}`, () =>
        maintenance.status(session.callOptions),
      );
      this.#members.push({ name, endpoint, maintenance, status });
    }
    for (const member of this.#members) this.#say(`  ${memberText(member)}`);
    this.#checkHealth();
  }

  #checkHealth(): void {
    const leaders = new Set(this.#members.map(({ status }) => status.leader));
    if (leaders.size !== 1 || leaders.has(0n)) {
      this.#doubt("the members do not agree on a leader: recover the quorum first");
    }
    const furthest = Math.max(...this.#members.map(({ status }) => status.raftAppliedIndex));
    for (const { name, status } of this.#members) {
      const corrupt = status.errors.find((error) => error.includes("CORRUPT"));
      if (corrupt !== undefined) this.#doubt(`member ${name} has an alarm: ${corrupt}`);
      const behind = furthest - status.raftAppliedIndex;
      if (behind > LAG_MAX) this.#doubt(`member ${name} is ${behind} entries behind`);
    }
  }

  async #snapshot(): Promise<void> {
    const { isDryRun, snapshotPath } = this.#options;
    if (snapshotPath === "") {
      this.#begin("no snapshot, as asked");
      return;
    }
    const leader = this.#leader();
    this.#begin(`save a snapshot of ${leader.name} to ${snapshotPath}`);
    if (isDryRun) return;
    const { save } = await import("./snapshot-save.ts");
    const { sizeBytes } = await this.#ask("save a snapshot", () =>
      save(this.#session, leader.endpoint, snapshotPath),
    );
    this.#say(`  saved ${humanSize(sizeBytes)}`);
  }

  async #compact(): Promise<void> {
    const { isDryRun, keptRevisions } = this.#options;
    const current = this.#leader().status.header?.revision ?? 0;
    const revision = current - keptRevisions;
    if (revision <= 0) {
      this.#begin("nothing to compact");
      return;
    }
    this.#begin(`compact the history below revision ${revision} (now is ${current})`);
    if (isDryRun) return;
    const kv = new Kv(await this.#session.callerOf(this.#leader().endpoint));
    try {
      await kv.compact({ revision, physical: true }, this.#session.patientOptions);
    } catch (error) {
      const isDone = error instanceof RpcError && error.message === Errors.Compacted.message;
      if (!isDone) this.#doubt(`compaction failed: ${errorText(error)}`);
      this.#say("  it was compacted already");
    }
  }

  /** Followers first: the leader keeps its office while the others are busy. */
  async #defragment(): Promise<void> {
    const leader = this.#leader();
    const order = [...this.#members.filter((member) => member !== leader), leader];
    for (const member of order) {
      const role = member === leader ? "leader" : "follower";
      this.#begin(`defragment ${member.name} (${role})`);
      if (this.#options.isDryRun) {
        const { dbSize, dbSizeInUse } = member.status;
        this.#say(`  ${humanSize(dbSize - dbSizeInUse)} are free now; more after the compaction`);
        continue;
      }
      const before = member.status.dbSize;
      // It takes as long as it takes: a time limit would leave the operator in the dark.
      await this.#ask(`defragment ${member.name}`, () =>
        member.maintenance.defragment(this.#session.patientOptions),
      );
      member.status = await this.#ask(`status of ${member.name}`, () =>
        member.maintenance.status(this.#session.callOptions),
      );
      this.#say(`  ${humanSize(before)} → ${humanSize(member.status.dbSize)}`);
      if (member.status.leader === 0n) this.#doubt(`${member.name} knows no leader any more`);
    }
  }

  async #disarm(): Promise<void> {
    const { isDryRun } = this.#options;
    const { maintenance } = this.#leader();
    const { alarms } = await this.#ask("list the alarms", () =>
      maintenance.alarm({ action: AlarmAction.GET }, this.#session.callOptions),
    );
    const noSpace = alarms.filter(({ alarm }) => alarm === AlarmType.NOSPACE);
    this.#begin(noSpace.length === 0 ? "no alarm to disarm" : "disarm NOSPACE");
    if (isDryRun || noSpace.length === 0) return;
    for (const { name, status } of this.#members) {
      const { dbSize, dbSizeQuota } = status;
      if (dbSizeQuota > 0 && dbSize > QUOTA_SHARE_MAX * dbSizeQuota) {
        this.#doubt(
          `${name} still has ${humanSize(dbSize)} of ${humanSize(dbSizeQuota)}: delete keys ` +
            "(`etcdctl du` shows which), or raise --quota-backend-bytes and restart",
        );
      }
    }
    for (const { memberID } of noSpace) {
      await this.#ask("disarm", () =>
        maintenance.alarm(
          { action: AlarmAction.DEACTIVATE, memberID, alarm: AlarmType.NOSPACE },
          this.#session.callOptions,
        ),
      );
    }
  }

  async #testWrite(): Promise<void> {
    const { isDryRun, testKey } = this.#options;
    this.#begin(`test: write and delete ${testKey}`);
    if (isDryRun) return;
    const kv = new Kv(await this.#session.callerOf(this.#leader().endpoint));
    const key = Buffer.from(testKey);
    const { callOptions } = this.#session;
    const there = await this.#ask("read the test key", () =>
      kv.range({ key, countOnly: true }, callOptions),
    );
    if (there.count > 0) this.#doubt(`${testKey} exists: give another one with --test-key`);
    await this.#ask("write", () => kv.put({ key, value: Buffer.from("ok") }, callOptions));
    await this.#ask("delete", () => kv.deleteRange({ key }, callOptions));
  }

  #leader(): MemberLook {
    const leader = this.#members.find(({ status }) => status.header?.memberId === status.leader);
    return leader ?? this.#doubt("the leader is not among the members that answer");
  }

  #begin(what: string): void {
    this.#say(`${++this.#step}. ${what}`);
  }

  #say(text: string): void {
    this.#session.print(`${text}\n`);
  }

  async #ask<Result>(what: string, call: () => Promise<Result>): Promise<Result> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof Exit && error.text === undefined) throw error;
      return this.#doubt(`could not ${what}: ${errorText(error)}`);
    }
  }

  #doubt(text: string): never {
    const done = this.#options.isDryRun ? "nothing was changed" : "what was done so far is safe";
    throw new Exit(ExitCode.Error, `stopped at step ${this.#step}: ${text} (${done})`);
  }
}

function memberText({ name, endpoint, status }: MemberLook): string {
  const { dbSize, dbSizeInUse, dbSizeQuota, errors } = status;
  const role = status.header?.memberId === status.leader ? "leader" : "follower";
  const quota = dbSizeQuota === 0 ? "" : ` of ${humanSize(dbSizeQuota)}`;
  const alarms = errors.length === 0 ? "" : `; ${errors.join(", ")}`;
  const size = `${humanSize(dbSize)}${quota}, ${humanSize(dbSizeInUse)} in use`;
  return `${name} ${endpoint} ${role} ${status.version}: ${size}${alarms}`;
}

export const body: Body<Session> = {
  long: `Brings a cluster back that has run out of space: looks at all members, saves a snapshot,
compacts the history, defragments one member after the other with the leader last, disarms the
alarm, and writes a key as a test. It stops at the first doubt.

Only requests that every etcd knows are used.`,
  example: `  # what would be done
  etcdctl recover --dry-run

  # do it, and keep the last 1000 revisions
  etcdctl recover --keep-revisions=1000 --snapshot=before.db`,
  prepare(flags) {
    const dryRun = flags.boolean("dry-run", false, "only say what would be done");
    const snapshot = flags.string("snapshot", "recover.db", "where the snapshot goes; '' for none");
    const keep = flags.unsigned("keep-revisions", 0n, "revisions of history that are kept");
    const testKey = flags.string("test-key", TEST_KEY, "written and deleted as a test");
    return async (session, args) => {
      if (args.length > 0) throw badArguments("recover command accepts no arguments");
      const recovery = new Recovery(session, {
        isDryRun: dryRun.value,
        snapshotPath: snapshot.value,
        keptRevisions: Number(keep.value),
        testKey: testKey.value,
      });
      await recovery.run();
    };
  },
};
