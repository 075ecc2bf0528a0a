// What the account costs a put, measured inside one process: the same puts with and without it in
// turn, and the middle of their differences.

import { WriteKind, Writers } from "../src/server/care/writers.ts";
import { SpaceAccount } from "../src/state/accounting/space-account.ts";
import { KeyIndex } from "../src/state/mvcc/key-index.ts";
import { Mvcc } from "../src/state/mvcc/mvcc.ts";
import { Origin } from "../src/wire/rpc.ts";
import { MemoryStore } from "../test/model/memory-store.ts";
import { median } from "./loads.ts";

const PUTS = 100_000;
const KEYS = 20_000;
const ROUNDS = 15;

/** Takes the place of the account: it does nothing. */
class NoAccount extends SpaceAccount {
  override added(): void {}
  override put(): void {}
}

/** Of one put that changes a key three directories deep, and of noting who made it. */
export function accountingMicros(): number {
  const measure = (isWith: boolean): number =>
    isWith ? putMicros(new SpaceAccount(), new Writers()) : putMicros(new NoAccount(), undefined);
  // What is compiled late would favour whichever is the second.
  for (const isWith of [true, false]) measure(isWith);
  const differences = Array.from({ length: ROUNDS }, (_, round) => {
    const isFirstWith = round % 2 === 0;
    const [first, second] = [measure(isFirstWith), measure(!isFirstWith)];
    return isFirstWith ? first - second : second - first;
  });
  return median(differences);
}

function putMicros(space: SpaceAccount, writers: Writers | undefined): number {
  const leases = { isAnyAttached: false, attach() {}, detach() {} };
  const index = new KeyIndex(1);
  const mvcc = new Mvcc({ records: new MemoryStore(), leases, index, onChanges() {} });
  mvcc.space = space;
  const value = new Uint8Array(256);
  const keys = Array.from({ length: KEYS }, (_, at) => {
    return Buffer.from(`/registry/pods/ns-${at % 50}/pod-${at}`);
  });
  const origin = new Origin("10.0.0.1:50312", "", "bench");
  const putAll = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const key = keys[(i * 7919) % KEYS]!;
      writers?.note(origin, WriteKind.Put, 300, i);
      mvcc.begin();
      mvcc.put(key, 0, key.length, value, 0, value.length, 0n);
      mvcc.end();
    }
  };
  putAll(KEYS);
  const before = process.cpuUsage();
  putAll(PUTS);
  return process.cpuUsage(before).user / PUTS;
}
