// Files and directories of a simulated disk, each with what a reader sees and what would survive.
//
//   write ──► in flight ──► visible, at risk ──► sync finished: survives
//                 └── crash: kept, lost, torn or garbled, each write for itself ──┘
//
// A change is at risk until the sync that covers it has finished: begun is not enough. Changes
// reach the surviving image in the order in which they became visible.

import { SimBytes } from "./sim-bytes.ts";
import type { SimRandom } from "./sim-random.ts";

export const SECTOR_BYTES = 512;

export type Fate = "kept" | "lost" | "torn" | "garbled";

export type LockKind = "exclusive" | "shared";

export interface Change {
  readonly position: number;
  /** What was written there; undefined: the file was cut or extended to `position`. */
  readonly bytes: Uint8Array | undefined;
  synced: boolean;
  /** A sync that should have covered it failed: no later sync makes it survive. */
  orphaned: boolean;
}

export class SimFileNode {
  readonly kind: "file" = "file" as const;
  readonly visible: SimBytes;
  readonly inFlight: Set<Change> = new Set();
  readonly locks: Map<object, LockKind> = new Map();
  readonly #durable: SimBytes;
  #atRisk: Change[] = [];

  constructor(content: SimBytes = new SimBytes()) {
    this.visible = content;
    this.#durable = content.clone();
  }

  apply(change: Change): void {
    applyTo(this.visible, change);
    this.#atRisk.push(change);
  }

  /** What a sync that begins now will cover. */
  unsynced(): Change[] {
    return this.#atRisk.filter((change) => !change.synced && !change.orphaned);
  }

  settle(changes: readonly Change[], error: Error | null): void {
    for (const change of changes) {
      if (error === null) change.synced = true;
      else change.orphaned = true;
    }
    let done = 0;
    while (this.#atRisk[done]?.synced === true) applyTo(this.#durable, this.#atRisk[done++]!);
    if (done > 0) this.#atRisk = this.#atRisk.slice(done);
  }

  /** One bit changes, for readers and for good. */
  flipBit(bit: number): void {
    const position = Math.floor(bit / 8);
    for (const image of [this.visible, this.#durable]) {
      const byte = new Uint8Array(1);
      if (image.read(byte, position) === 0) continue;
      byte[0]! ^= 1 << (bit % 8);
      image.write(byte, position);
    }
  }

  /** The process is gone, the system is not: what was under way was done or was not begun. */
  abandon(random: SimRandom): void {
    for (const change of this.inFlight) if (random.oneIn(2)) this.apply(change);
    this.inFlight.clear();
    this.locks.clear();
  }

  afterCrash(random: SimRandom, fates: readonly Fate[]): SimFileNode {
    const content = this.#durable.clone();
    for (const change of [...this.#atRisk, ...this.inFlight]) {
      if (change.synced) applyTo(content, change);
      else applyWithFate(content, change, random.pick(fates), random);
    }
    return new SimFileNode(content);
  }
}

export type SimNode = SimFileNode | SimDirectoryNode;

/** One creation, removal or rename: both names of a rename share it, so it happens or does not. */
type NameChange = object;

export interface Naming {
  readonly name: string;
  readonly node: SimNode | undefined;
  readonly change: NameChange;
}

export class SimDirectoryNode {
  readonly kind: "directory" = "directory" as const;
  readonly entries: Map<string, SimNode> = new Map();
  readonly locks: Map<object, LockKind> = new Map();
  readonly #durable = new Map<string, SimNode>();
  #atRisk: Naming[] = [];

  set(name: string, node: SimNode | undefined, change: NameChange = {}): void {
    setEntry(this.entries, name, node);
    this.#atRisk.push({ name, node, change });
  }

  abandon(random: SimRandom): void {
    for (const node of this.entries.values()) node.abandon(random);
    this.locks.clear();
  }

  /** What a sync that begins now will cover: names change in order, so it is a beginning. */
  unsynced(): readonly Naming[] {
    return this.#atRisk.slice();
  }

  settle(covered: readonly Naming[]): void {
    const last = covered.at(-1);
    // Another sync may have covered all or some of it meanwhile.
    const count = last === undefined ? 0 : this.#atRisk.indexOf(last) + 1;
    for (const { name, node } of this.#atRisk.slice(0, count)) setEntry(this.#durable, name, node);
    this.#atRisk = this.#atRisk.slice(count);
  }

  /** `done` maps the nodes met before, as a half survived rename leaves one under two names. */
  afterCrash(
    random: SimRandom,
    fates: readonly Fate[],
    done: Map<SimNode, SimNode> = new Map(),
    decided: Map<NameChange, boolean> = new Map(),
  ): SimDirectoryNode {
    const surviving = new Map(this.#durable);
    for (const { name, node, change } of this.#atRisk) {
      let survives = decided.get(change);
      if (survives === undefined) {
        survives = random.oneIn(2);
        decided.set(change, survives);
      }
      if (survives) setEntry(surviving, name, node);
    }
    const copy = new SimDirectoryNode();
    done.set(this, copy);
    for (const [name, node] of surviving) {
      let next = done.get(node);
      if (next === undefined) {
        if (node.kind === "file") next = node.afterCrash(random, fates);
        else next = node.afterCrash(random, fates, done, decided);
        done.set(node, next);
      }
      copy.entries.set(name, next);
      copy.#durable.set(name, next);
    }
    return copy;
  }
}

function setEntry(entries: Map<string, SimNode>, name: string, node: SimNode | undefined): void {
  if (node === undefined) entries.delete(name);
  else entries.set(name, node);
}

function applyTo(image: SimBytes, change: Change): void {
  if (change.bytes === undefined) image.truncate(change.position);
  else image.write(change.bytes, change.position);
}

function applyWithFate(image: SimBytes, change: Change, fate: Fate, random: SimRandom): void {
  const { bytes, position } = change;
  if (fate === "lost") return;
  if (bytes === undefined || fate === "kept") {
    applyTo(image, change);
    return;
  }
  const prefixOnly = random.oneIn(2);
  const firstSector = Math.floor(position / SECTOR_BYTES);
  const lastSector = Math.floor((position + bytes.length - 1) / SECTOR_BYTES);
  const cut = firstSector + random.below(lastSector - firstSector + 1);
  for (let sector = firstSector; sector <= lastSector; sector++) {
    const from = Math.max(0, sector * SECTOR_BYTES - position);
    const to = Math.min(bytes.length, (sector + 1) * SECTOR_BYTES - position);
    const part = bytes.subarray(from, to);
    const intact = prefixOnly ? sector < cut : random.oneIn(2);
    if (intact) image.write(part, position + from);
    else if (fate === "garbled") image.write(random.bytes(part.length), position + from);
  }
}
