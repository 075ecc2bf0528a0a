import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkState } from "./check.ts";
import { Db, emptyFile, type View } from "./db.ts";
import type { FreelistType, Span } from "./free-spans.ts";
import type { PageSource } from "./page.ts";
import { scanBucket } from "./scan.ts";
import type { Tx } from "./tx.ts";

class MemoryFile implements PageSource {
  bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  sizeBytes(): number {
    return this.bytes.length;
  }

  read(target: Uint8Array, position: number): number {
    const part = this.bytes.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, position: number): void {
    if (position + bytes.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(position + bytes.length, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes.set(bytes, position);
  }
}

class TestDb {
  readonly file: MemoryFile;
  readonly freelistType: FreelistType;
  db: Db;

  constructor(freelistType: FreelistType = "map", pageSize = 4096) {
    this.file = new MemoryFile(emptyFile(pageSize));
    this.freelistType = freelistType;
    this.db = new Db(this.file, { freelistType });
  }

  commit(change: (tx: Tx) => void): void {
    const tx = this.db.begin();
    change(tx);
    tx.rebalance();
    const { runs, metaPage, metaPosition, sizeBytes } = tx.spill();
    for (const { page, bytes } of runs) this.file.write(bytes, page * this.db.pageSize);
    assert.ok(this.file.bytes.length >= sizeBytes || runs.length === 0);
    this.file.write(metaPage, metaPosition);
    this.db.committed(tx);
    this.check();
  }

  check(view: View = this.db.view): void {
    const free: Span[] = [];
    const isLast = view === this.db.view;
    if (isLast) this.db.freelist.forEachUnused((start, count) => free.push({ start, count }));
    assert.deepEqual(checkState(this.file, view.meta, isLast ? free : undefined), []);
  }

  reopen(): void {
    this.db = new Db(this.file, { freelistType: this.freelistType });
  }
}

const encoder = new TextEncoder();

function put(tx: Tx, bucket: string, key: string, value: Uint8Array | string, fill?: number): void {
  const bytes = Buffer.concat([encoder.encode(key), Buffer.from(value)]);
  const keySize = encoder.encode(key).length;
  tx.bucket(bucket, fill).put(bytes, 0, keySize, bytes.length - keySize);
}

function remove(tx: Tx, bucket: string, key: string): boolean {
  const bytes = encoder.encode(key);
  return tx.bucket(bucket).delete(bytes, 0, bytes.length);
}

/** Entries in the order in which they are found. */
function content(view: View, bucket: string): Map<string, string> {
  const entries = new Map<string, string>();
  const source = view.bucket(bucket);
  if (source === undefined) return entries;
  scanBucket(source, null, (bytes, keyStart, keySize, valueSize) => {
    const valueStart = keyStart + keySize;
    const key = Buffer.from(bytes.subarray(keyStart, valueStart)).toString("latin1");
    const value = bytes.subarray(valueStart, valueStart + valueSize);
    entries.set(key, Buffer.from(value).toString("latin1"));
    return true;
  });
  return entries;
}

test("a new file is empty and sound", () => {
  const store = new TestDb();
  store.check();
  assert.deepEqual(store.db.view.bucketNames(), []);
  assert.equal(store.db.sizeBytes, 4 * 4096);
  assert.equal(store.db.view.bucket("key"), undefined);
});

test("what is committed is found, also after opening again", () => {
  const store = new TestDb();
  store.commit((tx) => put(tx, "meta", "a", "1"));
  store.commit((tx) => {
    put(tx, "meta", "b", "2");
    put(tx, "meta", "a", "3");
  });
  for (const round of ["before", "after"]) {
    const bucket = store.db.view.bucket("meta");
    assert.deepEqual(bucket?.get(encoder.encode("a")), encoder.encode("3"), round);
    assert.deepEqual(bucket?.get(encoder.encode("b")), encoder.encode("2"), round);
    assert.equal(bucket?.get(encoder.encode("ab")), undefined);
    store.reopen();
  }
});

test("until it is committed a transaction is invisible", () => {
  const store = new TestDb();
  store.commit((tx) => put(tx, "meta", "a", "1"));
  const tx = store.db.begin();
  put(tx, "meta", "a", "2");
  tx.rebalance();
  const { runs } = tx.spill();
  for (const { page, bytes } of runs) store.file.write(bytes, page * 4096);
  assert.deepEqual(content(store.db.view, "meta"), new Map([["a", "1"]]));
  store.reopen();
  assert.deepEqual(content(store.db.view, "meta"), new Map([["a", "1"]]));
});

test("a bucket of 1024 bytes is inline, one of 1025 is not, and shrinking puts it back", () => {
  const store = new TestDb();
  const isInline = () => store.db.view.bucket("b")?.header.inline !== undefined;
  const valueFor = (total: number) => new Uint8Array(total - 16 - 16 - 1);
  store.commit((tx) => put(tx, "b", "k", valueFor(1024)));
  assert.equal(isInline(), true);
  store.commit((tx) => put(tx, "b", "k", valueFor(1025)));
  assert.equal(isInline(), false);
  store.commit((tx) => put(tx, "other", "k", "v"));
  assert.equal(isInline(), false);
  store.commit((tx) => put(tx, "b", "k", valueFor(1024)));
  assert.equal(isInline(), true);
  assert.equal(content(store.db.view, "b").get("k")?.length, 1024 - 33);
});

test("values larger than a page take contiguous pages of their own", () => {
  for (const type of ["array", "map"] as const) {
    const store = new TestDb(type);
    const values = [1, 4000, 4096, 9000, 100_000, 1_500_000].map((size) =>
      new Uint8Array(size).fill(size),
    );
    for (let round = 0; round < 3; round++) {
      store.commit((tx) => {
        for (const [i, value] of values.entries()) put(tx, "key", `k${i}`, value);
      });
      store.reopen();
      values.forEach((value, i) => {
        assert.deepEqual(store.db.view.bucket("key")?.get(encoder.encode(`k${i}`)), value);
      });
    }
    const sizeBytes = store.db.sizeBytes;
    store.commit((tx) => {
      for (const i of values.keys()) remove(tx, "key", `k${i}`);
    });
    for (let round = 0; round < 5; round++) {
      store.commit((tx) => put(tx, "key", "k5", values[5]!));
    }
    assert.equal(store.db.sizeBytes, sizeBytes, "freed runs are used again");
  }
});

test("many buckets make the root a tree of its own", () => {
  const store = new TestDb();
  const names = Array.from({ length: 300 }, (_, i) => `bucket-${String(i).padStart(4, "0")}`);
  store.commit((tx) => {
    for (const name of names) put(tx, name, "name", name);
  });
  store.reopen();
  assert.deepEqual(store.db.view.bucketNames(), names);
  store.commit((tx) => put(tx, "bucket-0123", "more", "1"));
  assert.equal(content(store.db.view, "bucket-0123").size, 2);
  assert.equal(content(store.db.view, "bucket-0124").get("name"), "bucket-0124");
});

test("appending and flushing gives the same content as putting", () => {
  const store = new TestDb();
  const keyOf = (n: number) => `revision-${String(n).padStart(8, "0")}`;
  const expected = new Map<string, string>();
  let next = 0;
  for (const batch of [1, 2, 10, 500, 3, 4000, 1, 12]) {
    store.commit((tx) => {
      const tree = tx.bucket("key", 0.9);
      for (let i = 0; i < batch; i++) {
        const key = keyOf(next++);
        const value = "v".repeat((next * 37) % 700);
        expected.set(key, value);
        const bytes = Buffer.from(key + value);
        tree.append(bytes, 0, key.length, value.length);
        if (tree.isRightEndFull && i % 50 === 0) tree.flushFull();
      }
    });
    assert.deepEqual(content(store.db.view, "key"), expected);
  }
  store.reopen();
  assert.deepEqual(content(store.db.view, "key"), expected);
  const used = store.db.sizeBytes - store.db.freeBytes;
  const payload = [...expected].reduce(
    (sum, [key, value]) => sum + 16 + key.length + value.length,
    0,
  );
  assert.ok(used < payload * 1.25, `${used} bytes for ${payload}`);
});

test("deleting everything gives the pages back", () => {
  for (const order of ["ascending", "descending", "mixed"]) {
    const store = new TestDb();
    const keys = Array.from({ length: 3000 }, (_, i) => `key-${String(i).padStart(6, "0")}`);
    store.commit((tx) => {
      for (const key of keys) put(tx, "key", key, "x".repeat(200));
    });
    const doomed = order === "descending" ? keys.toReversed() : [...keys];
    if (order === "mixed") doomed.sort((a, b) => (a[9]! + a < b[9]! + b ? -1 : 1));
    for (let i = 0; i < doomed.length; i += 500) {
      store.commit((tx) => {
        for (const key of doomed.slice(i, i + 500)) assert.equal(remove(tx, "key", key), true);
        assert.equal(remove(tx, "key", "absent"), false);
      });
    }
    assert.equal(content(store.db.view, "key").size, 0);
    assert.notEqual(store.db.view.bucket("key")?.header.inline, undefined);
    store.commit((tx) => put(tx, "key", "a", "b"));
    const usedPages = (store.db.sizeBytes - store.db.freeBytes) / 4096;
    assert.ok(usedPages <= 2 + 1 + 4, `${usedPages} pages in use, order ${order}`);
  }
});

test("thinning out merges pages", () => {
  const store = new TestDb();
  const keyOf = (i: number) => `key-${String(i).padStart(6, "0")}`;
  store.commit((tx) => {
    for (let i = 0; i < 5000; i++) put(tx, "key", keyOf(i), "x".repeat(250), 0.9);
  });
  store.commit((tx) => {
    for (let i = 0; i < 5000; i++) if (i % 10 !== 0) remove(tx, "key", keyOf(i));
  });
  store.commit((tx) => put(tx, "meta", "a", "b"));
  assert.equal(content(store.db.view, "key").size, 500);
  const used = store.db.sizeBytes - store.db.freeBytes;
  assert.ok(used < 500 * 276 * 2.2, `${used} bytes in use`);
});

test("leaves settled in steps give the same as all at once", () => {
  const keyOf = (i: number) => `key-${String(i).padStart(6, "0")}`;
  const build = (workMax: number | null) => {
    const store = new TestDb("array");
    store.commit((tx) => {
      for (let i = 0; i < 8000; i++) put(tx, "key", keyOf(i), "x".repeat(100));
    });
    for (const stride of [7, 2, 1]) {
      store.commit((tx) => {
        for (let i = 0; i < 8000; i += stride) {
          if (i % 3 === 0) put(tx, "key", keyOf(i), "y".repeat(300));
          else remove(tx, "key", keyOf(i));
        }
        let steps = 0;
        while (workMax !== null && !tx.settleLeaves(workMax)) steps++;
        if (workMax === 10) assert.ok(steps > 3, `${steps} steps`);
      });
    }
    return content(store.db.view, "key");
  };
  const expected = build(null);
  assert.equal(expected.size, 2667);
  for (const workMax of [1, 10, 1e9]) assert.deepEqual(build(workMax), expected);
});

test("a tree that shrinks to one settled leaf stays readable", () => {
  const store = new TestDb();
  store.commit((tx) => {
    for (let i = 0; i < 400; i++) put(tx, "key", `key-${1000 + i}`, "x".repeat(100));
  });
  store.commit((tx) => {
    for (let i = 1; i < 400; i++) remove(tx, "key", `key-${1000 + i}`);
    while (!tx.settleLeaves(1));
  });
  store.reopen();
  assert.deepEqual([...content(store.db.view, "key").keys()], ["key-1000"]);
});

test("a pinned state stays readable while others come and go", () => {
  for (const type of ["array", "map"] as const) {
    const store = new TestDb(type);
    const fill = (round: number) =>
      store.commit((tx) => {
        for (let i = 0; i < 300; i++) put(tx, "key", `k${i}`, `${round}-`.repeat(50));
      });
    fill(0);
    const pinned = store.db.pin();
    const expected = content(pinned, "key");
    for (let round = 1; round < 5; round++) fill(round);
    const grown = store.db.sizeBytes;
    for (let round = 5; round < 30; round++) fill(round);
    assert.ok(store.db.sizeBytes <= grown + 20 * 4096, "pages younger than the reader are reused");
    assert.deepEqual(content(pinned, "key"), expected);
    store.check(pinned);
    store.db.unpin(pinned);
    for (let round = 30; round < 35; round++) fill(round);
    assert.ok(store.db.freelist.freePageCount > 0);
    assert.equal(store.db.freelist.readerCount, 0);
  }
});

test("a file without its last pages is refused, by name of the offset", () => {
  const store = new TestDb();
  store.commit((tx) => put(tx, "key", "k", new Uint8Array(20_000)));
  store.file.bytes = store.file.bytes.slice(0, store.db.sizeBytes - 1);
  const size = store.file.bytes.length;
  assert.throws(() => store.reopen(), {
    name: "BoltError",
    message: `the file is truncated at offset ${size}: its last commit has ${size + 1} bytes`,
  });
});

test("one damaged meta page costs the last commit at most, two are an error", () => {
  const store = new TestDb();
  store.commit((tx) => put(tx, "key", "k", "1"));
  store.commit((tx) => put(tx, "key", "k", "2"));
  const whole = store.file.bytes.slice();
  const damage = (...positions: number[]) => {
    store.file.bytes = whole.slice();
    for (const position of positions) store.file.bytes[position]! ^= 1;
  };
  damage(16 + 20);
  store.reopen();
  assert.equal(content(store.db.view, "key").get("k"), "2");
  damage(4096 + 16 + 20);
  store.reopen();
  assert.equal(content(store.db.view, "key").get("k"), "1");
  damage(16 + 20, 4096 + 16);
  assert.throws(() => store.reopen(), {
    message:
      "both meta pages are damaged: page 0 (offset 0): checksum mismatch; " +
      "page 1 (offset 4096): not a bbolt file (magic number)",
  });
});

test("every page size is read, also with the first meta gone", () => {
  for (let pageSize = 1024; pageSize <= 65536; pageSize *= 2) {
    const store = new TestDb("map", pageSize);
    store.commit((tx) => put(tx, "key", "a", "1"));
    store.commit((tx) => {
      for (let i = 0; i < 500; i++) put(tx, "key", `k${i}`, "v".repeat(i));
    });
    store.reopen();
    assert.equal(content(store.db.view, "key").size, 501);
    store.file.bytes[20] = 0;
    store.reopen();
    assert.equal(store.db.pageSize, pageSize);
    assert.equal(content(store.db.view, "key").size, 501);
  }
});

test("a damaged page is an error that names it, not a wrong answer", () => {
  const store = new TestDb();
  store.commit((tx) => {
    for (let i = 0; i < 100; i++) put(tx, "key", `k${i}`, "x".repeat(100));
  });
  const root = store.db.view.bucket("key")!.header.root;
  const child = store.db.cache.page(root).child(0);
  store.file.bytes[child * 4096] = 99;
  assert.throws(() => store.reopen(), {
    message: `page ${child} (offset ${child * 4096}): its header says it is page 99`,
  });
  store.file.bytes[child * 4096] = child;
  store.reopen();
  store.file.bytes[child * 4096 + 16 + 8 + 3] = 0x7f;
  assert.throws(() => content(store.db.view, "key"), /element 0 reaches beyond the page/);
});

interface Step {
  readonly kind: "put" | "delete" | "commit" | "reopen" | "pin" | "unpin";
  readonly key: number;
  readonly size: number;
}

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step["kind"]>(
    ...(["put", "put", "put", "put", "delete", "delete", "commit", "reopen"] as const),
    ...(["pin", "unpin"] as const),
  ),
  key: fc.nat(400),
  size: fc.oneof(
    { weight: 8, arbitrary: fc.nat(300) },
    { weight: 2, arbitrary: fc.nat(5000) },
    { weight: 1, arbitrary: fc.nat(20_000) },
  ),
});

