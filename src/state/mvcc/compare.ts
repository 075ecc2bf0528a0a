// The condition of a transaction: each compare holds against the state before it.

import { latin1 } from "../../base/latin1.ts";
import { KeyValueView, viewKeyValue } from "../../wire/key-value.ts";
import { CompareResult, CompareTarget } from "../../wire/messages/rpc-kv.ts";
import { Reader } from "../../wire/protobuf/reader.ts";
import { type Mvcc, rangeEndText } from "./mvcc.ts";

/** etcdserverpb.Compare as offsets into its bytes. */
class CompareView {
  result = 0;
  target = 0;
  keyStart = 0;
  keyEnd = 0;
  rangeEndStart = 0;
  rangeEndEnd = 0;
  /** Field of the union that was set last, 0 for none: the others are zero then. */
  unionField = 0;
  number = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;
}

const VERSION_FIELD = 4;
const CREATE_REVISION_FIELD = 5;
const MOD_REVISION_FIELD = 6;
const VALUE_FIELD = 7;
const LEASE_FIELD = 8;
const RANGE_END_TAG = (64 << 3) | 2;

const reader = new Reader(new Uint8Array(0), 0, 0);
const compare = new CompareView();
const keyValue = new KeyValueView();
const slotScratch = new Uint32Array(256);

/** Does the encoded Compare hold now? */
export function holds(mvcc: Mvcc, bytes: Uint8Array, start: number, end: number): boolean {
  readCompare(bytes, start, end);
  const { index } = mvcc;
  if (compare.rangeEndStart === compare.rangeEndEnd) {
    const slot = index.find(bytes, compare.keyStart, compare.keyEnd);
    if (slot < 0 || !index.history.isLive(slot)) return holdsForNothing(bytes);
    return holdsForKey(mvcc, slot, bytes);
  }
  const to = rangeEndText(bytes, compare.rangeEndStart, compare.rangeEndEnd);
  let from = latin1(bytes, compare.keyStart, compare.keyEnd);
  let isEmpty = true;
  for (;;) {
    const count = index.collect(from, to, slotScratch, slotScratch.length);
    for (let i = 0; i < count; i++) {
      const slot = slotScratch[i]!;
      if (!index.history.isLive(slot)) continue;
      isEmpty = false;
      if (!holdsForKey(mvcc, slot, bytes)) return false;
    }
    if (count < slotScratch.length) return isEmpty ? holdsForNothing(bytes) : true;
    from = `${index.keyOf(slotScratch[count - 1]!)}\0`;
  }
}

/** Reads the encoded Compare as `holds` will; false when its key is empty. */
export function hasKey(bytes: Uint8Array, start: number, end: number): boolean {
  readCompare(bytes, start, end);
  return compare.keyStart < compare.keyEnd;
}

/** A key that does not exist has zero everywhere, but no value that could be compared. */
function holdsForNothing(bytes: Uint8Array): boolean {
  if (compare.target === CompareTarget.VALUE) return false;
  return holdsFor(0, 0, 0, 0n, bytes, 0, 0);
}

function holdsForKey(mvcc: Mvcc, slot: number, bytes: Uint8Array): boolean {
  const history = mvcc.index.history;
  history.findNewest(slot);
  const { foundMain, foundCreated, foundVersion } = history;
  if (compare.target !== CompareTarget.VALUE && compare.target !== CompareTarget.LEASE) {
    return holdsFor(foundVersion, foundCreated, foundMain, 0n, bytes, 0, 0);
  }
  mvcc.loadRecord(foundMain, history.foundSub);
  const { foundBytes, foundStart, foundEnd } = mvcc.records;
  viewKeyValue(foundBytes, foundStart, foundEnd, keyValue);
  const { lease, valueStart, valueEnd } = keyValue;
  return holdsFor(0, 0, 0, lease, foundBytes, valueStart, valueEnd, bytes);
}

function holdsFor(
  version: number,
  createRevision: number,
  modRevision: number,
  lease: bigint,
  valueBytes: Uint8Array,
  valueStart: number,
  valueEnd: number,
  bytes: Uint8Array = valueBytes,
): boolean {
  switch (compare.target) {
    case CompareTarget.VERSION:
      return isResult(order(version, numberOf(VERSION_FIELD)));
    case CompareTarget.CREATE:
      return isResult(order(createRevision, numberOf(CREATE_REVISION_FIELD)));
    case CompareTarget.MOD:
      return isResult(order(modRevision, numberOf(MOD_REVISION_FIELD)));
    case CompareTarget.LEASE:
      return isResult(order(lease, compare.unionField === LEASE_FIELD ? compare.lease : 0n));
    case CompareTarget.VALUE: {
      const isSet = compare.unionField === VALUE_FIELD;
      const wanted = isSet ? bytes.subarray(compare.valueStart, compare.valueEnd) : NO_BYTES;
      return isResult(Buffer.compare(valueBytes.subarray(valueStart, valueEnd), wanted));
    }
    default:
      // A target of a later version: etcd takes it as equal.
      return isResult(0);
  }
}

const NO_BYTES = new Uint8Array(0);

function numberOf(field: number): number {
  return compare.unionField === field ? compare.number : 0;
}

function order<T extends number | bigint>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isResult(ordering: number): boolean {
  switch (compare.result) {
    case CompareResult.EQUAL:
      return ordering === 0;
    case CompareResult.NOT_EQUAL:
      return ordering !== 0;
    case CompareResult.GREATER:
      return ordering > 0;
    case CompareResult.LESS:
      return ordering < 0;
    default:
      return true;
  }
}

function readCompare(bytes: Uint8Array, start: number, end: number): void {
  const r = reader;
  r.reset(bytes, start, end);
  compare.result = 0;
  compare.target = 0;
  compare.keyStart = compare.keyEnd = start;
  compare.rangeEndStart = compare.rangeEndEnd = start;
  compare.unionField = 0;
  while (r.at < end) {
    const tag = r.tag();
    switch (tag) {
      case 1 << 3:
        compare.result = r.int32();
        break;
      case 2 << 3:
        compare.target = r.int32();
        break;
      case (3 << 3) | 2: {
        const length = r.length();
        compare.keyStart = r.at;
        compare.keyEnd = r.at += length;
        break;
      }
      case RANGE_END_TAG: {
        const length = r.length();
        compare.rangeEndStart = r.at;
        compare.rangeEndEnd = r.at += length;
        break;
      }
      default:
        readUnion(r, tag);
    }
  }
}

function readUnion(r: Reader, tag: number): void {
  switch (tag) {
    case VERSION_FIELD << 3:
    case CREATE_REVISION_FIELD << 3:
    case MOD_REVISION_FIELD << 3:
      compare.number = r.int64();
      break;
    case LEASE_FIELD << 3:
      compare.lease = r.bigInt64();
      break;
    case (VALUE_FIELD << 3) | 2: {
      const length = r.length();
      compare.valueStart = r.at;
      compare.valueEnd = r.at += length;
      break;
    }
    default:
      r.skip(tag);
      return;
  }
  compare.unionField = tag >>> 3;
}
