import assert from "node:assert/strict";
import { test } from "node:test";
import type { Done } from "../../src/io/io.ts";
import type { PeerHandlers, SnapshotSink } from "../../src/io/network.ts";
import { MessageType, newMessage } from "../../src/wire/messages/raft.ts";
import { CALM, urlOf } from "./sim-network.ts";
import { SimWorld } from "./world.ts";

/** What both sides of one transfer were told, and what arrived. */
class Transfer {
  readonly world: SimWorld;
  readonly content: Uint8Array;
  readonly arrived: number[] = [];
  end: "ended" | "aborted" | undefined;
  sent: boolean | undefined;
  isClosed = false;
  refuses = false;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.world.network.faults = { ...CALM, snapshotPieceBytes: 1000 };
    this.content = this.world.random.fork("content").bytes(10_500);
  }

  start(): void {
    const { world, content } = this;
    for (const id of [1n, 2n]) {
      const { network } = world.machine(id).start();
      network.listen(this.#handlers(id, world.machine(id).clock));
      network.addPeer(3n - id, [urlOf(3n - id)]);
    }
    world.runFor(200);
    const message = { ...newMessage(), type: MessageType.MsgSnap, from: 1n, to: 2n };
    world.network.port(1n)!.sendSnapshot(message, {
      sizeBytes: content.length,
      read: (position, target) => {
        const part = content.subarray(position, position + target.length);
        target.set(part);
        return part.length;
      },
      close: () => {
        assert.ok(!this.isClosed, "closed once");
        this.isClosed = true;
      },
    });
  }

  #handlers(id: bigint, clock: { after(ms: number, task: () => void): unknown }): PeerHandlers {
    const sink: SnapshotSink = {
      write: (bytes, done: Done) => {
        this.arrived.push(...bytes);
        clock.after(1, () => done(this.refuses ? new Error("full") : null));
      },
      end: (done) => {
        this.end = "ended";
        done(null);
      },
      abort: () => {
        this.end = "aborted";
      },
    };
    return {
      memberId: id,
      clusterId: 7n,
      version: "3.7.0",
      minClusterVersion: "3.0.0",
      peerUrls: () => [urlOf(id)],
      isRemoved: () => false,
      message: () => {},
      snapshot: () => sink,
      snapshotSent: (to, isOk) => {
        assert.equal(to, 2n);
        this.sent = isOk;
      },
      unreachable: () => {},
      refused: () => {},
      removed: () => {},
      request: () => {},
    };
  }
}

test("a snapshot arrives whole", () => {
  const transfer = new Transfer(1);
  transfer.start();
  transfer.world.runFor(1000);
  assert.deepEqual(transfer.arrived, [...transfer.content]);
  assert.equal(transfer.end, "ended");
  assert.equal(transfer.sent, true);
  assert.ok(transfer.isClosed);
});

test("a snapshot that breaks is reported on both sides", () => {
  const breaks: ((transfer: Transfer) => void)[] = [
    ({ world }) => world.network.isolate(2n),
    (transfer) => {
      transfer.refuses = true;
    },
  ];
  for (const breakIt of breaks) {
    const transfer = new Transfer(2);
    transfer.start();
    transfer.world.runFor(5);
    breakIt(transfer);
    transfer.world.runFor(20_000);
    assert.ok(transfer.arrived.length > 0 && transfer.arrived.length < 10_500);
    assert.equal(transfer.sent, false);
    assert.ok(transfer.isClosed);
  }
});

test("chance breaks snapshots in the middle", () => {
  const lengths = new Set<number>();
  for (let seed = 1; seed < 30; seed++) {
    const transfer = new Transfer(seed);
    transfer.world.network.faults.snapshotCutOneIn = 1;
    transfer.start();
    transfer.world.runFor(1000);
    assert.equal(transfer.end, "aborted");
    assert.equal(transfer.sent, false);
    lengths.add(transfer.arrived.length);
  }
  assert.ok(lengths.size > 5, "at many places");
});

test("the end that lives learns of the death of the other", () => {
  const receiverDies = new Transfer(3);
  receiverDies.start();
  receiverDies.world.runFor(5);
  receiverDies.world.machine(2n).crash();
  receiverDies.world.runFor(20_000);
  assert.equal(receiverDies.sent, false);
  const senderDies = new Transfer(3);
  senderDies.start();
  senderDies.world.runFor(5);
  senderDies.world.machine(1n).crash();
  senderDies.world.runFor(20_000);
  assert.equal(senderDies.end, "aborted");
});
