// The generated codecs against an independent one that is slow, generic and made of BigInt, and
// against bytes that Go's protobuf wrote.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { generate } from "../../scripts/gen-messages.ts";
import {
  decodeCompare,
  decodePutRequest,
  decodeRequestOp,
  decodeTxnRequest,
  encodeCompare,
  encodePutRequest,
  encodeRangeRequest,
  encodeRequestOp,
  encodeTxnRequest,
  sizeTxnRequest,
  writeTxnRequest,
} from "./messages/rpc-kv.ts";
import type { FieldDescriptor, MessageDescriptor } from "./protobuf/descriptor.ts";
import { ProtoError } from "./protobuf/proto-error.ts";

type Value = Record<string, unknown>;

interface Codec {
  readonly descriptor: MessageDescriptor;
  decode(bytes: Uint8Array, start?: number, end?: number): Value;
  encode(value: Value): Uint8Array;
  size(value: Value): number;
  write(value: Value, target: Uint8Array, at: number): number;
}

const here = dirname(fileURLToPath(import.meta.url));
const root = findRoot(here);
const codecs = await loadCodecs();

/** The sources: above this file, also when it runs from dist/; else the current directory. */
function findRoot(from: string): string {
  for (let path = from; path !== dirname(path); path = dirname(path)) {
    if (existsSync(join(path, "proto"))) return path;
  }
  return process.cwd();
}

async function loadCodecs(): Promise<readonly Codec[]> {
  const found: Codec[] = [];
  for (const file of readdirSync(join(here, "messages")).sort()) {
    if (!/^[\w-]+\.(ts|js)$/.test(file)) continue;
    const module = (await import(`./messages/${file}`)) as Record<string, unknown>;
    for (const key of Object.keys(module)) {
      const name = key.slice(0, -"_DESCRIPTOR".length);
      if (!key.endsWith("_DESCRIPTOR") || module[`decode${name}`] === undefined) continue;
      found.push({
        descriptor: module[key] as MessageDescriptor,
        decode: module[`decode${name}`] as Codec["decode"],
        encode: module[`encode${name}`] as Codec["encode"],
        size: module[`size${name}`] as Codec["size"],
        write: module[`write${name}`] as Codec["write"],
      });
    }
  }
  return found;
}

// ---- the independent codec --------------------------------------------------------------------

const MASK = (1n << 64n) - 1n;

function naiveVarint(value: bigint): number[] {
  const out: number[] = [];
  let rest = value & MASK;
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return out;
}

function naiveScalar(field: FieldDescriptor, value: unknown): number[] {
  switch (field.type) {
    case "string":
      return delimited([...new TextEncoder().encode(value as string)]);
    case "bytes":
      return delimited([...(value as Uint8Array)]);
    case "message":
      return delimited(naiveEncode(field.message!(), value as Value));
    case "bool":
      return [value === true ? 1 : 0];
    default:
      return naiveVarint(BigInt(value as number | bigint));
  }
}

function delimited(bytes: number[]): number[] {
  return [...naiveVarint(BigInt(bytes.length)), ...bytes];
}

function isZero(field: FieldDescriptor, value: unknown): boolean {
  if (field.type === "message") return false;
  if (field.type === "bytes") return (value as Uint8Array).length === 0;
  return value === "" || value === false || value === 0 || value === 0n;
}

function naiveEncode(descriptor: MessageDescriptor, value: Value): number[] {
  const out: number[] = [];
  for (const field of descriptor.fields) {
    const given = value[field.property];
    if (given === undefined) continue;
    const wire = ["string", "bytes", "message"].includes(field.type) ? 2 : 0;
    const tag = (type: number): number[] => naiveVarint(BigInt(field.number * 8 + type));
    if (!field.repeated) {
      const hasPresence = descriptor.syntax === "proto2" || field.oneof !== undefined;
      if (hasPresence || !isZero(field, given))
        out.push(...tag(wire), ...naiveScalar(field, given));
    } else if (wire === 0 && descriptor.syntax === "proto3") {
      const body = (given as unknown[]).flatMap((item) => naiveScalar(field, item));
      if (body.length > 0) out.push(...tag(2), ...delimited(body));
    } else {
      for (const item of given as unknown[]) out.push(...tag(wire), ...naiveScalar(field, item));
    }
  }
  return out;
}

