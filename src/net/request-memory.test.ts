import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteBudget } from "./byte-budget.ts";
import {
  REQUEST_BYTES_MAX,
  REQUEST_BYTES_SOFT_MAX,
  REQUEST_STALL_MS,
  STREAM_WINDOW_BYTES,
} from "./limits.ts";
import { type PartialMessage, RequestMemory } from "./request-memory.ts";

class Message implements PartialMessage {
  heldBytes = 0;
  readonly wantedBytes: number;
  receivedBytes = 0;
  isAdmitted = false;
  isStalled = false;

  constructor(wantedBytes: number) {
    this.wantedBytes = wantedBytes;
  }

  begin(memory: RequestMemory): boolean {
    const bytes = Math.min(this.wantedBytes, STREAM_WINDOW_BYTES);
    if (!memory.take(this, bytes, 0)) return false;
    this.heldBytes = bytes;
    if (bytes < this.wantedBytes) memory.grow(this);
    return true;
  }

  onAdmitted(): void {
    this.isAdmitted = true;
    this.heldBytes = this.wantedBytes;
  }

  onStalled(): void {
    this.isStalled = true;
  }
}

const MIB = 1024 * 1024;

test("large messages beyond the limit wait for their turn, in order", () => {
  const total = new ByteBudget(1 << 30);
  const memory = new RequestMemory(total);
  const messages = Array.from({ length: 100 }, () => new Message(MIB));
  for (const one of messages) assert.ok(one.begin(memory));
  const admitted = messages.filter((one) => one.isAdmitted).length;
  assert.ok(admitted >= 59 && admitted <= 64, `${admitted} at once`);
  assert.ok(memory.usedBytes <= REQUEST_BYTES_SOFT_MAX + 41 * STREAM_WINDOW_BYTES);
  // Those that wait hold the little that they have received.
  for (const one of messages.slice(0, 5)) memory.release(one);
  assert.ok(messages[admitted]!.isAdmitted);
  assert.equal(messages[99]!.isAdmitted, false);
  for (const one of messages) memory.release(one);
  assert.ok(messages.every((one) => one.isAdmitted));
  assert.equal(memory.usedBytes, 0);
  assert.equal(total.usedBytes, 0);
});

test("a message that is given up while it waits leaves the line", () => {
  const memory = new RequestMemory(new ByteBudget(1 << 30));
  const first = new Message(REQUEST_BYTES_SOFT_MAX - MIB);
  const second = new Message(2 * MIB);
  const third = new Message(2 * MIB);
  for (const one of [first, second, third]) one.begin(memory);
  memory.release(second);
  memory.release(first);
  assert.equal(second.isAdmitted, false);
  assert.equal(third.isAdmitted, true);
  memory.release(third);
  memory.release(third);
  assert.equal(memory.usedBytes, 0);
});

test("small messages fail above the hard limit, of the connection and of all", () => {
  const memory = new RequestMemory(new ByteBudget(1 << 30));
  let count = 0;
  while (new Message(STREAM_WINDOW_BYTES).begin(memory)) count++;
  assert.equal(count, Math.floor(REQUEST_BYTES_MAX / STREAM_WINDOW_BYTES));
  const narrow = new ByteBudget(100_000);
  assert.ok(new Message(60_000).begin(new RequestMemory(narrow)));
  assert.equal(new Message(60_000).begin(new RequestMemory(narrow)), false);
});

test("a message that does not grow is given up; one that waits or grows is not", () => {
  const memory = new RequestMemory(new ByteBudget(1 << 30));
  const stuck = new Message(1000);
  const growing = new Message(1000);
  const large = new Message(REQUEST_BYTES_SOFT_MAX - MIB);
  const waiting = new Message(2 * MIB);
  for (const one of [stuck, growing, large, waiting]) one.begin(memory);
  for (let nowMs = 1000; nowMs <= REQUEST_STALL_MS; nowMs += 1000) {
    growing.receivedBytes++;
    large.receivedBytes++;
    memory.sweep(nowMs);
  }
  assert.equal(stuck.isStalled, true);
  assert.equal(growing.isStalled, false);
  assert.equal(waiting.isStalled, false);
});