test("random puts, deletes, commits, readers and reopenings agree with a map", () => {
  const keyOf = (n: number) => `key-${n % 7}-${String(n).repeat(1 + (n % 3))}`;
  fc.assert(
    fc.property(
      fc.constantFrom<FreelistType>("array", "map"),
      fc.constantFrom(1024, 4096),
      fc.array(stepArbitrary, { minLength: 20, maxLength: 300, size: "max" }),
      (type, pageSize, steps) => {
        const store = new TestDb(type, pageSize);
        let committed = new Map<string, string>();
        let pending: Step[] = [];
        let pins: { view: View; expected: Map<string, string> }[] = [];
        const commit = () => {
          const next = new Map(committed);
          store.commit((tx) => {
            for (const { kind, key, size } of pending) {
              const name = keyOf(key);
              if (kind === "put") {
                next.set(name, String.fromCharCode(97 + (key % 26)).repeat(size));
                put(tx, "key", name, next.get(name)!);
              } else {
                assert.equal(remove(tx, "key", name), next.delete(name));
              }
            }
            if (pending.length % 2 === 0) while (!tx.settleLeaves(3));
          });
          committed = next;
          pending = [];
        };
        for (const step of steps) {
          if (step.kind === "put" || step.kind === "delete") pending.push(step);
          if (step.kind === "commit") commit();
          if (step.kind === "pin") pins.push({ view: store.db.pin(), expected: committed });
          if (step.kind === "unpin") {
            const pin = pins.shift();
            if (pin === undefined) continue;
            assertContent(pin.view, pin.expected);
            store.db.unpin(pin.view);
          }
          if (step.kind === "reopen") {
            store.reopen();
            pins = [];
          }
          assertContent(store.db.view, committed);
        }
        commit();
        for (const { view, expected } of pins) {
          assertContent(view, expected);
          store.check(view);
        }
        assertContent(store.db.view, committed);
      },
    ),
    { numRuns: 60 },
  );
});

function assertContent(view: View, expected: Map<string, string>): void {
  const inOrder = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual([...content(view, "key")], inOrder);
}