/** What decoding must give: defaults filled in, bytes as plain arrays. */
function normalise(descriptor: MessageDescriptor, value: Value): Value {
  const out: Value = {};
  for (const field of descriptor.fields) {
    const one = (item: unknown): unknown => {
      if (field.type === "message") return normalise(field.message!(), item as Value);
      return field.type === "bytes" ? [...(item as Uint8Array)] : item;
    };
    const given = value[field.property];
    if (field.repeated) out[field.property] = ((given ?? []) as unknown[]).map(one);
    else out[field.property] = given === undefined ? defaultOf(field) : one(given);
  }
  return out;
}

function defaultOf(field: FieldDescriptor): unknown {
  if (field.oneof !== undefined) return undefined;
  if (field.big) return 0n;
  const defaults: Record<string, unknown> = { string: "", bytes: [], bool: false };
  return field.type === "message" ? undefined : (defaults[field.type] ?? 0);
}

// ---- arbitrary messages -----------------------------------------------------------------------

const INTERESTING = [0, 1, 127, 128, 16383, 16384, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 49];

function scalarArbitrary(field: FieldDescriptor, depth: number): fc.Arbitrary<unknown> {
  switch (field.type) {
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 70 });
    case "bytes":
      return fc.uint8Array({ maxLength: 80 });
    case "bool":
      return fc.boolean();
    case "message":
      return messageArbitrary(field.message!(), depth + 1);
    case "enum":
      return fc.oneof(fc.constantFrom(...field.enum!.nameOf.keys()), fc.integer());
    case "uint32":
      return fc.nat(0xffff_ffff);
    case "int32":
      return fc.integer();
    default:
      return int64Arbitrary(field);
  }
}

function int64Arbitrary(field: FieldDescriptor): fc.Arbitrary<unknown> {
  const signed = field.type === "int64";
  if (field.big) {
    return signed
      ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
      : fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 300n));
  }
  const min = signed ? Number.MIN_SAFE_INTEGER : 0;
  return fc.oneof(
    fc.constantFrom(...INTERESTING),
    fc.integer({ min, max: Number.MAX_SAFE_INTEGER }),
    fc.constantFrom(2 ** 63 - 1024, ...(signed ? [-(2 ** 63), -1] : [2 ** 63, 2 ** 64 - 2048])),
  );
}

function messageArbitrary(descriptor: MessageDescriptor, depth = 0): fc.Arbitrary<Value> {
  const parts: Record<string, fc.Arbitrary<unknown>> = {};
  const oneofs = new Map<string, FieldDescriptor[]>();
  for (const field of descriptor.fields) {
    if (field.type === "message" && depth >= 2) continue;
    if (field.oneof !== undefined) {
      oneofs.set(field.oneof, [...(oneofs.get(field.oneof) ?? []), field]);
      continue;
    }
    const one = scalarArbitrary(field, depth);
    parts[field.property] = field.repeated
      ? fc.array(one, { maxLength: 3 })
      : fc.option(one, { nil: undefined });
  }
  let result: fc.Arbitrary<Value> = fc.record(parts);
  for (const members of oneofs.values()) {
    const choice = fc.oneof(
      fc.constant({}),
      ...members.map((field) =>
        scalarArbitrary(field, depth).map((value) => ({ [field.property]: value })),
      ),
    );
    result = fc.tuple(result, choice).map(([rest, chosen]) => ({ ...rest, ...chosen }));
  }
  return result;
}

// ---- tests ------------------------------------------------------------------------------------

test("there is a codec for every message of every file", () => {
  const declared = readdirSync(join(root, "proto")).flatMap((file) => {
    const source = readFileSync(join(root, "proto", file), "utf8");
    const home = /^package (.*);/m.exec(source)![1];
    return [...source.matchAll(/^message (\w+)/gm)].map((match) => `${home}.${match[1]}`);
  });
  const names = codecs.map(({ descriptor }) => descriptor.name);
  assert.deepEqual(names.sort(), declared.sort());
});

test("every codec agrees with the independent one", () => {
  for (const codec of codecs) {
    const { descriptor } = codec;
    fc.assert(
      fc.property(messageArbitrary(descriptor), fc.nat(3), (value, pad) => {
        const expected = Uint8Array.from(naiveEncode(descriptor, value));
        assert.equal(codec.size(value), expected.length, descriptor.name);
        const target = new Uint8Array(expected.length + 2 * pad).fill(0xaa);
        assert.equal(codec.write(value, target, pad), pad + expected.length);
        assert.deepEqual(target.subarray(pad, pad + expected.length), expected, descriptor.name);
        assert.ok(target.subarray(0, pad).every((byte) => byte === 0xaa));
        assert.ok(target.subarray(pad + expected.length).every((byte) => byte === 0xaa));
        const decoded = codec.decode(target, pad, pad + expected.length);
        assert.deepEqual(normalise(descriptor, decoded), normalise(descriptor, value));
      }),
      { numRuns: 20 },
    );
  }
});

