import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/io/io.ts";
import type { PeerHandlers } from "../../src/io/network.ts";
import { type Message, MessageType, newMessage } from "../../src/wire/messages/raft.ts";
import { CALM, type SimNetwork, urlOf } from "./sim-network.ts";
import { SimRandom } from "./sim-random.ts";
import { SimWorld } from "./world.ts";

/** The messages of the tests: `index` tells them apart. */
function messageOf(from: bigint, to: bigint, index: number): Message {
  return { ...newMessage(), type: MessageType.MsgHeartbeat, from, to, index };
}

function handlersFor(id: bigint, heard: Partial<PeerHandlers>): PeerHandlers {
  return {
    memberId: id,
    clusterId: 7n,
    version: "3.7.0",
    minClusterVersion: "3.0.0",
    peerUrls: () => [urlOf(id)],
    isRemoved: () => false,
    message: () => {},
    snapshot: () => assert.fail("no snapshot was sent"),
    snapshotSent: () => assert.fail("no snapshot was sent"),
    unreachable: () => {},
    refused: () => {},
    removed: () => assert.fail("nobody was removed"),
    request: (_, answer) => answer({ status: 404, headers: {}, body: new Uint8Array() }),
    ...heard,
  };
}

/** A member on the machine of the same number, linked to the other one of two. */
function connect(world: SimWorld, id: bigint, heard: Partial<PeerHandlers>): SimNetwork {
  const io = world.machine(id).start();
  io.network.listen(handlersFor(id, heard));
  io.network.addPeer(3n - id, [urlOf(3n - id)]);
  return world.network.port(id)!;
}

/** Two members that count each other's messages; every delivery makes one of a random delay. */
function pingPong(seed: number): { hash: number; log: string[] } {
  const world = new SimWorld(seed);
  const log: string[] = [];
  world.network.faults = { ...CALM, lossOneIn: 40, doubleOneIn: 20, delayMs: [1, 9] };
  for (const id of [1n, 2n]) {
    const random = world.random.fork(`member ${id}`);
    const { clock } = world.machine(id);
    const port = connect(world, id, {
      message: ({ from, index }) => {
        log.push(`${id}<${from}:${index}@${world.nowMs.toFixed(3)}`);
        clock.after(random.below(5), () => port.send([messageOf(id, from, index + 1)]));
      },
    });
    port.clock.after(150, () => port.send([messageOf(id, 3n - id, 0)]));
  }
  world.runFor(650);
  return { hash: world.hash, log };
}

