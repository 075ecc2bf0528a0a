import assert from "node:assert/strict";
import { test } from "node:test";
import { checkState } from "./check.ts";
import type { Span } from "./free-spans.ts";
import type { Meta } from "./meta.ts";
import { type Node, newBranch, newLeaf, writeNode } from "./node.ts";
import { type PageSource, viewOf, writeHeader } from "./page.ts";

const PAGE_SIZE = 4096;

/** A file made by hand: pages 2 and on. */
class Pages implements PageSource {
  readonly bytes: Uint8Array;

  constructor(pageCount: number) {
    this.bytes = new Uint8Array(pageCount * PAGE_SIZE);
  }

  sizeBytes(): number {
    return this.bytes.length;
  }

  read(target: Uint8Array, position: number): number {
    const part = this.bytes.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  leaf(page: number, ...keys: string[]): this {
    const node = newLeaf();
    for (const key of keys) node.inodes.push(inode(key, 0));
    return this.#write(page, node);
  }

  branch(page: number, ...children: [key: string, page: number][]): this {
    return this.#write(page, newBranch(children.map(([key, child]) => inode(key, child))));
  }

  check(free?: readonly Span[]): string[] {
    const pageCount = this.bytes.length / PAGE_SIZE;
    const meta: Meta = {
      pageSize: PAGE_SIZE,
      root: 2,
      sequence: 0,
      freelist: -1,
      pageCount,
      txid: 9,
    };
    return checkState(this, meta, free);
  }

  #write(page: number, node: Node): this {
    const at = page * PAGE_SIZE;
    const place = { bytes: this.bytes, view: viewOf(this.bytes), at, page, length: PAGE_SIZE };
    writeNode(node, 0, node.inodes.length, place, 0);
    return this;
  }
}

function inode(key: string, page: number) {
  const bytes = Buffer.from(key);
  const keySize = bytes.length;
  return { bytes, at: 0, keySize, valueSize: 0, flags: 0, page, child: undefined };
}

test("a sound tree has no problems, also with a first branch key that is too low", () => {
  const pages = new Pages(6).branch(2, ["a", 3], ["k", 4]).leaf(3, "b", "c").leaf(4, "k", "z");
  assert.deepEqual(pages.check(), []);
  assert.deepEqual(pages.check([{ start: 5, count: 1 }]), []);
});

const CASES: [string, Pages, Span[] | undefined, string[]][] = [
  [
    "order within a page",
    new Pages(3).leaf(2, "b", "a"),
    undefined,
    ["page 2 (offset 8192): key 1 is not above the one before"],
  ],
  [
    "equal keys",
    new Pages(3).leaf(2, "a", "a"),
    undefined,
    ["page 2 (offset 8192): key 1 is not above the one before"],
  ],
  [
    "below the branch key",
    new Pages(4).branch(2, ["m", 3]).leaf(3, "a"),
    undefined,
    ["page 3 (offset 12288): key 0 is below that of its branch"],
  ],
  [
    "above the next branch key",
    new Pages(5).branch(2, ["a", 3], ["k", 4]).leaf(3, "a", "k").leaf(4, "l"),
    undefined,
    [
      "page 3 (offset 12288): key 1 is not below the next of its branch",
      "page 2 (offset 8192): key 1 is not above all keys to its left",
    ],
  ],
  [
    "a page referred to twice",
    new Pages(4).branch(2, ["a", 3], ["k", 3]).leaf(3, "a"),
    undefined,
    ["page 3 (offset 12288): is referred to more than once"],
  ],
  [
    "a page that does not exist",
    new Pages(4).branch(2, ["a", 3], ["k", 7]).leaf(3, "a"),
    undefined,
    ["page 7 (offset 28672): is beyond the high-water mark"],
  ],
  [
    "a meta page in the tree",
    new Pages(4).branch(2, ["a", 3], ["k", 1]).leaf(3, "a"),
    undefined,
    ["page 1 (offset 4096): is beyond the high-water mark"],
  ],
  [
    "a reachable page that is free",
    new Pages(4).branch(2, ["a", 3]).leaf(3, "a"),
    [{ start: 3, count: 1 }],
    ["page 3 (offset 12288): leaf page is free"],
  ],
  [
    "a leak",
    new Pages(5).branch(2, ["a", 3]).leaf(3, "a"),
    [],
    ["page 4 (offset 16384): is neither reachable nor free"],
  ],
  [
    "free twice, and beyond the end",
    new Pages(3).leaf(2, "a"),
    [
      { start: 3, count: 1 },
      { start: 3, count: 1 },
    ],
    [
      "page 3 (offset 12288): is free beyond the high-water mark",
      "page 3 (offset 12288): is free twice",
      "page 3 (offset 12288): is free beyond the high-water mark",
    ],
  ],
  [
    "leaves on two levels",
    new Pages(6).branch(2, ["a", 3], ["k", 4]).leaf(3, "a").branch(4, ["k", 5]).leaf(5, "k"),
    undefined,
    ["page 5 (offset 20480): is a leaf on another level"],
  ],
];

test("each rule is checked", () => {
  for (const [name, pages, free, expected] of CASES) {
    assert.deepEqual(pages.check(free), expected, name);
  }
});

test("headers and elements are checked", () => {
  const damaged = (change: (view: DataView) => void) => {
    const pages = new Pages(4).leaf(2, "a", "b");
    change(viewOf(pages.bytes));
    return pages.check()[0];
  };
  const at = 2 * PAGE_SIZE;
  const header = { id: 2, flags: 2, count: 2, overflow: 0 };
  const place = "page 2 (offset 8192): ";
  for (const [change, text] of [
    [(view) => writeHeader(view, at, { ...header, id: 3 }), "its header says it is page 3"],
    [(view) => writeHeader(view, at, { ...header, count: 300 }), "300 elements do not fit"],
    [
      (view) => writeHeader(view, at, { ...header, overflow: 9 }),
      "reaches beyond the end of the file",
    ],
    [
      (view) => writeHeader(view, at, { ...header, flags: 6 }),
      "a branch or leaf page is expected, its flags are 0x6",
    ],
    [(view) => view.setUint32(at + 24, 0, true), "element 0 has no key"],
    [(view) => view.setUint32(at + 20, 1, true), "the data of element 0 begins too early"],
    [(view) => view.setUint32(at + 44, 5000, true), "element 1 reaches beyond the page"],
  ] as [(view: DataView) => void, string][]) {
    assert.equal(damaged(change), place + text);
  }
});
