import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Inode,
  type Node,
  newBranch,
  newLeaf,
  nodeOf,
  pieceEnd,
  sizeOf,
  writeNode,
} from "./node.ts";
import { parsePage, viewOf } from "./page.ts";

const PAGE_SIZE = 4096;
/** Inodes lie in several of these. */
const BUFFER_BYTES = 1 << 15;

const nodeArbitrary: fc.Arbitrary<Node> = fc
  .record({
    isLeaf: fc.boolean(),
    sizes: fc.array(
      fc.record({
        key: fc.integer({ min: 4, max: 60 }),
        value: fc.oneof(
          { weight: 6, arbitrary: fc.nat(400) },
          { weight: 1, arbitrary: fc.nat(20_000) },
        ),
        isApart: fc.boolean(),
      }),
      { minLength: 1, maxLength: 80, size: "max" },
    ),
  })
  .map(({ isLeaf, sizes }) => {
    let bytes = new Uint8Array(BUFFER_BYTES);
    let at = 0;
    const inodes = sizes.map(({ key, value, isApart }, index): Inode => {
      const valueSize = isLeaf ? value : 0;
      const isFull = at + key + valueSize > BUFFER_BYTES;
      if (isApart || isFull) [bytes, at] = [new Uint8Array(BUFFER_BYTES), index];
      bytes.fill(index, at, at + key + valueSize);
      viewOf(bytes).setUint32(at, index);
      const inode = { bytes, at, keySize: key, valueSize, flags: 0, page: 0, child: undefined };
      at += key + valueSize;
      return isLeaf ? inode : { ...inode, page: 1000 + index };
    });
    const node = isLeaf ? newLeaf() : newBranch(inodes);
    node.inodes = inodes;
    return node;
  });

test("a page is read as it was written, and what it does not use is zero", () => {
  fc.assert(
    fc.property(nodeArbitrary, fc.nat(100), (node, at) => {
      const size = sizeOf(node.inodes);
      const length = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
      const bytes = new Uint8Array(at + length + 10).fill(0xff);
      const view = viewOf(bytes);
      writeNode(node, 0, node.inodes.length, { bytes, view, at, page: 9, length }, 0);
      const page = parsePage(bytes, view, at, length, 9);
      const again = nodeOf(page);
      assert.equal(again.isLeaf, node.isLeaf);
      const contentOf = ({ bytes: b, at: start, keySize, valueSize, page: child }: Inode) => ({
        bytes: Buffer.from(b.subarray(start, start + keySize + valueSize)).toString("latin1"),
        keySize,
        child,
      });
      assert.deepEqual(again.inodes.map(contentOf), node.inodes.map(contentOf));
      assert.ok(bytes.subarray(at + size, at + length).every((byte) => byte === 0));
      assert.ok(
        bytes.subarray(at + length).every((byte) => byte === 0xff),
        "nothing behind it",
      );
    }),
    { numRuns: 50 },
  );
});

test("pieces are filled as told, and none is too small for a branch", () => {
  fc.assert(
    fc.property(nodeArbitrary, fc.constantFrom(0.5, 0.9), (node, fill) => {
      const fillBytes = PAGE_SIZE * fill;
      let from = 0;
      while (from < node.inodes.length) {
        const end = pieceEnd(node, from, PAGE_SIZE, fillBytes);
        assert.ok(end > from && end <= node.inodes.length);
        const [count, size] = [end - from, sizeOf(node.inodes, from, end)];
        if (!node.isLeaf && node.inodes.length > 1) assert.ok(count > 1, "a branch of one child");
        if (end < node.inodes.length) {
          const withNext = sizeOf(node.inodes, from, end + 1);
          assert.ok(withNext > fillBytes || !node.isLeaf, "there was room for the next");
        }
        // More than a page: one large value, and before it at most what fits into its last page.
        if (node.isLeaf && size > PAGE_SIZE) {
          const alone = sizeOf(node.inodes, end - 1, end);
          assert.equal(Math.ceil(size / PAGE_SIZE), Math.ceil(alone / PAGE_SIZE));
        }
        from = end;
      }
    }),
  );
});