describe("SimWorld", () => {
  it("replays a seed exactly, and another seed differently", () => {
    const first = pingPong(7);
    assert.deepEqual(pingPong(7), first);
    assert.ok(first.log.length > 50);
    assert.notEqual(pingPong(8).hash, first.hash);
  });

  it("orders events by time, then by insertion", () => {
    const world = new SimWorld(1);
    const { clock } = world.machine(1n).start();
    const seen: string[] = [];
    clock.after(2, () => seen.push("late"));
    clock.after(1, () => {
      clock.endOfTurn(() => seen.push("end of turn"));
      seen.push("first");
    });
    clock.after(1, () => seen.push("second"));
    const never = clock.after(1, () => seen.push("cancelled"));
    never.cancel();
    world.runFor(10);
    assert.deepEqual(seen, ["first", "second", "end of turn", "late"]);
    assert.equal(clock.monotonicMs(), 10);
  });

  it("keeps the heap in order under random insertion", () => {
    const world = new SimWorld(3);
    const { clock } = world.machine(1n).start();
    const times: number[] = [];
    const add = (): void => {
      times.push(clock.monotonicMs());
      if (times.length < 500) clock.after(world.random.below(50), add);
    };
    for (let count = 0; count < 100; count++) clock.after(world.random.below(100), add);
    world.runFor(10_000);
    assert.ok(times.length >= 500);
    assert.deepEqual(
      times,
      [...times].sort((left, right) => left - right),
    );
  });

  it("forgets what a crashed process had planned", () => {
    const world = new SimWorld(1);
    const machine = world.machine(1n);
    const seen: string[] = [];
    const plan = (name: string, clock: Clock): void => {
      clock.after(5, () => seen.push(name));
    };
    plan("old", machine.start().clock);
    machine.crash();
    plan("new", machine.start().clock);
    world.runFor(10);
    assert.deepEqual(seen, ["new"]);
  });

  it("holds everything back while a machine is paused", () => {
    const world = new SimWorld(1);
    const machine = world.machine(1n);
    const { clock } = machine.start();
    const seen: number[] = [];
    clock.after(1, () => seen.push(clock.monotonicMs()));
    clock.after(30, () => seen.push(clock.monotonicMs()));
    machine.pause(20);
    world.runFor(40);
    assert.deepEqual(seen, [20, 30]);
  });

  it("delivers nothing over a cut, and again when healed", () => {
    const world = new SimWorld(1);
    const seen: string[] = [];
    const message =
      (name: string) =>
      ({ index }: Message) =>
        seen.push(`${name}:${index}`);
    const one = connect(world, 1n, { message: message("1") });
    const two = connect(world, 2n, { message: message("2") });
    const round = (value: number): void => {
      world.runFor(200);
      one.send([messageOf(1n, 2n, value)]);
      world.runFor(1);
      two.send([messageOf(2n, 1n, value)]);
      world.runFor(1);
    };
    world.network.cut(1n, 2n);
    round(1);
    world.network.heal();
    round(2);
    world.network.isolate(2n);
    round(3);
    assert.deepEqual(seen, ["1:1", "2:2", "1:2"]);
  });

  it("notices that a peer is gone or does not answer, and that it is back", () => {
    const world = new SimWorld(1);
    const gone: bigint[] = [];
    const one = connect(world, 1n, { unreachable: (id) => gone.push(id) });
    assert.equal(one.activeSinceMs(2n), undefined);
    connect(world, 2n, {});
    world.runFor(200);
    assert.ok(one.activeSinceMs(2n)! > 0);
    world.machine(2n).crash();
    world.runFor(10);
    assert.equal(one.activeSinceMs(2n), undefined);
    assert.deepEqual(gone, [2n]);
    connect(world, 2n, {});
    world.runFor(200);
    world.network.isolate(2n);
    world.runFor(400);
    assert.notEqual(one.activeSinceMs(2n), undefined, "silence takes its time");
    world.runFor(6000);
    assert.equal(one.activeSinceMs(2n), undefined);
  });

  it("asks by URL, and gives up on who does not answer", () => {
    const world = new SimWorld(1);
    const one = connect(world, 1n, {});
    connect(world, 2n, {
      request: ({ path }, answer) => answer({ status: 200, headers: {}, body: Buffer.from(path) }),
    });
    const answers: string[] = [];
    const ask = (url: string): void =>
      one.ask(url, { method: "GET", path: "/version" }, (answer) => {
        if (answer instanceof Error) answers.push(answer.message);
        else answers.push(`${answer.status} ${Buffer.from(answer.body)}`);
      });
    ask(urlOf(2n));
    ask("http://nobody:1");
    world.runFor(10);
    world.network.isolate(2n);
    ask(urlOf(2n));
    world.runFor(10_000);
    world.machine(2n).crash();
    world.network.heal();
    ask(urlOf(2n));
    world.runFor(10);
    assert.deepEqual(answers, [
      "dial tcp: lookup http://nobody:1: no such host",
      "200 /version",
      "context deadline exceeded",
      "connect: connection refused",
    ]);
  });

  it("settles promises between two events", async () => {
    const run = async (): Promise<string[]> => {
      const world = new SimWorld(1);
      const { clock } = world.machine(1n).start();
      const seen: string[] = [];
      const wait = (ms: number): Promise<void> => new Promise((done) => clock.after(ms, done));
      const worker = async (name: string): Promise<void> => {
        for (let round = 0; round < 3; round++) {
          await wait(1);
          seen.push(`${name}${round}`);
        }
      };
      let done = false;
      void Promise.all([worker("a"), worker("b")]).then(() => {
        done = true;
      });
      assert.ok(await world.settleUntil(() => done));
      return seen;
    };
    assert.deepEqual(await run(), ["a0", "b0", "a1", "b1", "a2", "b2"]);
  });
});

describe("SimRandom", () => {
  it("is uniform enough, and its forks do not depend on what was drawn", () => {
    const random = new SimRandom(5);
    const before = random.fork("x").below(1e9);
    const counts = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 10_000; draw++) counts[random.below(10)]!++;
    for (const count of counts) assert.ok(count > 850 && count < 1150, `${counts}`);
    assert.equal(random.fork("x").below(1e9), before);
    assert.notEqual(random.fork("y").below(1e9), before);
    for (let draw = 0; draw < 100; draw++) {
      const value = random.below(2 ** 48);
      assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 48);
    }
  });
});
