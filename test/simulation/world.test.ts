import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/io/io.ts";
import { SimRandom } from "./sim-random.ts";
import { SimWorld } from "./world.ts";

const bytesOf = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Two members that count each other's messages; every delivery makes one of a random delay. */
function pingPong(seed: number): { hash: number; log: string[] } {
  const world = new SimWorld(seed);
  const log: string[] = [];
  world.network.faults = { lossOneIn: 20, doubleOneIn: 20, delayMs: [1, 9] };
  for (const id of [1n, 2n]) {
    const { network, clock, random } = world.machine(id).start();
    network.onMessage((from, message) => {
      log.push(`${id}<${from}:${message[0]}@${clock.monotonicMs().toFixed(3)}`);
      clock.after(random.below(5), () => network.send(from, bytesOf((message[0]! + 1) & 255)));
    });
    network.send(3n - id, bytesOf(0));
  }
  world.runFor(500);
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
    const one = world.machine(1n).start().network;
    const two = world.machine(2n).start().network;
    const seen: string[] = [];
    one.onMessage((_, message) => seen.push(`1:${message[0]}`));
    two.onMessage((_, message) => seen.push(`2:${message[0]}`));
    const round = (value: number): void => {
      one.send(2n, bytesOf(value));
      world.runFor(1);
      two.send(1n, bytesOf(value));
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