test("decoded messages can be encoded again and mean the same", () => {
  for (const codec of codecs) {
    fc.assert(
      fc.property(messageArbitrary(codec.descriptor), (value) => {
        const once = codec.decode(codec.encode(value));
        assert.deepEqual(codec.decode(codec.encode(once)), once);
      }),
      { numRuns: 5 },
    );
  }
});

test("random bytes give a message or a ProtoError, and nothing outside the range is read", () => {
  for (const codec of codecs) {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 4 }),
        (body, tail) => {
          const together = Uint8Array.from([...tail, ...body, ...tail]);
          const start = tail.length;
          const outcome = (bytes: Uint8Array, from: number, to: number): unknown => {
            try {
              return normalise(codec.descriptor, codec.decode(bytes, from, to));
            } catch (error) {
              assert.ok(error instanceof ProtoError, String(error));
              return error.message;
            }
          };
          const alone = outcome(body, 0, body.length);
          assert.deepEqual(outcome(together, start, start + body.length), alone);
        },
      ),
      { numRuns: 30 },
    );
  }
});

test("a cut message is malformed or a shorter message", () => {
  const whole = encodeTxnRequest({
    compare: [{ key: bytes("k"), version: 0 }],
    success: [{ requestPut: { key: bytes("key"), value: bytes("value"), lease: -1n } }],
  });
  let failures = 0;
  for (let end = 0; end < whole.length; end++) {
    try {
      decodeTxnRequest(whole, 0, end);
    } catch (error) {
      assert.ok(error instanceof ProtoError);
      failures++;
    }
  }
  assert.equal(failures, whole.length - 2);
});

test("embedded messages may be given as bytes", () => {
  const put = encodePutRequest({ key: bytes("foo"), value: bytes("bar"), lease: -2n });
  const spliced = { success: [{ requestPut: put }, encodeRequestOp({ requestRange: {} })] };
  const plain = {
    success: [
      { requestPut: { key: bytes("foo"), value: bytes("bar"), lease: -2n } },
      { requestRange: {} },
    ],
  };
  assert.deepEqual(encodeTxnRequest(spliced), encodeTxnRequest(plain));
  const target = new Uint8Array(sizeTxnRequest(spliced));
  assert.equal(writeTxnRequest(spliced, target, 0), target.length);
});

test("members of a oneof are written although zero, and the last one read wins", () => {
  assert.equal(hex(encodeCompare({ version: 0 })), "2000");
  assert.equal(hex(encodeCompare({ value: new Uint8Array(0) })), "3a00");
  assert.equal(hex(encodeRequestOp({ requestRange: {} })), "0a00");
  assert.equal(decodeCompare(unhex("20003a00")).version, undefined);
  assert.deepEqual([...decodeCompare(unhex("20003a00")).value!], []);
});

test("a message field that comes twice is merged", () => {
  const key = encodePutRequest({ key: bytes("k") });
  const value = encodePutRequest({ value: bytes("v"), prevKv: true });
  const twice = [
    ...encodeRequestOp({ requestPut: key }),
    ...encodeRequestOp({ requestPut: value }),
  ];
  const put = decodeRequestOp(Uint8Array.from(twice)).requestPut!;
  assert.deepEqual([text(put.key), text(put.value), put.prevKv], ["k", "v", true]);
  const range = encodeRequestOp({ requestRange: encodeRangeRequest({ limit: 1 }) });
  const other = decodeRequestOp(Uint8Array.from([...twice, ...range]));
  assert.equal(other.requestPut, undefined);
  assert.equal(other.requestRange!.limit, 1);
});

test("nesting has a limit, and the stack stands it", () => {
  let nested: Uint8Array = new Uint8Array(0);
  const wrap = (): void => {
    nested = encodeTxnRequest({ success: [{ requestTxn: nested }] });
  };
  for (let i = 0; i < 400; i++) wrap();
  assert.ok(decodeTxnRequest(nested).success[0]!.requestTxn !== undefined);
  for (let i = 0; i < 200; i++) wrap();
  assert.throws(() => decodeTxnRequest(nested), { message: /recursion depth/ });
});

