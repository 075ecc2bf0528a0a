import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool, OUTPUT_BUFFER_BYTES } from "./buffer-pool.ts";
import { Outbox } from "./outbox.ts";
import { OutputBuffer, SOCKET_BACKLOG_BYTES_MAX } from "./output-buffer.ts";

class FakeSocket {
  writableLength = 0;
  isSlow = false;
  readonly writes: Buffer[] = [];

  write(bytes: Uint8Array): boolean {
    this.writes.push(Buffer.from(bytes));
    if (this.isSlow) this.writableLength += bytes.length;
    return !this.isSlow;
  }
}

function put(output: OutputBuffer, text: string): void {
  output.ensure(text.length);
  output.bytes.set(Buffer.from(text), output.length);
  output.length += text.length;
}

test("everything between two flushes is one write", () => {
  const socket = new FakeSocket();
  const output = new OutputBuffer(socket, new BufferPool());
  put(output, "one ");
  put(output, "two");
  output.flush();
  output.flush();
  put(output, "three");
  output.flush();
  assert.deepEqual(socket.writes.map(String), ["one two", "three"]);
  assert.equal(output.writtenBytes, 12);
});

test("a full buffer is written, a large message has a buffer of its own", () => {
  const socket = new FakeSocket();
  const output = new OutputBuffer(socket, new BufferPool());
  put(output, "a".repeat(40_000));
  put(output, "b".repeat(40_000));
  put(output, "c".repeat(200_000));
  output.flush();
  assert.deepEqual(
    socket.writes.map((bytes) => `${bytes.length}${String.fromCharCode(bytes[0]!)}`),
    ["40000a", "40000b", "200000c"],
  );
});

test("buffers are lent only while they are needed, and never while in flight", () => {
  const socket = new FakeSocket();
  const pool = new BufferPool();
  const output = new OutputBuffer(socket, pool);
  put(output, "x");
  const first = output.bytes;
  output.flush();
  assert.equal(output.bytes.length, 0);
  put(output, "y");
  assert.equal(output.bytes, first, "taken by the kernel at once: free again");
  socket.isSlow = true;
  output.flush();
  put(output, "z");
  assert.notEqual(output.bytes, first, "still being written");
  output.flush();
  socket.writableLength = 0;
  put(output, "later");
  assert.ok(output.bytes === first || pool.take(1) === first, "both were free again");
});

test("a socket that holds too much is backlogged until it drains", () => {
  const socket = new FakeSocket();
  socket.isSlow = true;
  const output = new OutputBuffer(socket, new BufferPool());
  for (let bytes = 0; bytes <= SOCKET_BACKLOG_BYTES_MAX; bytes += OUTPUT_BUFFER_BYTES) {
    assert.equal(output.isBacklogged, false);
    put(output, "x".repeat(OUTPUT_BUFFER_BYTES));
    output.flush();
  }
  assert.equal(output.isBacklogged, true);
  socket.writableLength = 0;
  output.onDrain();
  assert.equal(output.isBacklogged, false);
});

test("the outbox flushes each connection once, at the end of the turn at the latest", () => {
  const tasks: (() => void)[] = [];
  const outbox = new Outbox({
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: () => ({ cancel() {} }),
    endOfTurn: (task) => tasks.push(task),
  });
  let flushes = 0;
  const connection = { isListed: false, isPatient: false, flush: () => flushes++ };
  outbox.add(connection);
  outbox.add(connection);
  assert.equal(tasks.length, 1);
  outbox.flush();
  assert.equal(flushes, 1);
  outbox.add(connection);
  assert.equal(tasks.length, 1, "one safety net is enough");
  tasks[0]!();
  assert.equal(flushes, 2);
  outbox.add(connection);
  assert.equal(tasks.length, 2);
});

test("events leave before the answer to the change that made them", () => {
  const outbox = new Outbox({
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: () => ({ cancel() {} }),
    endOfTurn: () => {},
  });
  const order: string[] = [];
  const connection = (name: string) => ({
    isListed: false,
    isPatient: false,
    flush: () => order.push(name),
  });
  const [first, second, watching] = ["first", "second", "watching"].map(connection);
  outbox.answered(first!);
  outbox.answered(second!);
  outbox.add(watching!);
  outbox.flush();
  assert.deepEqual(order.slice(-2), ["watching", "second"]);
});
