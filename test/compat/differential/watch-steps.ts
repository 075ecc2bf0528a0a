// Random sessions of watchers on one stream, with writes between: created with every option, also
// with ids that are taken, ranges that are empty and revisions of any time; cancelled, also when
// they are not there.

import fc from "fast-check";
import type {
  DeleteRangeRequestInit,
  PutRequestInit,
  TxnRequestInit,
} from "../../../src/wire/messages/rpc-kv.ts";
import type { FilterType, WatchRequestInit } from "../../../src/wire/messages/rpc-watch.ts";
import { bytes, deleteRange, key, put, txn } from "../../model/arbitraries.ts";

export type WatchStep =
  | { readonly kind: "put"; readonly request: PutRequestInit }
  | { readonly kind: "delete"; readonly request: DeleteRangeRequestInit }
  | { readonly kind: "txn"; readonly request: TxnRequestInit }
  | { readonly kind: "compact"; readonly back: number }
  | { readonly kind: "create"; readonly back: number | undefined; readonly request: Created }
  | { readonly kind: "control"; readonly request: WatchRequestInit };
type Created = Exclude<WatchRequestInit["createRequest"], Uint8Array | undefined>;

const ids = [0, 0, 0, 0, 1, 2, 3, 7, -1, -5];

const create = fc.record({
  key,
  rangeEnd: fc.constantFrom("", "", "\0", "b", "c", "\xff").map(bytes),
  prevKv: fc.boolean(),
  progressNotify: fc.boolean(),
  fragment: fc.boolean(),
  watchId: fc.constantFrom(...ids),
  filters: fc.array(fc.constantFrom(0, 1, 7), { maxLength: 2 }) as fc.Arbitrary<FilterType[]>,
});
/** How far back from now it begins: now, then, or later. */
const back = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.integer({ min: -3, max: 40 }) },
);
const control: fc.Arbitrary<WatchRequestInit> = fc.oneof(
  fc.constantFrom(...ids).map((watchId) => ({ cancelRequest: { watchId } })),
  fc.constant({ progressRequest: {} }),
);

export const watchSteps: fc.Arbitrary<WatchStep> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("put" as const), request: put }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("delete" as const), request: deleteRange }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("txn" as const), request: txn }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact" as const), back: fc.nat(20) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("create" as const), back, request: create }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("control" as const), request: control }) },
);