test("malformed input has Go's words", () => {
  const put = codecs.find(({ descriptor }) => descriptor.name === "etcdserverpb.PutRequest")!;
  const malformed = [
    "0a03666f", // shorter than it says
    "00", // field number zero
    "0a80808080808080808080", // varint of eleven bytes
    "18ffffffffffffffffff02", // varint beyond 64 bits
    "18ffffffffffffff", // varint without end
    "0a8080808010", // length beyond 32 bits
    "3b0801", // group
    "3c", // end of a group
    "0f", // wire type 7
    "f8ffffffff7f00", // field number beyond 2^29
  ];
  for (const input of malformed) {
    assert.throws(() => put.decode(unhex(input)), {
      name: "ProtoError",
      message: "proto: cannot parse invalid wire-format data",
    });
  }
  const user = codecs.find(({ descriptor }) => /AuthUserAddRequest$/.test(descriptor.name))!;
  for (const input of ["fffe", "c080", "eda080", "f4908080", "e282"]) {
    const body = unhex(input);
    assert.throws(() => user.decode(Uint8Array.from([10, body.length, ...body])), {
      message: "string field contains invalid UTF-8",
    });
  }
});

test("unknown fields and known fields of another wire type are skipped", () => {
  // field 1 as varint, field 99 as fixed64, fixed32, bytes and varint, then the key
  const input = "0801" + "99060102030405060708" + "9d0601020304" + "9a0602abcd" + "980696" + "01";
  assert.equal(text(decodePutRequest(unhex(`${input}0a016b`)).key), "k");
});

/** Bytes of google.golang.org/protobuf with the messages of etcd 3.7.3. */
const GO_BYTES: readonly (readonly [string, Value, string])[] = [
  [
    "etcdserverpb.RangeRequest",
    {
      key: bytes("foo"),
      rangeEnd: bytes("fop"),
      limit: -1,
      revision: 2 ** 53,
      sortOrder: 2,
      sortTarget: 4,
      countOnly: true,
      maxCreateRevision: 16384,
    },
    "0a03666f6f1203666f7018ffffffffffffffffff0120808080808080801028023004480168808001",
  ],
  [
    "etcdserverpb.Compare",
    { result: 2, target: 4, key: bytes("k"), rangeEnd: bytes("l"), lease: 0n },
    "080210041a016b8204016c4000",
  ],
  [
    "etcdserverpb.ResponseHeader",
    {
      clusterId: 14841639068965178418n,
      memberId: 10276657743932975437n,
      revision: 2 ** 62,
      raftTerm: 2,
    },
    "08b298eaf1948386fccd0110cdd2918bd2b881cf8e01188080808080808080402002",
  ],
  [
    "etcdserverpb.WatchCreateRequest",
    { key: bytes("k"), startRevision: -5, filters: [1, 0], watchId: 300 },
    "0a016b18fbffffffffffffffff012a02010038ac02",
  ],
  [
    "raftpb.Message",
    {
      type: 3,
      to: 2n ** 64n - 1n,
      from: 1n,
      term: 0,
      entries: [{ term: 5, index: 70000, type: 0, data: bytes("hi") }, {}],
      snapshot: { metadata: { confState: { voters: [1n, 300n], autoLeave: false } } },
      reject: false,
      responses: [{ vote: 9n }],
    },
    "080310ffffffffffffffffff01180120003a0c0800100518f0a204220268693a004a0b12090a070801" +
      "08ac022800500072026809",
  ],
  ["walpb.Record", { type: 4, crc: 4294967295, data: new Uint8Array(0) }, "080410ffffffff0f1a00"],
];

test("bytes written by Go are read and written alike", () => {
  for (const [name, value, expected] of GO_BYTES) {
    const codec = codecs.find(({ descriptor }) => descriptor.name === name)!;
    assert.equal(hex(codec.encode(value)), expected, name);
    const decoded = codec.decode(unhex(expected));
    assert.deepEqual(normalise(codec.descriptor, decoded), normalise(codec.descriptor, value));
  }
});

test("the committed code is what the generator makes", () => {
  const source = generate(root);
  for (const [path, content] of source) {
    assert.equal(readFileSync(join(root, path), "utf8"), content, `${path}: run npm run gen`);
  }
  const names = [...source.keys()].filter((path) => path.includes("messages/"));
  assert.equal(readdirSync(join(root, "src/wire/messages")).length, names.length);
});

function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

function unhex(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value, "hex"));
}
