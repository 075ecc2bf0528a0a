// Random requests over a few keys, so that they meet.

import fc from "fast-check";
import type {
  CompareInit,
  DeleteRangeRequestInit,
  PutRequestInit,
  RangeRequestInit,
  RequestOpInit,
  TxnRequestInit,
} from "../../src/wire/messages/rpc-kv.ts";

export const KEYS: readonly string[] = [
  "a",
  "aa",
  "ab",
  "b",
  "c",
  "d",
  "\xff",
  "\xff\xff",
  "\0",
  "",
];
/** In transactions, puts and deletes touch different keys: the API sees to that. */
const PUT_KEYS = ["a", "aa", "ab", "\xff"];
const DELETE_KEYS = ["b", "c", "d"];
export const LEASES: readonly bigint[] = [1n, 2n, -3n];

export const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

export const key: fc.Arbitrary<Uint8Array> = fc.constantFrom(...KEYS).map(bytes);
const rangeEnd = fc
  .oneof(
    { weight: 3, arbitrary: fc.constant("") },
    { weight: 2, arbitrary: fc.constant("\0") },
    { weight: 3, arbitrary: fc.constantFrom(...KEYS) },
  )
  .map(bytes);
const value = fc.constantFrom("", "x", "y", "yy", "a longer value than the others").map(bytes);
const lease = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0n) },
  { weight: 2, arbitrary: fc.constantFrom(...LEASES) },
);
const rarely = fc.nat(5).map((n) => n === 0);

/** How far back from now a revision lies; -1 is the future. */
export const back: fc.Arbitrary<number> = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -1, max: 30 }),
);

export const put: fc.Arbitrary<PutRequestInit> = fc.record({
  key,
  value,
  lease,
  prevKv: rarely,
  ignoreValue: rarely,
  ignoreLease: rarely,
});

export const deleteRange: fc.Arbitrary<DeleteRangeRequestInit> = fc.record({
  key,
  rangeEnd,
  prevKv: fc.boolean(),
});

const bound = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(40));

export const range: fc.Arbitrary<RangeRequestInit> = fc.record({
  key,
  rangeEnd,
  limit: fc.constantFrom(0, 0, 0, 1, 2, 3, 100, -1),
  sortOrder: fc.constantFrom(0, 0, 1, 2),
  sortTarget: fc.constantFrom(0, 0, 1, 2, 3, 4),
  keysOnly: rarely,
  countOnly: rarely,
  minModRevision: bound,
  maxModRevision: bound,
  minCreateRevision: bound,
  maxCreateRevision: bound,
});

const compare: fc.Arbitrary<CompareInit> = fc
  .record({
    key,
    rangeEnd,
    target: fc.constantFrom(0, 1, 2, 3, 4),
    result: fc.constantFrom(0, 1, 2, 3),
    operand: fc.nat(4),
    isUnset: rarely,
  })
  .map(({ operand, isUnset, ...rest }) => {
    if (isUnset) return rest;
    switch (rest.target) {
      case 0:
        return { ...rest, version: operand };
      case 1:
        return { ...rest, createRevision: operand * 4 };
      case 2:
        return { ...rest, modRevision: operand * 4 };
      case 3:
        return { ...rest, value: bytes(["", "x", "y", "yy", "z"][operand]!) };
      default:
        return { ...rest, lease: [0n, 1n, 2n, -3n, 4n][operand]! };
    }
  }) as fc.Arbitrary<CompareInit>;

const txnPut = put
  .map((request) => ({ ...request }))
  .chain((request) =>
    fc.constantFrom(...PUT_KEYS).map((name) => ({ ...request, key: bytes(name) })),
  );
const txnDelete = fc.record({
  key: fc.constantFrom(...DELETE_KEYS).map(bytes),
  rangeEnd: fc.constantFrom("", ...DELETE_KEYS).map(bytes),
  prevKv: fc.boolean(),
});

const txnRange = fc
  .tuple(range, fc.constantFrom(0, 0, 0, 0, 1, 2, 5, 20, -1))
  .map(([request, revision]) => ({ ...request, revision }));

const op: fc.Arbitrary<RequestOpInit> = fc.letrec<{ op: RequestOpInit; txn: TxnRequestInit }>(
  (tie) => ({
    op: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 3, arbitrary: fc.record({ requestPut: txnPut }) },
      { weight: 2, arbitrary: fc.record({ requestDeleteRange: txnDelete }) },
      { weight: 2, arbitrary: fc.record({ requestRange: txnRange }) },
      { weight: 1, arbitrary: fc.record({ requestTxn: tie("txn") }) },
    ),
    txn: fc.record({
      compare: fc.array(compare, { maxLength: 2 }),
      success: fc.array(tie("op"), { maxLength: 3 }),
      failure: fc.array(tie("op"), { maxLength: 3 }),
    }),
  }),
).op;

export const txn: fc.Arbitrary<TxnRequestInit> = fc.record({
  compare: fc.array(compare, { maxLength: 3 }),
  success: fc.array(op, { maxLength: 4 }),
  failure: fc.array(op, { maxLength: 4 }),
});

export type Step =
  | { readonly kind: "put"; readonly request: PutRequestInit }
  | { readonly kind: "delete"; readonly request: DeleteRangeRequestInit }
  | { readonly kind: "txn"; readonly request: TxnRequestInit }
  | { readonly kind: "range"; readonly request: RangeRequestInit; readonly back: number }
  | { readonly kind: "compact"; readonly back: number }
  | { readonly kind: "compactStep"; readonly count: number }
  | { readonly kind: "grant"; readonly lease: bigint }
  | { readonly kind: "revoke"; readonly lease: bigint }
  | { readonly kind: "hash"; readonly back: number }
  | { readonly kind: "save" }
  | { readonly kind: "crash" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("put" as const), request: put }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("delete" as const), request: deleteRange }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("txn" as const), request: txn }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("range" as const), request: range, back }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("compact" as const), back }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("compactStep" as const), count: fc.nat(6) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("grant" as const),
      lease: fc.constantFrom(...LEASES),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("revoke" as const),
      lease: fc.constantFrom(...LEASES),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("hash" as const), back }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("save" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
);

export const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 1, maxLength: 60 });
